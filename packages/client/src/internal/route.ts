import type { AnswerFormat, CostSource, Message, NanoUsd, ToolDefinition } from "@p2/core"
import type { Bound } from "@p2/pricing"
import type { OpenAI } from "openai"
import type { Choice } from "./choose-provider"
import type { ReportedUsage } from "./usage-from-wire"

/** What a call cost, and how that is known. */
export interface KnownCost {
  nanoUsd: NanoUsd
  source: CostSource
  /** What the table says, where the provider named another figure. */
  tableNanoUsd: NanoUsd | undefined
}

/** The part of a call that asks for structure. */
export interface Structure {
  response_format?: AnswerFormat
  tools?: ToolDefinition[]
  tool_choice?: { type: "function"; function: { name: string } }
}

/** The input of a call, counted. */
export interface CountedInput {
  tokens: number
  /** The most that the provider may count. */
  upperBound: number
  exact: boolean
  messages: readonly Message[]
}

/** A model on its way: who is called, by what name, and what it costs there. */
export interface Route extends Choice {
  /** As it was asked for. */
  model: string
  /** As the provider is asked. */
  sentModel: string
  /** Base URL and model: where a mode that worked is remembered. Made once, because every call looks there. */
  modeKey: string
  maxTokensField: "max_tokens" | "max_completion_tokens"
  /** Undefined: nothing is sent. */
  serviceTier: string | undefined
  limits: { contextWindow: number; maxInputTokens?: number | undefined; maxOutputTokens?: number | undefined }
  /** Set by {@link RouteBook.open} before anything is sent. */
  openai: OpenAI
  countInput(input: { messages: readonly Message[]; structure: Structure }): CountedInput
  /** The most that a call can cost. */
  bound(input: CountedInput, maxTokens: number): Bound
  /** Published rates of a short input, in pico-USD per token. */
  rates(): { input: number; output: number }
  /** What this much would cost at the published price. */
  likelyNanoUsd(inputTokens: number, outputTokens: number): NanoUsd
  /** The most output tokens whose bound is at most `budgetNanoUsd`; 0 when not even the input fits. */
  affordableTokens(input: CountedInput, budgetNanoUsd: NanoUsd): number
  /** @throws P2Error when the price list cannot price what was used. */
  costOf(reported: ReportedUsage, serviceTier: string | undefined): KnownCost
}
