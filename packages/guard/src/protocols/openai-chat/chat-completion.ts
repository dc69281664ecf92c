import { isRecord } from "@p2/core"
import { largerReading, type ReportedUsage, readOpenAIChatUsage, type UsageReading } from "@p2/pricing/usage"
import { shownIdentifier } from "../../transport/provider-reply"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { coversContent, reportedIn } from "../reported-usage"
import { type AnswerEnd, endOf } from "./finish-reasons"
import { Reasoning } from "./reasoning"
import { readReportedError, reportsError } from "./reported-error"
import { type CalledTool, isBlank, ToolCalls } from "./tool-calls"

/**
 * Reads a chat completion from one JSON body or from the events of a stream: the answer, how it ended, and the usage. An
 * event that cannot be parsed, that reports an error, or that has another format breaks the answer permanently; its
 * usage is still read.
 */
export class ChatCompletion implements Meter {
  readonly #provider: string
  #generationId: string | undefined
  #model: string | undefined
  #serviceTier: string | undefined
  #finishReason: string | undefined
  #nativeFinishReason: string | undefined
  #content = ""
  #refusal = ""
  readonly #calls: ToolCalls
  readonly #reasoning = new Reasoning()
  /** The index of the choice that is the answer. Bytes of the others count as output only. */
  #choiceIndex: number | undefined
  #hasContent = false
  #outputBytes = 0
  #isComplete = false
  #isBroken = false
  #error: ReportedError | undefined
  #errorBody: unknown
  #reading: UsageReading = { status: "none" }
  /** The last usage covers everything that arrived. */
  #isUsageFinal = false

  /**
   * @param options `provider` decides which field of the usage has the cost; `generationId` is the one in the headers;
   * `answerTool` is the tool whose call is the answer (null: none; undefined: any tool)
   */
  constructor(options: {
    provider: string
    generationId?: string | undefined
    answerTool?: string | null | undefined
  }) {
    this.#provider = options.provider
    this.#generationId = options.generationId
    this.#calls = new ToolCalls(options.answerTool)
  }

  /** The content of the message, with its text parts joined. */
  get content(): string {
    return this.#content
  }

  get refusal(): string {
    return this.#refusal
  }

  /** As the provider reports it. */
  get finishReason(): string | undefined {
    return this.#finishReason
  }

