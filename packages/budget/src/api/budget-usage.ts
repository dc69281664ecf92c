import type { WindowPeriod } from "../limits/limit"
import type { Subject } from "../limits/subject"
import type { StoredEntry, UsageEntry, UsageFilter } from "../usage/entry"
import type { UsageGroup, UsageTotals } from "../usage/ledger"

/** Selects the ledger: that of the subject's partition. @defaultValue the partition of an empty subject */
export interface UsagePartition {
  subject?: Subject | undefined
}

export interface UsageListQuery extends UsagePartition {
  filter?: UsageFilter | undefined
  cursor?: string | null | undefined
  /** Maximum number of entries in the page, 1 to 1000. @defaultValue 100 */
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
  /** `group`: by time, then by the values of the group, null last. The others: largest first. @defaultValue "group" */
  orderBy?: "group" | "costNanoUsd" | "requests" | "attempts" | undefined
  /** Maximum number of rows. @defaultValue all */
  limit?: number | undefined
}

/** The usage ledger of a budget. Every member throws a `NoLedgerError` if the store keeps no ledger, except `record` and `recordDenial`. */
export interface BudgetUsage {
  /** Whether the store keeps a ledger. */
  readonly available: boolean
  /** Every attempt of a request, in order. */
  get(requestId: string, options?: UsagePartition): Promise<StoredEntry[]>
  /** A page of entries. Entries that are written meanwhile do not cause others to be skipped or repeated. */
  list(query?: UsageListQuery): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }>
  /** Exact sums, by group and by time. */
  totals(query?: UsageTotalsQuery): Promise<UsageTotals[]>
  /** Every matching entry as one line of JSON, oldest first. */
  export(filter?: UsageFilter, options?: UsagePartition): AsyncIterableIterator<string>
  /** Removes entries written before this instant (epoch milliseconds). */
  prune(before: Date | number, options?: UsagePartition): Promise<{ removed: number }>
  /** Writes an entry without money. Resolves to false if the store keeps no ledger. */
  record(idempotencyKey: string, entry: UsageEntry, options?: UsagePartition): Promise<boolean>
  /**
   * Records a denial: once per subject and minute, with a count, so that a caller who retries cannot fill the ledger.
   * `reserve` does this by itself unless `recordDenial` is false. Resolves to false if the store keeps no ledger.
   */
  recordDenial(entry: Partial<UsageEntry>, options?: UsagePartition): Promise<boolean>
}
