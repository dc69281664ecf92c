import type { StoredEntry, UsageStatus } from "@p2/budget"
import type { NanoUsd } from "@p2/core"

/** Which part of the ledger to look at. Times are `Date`s or epoch milliseconds. */
export interface UsageQuery {
  /** @defaultValue the request's own `userId`; `null`: every user */
  userId?: string | null | undefined
  /** @defaultValue the request's own `clientId`; `null`: every client */
  clientId?: string | null | undefined
  /** Inclusive. */
  from?: Date | number | undefined
  /** Exclusive. */
  to?: Date | number | undefined
  /** Adds `groups`. */
  groupBy?: UsageGrouping | readonly UsageGrouping[] | undefined
  /** For days: an IANA name. @defaultValue "UTC" */
  timeZone?: string | undefined
}

/** What statistics can be grouped by. */
export type UsageGrouping = "user" | "client" | "model" | "provider" | "status" | "day" | { tag: string }

/** Sums over attempts, in tokens and dollars; exact money beside each. */
export interface UsageSums {
  totalRequests: number
  /** Requests that ended with an answer. */
  successfulRequests: number
  /** Requests that did not; those that were only refused are among them. */
  failedRequests: number
  attempts: number
  /** Attempts that the budget or the context window did not let out. */
  refusedAttempts: number
  /** Attempts whose owner vanished, charged at their bound. */
  expiredAttempts: number
  inputTokens: number
  outputTokens: number
  totalTokens: number
  totalCost: number
  totalCostNanoUsd: NanoUsd
  /** What was set aside for the attempts, before they were settled. */
  reservedCost: number
  reservedNanoUsd: NanoUsd
  /** Part of the cost that bought no answer. */
  failedCost: number
  failedCostNanoUsd: NanoUsd
  /** Σ (what the provider said − what the price table says), where both are known. */
  providerDifference: number
  providerDifferenceNanoUsd: NanoUsd
}

/** Sums of one group. */
export interface UsageGroupSums extends UsageSums {
  /** In the order of `groupBy`; a day is `2026-11-23`; null where an entry has none. */
  group: (string | null)[]
}

/** What {@link UsageTracker.getUsageStats} says. */
export interface UsageStats extends UsageSums {
  userId: string | null
  clientId: string | null
  byModel: UsageGroupSums[]
  /** Days that had usage, oldest first; the last 92 when no `from` was given. */
  byDay: UsageGroupSums[]
  groups?: UsageGroupSums[] | undefined
}

/** One request, folded from its attempts. */
export interface RequestRecord {
  requestId: string
  /** Time of the first attempt, by the store's clock. */
  at: Date
  status: UsageStatus
  errorCode?: string | undefined
  /** As it was asked for last. */
  model: string
  /** As the provider says. */
  modelUsed?: string | undefined
  provider?: string | undefined
  userId?: string | undefined
  clientId?: string | undefined
  tags?: Record<string, string> | undefined
  inputTokens: number
  outputTokens: number
  totalTokens: number
  cost: number
  costNanoUsd: NanoUsd
  reservedNanoUsd: NanoUsd
  durationMs: number
  attempts: StoredEntry[]
}

/** What {@link UsageTracker.getClientUsageData} says. */
export interface ClientUsageData extends UsageSums {
  clientId: string
  modelsUsed: string[]
  byModel: UsageGroupSums[]
  /** The last ten, newest first. */
  recentRequests: RequestRecord[]
}

/** A page of {@link UsageTracker.listRequests}. */
export interface RequestPage {
  requests: RequestRecord[]
  /** Give it back for the next page; null: this was the last. */
  cursor: string | null
}
