import { checkOptions, InvalidArgumentError, type OptionAdvice } from "@p2/core"
import type { BudgetUsage, UsageListQuery, UsagePartition, UsageTotalsQuery } from "../api/budget"
import type { BudgetContext } from "../api/budget-context"
import { NoLedgerError } from "../api/errors"
import { toName, toRequestName } from "../limits/names"
import { readSubject } from "../limits/subject"
import { type LimitWindow, readWindow, windowAt } from "../limits/window"
import { cursor as cursorShape, usageFilter } from "../store/member-shapes"
import { check, integerFrom, MAX_TIME, type Millis, type Name, optional } from "../store/shape"
import {
  boundedFilter,
  boundedIdentity,
  readEntry,
  type StoredEntry,
  type UsageEntry,
  type UsageFilter,
  usageEntry,
} from "./entry"
import type { UsageGroup, UsageLedger, UsageTotals } from "./ledger"

const MAX_BUCKETS = 10_000
const DEFAULT_BUCKETS = 92
const MAX_PAGE = 1_000
const PARTITION_NAMES: ReadonlySet<string> = new Set(["subject"])
const LIST_NAMES: ReadonlySet<string> = new Set(["subject", "filter", "cursor", "limit", "order"])
const TOTALS_NAMES: ReadonlySet<string> = new Set([
  "subject",
  "filter",
  "groupBy",
  "per",
  "timeZone",
  "orderBy",
  "limit",
])
const FILTER_FIELDS = ["from", "to", "requestId", "userId", "clientId", "model", "provider", "status", "tag"]
const FILTER_NAMES: ReadonlySet<string> = new Set(FILTER_FIELDS)
const TAG_NAMES: ReadonlySet<string> = new Set(["name", "value"])
const GROUPS = ["userId", "clientId", "model", "provider", "status"] as const
const GROUP_NAMES: ReadonlySet<string> = new Set(["tag"])
const IN_FILTER = "It belongs in the filter: `filter: { from, to, userId, … }`."
const QUERY_ADVICE: OptionAdvice = {
  ...Object.fromEntries(FILTER_FIELDS.map((field) => [field, IN_FILTER])),
  since: "Did you mean `filter: { from }`?",
  until: "Did you mean `filter: { to }`?",
}
/** Common wrong groups, and what to use instead. */
const GROUP_HINTS: Readonly<Record<string, string>> = {
  user: 'Did you mean "userId"?',
  userid: 'Did you mean "userId"?',
  client: 'Did you mean "clientId"?',
  clientid: 'Did you mean "clientId"?',
  tag: 'Did you mean { tag: "team" }?',
  tags: 'Did you mean { tag: "team" }?',
  hour: 'Did you mean `per: "hour"`?',
  day: 'Did you mean `per: "day"`?',
  week: 'Did you mean `per: "week"`?',
  month: 'Did you mean `per: "month"`?',
  quarter: 'Did you mean `per: "quarter"`?',
  bucket: 'Did you mean `per: "day"`?',
  time: 'Did you mean `per: "day"`?',
}
const ORDERS = ["group", "costNanoUsd", "requests", "attempts"] as const
/** Any counter: it is read only for the store's time in the reply. */
const ANY_COUNTER = "total|usd|total"

/** Queries on the ledger of a budget's store. Computes the time buckets. */
export class UsageQueries implements BudgetUsage {
  readonly #context: BudgetContext

  constructor(context: BudgetContext) {
    this.#context = context
  }

  get available(): boolean {
    return this.#context.store.ledger !== undefined
  }

  async get(requestId: string, options: UsagePartition = {}): Promise<StoredEntry[]> {
    checkOptions(options, PARTITION_NAMES)
    const name = toRequestName(requestId, "requestId")
    return this.#ledger.get({ partition: this.#partitionOf(options), requestId: name })
  }

