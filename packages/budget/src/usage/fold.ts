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
 * Audit entries are omitted. Groups come in the order of their first entry; sums stop at ±(2^53 − 1).
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
}

function groupValue(entry: StoredEntry, by: Exclude<UsageGroup, "bucket">): string | null {
  return typeof by === "object" ? tagOf(entry, by.tag) : (entry[by] ?? null)
}

type SumField = Exclude<keyof UsageTotals, "group" | "requests" | "tokens">

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

class GroupSums {
  readonly #group: UsageTotals["group"]
  readonly #requestIds = new Set<string>()
  readonly #repeatedDenials = new ExactSum()
  readonly #tokens = new Map<string, ExactSum>()
  readonly #sums = new Map(SUM_FIELDS.map((field) => [field, new ExactSum()]))

  constructor(group: UsageTotals["group"]) {
    this.#group = group
  }

  add(entry: StoredEntry): void {
    const count = entry.status === "denied" ? (entry.count ?? 1) : 1
    this.#requestIds.add(entry.requestId)
    this.#repeatedDenials.add(count - 1)
    for (const [field, sum] of this.#sums) sum.add(SUMS[field](entry, count))
    for (const [kind, tokens] of Object.entries(entry.tokens)) {
      if (!this.#tokens.has(kind)) this.#tokens.set(kind, new ExactSum())
      this.#tokens.get(kind)!.add(tokens)
    }
  }

  totals(): UsageTotals {
    const requests = new ExactSum()
    requests.add(this.#requestIds.size)
    requests.add(this.#repeatedDenials.value)
    const sums = Object.fromEntries([...this.#sums].map(([field, sum]) => [field, sum.value]))
    const tokens = Object.fromEntries([...this.#tokens].map(([kind, sum]) => [kind, sum.value]))
    return { group: [...this.#group], requests: requests.value, tokens, ...(sums as Record<SumField, number>) }
  }
}

/** A sum that is exact beyond 2^53 − 1: intermediate values may exceed that. A bigint only while necessary. */
class ExactSum {
  #sum: number | bigint = 0

  add(amount: number): void {
    const next = typeof this.#sum === "number" ? this.#sum + amount : undefined
    this.#sum = next !== undefined && Number.isSafeInteger(next) ? next : BigInt(this.#sum) + BigInt(amount)
  }

  get value(): number {
    if (typeof this.#sum === "number") return this.#sum
    if (this.#sum > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER
    return this.#sum < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : Number(this.#sum)
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
