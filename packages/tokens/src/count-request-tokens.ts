import {
  type AnswerFormat,
  type ContentPart,
  type ImagePart,
  InvalidArgumentError,
  type Message,
  parseModelId,
  type ToolDefinition,
  withoutDate,
} from "@p2/core"
import type { TokenCalibration } from "./calibration"
import type { Encoding, EncodingName } from "./encoding"
import { encodingNamed, encodingNameOf } from "./encoding-of-model"
import { UnboundedInputError } from "./errors"
import { estimateTokens } from "./estimate"
import { findModelRow, modelForms } from "./model-limits"
import { countOrdinary } from "./operations"
import { imageRuleFor } from "./request/image-rules"
import { imageTokens } from "./request/image-tokens"
import { toolTokens } from "./request/tool-tokens"

/** What is counted: the parts of a request that become input tokens. */
export interface RequestTokensInput {
  model: string
  messages: readonly Message[]
  tools?: readonly ToolDefinition[] | undefined
  answerFormat?: AnswerFormat | undefined
  /** Learnt corrections for the estimate. @defaultValue none */
  calibration?: TokenCalibration | undefined
}

/** Input tokens of a request. */
export interface RequestTokens {
  /** What the provider will probably report. */
  tokens: number
  /** Whether `tokens` is exact by a published formula. */
  exact: boolean
  /** What the provider can report at most, by the margins that the README states. */
  upperBound: number
  /** How they were found. */
  basis: string
  /** What kinds of parts the request has, such as `text+tools`: what a calibration is kept by. */
  shape: string
}

/**
 * Models of which OpenAI published that 3 tokens are added for each message, 1 for each name and 3 for the answer: its
 * cookbook, "How to count tokens with tiktoken", 6.
 * https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
 */
const PUBLISHED = /^(gpt-4o|gpt-4o-mini|gpt-4|gpt-4-32k|gpt-3\.5-turbo)$/

/** Models for which the cookbook starts every tool with 10 tokens and not with 7. */
const OLDER_TOOLS = /^(gpt-4|gpt-3\.5|gpt-35)/

/** Tokens that may be added to each message, to each request and around tools without being published. */
const MARGIN = { message: 8, request: 32, tools: 1024, format: 128, call: 24 }

/** Least bytes of audio in a second (8 kbit/s), and the most tokens that a provider counts for one (Gemini's 32). */
const AUDIO = { bytesPerSecond: 1000, tokensPerSecond: 32 }

/**
 * A page of a PDF is 1,500 to 3,000 tokens as Anthropic states it, of which this is the middle. How many pages a file has
 * is guessed by its size, and never more than half of what the model takes: a guess should not refuse a call.
 * https://docs.claude.com/en/docs/build-with-claude/pdf-support
 */
const FILE = { tokensPerPage: 2_250, bytesPerPage: 100_000 }

/** What has to be known of a model to count its requests. */
interface CountedModel {
  encodingName: EncodingName | undefined
  /** Its own name, without provider and date. */
  name: string
  /** Whether OpenAI published the formula for its messages. */
  published: boolean
  /** What the roles of messages come to: they are few, and every message has one. */
  roles: Map<string, { tokens: number; upperBound: number }>
}

/** Models that are remembered; beyond, all are forgotten, so that a caller's ids cannot fill the memory. */
const REMEMBERED_MODELS = 1_000

let known: Map<string, CountedModel> | undefined

function countedModel(model: string): CountedModel {
  known ??= new Map()
  const remembered = known.get(model)
  if (remembered !== undefined) return remembered
  parseModelId(model)
  const encodingName = encodingNameOf(model)
  const bare = (modelForms(model).at(-1) ?? model).split("/").at(-1)!
  const name = withoutDate(bare) ?? bare
  const found = { encodingName, name, published: encodingName !== undefined && PUBLISHED.test(name), roles: new Map() }
  if (known.size >= REMEMBERED_MODELS) known.clear()
  known.set(model, found)
  return found
}

/** Adds up what the parts of a request come to. */
class RequestCount {
  tokens = 0
  upperBound = 0
  /** What files probably come to. */
  files = 0
  /** What all comes to at most where a part has no bound of its own: no input is longer than the model takes. */
  window: number | undefined
  /** Whether every part so far has an exact number. */
  exact: boolean
  /** Undefined: only text. */
  kinds: Set<string> | undefined
  /** The model's own name, without provider and date. */
  readonly name: string
  /** Undefined: the model's tokenizer is not public. */
  readonly encoding: Encoding | undefined
  readonly #roles: CountedModel["roles"]

  constructor(readonly model: string) {
    const { encodingName, name, published, roles } = countedModel(model)
    this.name = name
    this.#roles = roles
    this.exact = published
    this.encoding = encodingName === undefined ? undefined : encodingNamed(encodingName)
  }

  get isPublic(): boolean {
    return this.encoding !== undefined
  }

  count(text: string): number {
    return this.encoding === undefined ? estimateTokens(text, this.model).tokens : countOrdinary(this.encoding, text)
  }

  add(tokens: number, upperBound = tokens): void {
    this.tokens += tokens
    this.upperBound += upperBound
  }