  async list(query: UsageListQuery = {}): Promise<{ entries: StoredEntry[]; cursor: string | null; dropped: number }> {
    checkOptions(query, LIST_NAMES, "query", QUERY_ADVICE)
    const { cursor = null, limit = 100, order = "oldest" } = query
    const filter = readFilter(query.filter)
    check(cursor, cursorShape, "cursor")
    check(limit, integerFrom(1, MAX_PAGE), "query.limit")
    if (order !== "oldest" && order !== "newest")
      throw new InvalidArgumentError("query.order", '"oldest" or "newest"', order)
    const newestFirst = order === "newest"
    return this.#ledger.list({ partition: this.#partitionOf(query), filter, cursor, limit, newestFirst })
  }

  async totals(query: UsageTotalsQuery = {}): Promise<UsageTotals[]> {
    checkOptions(query, TOTALS_NAMES, "query", QUERY_ADVICE)
    const { per, timeZone, orderBy = "group", limit } = query
    const filter = readFilter(query.filter)
    const groupBy = readGroups(query.groupBy ?? [])
    if (!ORDERS.includes(orderBy))
      throw new InvalidArgumentError("query.orderBy", `one of ${ORDERS.join(", ")}`, orderBy)
    check(limit, optional(integerFrom(1)), "query.limit")
    if (per === undefined && timeZone !== undefined)
      throw new InvalidArgumentError("query.timeZone", "absent without `per`", timeZone)
    const partition = this.#partitionOf(query)
    const buckets = per === undefined ? null : await this.#buckets(partition, filter, readPeriod(per, timeZone))
    const columns: UsageGroup[] = buckets === null ? groupBy : ["bucket", ...groupBy]
    const rows = await this.#ledger.totals({ partition, filter, groupBy: columns, buckets })
    rows.sort((a, b) => (orderBy === "group" ? 0 : b[orderBy] - a[orderBy]) || compareGroups(a, b))
    return rows.slice(0, limit)
  }

  async *export(filter: UsageFilter = {}, options: UsagePartition = {}): AsyncIterableIterator<string> {
    checkOptions(options, PARTITION_NAMES)
    let cursor: string | null = null
    do {
      const page = await this.list({ ...options, filter, cursor, limit: MAX_PAGE })
      for (const entry of page.entries) yield `${JSON.stringify(entry)}\n`
      cursor = page.cursor
    } while (cursor !== null)
  }

  async prune(before: Date | number, options: UsagePartition = {}): Promise<{ removed: number }> {
    checkOptions(options, PARTITION_NAMES)
    const at = before instanceof Date ? before.getTime() : before
    if (!Number.isSafeInteger(at)) throw new InvalidArgumentError("before", "a Date or epoch milliseconds", before)
    return this.#ledger.prune({ partition: this.#partitionOf(options), before: at })
  }

  async record(idempotencyKey: string, entry: UsageEntry, options: UsagePartition = {}): Promise<boolean> {
    checkOptions(options, PARTITION_NAMES)
    const { ledger } = this.#context.store
    if (ledger === undefined) return false
    const key = toName(idempotencyKey, "idempotencyKey")
    const recorded = readEntry(entry, "entry")
    check(recorded, usageEntry, "entry")
    await ledger.record({ partition: this.#partitionOf(options), key, entry: recorded })
    return true
  }

  async recordDenial(entry: Partial<UsageEntry>, options: UsagePartition = {}): Promise<boolean> {
    checkOptions(options, PARTITION_NAMES)
    if (!this.available) return false
    const denied: UsageEntry = {
      requestId: crypto.randomUUID(),
      attempt: 1,
      model: "unknown",
      reservedNanoUsd: 0,
      tokens: {},
      errorCode: "budget-exceeded",
      ...readEntry(entry, "entry"),
      status: "denied",
      costNanoUsd: 0,
      costSource: "none",
    }
    await this.#context.denials.record(this.#partitionOf(options), denied)
    return true
  }

  get #ledger(): UsageLedger {
    const { name, ledger } = this.#context.store
    if (ledger === undefined) throw new NoLedgerError(name)
    return ledger
  }

  #partitionOf({ subject }: UsagePartition): Name {
    return this.#context.partitionOf(readSubject(subject))
  }

