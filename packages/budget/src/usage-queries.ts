import type { StoredEntry, UsageEntry, UsageFilter, UsageGroup, UsageTotals } from "./ledger"
import type { WindowPeriod } from "./limit"
import type { Subject } from "./subject"

/** Which ledger: the root of this subject. @defaultValue the root of an empty subject */
export interface UsageRoot {
  subject?: Subject | undefined
}

export interface UsageListQuery extends UsageRoot {
  filter?: UsageFilter | undefined
  cursor?: string | undefined
  /** Most entries of the page, 1 to 1000. @defaultValue 100 */
  limit?: number | undefined
  /** @defaultValue "oldest" */
  order?: "oldest" | "newest" | undefined
}

export interface UsageTotalsQuery extends UsageRoot {
  filter?: UsageFilter | undefined
  /** @defaultValue [] */
  groupBy?: readonly Exclude<UsageGroup, "bucket">[] | undefined
  /**
   * Split by time as well: the start of the period becomes the first value of `group`. Takes `filter.from` and
   * `filter.to`, by default the last 92 periods until now. At most 10,000 periods, not counting those before the
   * first entry.
   */
  per?: Exclude<WindowPeriod, "total"> | undefined
  /** @defaultValue "UTC" */
  timeZone?: string | undefined
}

/** The usage ledger of a budget. Every member throws a `NoLedgerError` when the store keeps none, except `record`. */
export interface BudgetUsage {
  /** Whether the store keeps a ledger. */
  readonly available: boolean
  /** Every attempt of a request, in order. */
  get(requestId: string, root?: UsageRoot): Promise<StoredEntry[]>
  /** A page, stable under writes. */
  list(query?: UsageListQuery): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }>
  /** Exact sums, by group and by time, in order of time and of the groups' texts; null last. */
  totals(query?: UsageTotalsQuery): Promise<UsageTotals[]>
  /** Every matching entry as one line of JSON, oldest first. */
  export(filter?: UsageFilter, root?: UsageRoot): AsyncIterableIterator<string>
  /** Removes entries written before this instant (epoch milliseconds). */
  prune(before: number, root?: UsageRoot): Promise<{ removed: number }>
  /** Writes an entry without money, such as a refusal. False when the store keeps no ledger. */
  record(id: string, entry: UsageEntry, root?: UsageRoot): Promise<boolean>
}