  /** How the answer ended, by its finish reason. */
  get answerEnd(): AnswerEnd {
    return endOf(this.#finishReason, this.#nativeFinishReason)
  }

  /** The answer so far: the arguments of the first call of the answer's tool that has some, else the content. */
  get text(): string {
    return this.#calls.first ?? this.#content
  }

  /** The tool calls, in the order in which the model wrote them. */
  get toolCalls(): readonly CalledTool[] {
    return this.#calls.all
  }

  /** The reasoning of the message, in the fields in which its provider requires it with tool calls. */
  get reasoning(): Readonly<Record<string, unknown>> {
    return this.#reasoning.fields
  }

  /** The strings that may be the answer, the most likely first: arguments of tool calls, content, empty arguments. */
  get texts(): readonly string[] {
    const blank = this.#calls.arguments.filter(isBlank)
    const filled = this.#calls.arguments.filter((text) => !isBlank(text))
    return [...filled, this.#content, ...blank].filter((text) => text.trim() !== "")
  }

  /** The body or the event that broke the answer. It may quote the request: never log it. */
  get errorBody(): unknown {
    return this.#errorBody
  }

  /** Whether the body is an HTML page, which comes from a server other than the intended one. */
  get isWebPage(): boolean {
    return typeof this.#errorBody === "string" && this.#errorBody.trimStart().startsWith("<")
  }

  /** Adds an event, or a whole body (`event` undefined). `hasContent`: the model wrote something, reasoning included. */
  add({ event, data, text }: WireEvent): { usageOnly: boolean; hasContent: boolean } {
    const nothing = { usageOnly: false, hasContent: false }
    const isError = event !== undefined && isErrorEvent(event)
    const isEmpty = text.trim() === "" && !isError
    if (event !== undefined && (isEmpty || isKeepAlive(event, data))) return nothing
    if (event !== undefined && isDoneMark(data ?? text)) {
      this.#isComplete = true
      return nothing
    }
    const body: unknown = Array.isArray(data) && data.length === 1 ? data[0] : data
    if (!isRecord(body)) {
      this.#break(data === undefined ? text : data)
      return nothing
    }
    if (isError || reportsError(body)) this.#break(body, readReportedError(body))
    return this.#addBody(body, { isWhole: event === undefined })
  }

  end(): void {
    // An answer whose end was not marked stays open: the provider marks it by an event or a finish reason.
  }

  read(): MeterReading {
    return {
      state: this.#isBroken ? "broken" : this.#isComplete ? "complete" : "open",
      usage: this.#usage(),
      usageLowerBound: reportedIn(this.#reading),
      receivedOutputTokens: this.#outputBytes,
      model: this.#model,
      serviceTier: this.#serviceTier,
      generationId: this.#generationId,
      error: this.#error,
    }
  }

  #addBody(body: Record<string, unknown>, { isWhole }: { isWhole: boolean }) {
    this.#generationId ??= shortString(body.id)
    this.#model = shortString(body.model) ?? this.#model
    this.#serviceTier = shortString(body.service_tier) ?? this.#serviceTier
    const choices = (Array.isArray(body.choices) ? body.choices : []).filter(isRecord)
    if (isWhole && choices.length === 0) this.#break(body)
    const before = this.#outputBytes
    for (const choice of choices) this.#addChoice(choice, body, isWhole)
    const hasContent = this.#outputBytes > before
    if (hasContent) this.#isUsageFinal = false
    this.#hasContent ||= hasContent
    const inError = isRecord(body.error) ? body.error.usage : undefined
    const usages = [body.usage, inError, ...choices.map((choice) => choice.usage), groqUsage(body)]
    const hasUsage = this.#addUsage(usages)
    if (choices.length === 0 && !hasUsage && !isEmptyChunk(body)) this.#break(body)
    this.#isComplete ||= isWhole && choices.length > 0
    return { usageOnly: hasUsage && choices.length === 0 && !this.#isBroken, hasContent }
  }

  #addChoice(choice: Record<string, unknown>, body: Record<string, unknown>, isWhole: boolean): void {
    const { delta } = choice
    // Perplexity sends the whole message so far with each delta, MiniMax the whole message at the end:
    // https://github.com/perplexityai/api-discussion/issues/209
    const hasDelta = !isWhole && isRecord(delta) && Object.keys(delta).some((key) => key !== "role")
    const text = choice.text === undefined ? undefined : { content: choice.text }
    const message = hasDelta ? delta : (choice.message ?? delta ?? text)
    this.#choiceIndex ??= indexOf(choice)
    const isAnswer = indexOf(choice) === this.#choiceIndex
    if (isRecord(message)) {
      this.#outputBytes += outputBytesIn(message)
      if (isAnswer) this.#addMessage(message, { isWhole: !hasDelta })
    }
    if (!isAnswer) return
    const failed = [choice, message].find((each) => isRecord(each) && reportsError({ error: each.error }))
    if (failed !== undefined) this.#break(choice, readReportedError(failed))
    const reason = finishReasonIn(choice, message) ?? statedReason(body)
    // A whole body whose choice has no message has no answer. It does not count as an empty answer, which would be
    // repaired.
    if (isWhole && !isRecord(message) && endOf(reason) === "complete") this.#break(choice)
    if (reason === undefined) return
    this.#isComplete = true
    // A later reason does not complete an answer that was filtered, truncated or cut off.
    if (this.#finishReason !== undefined && this.answerEnd !== "complete") return
    this.#finishReason = reason
    this.#nativeFinishReason = shownReason(choice.native_finish_reason)
  }

  /** `isWhole`: the message may have everything so far, and not only what is new. */
  #addMessage(message: Record<string, unknown>, { isWhole }: { isWhole: boolean }): void {
    const { content, refusal, tool_calls: calls, function_call: legacyCall } = message
    if (typeof content === "string")
      this.#content = isWhole && content.startsWith(this.#content) ? content : this.#content + content
    else if (this.#content === "" && isListOfObject(content)) this.#content = JSON.stringify(content[0])
    else if (Array.isArray(content)) for (const part of content) this.#addPart(part)
    else if (isRecord(content)) this.#addPart(isTextPart(content) ? content : JSON.stringify(content))
    if (typeof refusal === "string") this.#refusal += refusal
    this.#reasoning.add(message, { isWhole })
    if (Array.isArray(calls) || isRecord(calls) || isRecordText(calls)) this.#calls.add(calls, { isWhole })
    if (isRecord(legacyCall)) this.#calls.addLegacy(legacyCall, { isWhole })
  }

  #addPart(part: unknown): void {
    if (typeof part === "string") this.#content += part
    if (!isRecord(part)) return
    if (part.type === "tool_use") this.#calls.add(part, { isWhole: false })
    if (typeof part.refusal === "string") this.#refusal += part.refusal
    // Mistral and others send reasoning as parts: https://docs.mistral.ai/capabilities/reasoning/
    // Gemini marks them: https://ai.google.dev/gemini-api/docs/thinking#summaries
    if (part.thought === true || (typeof part.type === "string" && /think|reason|summary/.test(part.type))) return
    const text = isRecord(part.text) ? part.text.value : part.text
    if (typeof text === "string") this.#content += text
    else if (isRecord(part.json)) this.#content += JSON.stringify(part.json)
  }

  /** Adds the usages of an event, and returns whether there were any. */
  #addUsage(values: readonly unknown[]): boolean {
    const readings = values.filter(isRecord).map((value) => readOpenAIChatUsage(value, this.#provider))
    const reported = readings.filter(({ status }) => status !== "none")
    if (reported.length === 0) return readings.length > 0
    this.#reading = reported.reduce(largerReading, this.#reading)
    this.#isUsageFinal = true
    return true
  }

  /** A usage is not that of the whole call if the answer has not ended, or if it is zero although there is content. */
  #usage(): ReportedUsage | undefined {
    const reading = this.#reading
    if (reading.status !== "exact" || !this.#isUsageFinal || !(this.#isComplete || this.#error !== undefined))
      return undefined
    return coversContent(reading.usage, this.#hasContent) ? reportedIn(reading) : undefined
  }

  /** @param error what the body reports; a body that reports none has no code, whatever its fields are */
  #break(body: unknown, error: ReportedError = withoutCode(readReportedError(body))): void {
    this.#isBroken = true
    // A usage before the error is not that of the whole call.
    if (!this.#isComplete) this.#isUsageFinal = false
    if (this.#error !== undefined) return
    this.#error = error
    this.#errorBody = body
  }
}

function withoutCode({ message }: ReportedError): ReportedError {
  return { status: undefined, code: undefined, message }
}

function isDoneMark(value: unknown): boolean {
  return typeof value === "string" && value.trim().toUpperCase() === "[DONE]"
}

/** `event: error`, and names such as `internalServerException`. */
function isErrorEvent(event: string): boolean {
  return /error|exception/i.test(event)
}

/** Keep-alive events: `event: ping`, `{"type":"ping"}`. */
function isKeepAlive(event: string, data: unknown): boolean {
  if (isRecord(data) && reportsError(data)) return false
  const isPing = /^(?:ping|heartbeat|keep-?alive)$/i
  return isPing.test(event) || (isRecord(data) && typeof data.type === "string" && isPing.test(data.type))
}

/** A chunk without choices: Azure's prompt filter results, `choices: null` at the end, `{}`. */
function isEmptyChunk(body: Record<string, unknown>): boolean {
  return Object.keys(body).length === 0 || "choices" in body || body.object === "chat.completion.chunk"
}

/** Groq reports the usage of a stream here. */
function groqUsage(body: Record<string, unknown>): unknown {
  return isRecord(body.x_groq) ? body.x_groq.usage : undefined
}

/** Fields of parts in OpenAI's and Gemini's formats. */
const PART_FIELDS =
  /^(?:type|text|json|refusal|(?:thought_?)?signature|thought|(?:inline|file)_?data|function_?(?:call|response)|executable_?code|code_?execution_?result|image_url|input_audio)$/i

/** An answer that a server wrapped in a list: one object that is not a part. */
function isListOfObject(content: unknown): content is [Record<string, unknown>] {
  if (!Array.isArray(content) || content.length !== 1 || !isRecord(content[0])) return false
  return !Object.keys(content[0]).some((name) => PART_FIELDS.test(name))
}

function isTextPart({ type, text }: Record<string, unknown>): boolean {
  return typeof text === "string" && (type === "text" || type === "output_text")
}

/** Tool calls as JSON in a string. */
function isRecordText(value: unknown): boolean {
  return typeof value === "string" && /^\s*[[{]/.test(value)
}

function indexOf(choice: Record<string, unknown>): number {
  return Number(choice.index ?? 0)
}

/** A short string from a provider: not empty, truncated to 200 characters. */
function shortString(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, 200) : undefined
}

/** The finish reason of a choice: servers also put it into the message, or pass on Anthropic's or Gemini's field. */
function finishReasonIn(choice: Record<string, unknown>, message: unknown): string | undefined {
  return statedReason(choice) ?? (isRecord(message) ? statedReason(message) : undefined)
}

function statedReason({ finish_reason, finishReason, stop_reason }: Record<string, unknown>): string | undefined {
  // vLLM's `stop_reason` is the token or the string at which the answer ended.
  const stopReason = typeof stop_reason === "string" ? stop_reason : undefined
  return [finish_reason, finishReason, stopReason].map(shownReason).find((reason) => reason !== undefined)
}

/**
 * A finish reason; "unrecognized" for one that is not an identifier, because a broken server may put text of the answer
 * there.
 */
function shownReason(value: unknown): string | undefined {
  // The nested form of the AI SDK and Cohere: `{ "type": "length" }`.
  const reason = isRecord(value) ? (value.unified ?? value.type ?? value.reason ?? value) : value
  if (reason === undefined || reason === null || reason === false) return undefined
  // Removes the detail, as in `content_filter: SAFETY`.
  const text = typeof reason === "string" ? reason.replace(/:.*$/s, "").trim() : reason
  return text === "" || text === "null" ? undefined : (shownIdentifier(text) ?? "unrecognized")
}

/** Fields of a message that the model does not write. */
const LABELS: ReadonlySet<string> = /* @__PURE__ */ new Set(["role", "type", "id", "index", "format"])

/** The UTF-8 bytes that the model wrote in a message. A token has at least one byte. */
function outputBytesIn(value: unknown, depth = 0): number {
  if (typeof value === "string") return utf8Length(value)
  if (typeof value !== "object" || value === null) return 0
  if (depth > 20) return JSON.stringify(value).length * 3
  let bytes = 0
  for (const [key, inner] of Object.entries(value)) if (!LABELS.has(key)) bytes += outputBytesIn(inner, depth + 1)
  return bytes
}

/** At least the length of a text in UTF-8: each half of a surrogate pair counts as three bytes. */
function utf8Length(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit > 0x7f) bytes += unit > 0x7ff ? 2 : 1
  }
  return bytes
}
