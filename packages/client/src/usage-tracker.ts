import type { Budget, StoredEntry, UsageFilter, UsageTotals } from "@p2/budget"
import { checkNames, InvalidArgumentError, toUsdNumber } from "@p2/core"
import type { Wallet } from "./internal/wallet"
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

/** What was spent, by whom, for what: questions to the usage ledger. Every answer is exact and by the store's clock. */
export class UsageTracker {
  readonly #wallet: Wallet

  /** @internal Made by the client. */
  constructor(wallet: Wallet) {
    this.#wallet = wallet
  }

  /** Sums over the request's own user and client, unless the query names others or, with `null`, all. */
  async getUsageStats(query: UsageQuery = {}): Promise<UsageStats> {
    const filter = this.#filter(query)
    const { timeZone, groupBy } = query
    const { userId = null, clientId = null } = filter
    const [sums, byModel, byDay] = await Promise.all([
      this.#sums(filter),
      this.#groups("model", filter),
      this.#groups("day", filter, timeZone),
    ])
    const stats: UsageStats = { userId, clientId, ...sums, byModel, byDay }
    if (groupBy !== undefined) stats.groups = await this.#groups(groupBy, filter, timeZone)
    return stats
  }

  /** What one client used: sums, models, and its last ten requests. */
  async getClientUsageData(clientId = this.#wallet.subject.clientId): Promise<ClientUsageData> {
    if (clientId === undefined)
      throw new InvalidArgumentError("clientId", "a client id, because the request has none", clientId)
    const [sums, byModel, recent] = await Promise.all([
      this.#sums({ clientId }),
      this.#groups("model", { clientId }),
      this.listRequests({ clientId, userId: null, limit: 10 }),
    ])
    const modelsUsed = byModel.map(({ group }) => String(group[0]))
    return { clientId, ...sums, modelsUsed, byModel, recentRequests: recent.requests }
  }

  /** Everything the ledger has of one request; undefined when it has nothing. */
  async getRequestDetails(requestId: string): Promise<RequestRecord | undefined> {
    const entries = await this.#entries(requestId)
    return entries.length === 0 ? undefined : recordOf(entries)
  }

  /** Requests by page, newest first. `limit` counts requests. @defaultValue 50 */
  async listRequests(
    query: Omit<UsageQuery, "groupBy" | "timeZone"> & { limit?: number | undefined; cursor?: string | undefined } = {},
  ): Promise<RequestPage> {
    const { limit = 50 } = query
    if (!Number.isInteger(limit) || limit < 1 || limit > 500)
      throw new InvalidArgumentError("limit", "an integer from 1 to 500", limit)
    const { subject } = this.#wallet
    const { usage } = await this.#wallet.open()
    const filter = this.#filter(query)
    const requests: RequestRecord[] = []
    const seen = new Set<string>()
    let { cursor } = query
    for (;;) {
      const page = await usage.list({ subject, filter, cursor, limit: limit - requests.length, order: "newest" })
      for (const entry of page.entries) {
        if (seen.has(entry.requestId)) continue
        seen.add(entry.requestId)
        const attempts = await this.#entries(entry.requestId)
        // What was removed meanwhile is what is known of it.
        if (attempts.length === 0) attempts.push(entry)
        // A request is listed at its newest attempt, so that no page repeats it.
        if (attempts.at(-1)!.id === entry.id) requests.push(recordOf(attempts))
      }
      if (page.cursor === null || requests.length >= limit) return { requests, cursor: page.cursor }
      cursor = page.cursor
    }
  }

