import type { CostSource, NanoUsd } from "@p2/core"
import type { Millis, Name } from "../store/name"

/** How a reservation ended. */
export type FinalState = "settled" | "released" | "expired"

/**
 * How an attempt ended. `expired`: its lease ended without a settle. `denied`: the budget denied it; nothing was charged,
 * and `count` is the number of denials. `audit`: an operator's action; totals omit it.
 */
export type UsageStatus = "succeeded" | "failed" | "denied" | "expired" | "released" | "audit"

/** One attempt, as it is written. JSON values only. */
export interface UsageEntry {
  /** Groups the attempts of one request; at most 64 characters of a {@link Name}. */
  requestId: string
  /** Number of the attempt inside its request, from 1. */
  attempt: number
  userId?: string | undefined
  clientId?: string | undefined
  tags?: Record<string, string> | undefined
  /** The requested model. */
  model: string
  /** The model that answered, as the provider named it. */
  modelUsed?: string | undefined
  provider?: string | undefined
  /** How the answer was requested: `text`, `json_schema`, `tool`, `json_object`, `prompt`, with `+stream` when streamed. */
  mode?: string | undefined
  status: UsageStatus
  errorCode?: string | undefined
  /** The upper bound that was reserved. */
  reservedNanoUsd: NanoUsd
  costNanoUsd: NanoUsd
  /** Where the cost comes from. For `expired`: `bound` if the whole amount was charged, `custom` if `onExpire` is another amount. */
  costSource: CostSource
  /**
   * The call was sent, and neither its usage nor a documented rule decided the charge. The budget sets it when the whole
   * amount is charged because the lease ended, or because `settle` was given the reservation's own amount without a `costSource`.
   */
  inDoubt?: true | undefined
  /** The cost by the price table, if the provider reported a different one. */
  tableCostNanoUsd?: NanoUsd | undefined
  /** Tokens by kind; the kinds are the counts of `Usage` of `@p2/core`. */
  tokens: Record<string, number>
  /** Nano-USD by kind, summing to `costNanoUsd`. */
  costs?: Record<string, number> | undefined
  /** Only if `denied`: the number of denials that the entry stands for. @defaultValue 1 */
  count?: number | undefined
  durationMs?: number | undefined
  generationId?: string | undefined
  /** The reservation's fingerprint, written by the budget, so that any process can correct the attempt. */
  fingerprint?: string | undefined
  /** Only if the user opted in; at most 64 KiB of UTF-8 each. */
  prompt?: string | undefined
  answer?: string | undefined
}

/** An entry as a store keeps it: one per idempotency key, later settles overwrite it. */
export interface StoredEntry extends UsageEntry {
  idempotencyKey: Name
  /** Time of the first write. The order of the ledger is (at, idempotencyKey). */
  at: Millis
  /** Revision of the settle that wrote it. */
  revision: number
  /** How its reservation ended; `recorded`: written without a reservation. */
  state: FinalState | "recorded"
  /** What each counter was charged, by counter name. For every counter, spent = Σ charges + adjustments. */
  charges: Record<Name, number>
}

/** Every given field must match exactly: no case folding, prefixes or Unicode normalisation. */
export interface UsageFilter {
  /** Inclusive. */
  from?: Millis | undefined
  /** Exclusive. */
  to?: Millis | undefined
  requestId?: string | undefined
  clientId?: string | undefined
  userId?: string | undefined
  model?: string | undefined
  provider?: string | undefined
  status?: UsageStatus | undefined
  tag?: { name: string; value: string } | undefined
}
