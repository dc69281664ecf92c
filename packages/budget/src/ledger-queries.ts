import { InvalidArgumentError } from "@p2/core"
import type { BudgetContext } from "./budget-context"
import { NoLedgerError } from "./budget-errors"
import { nameOf } from "./cell-key"
import { checkOptions, checkSubject } from "./check-options"
import { byGroup } from "./group-order"
import type { StoredEntry, UsageEntry, UsageFilter, UsageGroup, UsageLedger, UsageTotals } from "./ledger"
import { boundedEntry, boundedFilter, boundedTag, requestName } from "./ledger-texts"
import type { WindowPeriod } from "./limit"
import type { Millis, Name } from "./store"
import { MAX_TIME, withinTimeout } from "./store-calls"
import type { BudgetUsage, UsageListQuery, UsageRoot, UsageTotalsQuery } from "./usage-queries"
import { readWindowing, type Windowing, windowAt } from "./window"

const MAX_BUCKETS = 10_000
const DEFAULT_BUCKETS = 92
const MAX_PAGE = 1_000
/** Sums over many entries take longer than a reserve may. */
const QUERY_TIMEOUT_MS = 30_000
const ROOT_NAMES: ReadonlySet<string> = new Set(["subject"])
const LIST_NAMES: ReadonlySet<string> = new Set(["subject", "filter", "cursor", "limit", "order"])
const TOTALS_NAMES: ReadonlySet<string> = new Set(["subject", "filter", "groupBy", "per", "timeZone"])
const TEXTS = ["requestId", "userId", "clientId", "model", "provider"] as const
const FILTER_NAMES: ReadonlySet<string> = new Set(["from", "to", ...TEXTS, "status", "tag"])
const STATUSES: readonly unknown[] = ["succeeded", "failed", "refused", "expired", "released"]

/** The ledger of a budget's store, with time buckets made here. */
export class LedgerQueries implements BudgetUsage {
  readonly #context: BudgetContext

  constructor(context: BudgetContext) {
    this.#context = context
  }

  get available(): boolean {
    return this.#context.store.ledger !== undefined
  }

  async get(requestId: string, root?: UsageRoot): Promise<StoredEntry[]> {
    checkRoot(root)
    const name = requestName(requestId, "requestId")
    return this.#ask((ledger) => ledger.get({ root: this.#rootOf(root), requestId: name }))
  }

