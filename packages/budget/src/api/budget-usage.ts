import type { WindowPeriod } from "../limits/limit"
import type { Subject } from "../limits/subject"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageGroup, UsageTotals } from "../usage/ledger"

/** Which ledger: the partition of this subject. @defaultValue the partition of an empty subject */
export interface UsagePartition {
  subject?: Subject | undefined
}

export interface UsageListQuery extends UsagePartition {
  filter?: UsageFilter | undefined
  cursor?: string | null | undefined
  /** Most entries of the page, 1 to 1000. @defaultValue 100 */
  limit?: number | undefined
  /** @defaultValue "oldest" */
  order?: "oldest" | "newest" | undefined
}

export interface UsageTotalsQuery extends UsagePartition {
  filter?: UsageFilter | undefined
  /** @defaultValue [] */
  groupBy?: readonly Exclude<UsageGroup, "bucket">[] | undefined
  /**
   * Split by time as well: the start of the period becomes the first value of `group`. Uses `filter.from` and `filter.to`,
   * by default the last 92 periods until now. At most 10,000 periods, not counting those before the first entry.
   */
  per?: Exclude<WindowPeriod, "total"> | undefined
  /** @defaultValue "UTC" */
  timeZone?: string | undefined
  /** `group`: by time and the groups' values, null last. Else the largest first. @defaultValue "group" */
  orderBy?: "group" | "costNanoUsd" | "requests" | "attempts" | undefined
  /** Most rows. @defaultValue all */
  limit?: number | undefined
}

/** The usage ledger of a budget. Every member throws a `NoLedgerError` when the store keeps none, except `record` and `recordDenial`. */
export interface BudgetUsage {
  /** Whether the store keeps a ledger. */
  readonly available: boolean
  /** Every attempt of a request, in order. */
  get(requestId: string, options?: UsagePartition): Promise<StoredEntry[]>
  /** A page, stable under writes. */
  list(query?: UsageListQuery): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }>
  /** Exact sums, by group and by time. */
  totals(query?: UsageTotalsQuery): Promise<UsageTotals[]>
  /** Every matching entry as one line of JSON, oldest first. */
  export(filter?: UsageFilter, options?: UsagePartition): AsyncIterableIterator<string>
  /** Removes entries written before this instant (epoch milliseconds). */
  prune(before: Date | number, options?: UsagePartition): Promise<{ removed: number }>
  /** Writes an entry without money. False when the store keeps no ledger. */
  record(idempotencyKey: string, entry: UsageEntry, options?: UsagePartition): Promise<boolean>
  /**
   * Records a denial: once per subject and minute, with a count, so that a caller who retries cannot fill the ledger.
   * `reserve` does this by itself unless `recordDenial` is false. False when the store keeps no ledger.
   */
  recordDenial(entry: Partial<UsageEntry>, options?: UsagePartition): Promise<boolean>
}