  text(text: string | null | undefined): void {
    if (text === undefined || text === null || text === "") return
    if (typeof text !== "string") throw new InvalidArgumentError("messages[].content", "a string", text)
    if (this.encoding === undefined) {
      const { tokens, upperBound } = estimateTokens(text, this.model)
      this.add(tokens, upperBound)
    } else this.add(countOrdinary(this.encoding, text))
  }

  role(role: Message["role"]): void {
    const known = this.#roles.get(role)
    const { tokens, upperBound } = this
    if (known !== undefined) this.add(known.tokens, known.upperBound)
    else this.text(role)
    if (known === undefined && ROLES.has(role))
      this.#roles.set(role, { tokens: this.tokens - tokens, upperBound: this.upperBound - upperBound })
  }

  /** There is a part that cannot be known exactly. */
  kind(kind: string): void {
    this.exact = false
    this.kinds ??= new Set(["text"])
    this.kinds.add(kind)
  }

  /** Adds what cannot be known exactly. */
  inexactly(kind: string, tokens: number, upperBound: number): void {
    this.kind(kind)
    this.add(tokens, Math.max(tokens, upperBound))
  }

  /** There is a part that only the model's window bounds. @throws UnboundedInputError when that is not known */
  unbounded(path: string, what: string, remedy: string): void {
    const row = findModelRow(this.model)
    if (row === undefined) throw new UnboundedInputError(path, `${what}, for a model without known limits,`, { remedy })
    this.window = Math.max(row.contextWindow, row.maxInputTokens ?? 0)
  }
}

/**
 * Input tokens of a chat request: an estimate that is exact where a formula is published, and a bound that holds.
 *
 * A file, and an image by address for a model without published rules, is bounded by the model's window: the bound of the
 * whole request is then what the model takes at most.
 *
 * @throws UnboundedInputError for one of these where the model's limits are not known; InvalidArgumentError for what is no
 * message
 */
export function countRequestTokens(input: RequestTokensInput): RequestTokens {
  const { model, messages, tools = [], answerFormat, calibration } = input
  if (!Array.isArray(messages)) throw new InvalidArgumentError("messages", "an array of messages", messages)
  const request = new RequestCount(model)
  if (!Array.isArray(tools)) throw new InvalidArgumentError("tools", "an array of tools", tools)
  // Not forEach, which would pass over holes.
  for (let index = 0; index < messages.length; index++) addMessage(request, messages[index]!, index)
  request.add(3, 3 + MARGIN.request)
  if (tools.length > 0) addTools(request, tools)
  if (answerFormat !== undefined && answerFormat?.type !== "text") addFormat(request, answerFormat)
  const shape = request.kinds === undefined ? "text" : [...request.kinds].join("+")
  const factor = request.exact ? 1 : (calibration?.factor(model, shape) ?? 1)
  if (!Number.isFinite(factor) || factor <= 0)
    throw new InvalidArgumentError("calibration.factor()", "a number above 0", factor)
  const { window = Number.POSITIVE_INFINITY, files } = request
  const tokens = Math.max(1, Math.round((request.tokens + Math.min(files, Math.floor(window / 2))) * factor))
  return {
    tokens,
    exact: request.exact,
    upperBound: Math.max(tokens, request.window ?? request.upperBound),
    basis: basisOf(request, factor),
    shape,
  }
}

function basisOf(request: RequestCount, factor: number): string {
  const text = request.encoding !== undefined ? request.encoding.name : "estimate by script, bound by bytes"
  const formula = request.exact ? "OpenAI's published formula" : "formula with margins"
  return `${text}; ${formula}${factor === 1 ? "" : `; calibrated × ${factor.toFixed(3)}`}`
}

function addMessage(request: RequestCount, message: Message, index: number): void {
  if (typeof message !== "object" || message === null)
    throw new InvalidArgumentError(`messages[${index}]`, "a message", message)
  request.add(3, 3 + MARGIN.message)
  request.role(message.role)
  if ("name" in message && message.name !== undefined) {
    request.text(message.name)
    request.add(1, 1 + MARGIN.message)
  }
  if (Array.isArray(message.content)) {
    message.content.forEach((part, at) => {
      addPart(request, part, `messages[${index}].content[${at}]`)
    })
  } else request.text(message.content)
  addOtherFields(request, message, index)
  if (message.role === "tool") {
    request.kind("tools")
    request.add(0, request.count(textAt(message.tool_call_id, `messages[${index}].tool_call_id`)) + MARGIN.call)
  }
  if (message.role !== "assistant") return
  request.text(message.refusal)
  for (const [callIndex, call] of [...(message.tool_calls ?? [])].entries()) {
    const at = `messages[${index}].tool_calls[${callIndex}]`
    request.text(textAt(call?.function?.name, `${at}.function.name`))
    request.text(textAt(call.function.arguments, `${at}.function.arguments`))
    request.inexactly("tools", 4, request.count(textAt(call.id, `${at}.id`)) + MARGIN.call)
  }
}

const ROLES: ReadonlySet<string> = new Set<Message["role"]>(["system", "developer", "user", "assistant", "tool"])