  async list(query: UsageListQuery = {}): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    checkOptions(query, LIST_NAMES, { argument: "query", expected: "such as { filter, limit }" })
    const { cursor, limit = 100, order } = query
    const filter = readFilter(query.filter)
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE)
      throw new InvalidArgumentError("limit", `a whole number from 1 to ${MAX_PAGE}`, limit)
    return this.#ask((ledger) => ledger.list({ root: this.#rootOf(query), filter, cursor, limit, order }))
  }

  async totals(query: UsageTotalsQuery = {}): Promise<UsageTotals[]> {
    checkOptions(query, TOTALS_NAMES, { argument: "query", expected: "such as { filter, groupBy }" })
    const { per } = query
    const filter = readFilter(query.filter)
    const groupBy = (query.groupBy ?? []).map((by) => (typeof by === "object" ? { tag: boundedTag(by.tag) } : by))
    const root = this.#rootOf(query)
    const buckets = per === undefined ? undefined : await this.#bucketsOf(root, filter, per, query.timeZone)
    const columns: UsageGroup[] = buckets === undefined ? groupBy : ["bucket", ...groupBy]
    const rows = await this.#ask((ledger) => ledger.totals({ root, filter, groupBy: columns, buckets }))
    // Stores group in orders of their own.
    return rows.sort(byGroup)
  }

  async *export(filter: UsageFilter = {}, root?: UsageRoot): AsyncIterableIterator<string> {
    checkRoot(root)
    let cursor: string | undefined
    do {
      const page = await this.list({ ...root, filter, cursor, limit: MAX_PAGE })
      for (const entry of page.entries) yield `${JSON.stringify(entry)}\n`
      cursor = page.cursor ?? undefined
    } while (cursor !== undefined)
  }

  async prune(before: number, root?: UsageRoot): Promise<{ removed: number }> {
    checkRoot(root)
    return this.#ask((ledger) => ledger.prune({ root: this.#rootOf(root), before }))
  }

  async record(id: string, entry: UsageEntry, root?: UsageRoot): Promise<boolean> {
    checkRoot(root)
    if (!this.available) return false
    const { store, storeTimeoutMs } = this.#context
    const request = { root: this.#rootOf(root), id: nameOf(id, "id"), entry: boundedEntry(entry, "entry") }
    await withinTimeout(() => store.ledger!.record(request), storeTimeoutMs, store.name)
    return true
  }

  /** `root` is a query as well, whose other names have been looked at. */
  #rootOf(root: UsageRoot | undefined): Name {
    if (root?.subject !== undefined) checkSubject(root.subject)
    return nameOf(this.#context.root(root?.subject ?? {}), "root")
  }

  async #ask<T>(question: (ledger: UsageLedger) => Promise<T>): Promise<T> {
    const { name, ledger } = this.#context.store
    if (ledger === undefined) throw new NoLedgerError(name)
    return withinTimeout(() => question(ledger), QUERY_TIMEOUT_MS, name)
  }

  /** Boundaries of every period from `filter.from` to `filter.to`. */
  async #bucketsOf(
    root: Name,
    filter: UsageFilter,
    per: WindowPeriod,
    timeZone: string | undefined,
  ): Promise<Millis[]> {
    const windowing = readWindowing(per, timeZone, "totals")
    if (windowing.kind === "total") throw new InvalidArgumentError("totals.per", 'a period other than "total"', per)
    const { store } = this.#context
    for (const [name, at] of Object.entries({ from: filter.from, to: filter.to }))
      if (at !== undefined && !(Number.isSafeInteger(at) && Math.abs(at) <= MAX_TIME))
        throw new InvalidArgumentError(`filter.${name}`, "an instant in epoch milliseconds", at)
    const end = filter.to ?? (await this.#context.call(() => store.read({ root, keys: ["time"] }))).now + 1
    const start = filter.from ?? startOfPeriods(windowing, end - 1, DEFAULT_BUCKETS)
    // "Since ever" is long before the first entry, and what has no entry has no row.
    const buckets =
      bucketsBetween(windowing, start, end) ?? bucketsBetween(windowing, await this.#first(root, filter, end), end)
    if (buckets === undefined)
      throw new InvalidArgumentError(
        "totals.per",
        `a period that fits at most ${MAX_BUCKETS} times between the first entry and \`to\``,
        per,
      )
    return buckets
  }

  /** When the first entry was written, at most `end`. */
  async #first(root: Name, filter: UsageFilter, end: Millis): Promise<Millis> {
    const { entries } = await this.#ask((ledger) => ledger.list({ root, filter, limit: 1 }))
    return entries[0]?.at ?? end
  }
}

/** Boundaries of every period that begins before `end`, the first with `start` in it; undefined: too many. */
function bucketsBetween(windowing: Windowing, start: Millis, end: Millis): Millis[] | undefined {
  const buckets = [windowAt(windowing, start)!.startsAt]
  while (buckets.at(-1)! < end) {
    if (buckets.length > MAX_BUCKETS) return undefined
    buckets.push(windowAt(windowing, buckets.at(-1)!)!.endsAt)
  }
  // A range that is empty still has one period.
  if (buckets.length === 1) buckets.push(windowAt(windowing, buckets[0]!)!.endsAt)
  return buckets
}

function checkRoot(root: UsageRoot | undefined): void {
  if (root !== undefined) checkOptions(root, ROOT_NAMES, { argument: "root", expected: "such as { subject }" })
}

/** A misspelt name must not find everything. */
function readFilter(filter: UsageFilter = {}): UsageFilter {
  checkOptions(filter, FILTER_NAMES, { argument: "filter", expected: "such as { userId, from, to }" })
  for (const field of TEXTS)
    if (filter[field] !== undefined && typeof filter[field] !== "string")
      throw new InvalidArgumentError(`filter.${field}`, "a string", filter[field])
  const { status, tag } = filter
  if (status !== undefined && !STATUSES.includes(status))
    throw new InvalidArgumentError("filter.status", `one of ${STATUSES.join(", ")}`, status)
  if (tag !== undefined && (typeof tag?.name !== "string" || typeof tag.value !== "string"))
    throw new InvalidArgumentError("filter.tag", 'a tag such as { name: "team", value: "search" }', tag)
  return boundedFilter(filter)
}

function startOfPeriods(windowing: Windowing, last: Millis, count: number): Millis {
  let start = windowAt(windowing, last)!.startsAt
  for (let period = 1; period < count; period++) start = windowAt(windowing, start - 1)!.startsAt
  return start
}
