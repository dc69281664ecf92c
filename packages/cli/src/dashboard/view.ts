import type { NanoUsd } from "@p2/core"

// What the server sends to the page. Every amount is exact: nano-USD, or a count for limits in tokens or requests.

/** The ranges of time that the page offers. */
export const RANGES = {
  "1h": { bucket: "1m", bucketMs: 60_000, buckets: 60 },
  "24h": { bucket: "15m", bucketMs: 900_000, buckets: 96 },
  "7d": { bucket: "2h", bucketMs: 7_200_000, buckets: 84 },
  "30d": { bucket: "6h", bucketMs: 21_600_000, buckets: 120 },
} as const

export type Range = keyof typeof RANGES

export function isRange(value: unknown): value is Range {
  return typeof value === "string" && Object.hasOwn(RANGES, value)
}

/** The events of the stream, by name. Each is sent when it changes. */
export interface Sections {
  limits: LimitsView
  totals: TotalsView
  calls: CallsView
  problem: ProblemView
}

export type SectionName = keyof Sections

export interface LimitsView {
  limits: LimitView[]
  /** Number of limits that are not shown because there are too many: those furthest from being reached. */
  more: number
}

/** One limit in its current window. */
export interface LimitView {
  id: string
  /** `total`, `user`, `client`, `model`, `tag` or `run` (a child budget). */
  scope: string
  /** The name of the tag. */
  tag: string | null
  /** The user id, tag value and so on; null for `total` and `run`. */
  value: string | null
  /** The `per` of the limit. */
  window: string
  timeZone: string | null
  unit: "usd" | "tokens" | "requests"
  /** Null: counts only. */
  limit: number | null
  granted: number
  spent: number
  reserved: number
  remaining: number | null
  resetsAt: number | null
}

/** Sums over a range. */
export interface Sums {
  /** Attempts, without denials. */
  calls: number
  failed: number
  expired: number
  denied: number
  costNanoUsd: NanoUsd
  inDoubt: number
  inDoubtNanoUsd: NanoUsd
  inputTokens: number
  outputTokens: number
}

export interface GroupView extends Sums {
  /** Null: entries without one. */
  value: string | null
}

export interface TotalsView {
  range: Range
  /** Start of the first bucket, by the store's clock. */
  from: number
  bucketMs: number
  /** False while the ledger is read for the first time: the sums grow. */
  isComplete: boolean
  sums: Sums
  /** Cost by model in each bucket, the most expensive model first; the last may be all others together. */
  series: { model: string | null; isRest: boolean; costsNanoUsd: NanoUsd[] }[]
  /** The rows of each kind of group, the most expensive first. */
  groups: { kind: "model" | "user" | "client" | "tag"; tag: string | null; rows: GroupView[]; more: number }[]
}

export interface CallsView {
  /** Newest first. */
  calls: CallView[]
  /** Where older calls begin; null: there are none. */
  cursor: string | null
  /** How many entries the store has dropped because it was full. */
  dropped: number
}

/** A usage entry without its prompt, answer and internal fields. */
export interface CallView {
  id: string
  at: number
  requestId: string
  attempt: number
  userId: string | null
  clientId: string | null
  tags: [string, string][]
  model: string
  modelUsed: string | null
  provider: string | null
  mode: string | null
  status: string
  errorCode: string | null
  /** The limits that denied the call, in words, if this process saw the denial. */
  deniedBy: string | null
  reservedNanoUsd: NanoUsd
  costNanoUsd: NanoUsd
  costSource: string
  inDoubt: boolean
  tableCostNanoUsd: NanoUsd | null
  tokens: [string, number][]
  costs: [string, number][]
  /** Denials that the entry stands for. */
  count: number
  durationMs: number | null
  generationId: string | null
  /** How many times its charge was replaced. */
  revision: number
}

export interface ProblemView {
  /** Null: everything works. */
  message: string | null
}
