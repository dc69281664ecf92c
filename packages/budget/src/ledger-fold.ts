import type { StoredEntry, UsageEntry, UsageFilter, UsageGroup, UsageTotals } from "./ledger"
import type { Millis } from "./store"

const MAX = Number.MAX_SAFE_INTEGER
const SAME_FIELDS = ["requestId", "clientId", "userId", "model", "provider", "status"] as const

/** Whether an entry matches every field that the filter gives. Comparison is exact: no case, prefix or Unicode folding. */
export function matchesFilter(entry: StoredEntry, filter: UsageFilter): boolean {
  return isWithin(entry.at, filter) && hasFields(entry, filter)
}

export function isWithin(at: Millis, { from, to }: UsageFilter): boolean {
  return (from === undefined || at >= from) && (to === undefined || at < to)
}

/** All but the time. */
export function hasFields(entry: UsageEntry, filter: UsageFilter): boolean {
  for (const field of SAME_FIELDS) {
    const wanted = filter[field]
    if (wanted !== undefined && entry[field] !== wanted) return false
  }
  return filter.tag === undefined || tagOf(entry, filter.tag.name) === filter.tag.value
}

/**
 * Exact sums of entries, by group: what `UsageLedger.totals` returns, for stores that read their entries one by one.
 * Entries are taken as they come; filter them with {@link matchesFilter} first. Groups come in the order of their first
 * entry. Sums beyond ±(2^53 − 1) are cut off there.
 */
export class UsageFold {
  readonly #groupBy: readonly UsageGroup[]
  readonly #buckets: readonly Millis[]
  readonly #groups = new Map<string, GroupSums>()

  /** `buckets` are ascending boundaries; with `"bucket"` in `groupBy`, entries outside of them are left out. */
  constructor(options: { groupBy: readonly UsageGroup[]; buckets?: readonly Millis[] | undefined }) {
    this.#groupBy = options.groupBy
    this.#buckets = options.buckets ?? []
  }

  add(entry: StoredEntry): void {
    this.addAt(entry.at, entry)
  }

  addAt(at: Millis, entry: UsageEntry): void {
    const group: UsageTotals["group"] = []
    for (const by of this.#groupBy) {
      const value = this.#valueOf(at, entry, by)
      if (value === undefined) return
      group.push(value)
    }
    const key = JSON.stringify(group)
    let sums = this.#groups.get(key)
    if (sums === undefined) {
      sums = new GroupSums(group)
      this.#groups.set(key, sums)
    }
    sums.add(entry)
  }

  totals(): UsageTotals[] {
    return [...this.#groups.values()].map((sums) => sums.totals())
  }

  /** Undefined: the entry is outside of the buckets. */
  #valueOf(at: Millis, entry: UsageEntry, by: UsageGroup): string | number | null | undefined {
    if (by === "bucket") return bucketOf(this.#buckets, at)
    if (typeof by === "object") return tagOf(entry, by.tag)
    return entry[by] ?? null
  }
}

/** {@link UsageFold} over entries that are at hand. */
export function foldUsage(
  entries: Iterable<StoredEntry>,
  options: { groupBy: readonly UsageGroup[]; buckets?: readonly Millis[] | undefined },
): UsageTotals[] {
  const fold = new UsageFold(options)
  for (const entry of entries) fold.add(entry)
  return fold.totals()
}

class GroupSums {
  readonly #group: UsageTotals["group"]
  readonly #requests = new Set<string>()
  readonly #tokens = new Map<string, Exact>()
  readonly #count = { succeeded: 0, failed: 0, refused: 0, expired: 0, released: 0 }
  #attempts = 0
  #cost: Exact = 0
  #failedCost: Exact = 0
  #reserved: Exact = 0
  #difference: Exact = 0

  constructor(group: UsageTotals["group"]) {
    this.#group = group
  }

  add(entry: UsageEntry): void {
    this.#requests.add(entry.requestId)
    this.#attempts++
    this.#count[entry.status]++
    for (const [kind, count] of Object.entries(entry.tokens))
      this.#tokens.set(kind, plus(this.#tokens.get(kind) ?? 0, count))
    this.#cost = plus(this.#cost, entry.costNanoUsd)
    if (entry.status !== "succeeded") this.#failedCost = plus(this.#failedCost, entry.costNanoUsd)
    this.#reserved = plus(this.#reserved, entry.reservedNanoUsd)
    if (entry.tableCostNanoUsd !== undefined)
      this.#difference = plus(this.#difference, entry.costNanoUsd - entry.tableCostNanoUsd)
  }

  totals(): UsageTotals {
    const { succeeded, failed, refused, expired } = this.#count
    return {
      group: [...this.#group],
      requests: this.#requests.size,
      attempts: this.#attempts,
      succeeded,
      failed,
      refused,
      expired,
      tokens: Object.fromEntries([...this.#tokens].map(([kind, sum]) => [kind, toNumber(sum)])),
      costNanoUsd: toNumber(this.#cost),
      failedCostNanoUsd: toNumber(this.#failedCost),
      reservedNanoUsd: toNumber(this.#reserved),
      differenceNanoUsd: toNumber(this.#difference),
    }
  }
}

/** A number while that is exact, then a bigint. */
type Exact = number | bigint

function plus(sum: Exact, value: number): Exact {
  if (typeof sum === "bigint") return sum + BigInt(value)
  const next = sum + value
  return Number.isSafeInteger(next) ? next : BigInt(sum) + BigInt(value)
}

function toNumber(sum: Exact): number {
  if (typeof sum === "number") return sum
  if (sum > MAX) return MAX
  return sum < -MAX ? -MAX : Number(sum)
}

function bucketOf(boundaries: readonly Millis[], at: Millis): Millis | undefined {
  let [low, high] = [0, boundaries.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (boundaries[middle]! <= at) low = middle + 1
    else high = middle
  }
  // `low` boundaries are not after the entry; the last boundary only ends the last bucket.
  return low === 0 || low === boundaries.length ? undefined : boundaries[low - 1]
}

function tagOf(entry: UsageEntry, name: string): string | null {
  return entry.tags !== undefined && Object.hasOwn(entry.tags, name) ? entry.tags[name]! : null
}
