import type { StoredEntry } from "@p2/budget"
import type { NanoUsd } from "@p2/core"
import type { AttemptStatus } from "../receipt"

/** Selects a part of the ledger. Times are `Date`s or epoch milliseconds. */
export interface UsageQuery {
  /** `null`: all users. @defaultValue the `userId` of the request */
  userId?: string | null | undefined
  /** `null`: all clients. @defaultValue the `clientId` of the request */
  clientId?: string | null | undefined
  /** Inclusive. */
  from?: Date | number | undefined
  /** Exclusive. */
  to?: Date | number | undefined
  /** Adds `groups` to the statistics. */
  groupBy?: UsageGrouping | readonly UsageGrouping[] | undefined
  /** IANA time zone of the days. @defaultValue "UTC" */
  timeZone?: string | undefined
}

/** A criterion to group statistics by. */
export type UsageGrouping = "user" | "client" | "model" | "provider" | "status" | "day" | { tag: string }

/** Sums over attempts. Amounts are dollars, each with the exact nano-USD. */
export interface UsageSums {
  totalRequests: number
  /** Requests with an answer, or with a step in which the model called tools. */
  successfulRequests: number
  /** The other requests, denied ones included. */
  failedRequests: number
  attempts: number
  /** Requests that a budget or the context window denied before anything was sent. */
  deniedRequests: number
  /** Attempts whose reservation expired. They were charged their upper bound. */
  expiredAttempts: number
  inputTokens: number
  outputTokens: number
  totalTokens: number
  totalCost: number
  totalCostNanoUsd: NanoUsd
  /** Sum of the attempts' reservations. */
  reservedCost: number
  reservedNanoUsd: NanoUsd
  /** Cost of attempts without an answer. */
  failedCost: number
  failedCostNanoUsd: NanoUsd
  /** Attempts that were sent, and whose cost neither a reported usage nor a documented rule decides. */
  inDoubtAttempts: number
  /** What these attempts were charged. `client.reconcile()` corrects it where the provider reports the cost afterwards. */
  inDoubtCost: number
  inDoubtCostNanoUsd: NanoUsd
  /** Sum of (reported cost − cost by the price table) where both are known. */
  providerDifference: number
  providerDifferenceNanoUsd: NanoUsd
}

/** Sums of one group. */
export interface UsageGroupSums extends UsageSums {
  /** In the order of `groupBy`; a day is `2026-11-23`; null where an entry has no value. */
  group: (string | null)[]
}

/** Result of {@link UsageTracker.getUsageStats}. */
export interface UsageStats extends UsageSums {
  userId: string | null
  clientId: string | null
  byModel: UsageGroupSums[]
  /** Days with usage, oldest first; without `from`, the last 92. */
  byDay: UsageGroupSums[]
  groups?: UsageGroupSums[] | undefined
}

/** How an attempt in the ledger ended. `expired`: its reservation expired before it was settled. */
export type RequestStatus = AttemptStatus | "expired"

/** One request, summed over its attempts. */
export interface RequestRecord {
  requestId: string
  /** Time of the first attempt, by the store's clock. */
  at: Date
  /** Status of the last attempt. Denied requests of one subject share a record for a minute. */
  status: RequestStatus
  errorCode?: string | undefined
  /** The model that the last attempt requested. */
  model: string
  /** The model that the provider reports. */
  modelUsed?: string | undefined
  provider?: string | undefined
  userId?: string | undefined
  clientId?: string | undefined
  tags?: Record<string, string> | undefined
  inputTokens: number
  outputTokens: number
  totalTokens: number
  /** Dollars. */
  cost: number
  costNanoUsd: NanoUsd
  reservedNanoUsd: NanoUsd
  durationMs: number
  attempts: StoredEntry[]
}

/** Result of {@link UsageTracker.getClientUsageData}. */
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
  /** Pass it to get the next page; null: this is the last one. */
  cursor: string | null
}
