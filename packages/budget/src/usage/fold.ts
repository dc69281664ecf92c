import type { Millis } from "../store/shape"
import type { StoredEntry, UsageStatus } from "./entry"
import type { UsageGroup, UsageTotals } from "./ledger"

export interface UsageFoldOptions {
  groupBy: readonly UsageGroup[]
  /** Ascending boundaries, needed by the group `bucket`; entries outside are omitted. Null: all entries. */
  buckets: readonly Millis[] | null
}

/**
 * Exact sums of entries by group: what `UsageLedger.totals` returns. Add entries one by one, filtered with `matchesFilter`.
 * Audit entries are omitted. Groups come in the order of their first entry; sums saturate at ±(2^53 − 1).
 */
export class UsageFold {
  readonly #options: UsageFoldOptions
  readonly #groups = new Map<string, GroupSums>()

  constructor(options: UsageFoldOptions) {
    this.#options = options
  }

  add(entry: StoredEntry): void {
    if (entry.status === "audit") return
    const { groupBy, buckets } = this.#options
    const bucket = buckets === null ? null : bucketOf(buckets, entry.at)
    if (bucket === undefined) return
    const group = groupBy.map((by) => (by === "bucket" ? bucket : groupValue(entry, by)))
    groupOf(this.#groups, group).add(entry)
  }

  totals(): UsageTotals[] {
    return [...this.#groups.values()].map((sums) => sums.totals())
  }
}

function groupValue(entry: StoredEntry, by: Exclude<UsageGroup, "bucket">): string | null {
  return typeof by === "object" ? tagOf(entry, by.tag) : (entry[by] ?? null)
}

type SumField = Exclude<keyof UsageTotals, "group" | "requests" | "tokens">

/** A part of the totals of a group; absent fields are 0. Sums may exceed 2^53 − 1. */
export type PartialTotals = Pick<UsageTotals, "group"> & { tokens?: Record<string, ExactSum> } & {
  [Field in SumField | "requests"]?: ExactSum
}

/** The totals of each group, from parts. */
export function addTotals(parts: readonly PartialTotals[]): UsageTotals[] {
  const groups = new Map<string, GroupSums>()
  for (const part of parts) groupOf(groups, part.group).addPart(part)
  return [...groups.values()].map((sums) => sums.totals())
}

function groupOf(groups: Map<string, GroupSums>, group: UsageTotals["group"]): GroupSums {
  const key = JSON.stringify(group)
  let sums = groups.get(key)
  if (sums === undefined) {
    sums = new GroupSums(group)
    groups.set(key, sums)
  }
  return sums
}

const ofStatus = (status: UsageStatus) => (entry: StoredEntry, count: number) => (entry.status === status ? count : 0)

/** What an entry adds to each sum. `count`: how many attempts or denials the entry stands for. */
const SUMS: { readonly [Field in SumField]: (entry: StoredEntry, count: number) => number } = {
  attempts: (_entry, count) => count,
  succeeded: ofStatus("succeeded"),
  failed: ofStatus("failed"),
  denied: ofStatus("denied"),
  expired: ofStatus("expired"),
  released: ofStatus("released"),
  costNanoUsd: (entry) => entry.costNanoUsd,
  failedCostNanoUsd: (entry) => (entry.status === "succeeded" ? 0 : entry.costNanoUsd),
  inDoubt: (entry) => (entry.inDoubt ? 1 : 0),
  inDoubtNanoUsd: (entry) => (entry.inDoubt ? entry.costNanoUsd : 0),
  reservedNanoUsd: (entry) => entry.reservedNanoUsd,
  differenceNanoUsd: (entry) => entry.costNanoUsd - (entry.tableCostNanoUsd ?? entry.costNanoUsd),
}
const SUM_FIELDS = Object.keys(SUMS) as SumField[]

/** A sum that is exact beyond 2^53 − 1, where intermediate values may be. A bigint only while necessary. */
type ExactSum = number | bigint

function add(sum: ExactSum, amount: ExactSum): ExactSum {
  if (typeof sum === "number" && typeof amount === "number" && Number.isSafeInteger(sum + amount)) return sum + amount
  return BigInt(sum) + BigInt(amount)
}

function clamp(sum: ExactSum): number {
  if (sum > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER
  return sum < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : Number(sum)
}

class GroupSums {
  readonly #group: UsageTotals["group"]
  readonly #requestIds = new Set<string>()
  /** Requests without the distinct ids. */
  #moreRequests: ExactSum = 0
  readonly #tokens = new Map<string, ExactSum>()
  /** In the order of SUM_FIELDS. */
  readonly #sums: ExactSum[] = SUM_FIELDS.map(() => 0)

  constructor(group: UsageTotals["group"]) {
    this.#group = group
  }

  add(entry: StoredEntry): void {
    const count = entry.status === "denied" ? (entry.count ?? 1) : 1
    this.#requestIds.add(entry.requestId)
    this.#moreRequests = add(this.#moreRequests, count - 1)
    for (const [index, field] of SUM_FIELDS.entries())
      this.#sums[index] = add(this.#sums[index]!, SUMS[field](entry, count))
    this.#addTokens(entry.tokens)
  }

  addPart(part: PartialTotals): void {
    this.#moreRequests = add(this.#moreRequests, part.requests ?? 0)
    for (const [index, field] of SUM_FIELDS.entries()) this.#sums[index] = add(this.#sums[index]!, part[field] ?? 0)
    if (part.tokens !== undefined) this.#addTokens(part.tokens)
  }

  #addTokens(tokens: Record<string, ExactSum>): void {
    for (const [kind, amount] of Object.entries(tokens))
      this.#tokens.set(kind, add(this.#tokens.get(kind) ?? 0, amount))
  }

  totals(): UsageTotals {
    const tokens = Object.fromEntries([...this.#tokens].map(([kind, sum]) => [kind, clamp(sum)]))
    const sums = Object.fromEntries(SUM_FIELDS.map((field, index) => [field, clamp(this.#sums[index]!)]))
    const requests = clamp(add(this.#moreRequests, this.#requestIds.size))
    return { group: [...this.#group], requests, tokens, ...(sums as Record<SumField, number>) }
  }
}

/** Start of the bucket that contains `at`; undefined if none does. */
function bucketOf(boundaries: readonly Millis[], at: Millis): Millis | undefined {
  let [low, high] = [0, boundaries.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (boundaries[middle]! <= at) low = middle + 1
    else high = middle
  }
  // `low` boundaries are not after `at`; the last boundary only ends the last bucket.
  return low === 0 || low === boundaries.length ? undefined : boundaries[low - 1]
}

/** The value of a tag; null if the entry does not have it. `__proto__` is an ordinary name. */
export function tagOf(entry: Pick<StoredEntry, "tags">, name: string): string | null {
  return entry.tags !== undefined && Object.hasOwn(entry.tags, name) ? entry.tags[name]! : null
}
