import type { AnswerFormat, Message, ToolDefinition } from "@p2/core"
import { countTokens } from "./count-tokens"
import { utf8Length } from "./estimate"

/** What is counted: the parts of a request that become input tokens. */
export interface RequestTokensInput {
  model: string
  messages: readonly Message[]
  tools?: readonly ToolDefinition[] | undefined
  answerFormat?: AnswerFormat | undefined
}

/** Input tokens of a request. */
export interface RequestTokens {
  /** What the provider will probably report. */
  tokens: number
  /** Whether `tokens` is exact by a published formula. */
  exact: boolean
  /** What the provider can report at most. */
  upperBound: number
  /** How they were found. */
  basis: string
}

/** Input tokens of a chat request. */
export function countRequestTokens(input: RequestTokensInput): RequestTokens {
  const text = JSON.stringify([input.messages, input.tools, input.answerFormat])
  const tokens = countTokens(text, { model: input.model })
  return { tokens, exact: false, upperBound: utf8Length(text) + 64, basis: "JSON of the request" }
}
