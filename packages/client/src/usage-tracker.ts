import type { BudgetUsage, StoredEntry, Subject, UsageFilter, UsageTotals } from "@p2/budget"
import { checkNames, InvalidArgumentError, toUsdNumber } from "@p2/core"
import type {
  ClientUsageData,
  RequestPage,
  RequestRecord,
  UsageGrouping,
  UsageGroupSums,
  UsageQuery,
  UsageStats,
  UsageSums,
} from "./usage-stats"

const QUERY_NAMES: ReadonlySet<string> = new Set([
  "userId",
  "clientId",
  "from",
  "to",
  "groupBy",
  "timeZone",
  "limit",
  "cursor",
])

/** Where the tracker reads: the ledger of the subject's root. */
export interface LedgerSource {
  usage: BudgetUsage
  subject: Subject
}

/** What was spent, by whom, for what: questions to the usage ledger. Every answer is exact and by the store's clock. */
export class UsageTracker {
  readonly #source: () => Promise<LedgerSource>
  readonly #own: { userId: string | undefined; clientId: string | undefined }

  /** @internal Made by the client. */
  constructor(source: () => Promise<LedgerSource>, own: { userId: string | undefined; clientId: string | undefined }) {
    this.#source = source
    this.#own = own
  }

  /** Sums over the request's own user and client, unless the query names others or, with `null`, all. */
  async getUsageStats(query: UsageQuery = {}): Promise<UsageStats> {
    const { usage, subject } = await this.#source()
    const filter = this.#filter(query)
    const { timeZone } = query
    const [all, byModel, byDay] = await Promise.all([
      usage.totals({ subject, filter }),
      usage.totals({ subject, filter, groupBy: ["model"] }),
      usage.totals({ subject, filter, per: "day", timeZone }),
    ])
    const stats: UsageStats = {
      userId: filter.userId ?? null,
      clientId: filter.clientId ?? null,
      ...sumsOf(all[0]),
      byModel: byModel.map((totals) => groupOf(totals, totals.group)),
      byDay: byDay.map((totals) => groupOf(totals, [dayName(totals.group[0], timeZone)])),
    }
    if (query.groupBy !== undefined) stats.groups = await this.#groups(query.groupBy, filter, timeZone)
    return stats
  }

  /** What one client used: sums, models, and its last ten requests. */
  async getClientUsageData(clientId = this.#own.clientId): Promise<ClientUsageData> {
    if (clientId === undefined)
      throw new InvalidArgumentError("clientId", "a client id, because the request has none", clientId)
    const { usage, subject } = await this.#source()
    const filter = { clientId }
    const [all, byModel] = await Promise.all([
      usage.totals({ subject, filter }),
      usage.totals({ subject, filter, groupBy: ["model"] }),
    ])
    const recent = await this.listRequests({ clientId, userId: null, limit: 10 })
    return {
      clientId,
      ...sumsOf(all[0]),
      modelsUsed: byModel.map((totals) => String(totals.group[0])),
      byModel: byModel.map((totals) => groupOf(totals, totals.group)),
      recentRequests: recent.requests,
    }
  }

  /** Everything the ledger has of one request; undefined when it has nothing. */
  async getRequestDetails(requestId: string): Promise<RequestRecord | undefined> {
    const { usage, subject } = await this.#source()
    const entries = await usage.get(requestId, { subject })
    return entries.length === 0 ? undefined : recordOf(entries)
  }

  /** Requests by page, newest first. `limit` counts requests. @defaultValue 50 */
  async listRequests(
    query: Omit<UsageQuery, "groupBy" | "timeZone"> & { limit?: number | undefined; cursor?: string | undefined } = {},
  ): Promise<RequestPage> {
    const limit = query.limit ?? 50
    if (!Number.isInteger(limit) || limit < 1 || limit > 500)
      throw new InvalidArgumentError("limit", "an integer from 1 to 500", limit)
    const { usage, subject } = await this.#source()
    const filter = this.#filter(query)
    const requests: RequestRecord[] = []
    const seen = new Set<string>()
    let cursor = query.cursor
    while (requests.length < limit) {
      const page = await usage.list({ subject, filter, cursor, limit: limit - requests.length, order: "newest" })
      for (const entry of page.entries) {
        if (seen.has(entry.requestId)) continue
        seen.add(entry.requestId)
        const entries = await usage.get(entry.requestId, { subject })
        // A request is listed at its newest attempt, so that no page repeats it.
        if (entries.at(-1)?.id === entry.id || entries.length === 0)
          requests.push(recordOf(entries.length === 0 ? [entry] : entries))
      }
      if (page.cursor === null) return { requests, cursor: null }
      cursor = page.cursor
    }
    return { requests, cursor: cursor ?? null }
  }

  #filter(query: UsageQuery): UsageFilter {
    checkNames(query, QUERY_NAMES, "query")
    const asksNobody = query.userId === undefined && query.clientId === undefined
    if (asksNobody && this.#own.userId === undefined && this.#own.clientId === undefined)
      throw new InvalidArgumentError(
        "query",
        "given a `userId` or `clientId` (null: everybody), because the request has neither",
        query,
      )
    const userId = query.userId === undefined ? this.#own.userId : (query.userId ?? undefined)
    const clientId = query.clientId === undefined ? this.#own.clientId : (query.clientId ?? undefined)
    return { userId, clientId, from: millis(query.from, "from"), to: millis(query.to, "to") }
  }