/** Fields of messages that are counted by name, or are nothing that the model reads. */
const COUNTED = new Set(["role", "name", "content", "refusal", "tool_calls", "tool_call_id"])

/** What a message has besides, such as the `function_call` of older requests, may reach the model: twice its JSON bounds it. */
function addOtherFields(request: RequestCount, message: Message, index: number): void {
  for (const name of Object.keys(message)) {
    if (COUNTED.has(name)) continue
    const value = (message as unknown as Record<string, unknown>)[name]
    if (value === undefined || value === null) continue
    const path = `messages[${index}].${name}`
    if (name === "audio")
      throw new UnboundedInputError(path, "an earlier answer's audio", { remedy: "Send its transcript." })
    const text = jsonOf({ [name]: value }, path)
    request.inexactly("other", request.count(text), 2 * boundOf(request, text))
  }
}

function textAt(value: unknown, path: string): string {
  if (typeof value !== "string") throw new InvalidArgumentError(path, "a string", value)
  return value
}

/** @throws InvalidArgumentError for what is no JSON: circles, bigints */
function jsonOf(value: unknown, path: string): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch {}
  if (text === undefined) throw new InvalidArgumentError(path, "what can be written as JSON", value)
  return text
}

function addPart(request: RequestCount, part: ContentPart | { type: "refusal"; refusal: string }, path: string): void {
  if (typeof part !== "object" || part === null) throw new InvalidArgumentError(path, "a content part", part)
  if (part.type === "text") {
    request.text(part.text)
    // Several parts are one content; how they are parted is not published.
    request.add(0, 4)
  } else if (part.type === "refusal") request.text(part.refusal)
  else if (part.type === "image_url") {
    textAt(part.image_url?.url, `${path}.image_url.url`)
    const rule = imageRuleFor(request.name)
    const { tokens, upperBound } = imageTokens(part, rule)
    const most = rule.kind === "bounded" ? Math.max(upperBound, unruledBound(request, part, path)) : upperBound
    request.inexactly("images", tokens, most + MARGIN.message)
  } else if (part.type === "input_audio") {
    const seconds = Math.ceil(
      (textAt(part.input_audio?.data, `${path}.input_audio.data`).length * 3) / 4 / AUDIO.bytesPerSecond,
    )
    request.inexactly("audio", Math.ceil(seconds / 2), seconds * AUDIO.tokensPerSecond + MARGIN.request)
  } else if (part.type === "file") {
    const { file_data: data, file_id: id } = part.file ?? {}
    const bytes =
      data === undefined && typeof id === "string" ? 0 : textAt(data, `${path}.file.file_data`).length * 0.75
    request.unbounded(path, "a file", "Send its text or its pages as images instead.")
    request.kind("files")
    request.files += Math.max(1, Math.ceil(bytes / FILE.bytesPerPage)) * FILE.tokensPerPage
  } else
    throw new InvalidArgumentError(
      `${path}.type`,
      '"text", "image_url", "input_audio" or "file"',
      (part as { type?: unknown }).type,
    )
}

/**
 * What an image can come to where no rule is published: users were billed for the text of a `data:` URL (66,000 tokens for
 * 1920 × 1080 with gpt-5.4-mini, https://community.openai.com/t/1380539). What an address leads to is not known here, but
 * no input is longer than the model takes.
 */
function unruledBound(request: RequestCount, part: ImagePart, path: string): number {
  const { url } = part.image_url
  if (/^data:/i.test(url)) return boundOf(request, url)
  request.unbounded(path, "an image by address", "Send it as a data: URL instead.")
  return 0
}

/**
 * The bound is twice the definitions' JSON, because they are sent to the model in a form that is not published, and
 * room for the instructions that come with tools: Anthropic states up to 530 tokens,
 * https://docs.claude.com/en/docs/agents-and-tools/tool-use/overview#pricing.
 */
function addTools(request: RequestCount, tools: readonly ToolDefinition[]): void {
  const text = jsonOf(tools, "tools")
  for (const [index, tool] of tools.entries()) textAt(tool?.function?.name, `tools[${index}].function.name`)
  const json = boundOf(request, text)
  const perTool = OLDER_TOOLS.test(request.name) && !/^gpt-4(o|\.)/.test(request.name) ? 10 : 7
  const usual = request.isPublic ? toolTokens(tools, (each) => request.count(each), perTool) : request.count(text) + 350
  request.inexactly("tools", usual, 2 * json + MARGIN.tools)
}

/** Answer formats reach the model in a form that is not published: once as compact JSON is usual, twice is the bound. */
function addFormat(request: RequestCount, answerFormat: AnswerFormat): void {
  const sent = answerFormat?.type === "json_schema" ? answerFormat.json_schema : (answerFormat ?? undefined)
  const text = jsonOf(sent, "answerFormat")
  request.inexactly("format", request.count(text) + 10, 2 * boundOf(request, text) + MARGIN.format)
}

function boundOf(request: RequestCount, text: string): number {
  return request.isPublic ? request.count(text) : estimateTokens(text, request.model).upperBound
}
