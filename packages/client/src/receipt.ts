import { addUsage, type CostSource, type NanoUsd, type Usage } from "@p2/core"
import type { StructuredMode } from "./providers/provider"

/** How the answer was requested; `text` without an answer model. */
export type AnswerMode = "text" | StructuredMode

/** Why an attempt was made. */
export type AttemptReason =
  /** The first attempt of the request. */
  | "first"
  /** The transport failed, or the provider asked to try again. */
  | "retry"
  /** The previous answer was invalid and is sent back, or it was empty. */
  | "repair"
  /** The previous answer was truncated; this attempt has a larger `maxTokens`. */
  | "longer"
  /** The server rejected the answer mode or `stream_options` of the previous attempt. */
  | "mode"
  /** A scope denied the previous attempt; this attempt has the `maxTokens` that the scope can afford. */
  | "narrowed"
  /** The previous model failed or was denied. */
  | "fallback"
  /** The model called tools, and this attempt sends their results. */
  | "tools"

/**
 * The four deadlines of an attempt. `total`: the whole call. `connect`: until the request is written. `first-content`: until the
 * first content of a stream. `idle`: between two pieces of content.
 */
export type DeadlineName = "total" | "connect" | "first-content" | "idle"

/** Whether the store confirmed the cost of an attempt; `none`: it has no reservation, or its reservation was released unsent. */
export type SettlementStatus = "settled" | "pending" | "none"

/**
 * How an attempt ended. `denied` and `released` cost nothing.
 *
 * | outcome | status |
 * | --- | --- |
 * | a valid answer | `succeeded` |
 * | sent, or possibly sent, without a valid answer | `failed` |
 * | reserved, and proven not sent: no connection, or ended before the request was written | `released` |
 * | not reserved: rejected by the circuit breaker, the store failed, or a deadline or an abort ended the wait for it | `released` |
 * | denied by `maxBudget`, the context window or a scope | `denied` |
 */
export type AttemptStatus = "succeeded" | "failed" | "denied" | "released"

/** One HTTP call to a provider, or the denial of one. */
export interface AttemptReceipt {
  /** Number within the request, from 1. */
  attempt: number
  /** The step that the attempt belongs to, from 1. Without tools, a request has one step. */
  step: number
  /** `<requestId>.<attempt>`: idempotency key of the reservation, sent as `X-Client-Request-Id` where requests can be observed. */
  id: string
  reason: AttemptReason
  /** The model as requested and priced. */
  model: string
  /** The model that answered, as the provider reports it. */
  modelUsed?: string | undefined
  provider: string
  mode: AnswerMode
  /** Whether server-sent events were requested. */
  streamed: boolean
  status: AttemptStatus
  httpStatus?: number | undefined
  /** As the provider reports it: `stop`, `length`, `content_filter`, `tool_calls`, … */
  finishReason?: string | undefined
  errorCode?: string | undefined
  /** The limit that denied the attempt; for an attempt that was not denied, the limit for which it waited. */
  limit?: AttemptLimit | undefined
  /** The deadline that ended the attempt. */
  deadlineHit?: DeadlineName | undefined
  /** As the provider reported it; undefined if it is missing or inconsistent. */
  usage?: Usage | undefined
  costNanoUsd: NanoUsd
  costSource: CostSource
  /** The cost by the price table, if the provider reported a different one. */
  tableCostNanoUsd?: NanoUsd | undefined
  /** Sent, and neither a reported usage nor a documented rule decides the cost: `charge` of the client does. */
  inDoubt: boolean
  /** The upper bound that was reserved. */
  reservedNanoUsd: NanoUsd
  /** Output tokens that were requested. */
  maxTokens: number
  generationId?: string | undefined
  settlement: SettlementStatus
  timings: AttemptTimings
}

/**
 * One tool call. `failed`: the tool threw. `invalid`: it does not exist, or its arguments do not fit. `denied`: the
 * budget does not cover its cost. `released`: it was not run, because the store failed, or a deadline or the caller
 * ended the request.
 */
export interface ToolReceipt {
  /** `<requestId>.<attempt>.<number of the call>`: idempotency key of the reservation. */
  id: string
  /** The id that the model sees. */
  toolCallId: string
  name: string
  /** The step and the attempt in which the model called the tool. */
  step: number
  attempt: number
  status: "succeeded" | "failed" | "invalid" | "denied" | "released"
  /** `tool-failed`: the tool threw. `tool-cost-failed`: `actual` of its cost threw. Otherwise the code of the error. */
  errorCode?: string | undefined
  /** 0 for a tool without `cost`. */
  costNanoUsd: NanoUsd
  /** `custom`: the tool's own; `bound`: its maximum, because the call failed. */
  costSource: CostSource
  /** The call failed after it began, so that it may have been billed. */
  inDoubt: boolean
  reservedNanoUsd: NanoUsd
  settlement: SettlementStatus
  durationMs: number
}

