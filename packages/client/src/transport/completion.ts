import { isRecord, shortString } from "./json"
import { largerUsage, parseUsage, type ReportedUsage } from "./parse-usage"

/** Collects a chat completion from one body or from chunks. The code that creates it fills it; other code only reads it. */
export class Completion {
  finishReason: string | undefined
  generationId: string | undefined
  model: string | undefined
  /** The service tier that served the call, if the provider reports it. */
  serviceTier: string | undefined
  refusal = ""
  /** An error object inside a status 200. */
  error: Record<string, unknown> | undefined
  /** The provider reported the end: a JSON body that parses, `[DONE]`, or a finish reason. */
  complete = false
  /** The body was not a chat completion. */
  malformed = false
  /** The body was an HTML page. */
  webPage = false
  #content = ""
  #arguments = ""
  #reasoningChunks = 0
  #reported: ReportedUsage | undefined
  #isFinal = false

  constructor(generationId?: string | undefined) {
    this.generationId = generationId
  }

  /**
   * The usage of the whole call. Undefined if it was reported only before the end, contradicts itself, or is zero
   * although there is content: then only {@link usageLowerBound} is known.
   */
  get usage(): ReportedUsage | undefined {
    const reported = this.#reported
    if (!this.#isFinal || reported === undefined || reported.doubtful) return undefined
    const { inputTokens, outputTokens } = reported.usage
    return this.#length() > 0 && (inputTokens === 0 || outputTokens === 0) ? undefined : reported
  }

  /** The largest usage that was reported at any time, doubtful or not: the call used at least this. */
  get usageLowerBound(): ReportedUsage | undefined {
    return this.#reported
  }

  /** The answer: the arguments of the forced tool call, else the content. */
  get text(): string {
    return this.#arguments === "" ? this.#content : this.#arguments
  }

  /** Adds a whole completion or one chunk of a stream. Returns whether it had content. */
  add(body: unknown): boolean {
    if (!isRecord(body)) {
      this.malformed = true
      return false
    }
    this.generationId ??= shortString(body.id)
    this.model = shortString(body.model) ?? this.model
    this.serviceTier = shortString(body.service_tier) ?? this.serviceTier
    this.error = errorIn(body) ?? this.error
    // Groq reports the usage of a stream in `x_groq`.
    const groqUsage = isRecord(body.x_groq) ? body.x_groq.usage : undefined
    const choice = firstChoice(body.choices)
    const hasContent = choice !== undefined && this.#addChoice(choice)
    this.#addUsage(parseUsage(body.usage ?? groqUsage))
    return hasContent
  }

  /** Marks the body as complete. The usage that was reported so far becomes final. */
  end(): void {
    this.complete = true
    this.#isFinal = this.#reported !== undefined
  }

  /** Adds the usage in the body of an error status, which is final. */
  addFinalUsage(usage: unknown): void {
    this.#addUsage(parseUsage(usage))
    this.#isFinal = this.#reported !== undefined
  }

  /** Some servers report a running usage in every chunk. Only a report with or after the end is final. */
  #addUsage(usage: ReportedUsage | undefined): void {
    if (usage === undefined) return
    this.#reported = this.#reported === undefined ? usage : largerUsage(this.#reported, usage)
    this.#isFinal ||= this.complete || this.error !== undefined
  }

  #addChoice(choice: Record<string, unknown>): boolean {
    this.error ??= errorIn(choice)
    this.finishReason = shortString(choice.finish_reason) ?? this.finishReason
    this.complete ||= this.finishReason !== undefined
    const message = choice.message ?? choice.delta
    return isRecord(message) && this.#addMessage(message)
  }

  #addMessage(message: Record<string, unknown>): boolean {
    const before = this.#length()
    if (typeof message.content === "string") this.#content += message.content
    else if (Array.isArray(message.content)) for (const part of message.content) this.#addPart(part)
    if (typeof message.refusal === "string") this.refusal += message.refusal
    const call = firstChoice(message.tool_calls)
    if (isRecord(call?.function) && typeof call.function.arguments === "string")
      this.#arguments += call.function.arguments
    // Reasoning counts as content for the deadlines, because the model is working.
    if (isNonEmpty(message.reasoning) || isNonEmpty(message.reasoning_content)) this.#reasoningChunks++
    return this.#length() > before
  }

  #addPart(part: unknown): void {
    if (!isRecord(part)) return
    // Mistral sends reasoning as parts of the content: https://docs.mistral.ai/capabilities/reasoning/
    if (part.type === "thinking") this.#reasoningChunks++
    if (typeof part.text === "string") this.#content += part.text
    if (typeof part.refusal === "string") this.refusal += part.refusal
  }

  #length(): number {
    return this.#content.length + this.#arguments.length + this.refusal.length + this.#reasoningChunks
  }
}

function isNonEmpty(value: unknown): boolean {
  return typeof value === "string" && value !== ""
}

/** An error is an object, or (xAI) a string with a code beside it: https://github.com/nocmt/LLMSearchPlus/issues/2 */
function errorIn(holder: Record<string, unknown>): Record<string, unknown> | undefined {
  const { error, code } = holder
  if (isRecord(error)) return error
  return isNonEmpty(error) ? { message: error, code } : undefined
}

/** The item with index 0, or the first item without an index. */
function firstChoice(list: unknown): Record<string, unknown> | undefined {
  if (!Array.isArray(list)) return undefined
  return list.find((each): each is Record<string, unknown> => isRecord(each) && (each.index ?? 0) === 0)
}
