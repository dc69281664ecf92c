import {
  type AnswerFormat,
  type CustomToolDefinition,
  checkOptions,
  InvalidArgumentError,
  type Message,
  type MessageInput,
  type ToolDefinition,
} from "@p2/core"
import type { TokenCalibration } from "../estimate/calibration"
import { type Counted, sum } from "./counted"
import { messageTokens } from "./message-tokens"
import { type RequestModel, requestModel } from "./request-model"
import { templateMargin } from "./template-margin"
import { formatTokens, toolTokens } from "./tool-tokens"

/** The parts of a request that become input tokens. */
export interface RequestTokensInput {
  model: string
  messages: readonly MessageInput[]
  tools?: readonly (ToolDefinition | CustomToolDefinition)[] | null | undefined
  answerFormat?: AnswerFormat | null | undefined
  /** Corrects the estimate by earlier reports of the provider. @defaultValue none */
  calibration?: TokenCalibration | undefined
}

/** Input tokens of a request. */
export interface RequestTokens {
  /** The number that the provider will probably report. Never used to decide about money. */
  tokens: number
  /** Whether `tokens` follows a published formula exactly. */
  exact: boolean
  /**
   * The most that the provider can report. It exceeds `tokens` even if that is exact, because providers add tokens that they
   * do not publish: the bound allows 8 for each message, 32 for the request, and more for tools, images, files and the chat
   * templates of open models.
   */
  upperBound: number
  /** Describes how both were computed. */
  basis: string
  /** The kinds of parts in the request, such as `text+tools`. A calibration keeps one factor per shape. */
  shape: string
}

/**
 * Models whose formula OpenAI published: 3 tokens for each message, 1 for each name and 3 for the response.
 * OpenAI's cookbook, "How to count tokens with tiktoken", section 6:
 * https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
 */
const PUBLISHED = /^(gpt-4o(-mini)?|gpt-4(-32k)?(-0314|-0613)?|gpt-3\.5-turbo(-0125)?)$/

/** Tokens that start the response, and a margin for what a provider adds to a request without publishing it. */
export const RESPONSE_START: Counted = { tokens: 3, upperBound: 3 + 32 }

const INPUT: ReadonlySet<string> = new Set(["model", "messages", "tools", "answerFormat", "calibration"])
const ONLY_INPUT = "Omit it: only input tokens are counted."
const ADVICE = {
  prompt: 'Write `messages: [{ role: "user", content: prompt }]`.',
  input: "Write `messages`.",
  contents: "Write `messages`.",
  system: 'Write `messages: [{ role: "system", content: system }, …]`.',
  response_format: "Did you mean `answerFormat`?",
  functions: "Did you mean `tools`?",
  maxTokens: ONLY_INPUT,
  max_tokens: ONLY_INPUT,
  maxOutputTokens: ONLY_INPUT,
  max_completion_tokens: ONLY_INPUT,
}

/**
 * Counts the input tokens of a chat request: an estimate, which is exact if OpenAI published the model's formula, and an upper
 * bound. Files, and images by URL for models without published rules, are bounded only by the model's context window.
 *
 * @throws UnboundedInputError for such a part if the model's limits are unknown
 * @throws InvalidArgumentError
 *
 * @example
 * countRequestTokens({ model: "gpt-4o-mini", messages: [{ role: "user", content: "Describe who is David Copperfield" }] })
 * // { tokens: 13, exact: true, upperBound: 53, … }
 * // tokens: 3 for the message + 1 for "user" + 6 for the text + 3 for the response
 * // upperBound: 13 + 8 for the message + 32 for the request
 */
export function countRequestTokens(input: RequestTokensInput): RequestTokens {
  if (typeof input !== "object" || input === null)
    throw new InvalidArgumentError("input", 'an object such as { model: "gpt-4o-mini", messages: […] }', input)
  checkOptions(input, INPUT, "options", ADVICE)
  const { model: id, messages, answerFormat, calibration } = input
  const tools = input.tools ?? []
  const model = requestModel(id)
  if (!Array.isArray(messages)) throw new InvalidArgumentError("messages", "an array of messages", messages)
  if (!Array.isArray(tools)) throw new InvalidArgumentError("tools", "an array of tools", tools)
  const parts: Counted[] = [RESPONSE_START, { tokens: 0, upperBound: templateMargin(model) }]
  // `forEach` would skip holes in the array.
  for (let index = 0; index < messages.length; index++)
    parts.push(...messageTokens(model, messages[index]! as Message, `messages[${index}]`))
  if (tools.length > 0) parts.push(toolTokens(model, tools))
  if ((answerFormat ?? undefined) !== undefined && answerFormat!.type !== "text")
    parts.push(formatTokens(model, answerFormat!))
  const { tokens: uncorrected, upperBound, kinds } = sum(parts)
  const exact = kinds.length === 0 && isPublished(model)
  const shape = ["text", ...kinds].join("+")
  const factor = exact ? 1 : (calibration?.factor(id, shape) ?? 1)
  if (!Number.isFinite(factor) || factor <= 0)
    throw new InvalidArgumentError("calibration.factor()", "a number above 0", factor)
  const tokens = Math.max(1, Math.round(uncorrected * factor))
  return { tokens, exact, upperBound: Math.max(tokens, upperBound), basis: basisOf(model, exact, factor), shape }
}

function isPublished({ name, encoding }: RequestModel): boolean {
  return encoding !== undefined && PUBLISHED.test(name)
}

function basisOf({ encoding }: RequestModel, exact: boolean, factor: number): string {
  const text = encoding === undefined ? "estimate by script, bound by bytes" : encoding.name
  const formula = exact ? "OpenAI's published formula" : "formula with margins"
  return `${text}; ${formula}${factor === 1 ? "" : `; calibrated × ${factor.toFixed(3)}`}`
}
