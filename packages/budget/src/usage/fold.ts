import type { Millis } from "../store/name"
import type { StoredEntry } from "./entry"
import { tagOf } from "./filter"
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

class GroupSums {
  readonly #group: UsageTotals["group"]
  readonly #requestIds = new Set<string>()
  readonly #tokens = new Map<string, ExactSum>()
  readonly #byStatus = {
    succeeded: new ExactSum(),
    failed: new ExactSum(),
    denied: new ExactSum(),
    expired: new ExactSum(),
    released: new ExactSum(),
  }
  readonly #attempts = new ExactSum()
  readonly #repeatedDenials = new ExactSum()
  readonly #cost = new ExactSum()
  readonly #failedCost = new ExactSum()
  readonly #inDoubt = new ExactSum()
  readonly #inDoubtCost = new ExactSum()
  readonly #reserved = new ExactSum()
  readonly #difference = new ExactSum()

  constructor(group: UsageTotals["group"]) {
    this.#group = group
  }

  add(entry: StoredEntry): void {
    const { status } = entry
    if (status === "audit") return
    const count = status === "denied" ? (entry.count ?? 1) : 1
    this.#requestIds.add(entry.requestId)
    this.#repeatedDenials.add(count - 1)
    this.#attempts.add(count)
    this.#byStatus[status].add(count)
    for (const [kind, tokens] of Object.entries(entry.tokens)) this.#addTokens(kind, tokens)
    this.#cost.add(entry.costNanoUsd)
    if (status !== "succeeded") this.#failedCost.add(entry.costNanoUsd)
    if (entry.inDoubt === true) {
      this.#inDoubt.add(1)
      this.#inDoubtCost.add(entry.costNanoUsd)
    }
    this.#reserved.add(entry.reservedNanoUsd)
    if (entry.tableCostNanoUsd !== undefined) {
      this.#difference.add(entry.costNanoUsd)
      this.#difference.add(-entry.tableCostNanoUsd)
    }
  }

  totals(): UsageTotals {
    const requests = new ExactSum()
    requests.add(this.#requestIds.size)
    requests.add(this.#repeatedDenials.value)
    return {
      group: [...this.#group],
      requests: requests.value,
      attempts: this.#attempts.value,
      succeeded: this.#byStatus.succeeded.value,
      failed: this.#byStatus.failed.value,
      denied: this.#byStatus.denied.value,
      expired: this.#byStatus.expired.value,
      released: this.#byStatus.released.value,
      tokens: Object.fromEntries([...this.#tokens].map(([kind, sum]) => [kind, sum.value])),
      costNanoUsd: this.#cost.value,
      failedCostNanoUsd: this.#failedCost.value,
      inDoubt: this.#inDoubt.value,
      inDoubtNanoUsd: this.#inDoubtCost.value,
      reservedNanoUsd: this.#reserved.value,
      differenceNanoUsd: this.#difference.value,
    }
  }

  #addTokens(kind: string, tokens: number): void {
    const sum = this.#tokens.get(kind) ?? new ExactSum()
    sum.add(tokens)
    this.#tokens.set(kind, sum)
  }
}

/** A sum that is exact beyond 2^53 − 1: it may pass that on the way and come back. A bigint only while it has to be. */
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
