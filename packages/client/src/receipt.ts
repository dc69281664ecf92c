import type { CostSource, NanoUsd, Usage } from "@p2/core"

/** How the answer was asked for, from the strictest way to the loosest; `text` when there is no answer model. */
export type AnswerMode = "text" | "json_schema" | "tool" | "json_object" | "prompt"

/** Why an attempt was made. */
export type AttemptReason =
  /** The first of the request. */
  | "first"
  /** The transport failed, or the provider asked to come back. */
  | "retry"
  /** The answer before was wrong and was sent back. */
  | "repair"
  /** The answer before was cut off; this one has a larger `maxTokens`. */
  | "longer"
  /** The server does not know the mode; this one asks in the next one. */
  | "mode"
  /** The model before failed or did not fit. */
  | "fallback"

/** The four deadlines of an attempt. */
export type DeadlineName = "total" | "connect" | "first-content" | "idle"

/** Whether the store knows what an attempt cost. `none`: nothing was reserved. */
export type Settlement = "settled" | "pending" | "none"

/** One HTTP call to a provider, or the refusal to make it. Times are milliseconds. */
export interface AttemptReceipt {
  /** Number inside the request, from 1. */
  attempt: number
  /** Id of the reservation, also sent as `X-Client-Request-Id`. */
  id: string
  reason: AttemptReason
  /** The model as it was asked for, and as it is priced. */
  model: string
  /** The model that answered, in the provider's words. */
  modelUsed?: string | undefined
  provider: string
  mode: AnswerMode
  /** Whether the answer came by server-sent events. */
  streamed: boolean
  /** `refused`: nothing was sent because of a limit. `released`: nothing was sent because the connection failed or the caller left. */
  status: "succeeded" | "failed" | "refused" | "released"
  httpStatus?: number | undefined
  /** In the provider's words: `stop`, `length`, `content_filter`, `tool_calls`… */
  finishReason?: string | undefined
  errorCode?: string | undefined
  /** The deadline that ended the attempt. */
  deadlineHit?: DeadlineName | undefined
  /** What the provider reported; absent when it reported nothing. */
  usage?: Usage | undefined
  costNanoUsd: NanoUsd
  costSource: CostSource
  /** What the price table says, where the provider named another figure. */
  tableCostNanoUsd?: NanoUsd | undefined
  /** The upper bound that was set aside. */
  reservedNanoUsd: NanoUsd
  /** Most output tokens that were asked for. */
  maxTokens: number
  generationId?: string | undefined
  settlement: Settlement
  timings: AttemptTimings
}

/** Milliseconds since the attempt began, except `startedAt` (epoch milliseconds). */
export interface AttemptTimings {
  startedAt: number
  /** How long the store took to set the money aside. */
  reserveMs: number
  headersMs?: number | undefined
  firstContentMs?: number | undefined
  /** How long the store took to settle. */
  settleMs?: number | undefined
  totalMs: number
}

/** What a request cost, attempt by attempt, and how that is known. */
export interface Receipt {
  requestId: string
  /** What the request was given as `metadata`. */
  metadata?: Readonly<Record<string, unknown>> | undefined
  attempts: readonly AttemptReceipt[]
  /** Sum over the attempts that reported usage. */
  usage: Usage
  /** Sum over the attempts. */
  costNanoUsd: NanoUsd
  /** The least certain source among the attempts: `bound` before `table`, `custom`, `provider`, `none`. */
  costSource: CostSource
  /** Sum of what was set aside. */
  reservedNanoUsd: NanoUsd
  /** `pending` while the store has not confirmed every attempt. */
  settlement: Settlement
  timings: {
    /** Epoch milliseconds. */
    startedAt: number
    totalMs: number
    /** Until the first content of the last attempt. */
    firstContentMs?: number | undefined
    /** Time spent waiting for the store. */
    storeMs: number
  }
}