/** One limit, such as `{ scope: "user", window: "day", unit: "usd" }`. `scope` is `request` for `maxBudget`. */
export interface AttemptLimit {
  scope: string
  window: string
  unit: "usd" | "tokens" | "requests"
}

/** Milliseconds from the end of planning, just before the amount is reserved, unless a field states another start. */
export interface AttemptTimings {
  /** Epoch milliseconds, before the plan. */
  startedAt: number
  /** How long the reservation took, with the wait. */
  reserveMs: number
  /** The part of it in which the attempt waited for budget that other calls had reserved. */
  waitMs?: number | undefined
  headersMs?: number | undefined
  firstContentMs?: number | undefined
  /** How long the settlement took. */
  settleMs?: number | undefined
  totalMs: number
}

/** The cost of one call of `generate()`, attempt by attempt. */
export interface Receipt {
  requestId: string
  /** The `metadata` of the request. */
  metadata?: Readonly<Record<string, unknown>> | undefined
  attempts: readonly AttemptReceipt[]
  /** The tool calls that were answered, in order. */
  toolCalls: readonly ToolReceipt[]
  /** Sum over the attempts that reported usage. */
  usage: Usage
  /** Sum over the attempts and the tool calls. */
  costNanoUsd: NanoUsd
  /** The least certain source among them: `bound`, then `table`, `custom`, `provider`, `none`. */
  costSource: CostSource
  /** The part of `costNanoUsd` that is in doubt. */
  inDoubtNanoUsd: NanoUsd
  /** Sum over the attempts and the tool calls. */
  reservedNanoUsd: NanoUsd
  /** `pending` while the store has not confirmed all of them. */
  settlement: SettlementStatus
  timings: {
    /** Epoch milliseconds. */
    startedAt: number
    totalMs: number
    /** First content of the last attempt. */
    firstContentMs?: number | undefined
    /** Time that the attempts waited for the store, without `waitMs`. */
    storeMs: number
    /** Time that the attempts waited for budget that other calls had reserved. */
    waitMs: number
  }
}

/** Ordered from the least certain to the most certain. */
const COST_SOURCES: readonly CostSource[] = ["bound", "table", "custom", "provider", "none"]
const SETTLEMENTS: readonly SettlementStatus[] = ["pending", "settled", "none"]

/** The receipt of a request as the sum of its attempts and its tool calls. */
export function sumReceipt(
  request: Pick<Receipt, "requestId" | "metadata">,
  { attempts, toolCalls }: Pick<Receipt, "attempts" | "toolCalls">,
  times: { startedAt: number; totalMs: number },
): Receipt {
  const usages = attempts.flatMap(({ usage }) => (usage === undefined ? [] : [usage]))
  const charged = [...attempts, ...toolCalls]
  let [costNanoUsd, inDoubtNanoUsd, reservedNanoUsd, storeMs, waitMs] = [0, 0, 0, 0, 0]
  for (const each of charged) {
    costNanoUsd += each.costNanoUsd
    reservedNanoUsd += each.reservedNanoUsd
    if (each.inDoubt) inDoubtNanoUsd += each.costNanoUsd
  }
  for (const { timings } of attempts) {
    storeMs += timings.reserveMs - (timings.waitMs ?? 0) + (timings.settleMs ?? 0)
    waitMs += timings.waitMs ?? 0
  }
  const { startedAt, totalMs } = times
  return {
    requestId: request.requestId,
    metadata: request.metadata,
    attempts,
    toolCalls,
    usage: usages.length === 1 ? usages[0]! : addUsage(...usages),
    costNanoUsd,
    ...leastCertain(charged),
    inDoubtNanoUsd,
    reservedNanoUsd,
    timings: { startedAt, totalMs, firstContentMs: attempts.at(-1)?.timings.firstContentMs, storeMs, waitMs },
  }
}

/** The least certain source and settlement. */
export function leastCertain(
  charged: readonly { costSource: CostSource; settlement: SettlementStatus }[],
): Pick<Receipt, "costSource" | "settlement"> {
  const costSource = COST_SOURCES.find((source) => charged.some((each) => each.costSource === source)) ?? "none"
  const settlement = SETTLEMENTS.find((status) => charged.some((each) => each.settlement === status)) ?? "none"
  return { costSource, settlement }
}