  /** Boundaries of every period from `filter.from` to `filter.to`. */
  async #buckets(partition: Name, filter: UsageFilter, period: LimitWindow): Promise<Millis[]> {
    const end = filter.to ?? (await this.#now(partition)) + 1
    const start = filter.from ?? startOfPeriods(period, end - 1, DEFAULT_BUCKETS)
    // If there are too many, start at the first entry: earlier periods have no row.
    const buckets =
      bucketsBetween(period, start, end) ?? bucketsBetween(period, await this.#firstAt(partition, filter, end), end)
    if (buckets !== undefined) return buckets
    throw new InvalidArgumentError(
      "query.per",
      `a period that fits at most ${MAX_BUCKETS} times between the first entry and \`to\``,
      period.per,
    )
  }

  async #now(partition: Name): Promise<Millis> {
    const { clock, store } = this.#context
    const { now } = await store.read({ partition, counters: [ANY_COUNTER] })
    clock.update(partition, now)
    return now
  }

  /** Time of the first entry, at most `end`. */
  async #firstAt(partition: Name, filter: UsageFilter, end: Millis): Promise<Millis> {
    const { entries } = await this.#ledger.list({ partition, filter, cursor: null, limit: 1, newestFirst: false })
    return entries[0]?.at ?? end
  }
}

/** Rejects unknown fields: a misspelled filter must not match everything. @throws InvalidArgumentError */
function readFilter(filter: UsageFilter = {}): UsageFilter {
  checkOptions(filter, FILTER_NAMES, "filter")
  check(filter, usageFilter, "filter")
  const { tag, from, to } = filter
  if (tag !== undefined) checkOptions(tag, TAG_NAMES, "filter.tag")
  for (const [field, at] of Object.entries({ from, to }))
    check(at, optional(integerFrom(-MAX_TIME, MAX_TIME)), `filter.${field}`)
  return boundedFilter(filter)
}

function readGroups(groupBy: NonNullable<UsageTotalsQuery["groupBy"]>): UsageGroup[] {
  if (!Array.isArray(groupBy)) throw new InvalidArgumentError("query.groupBy", 'an array such as ["userId"]', groupBy)
  return groupBy.map((group: unknown, index): UsageGroup => {
    const argument = `query.groupBy[${index}]`
    if (GROUPS.includes(group as (typeof GROUPS)[number])) return group as (typeof GROUPS)[number]
    if (typeof group === "object" && group !== null) {
      checkOptions(group, GROUP_NAMES, argument)
      return { tag: boundedIdentity((group as { tag?: unknown }).tag, `${argument}.tag`) }
    }
    const hint = typeof group === "string" ? GROUP_HINTS[group.toLowerCase()] : undefined
    const expected = `one of ${GROUPS.join(", ")} or { tag: "team" }`
    if (hint === undefined) throw new InvalidArgumentError(argument, expected, group)
    throw new InvalidArgumentError(argument, expected, group, `Unknown group "${group}" in \`${argument}\`. ${hint}`)
  })
}

function readPeriod(per: unknown, timeZone: string | undefined): LimitWindow {
  if (per === "total") throw new InvalidArgumentError("query.per", 'a period other than "total"', per)
  return readWindow({ per, timeZone }, "query")
}

/** Boundaries of all periods from the one that contains `start` to the last that begins before `end`; undefined: too many. */
function bucketsBetween(period: LimitWindow, start: Millis, end: Millis): Millis[] | undefined {
  const first = windowAt(period, start)!
  const buckets = [first.startsAt, first.endsAt]
  while (buckets.at(-1)! < end) {
    if (buckets.length > MAX_BUCKETS) return undefined
    buckets.push(windowAt(period, buckets.at(-1)!)!.endsAt)
  }
  return buckets
}

function startOfPeriods(period: LimitWindow, last: Millis, count: number): Millis {
  let start = windowAt(period, last)!.startsAt
  for (let index = 1; index < count; index++) start = windowAt(period, start - 1)!.startsAt
  return start
}

/** Compares by time, then by values in code units; null last. */
function compareGroups(a: UsageTotals, b: UsageTotals): number {
  for (const [index, value] of a.group.entries()) {
    const other = b.group[index]!
    if (value === other) continue
    if (value === null || other === null) return value === null ? 1 : -1
    return value < other ? -1 : 1
  }
  return 0
}