  async #groups(
    grouping: UsageGrouping | readonly UsageGrouping[],
    filter: UsageFilter,
    timeZone: string | undefined,
  ): Promise<UsageGroupSums[]> {
    const { usage, subject } = await this.#source()
    const wanted = (Array.isArray(grouping) ? grouping : [grouping]) as UsageGrouping[]
    const day = wanted.indexOf("day")
    const groupBy = wanted.filter((each) => each !== "day").map(columnOf)
    const totals = await usage.totals({
      subject,
      filter,
      groupBy,
      ...(day === -1 ? {} : { per: "day" as const, timeZone }),
    })
    return totals.map((each) => {
      if (day === -1) return groupOf(each, each.group)
      // The ledger puts the time first; the caller said where it wants it.
      const [start, ...rest] = each.group
      return groupOf(each, rest.toSpliced(day, 0, dayName(start, timeZone)))
    })
  }
}

const COLUMNS = { user: "userId", client: "clientId", model: "model", provider: "provider", status: "status" } as const

function columnOf(grouping: Exclude<UsageGrouping, "day">) {
  if (typeof grouping === "object") return grouping
  const column = COLUMNS[grouping]
  if (column === undefined)
    throw new InvalidArgumentError("groupBy", `one of ${Object.keys(COLUMNS).join(", ")}, day or { tag }`, grouping)
  return column
}

/** The day that begins at an instant, as `2026-11-23`. */
function dayName(start: string | number | null | undefined, timeZone = "UTC"): string {
  const parts = { timeZone, year: "numeric", month: "2-digit", day: "2-digit" } as const
  // Swedish writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat("sv-SE", parts).format(Number(start))
}

function millis(value: Date | number | undefined, argument: string): number | undefined {
  if (value === undefined) return undefined
  const at = typeof value === "number" ? value : value instanceof Date ? value.getTime() : Number.NaN
  if (!Number.isFinite(at)) throw new InvalidArgumentError(argument, "a valid Date or epoch milliseconds", value)
  return Math.floor(at)
}

function groupOf(totals: UsageTotals, group: readonly (string | number | null)[]): UsageGroupSums {
  return { group: group.map((value) => (value === null ? null : String(value))), ...sumsOf(totals) }
}

function sumsOf(totals: UsageTotals | undefined): UsageSums {
  const requests = totals?.requests ?? 0
  const succeeded = totals?.succeeded ?? 0
  const inputTokens = totals?.tokens.inputTokens ?? 0
  const outputTokens = totals?.tokens.outputTokens ?? 0
  const money = {
    totalCostNanoUsd: totals?.costNanoUsd ?? 0,
    reservedNanoUsd: totals?.reservedNanoUsd ?? 0,
    failedCostNanoUsd: totals?.failedCostNanoUsd ?? 0,
    providerDifferenceNanoUsd: totals?.differenceNanoUsd ?? 0,
  }
  return {
    totalRequests: requests,
    // A request has at most one attempt that succeeds: the last.
    successfulRequests: succeeded,
    failedRequests: requests - succeeded,
    attempts: totals?.attempts ?? 0,
    refusedAttempts: totals?.refused ?? 0,
    expiredAttempts: totals?.expired ?? 0,
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    totalCost: toUsdNumber(money.totalCostNanoUsd),
    totalCostNanoUsd: money.totalCostNanoUsd,
    reservedCost: toUsdNumber(money.reservedNanoUsd),
    reservedNanoUsd: money.reservedNanoUsd,
    failedCost: toUsdNumber(money.failedCostNanoUsd),
    failedCostNanoUsd: money.failedCostNanoUsd,
    providerDifference: toUsdNumber(money.providerDifferenceNanoUsd),
    providerDifferenceNanoUsd: money.providerDifferenceNanoUsd,
  }
}

/** A request as the fold of its attempts, which are at least one. */
function recordOf(entries: readonly StoredEntry[]): RequestRecord {
  const attempts = [...entries].sort((a, b) => a.attempt - b.attempt)
  const last = attempts.at(-1)!
  const record: RequestRecord = {
    requestId: last.requestId,
    at: new Date(Math.min(...attempts.map((entry) => entry.at))),
    status: last.status,
    errorCode: last.errorCode,
    model: last.model,
    modelUsed: last.modelUsed,
    provider: last.provider,
    userId: last.userId,
    clientId: last.clientId,
    tags: last.tags,
    inputTokens: 0,
    outputTokens: 0,
    totalTokens: 0,
    cost: 0,
    costNanoUsd: 0,
    reservedNanoUsd: 0,
    durationMs: 0,
    attempts,
  }
  for (const entry of attempts) {
    record.inputTokens += entry.tokens.inputTokens ?? 0
    record.outputTokens += entry.tokens.outputTokens ?? 0
    record.costNanoUsd += entry.costNanoUsd
    record.reservedNanoUsd += entry.reservedNanoUsd
    record.durationMs += entry.durationMs ?? 0
  }
  record.totalTokens = record.inputTokens + record.outputTokens
  record.cost = toUsdNumber(record.costNanoUsd)
  return record
}