  #filter(query: UsageQuery): UsageFilter {
    checkNames(query, QUERY_NAMES, "query")
    const { subject } = this.#wallet
    const { userId = subject.userId, clientId = subject.clientId } = query
    if (userId === undefined && clientId === undefined)
      throw new InvalidArgumentError(
        "query",
        "given a `userId` or `clientId` (null: everybody), because the request has neither",
        query,
      )
    return {
      userId: userId ?? undefined,
      clientId: clientId ?? undefined,
      from: millis(query.from, "from"),
      to: millis(query.to, "to"),
    }
  }

  async #entries(requestId: string): Promise<StoredEntry[]> {
    const { usage } = await this.#wallet.open()
    return usage.get(requestId, { subject: this.#wallet.subject })
  }

  async #totals(query: Omit<Parameters<Budget["usage"]["totals"]>[0], "subject">): Promise<UsageTotals[]> {
    const { usage } = await this.#wallet.open()
    return usage.totals({ subject: this.#wallet.subject, ...query })
  }

  async #sums(filter: UsageFilter): Promise<UsageSums> {
    const [all] = await this.#totals({ filter })
    return sumsOf(all)
  }

  async #groups(
    grouping: UsageGrouping | readonly UsageGrouping[],
    filter: UsageFilter,
    timeZone?: string,
  ): Promise<UsageGroupSums[]> {
    const wanted = [grouping].flat() as UsageGrouping[]
    const day = wanted.indexOf("day")
    const groupBy = wanted.filter((each) => each !== "day").map(columnOf)
    const time = day === -1 ? {} : { per: "day" as const, timeZone }
    const totals = await this.#totals({ filter, groupBy, ...time })
    return totals.map((each) => {
      const group = each.group.map((value) => (value === null ? null : String(value)))
      // The ledger puts the time first; the caller said where it wants it.
      if (day !== -1) group.splice(day, 0, dayName(group.shift(), timeZone))
      return { group, ...sumsOf(each) }
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
  // Swedish writes dates as ISO 8601 does.
  return new Intl.DateTimeFormat("sv-SE", { timeZone }).format(Number(start))
}

function millis(value: Date | number | undefined, argument: string): number | undefined {
  if (value === undefined) return undefined
  const at = value instanceof Date ? value.getTime() : value
  if (!Number.isFinite(at)) throw new InvalidArgumentError(argument, "a valid Date or epoch milliseconds", value)
  return Math.floor(at)
}

/** Nothing in the ledger is nothing used. */
function sumsOf(totals: Partial<UsageTotals> = {}): UsageSums {
  const { requests = 0, succeeded = 0, attempts = 0, refused = 0, expired = 0 } = totals
  const { costNanoUsd = 0, reservedNanoUsd = 0, failedCostNanoUsd = 0, differenceNanoUsd = 0 } = totals
  const { inputTokens = 0, outputTokens = 0 } = totals.tokens ?? {}
  return {
    totalRequests: requests,
    // A request has at most one attempt that succeeds: the last.
    successfulRequests: succeeded,
    failedRequests: requests - succeeded,
    attempts,
    refusedAttempts: refused,
    expiredAttempts: expired,
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    totalCost: toUsdNumber(costNanoUsd),
    totalCostNanoUsd: costNanoUsd,
    reservedCost: toUsdNumber(reservedNanoUsd),
    reservedNanoUsd,
    failedCost: toUsdNumber(failedCostNanoUsd),
    failedCostNanoUsd,
    providerDifference: toUsdNumber(differenceNanoUsd),
    providerDifferenceNanoUsd: differenceNanoUsd,
  }
}

/** A request as the fold of its attempts, which are in order and at least one. */
function recordOf(attempts: StoredEntry[]): RequestRecord {
  const last = attempts.at(-1)!
  const sum = (part: (entry: StoredEntry) => number | undefined) =>
    attempts.reduce((total, entry) => total + (part(entry) ?? 0), 0)
  const inputTokens = sum((entry) => entry.tokens.inputTokens)
  const outputTokens = sum((entry) => entry.tokens.outputTokens)
  const costNanoUsd = sum((entry) => entry.costNanoUsd)
  return {
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
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    cost: toUsdNumber(costNanoUsd),
    costNanoUsd,
    reservedNanoUsd: sum((entry) => entry.reservedNanoUsd),
    durationMs: sum((entry) => entry.durationMs),
    attempts,
  }
}
