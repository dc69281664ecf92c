import type { StoredEntry, UsageFilter, UsageTotals, UsageTotalsQuery } from "@p2/budget"
import { checkOptions, InvalidArgumentError, type NanoUsd, toUsdNumber } from "@p2/core"
import type { AttemptStatus } from "../receipt"
import type { LazyBudget } from "./lazy-budget"

/** Selects a part of the ledger. Times are `Date`s or epoch milliseconds. */
export interface UsageQuery {
  /** `null`: all users. @defaultValue the `userId` of the request */
  userId?: string | null | undefined
  /** `null`: all clients. @defaultValue the `clientId` of the request */
  clientId?: string | null | undefined
  /** Inclusive. */
  from?: Date | number | undefined
  /** Exclusive. */
  to?: Date | number | undefined
  /** Adds `groups` to the statistics. */
  groupBy?: UsageGrouping | readonly UsageGrouping[] | undefined
  /** IANA time zone of the days. @defaultValue "UTC" */
  timeZone?: string | undefined
}

/** A criterion to group statistics by. */
export type UsageGrouping = "user" | "client" | "model" | "provider" | "status" | "day" | { tag: string }

/** Sums over attempts. Amounts are dollars, each with the exact nano-USD. */
export interface UsageSums {
  totalRequests: number
  /** Requests with an answer, or with a step in which the model called tools. */
  successfulRequests: number
  /** The other requests, denied ones included. */
  failedRequests: number
  attempts: number
  /** Requests that a budget or the context window denied before anything was sent. */
  deniedRequests: number
  /** Attempts whose reservation expired. They were charged their upper bound. */
  expiredAttempts: number
  inputTokens: number
  outputTokens: number
  totalTokens: number
  totalCost: number
  totalCostNanoUsd: NanoUsd
  /** Sum of the attempts' reservations. */
  reservedCost: number
  reservedNanoUsd: NanoUsd
  /** Cost of attempts without an answer. */
  failedCost: number
  failedCostNanoUsd: NanoUsd
  /** Attempts that were sent, and whose cost neither a reported usage nor a documented rule decides. */
  inDoubtAttempts: number
  /** What these attempts were charged. `client.reconcile()` corrects it where the provider reports the cost afterwards. */
  inDoubtCost: number
  inDoubtCostNanoUsd: NanoUsd
  /** Sum of (reported cost − cost by the price table) where both are known. */
  providerDifference: number
  providerDifferenceNanoUsd: NanoUsd
}

/** Sums of one group. */
export interface UsageGroupSums extends UsageSums {
  /** In the order of `groupBy`; a day is `2026-11-23`; null where an entry has no value. */
  group: (string | null)[]
}

/** Result of {@link UsageTracker.getUsageStats}. */
export interface UsageStats extends UsageSums {
  userId: string | null
  clientId: string | null
  byModel: UsageGroupSums[]
  /** Days with usage, oldest first; the last 92 if `from` is absent. */
  byDay: UsageGroupSums[]
  groups?: UsageGroupSums[] | undefined
}

/** How an attempt in the ledger ended. `expired`: its reservation expired before it was settled. */
export type RequestStatus = AttemptStatus | "expired"

/** One request, summed over its attempts. */
export interface RequestRecord {
  requestId: string
  /** Time of the first attempt, by the store's clock. */
  at: Date
  /** Status of the last attempt. Denied requests of one subject share a record for a minute. */
  status: RequestStatus
  errorCode?: string | undefined
  /** The model that the last attempt requested. */
  model: string
  /** The model that the provider reports. */
  modelUsed?: string | undefined
  provider?: string | undefined
  userId?: string | undefined
  clientId?: string | undefined
  tags?: Record<string, string> | undefined
  inputTokens: number
  outputTokens: number
  totalTokens: number
  /** Dollars. */
  cost: number
  costNanoUsd: NanoUsd
  reservedNanoUsd: NanoUsd
  durationMs: number
  attempts: StoredEntry[]
}

/** Result of {@link UsageTracker.getClientUsageData}. */
export interface ClientUsageData extends UsageSums {
  clientId: string
  modelsUsed: string[]
  byModel: UsageGroupSums[]
  /** The last ten, newest first. */
  recentRequests: RequestRecord[]
}

/** A page of {@link UsageTracker.listRequests}. */
export interface RequestPage {
  requests: RequestRecord[]
  /** Pass it to get the next page; null: this is the last one. */
  cursor: string | null
}

const STATS_OPTIONS: ReadonlySet<string> = new Set(["userId", "clientId", "from", "to", "groupBy", "timeZone"])
const LIST_OPTIONS: ReadonlySet<string> = new Set(["userId", "clientId", "from", "to", "limit", "cursor"])

/** Queries the usage ledger. Results are exact, with times by the store's clock. */
export class UsageTracker {
  readonly #budget: LazyBudget

  /** @internal Created by the client. */
  constructor(budget: LazyBudget) {
    this.#budget = budget
  }

  /** Sums for the user and the client of the request, or those of the query; `null` selects all. */
  async getUsageStats(query: UsageQuery = {}): Promise<UsageStats> {
    checkOptions(query, STATS_OPTIONS, "query")
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

  /** The usage of one client: sums, models, and the last ten requests. */
  async getClientUsageData(clientId = this.#budget.subject.clientId): Promise<ClientUsageData> {
    if (typeof clientId !== "string" || clientId === "")
      throw new InvalidArgumentError("clientId", "a client id, because the request has none", clientId)
    const [sums, byModel, recent] = await Promise.all([
      this.#sums({ clientId }),
      this.#groups("model", { clientId }),
      this.listRequests({ clientId, userId: null, limit: 10 }),
    ])
    const modelsUsed = byModel.map(({ group }) => String(group[0]))
    return { clientId, ...sums, modelsUsed, byModel, recentRequests: recent.requests }
  }

  /**
   * The ledger's record of one request; undefined if it has none. For the denied requests of a subject the ledger has one
   * record per minute: the first request, with a count.
   */
  async getRequestDetails(requestId: string): Promise<RequestRecord | undefined> {
    const entries = await this.#entries(requestId)
    return entries.length === 0 || entries[0]!.status === "audit" ? undefined : recordOf(entries)
  }

  /** Requests, newest first. `limit` is the number of requests, 1 to 500. @defaultValue 50 */
  async listRequests(
    query: Omit<UsageQuery, "groupBy" | "timeZone"> & { limit?: number | undefined; cursor?: string | undefined } = {},
  ): Promise<RequestPage> {
    checkOptions(query, LIST_OPTIONS, "query")
    const { limit = 50 } = query
    if (!Number.isInteger(limit) || limit < 1 || limit > 500)
      throw new InvalidArgumentError("query.limit", "an integer from 1 to 500", limit)
    const filter = this.#filter(query)
    const { budget, subject } = await this.#budget.open()
    const requests: RequestRecord[] = []
    const seen = new Set<string>()
    for (let { cursor } = query; ; ) {
      const wanted = limit - requests.length
      const page = await budget.usage.list({ subject, filter, cursor, limit: wanted, order: "newest" })
      for (const entry of page.entries) {
        if (entry.status === "audit" || seen.has(entry.requestId)) continue
        seen.add(entry.requestId)
        const attempts = await this.#entries(entry.requestId)
        // Entries may be pruned between the two reads.
        if (attempts.length === 0) attempts.push(entry)
        // A request is listed at its newest attempt only, so that no two pages contain it.
        if (attempts.at(-1)!.idempotencyKey === entry.idempotencyKey) requests.push(recordOf(attempts))
      }
      if (page.cursor === null || requests.length >= limit) return { requests, cursor: page.cursor }
      cursor = page.cursor
    }
  }

  #filter(query: Pick<UsageQuery, "userId" | "clientId" | "from" | "to">): UsageFilter {
    const { subject } = this.#budget
    const { userId = subject.userId, clientId = subject.clientId } = query
    for (const [name, id] of Object.entries({ userId, clientId }))
      if (id === "") throw new InvalidArgumentError(`query.${name}`, "an id, or null for all", id)
    if (userId === undefined && clientId === undefined)
      throw new InvalidArgumentError(
        "query",
        "a `userId` or `clientId`",
        query,
        "Invalid `query`: expected a `userId` or `clientId` (null for all), because the request has neither.",
      )
    return {
      userId: userId ?? undefined,
      clientId: clientId ?? undefined,
      from: epochMs(query.from, "query.from"),
      to: epochMs(query.to, "query.to"),
    }
  }

  async #entries(requestId: string): Promise<StoredEntry[]> {
    const { budget, subject } = await this.#budget.open()
    return budget.usage.get(requestId, { subject })
  }

  async #totals(query: Omit<UsageTotalsQuery, "subject">): Promise<UsageTotals[]> {
    const { budget, subject } = await this.#budget.open()
    return budget.usage.totals({ subject, ...query })
  }

  async #sums(filter: UsageFilter): Promise<UsageSums> {
    const [[all], [succeeded]] = await Promise.all([this.#totals({ filter }), this.#totals(successesOf({ filter }))])
    return sumsOf(all, succeeded?.requests)
  }

  async #groups(
    grouping: UsageGrouping | readonly UsageGrouping[],
    filter: UsageFilter,
    timeZone?: string,
  ): Promise<UsageGroupSums[]> {
    const groupings = [grouping].flat() as UsageGrouping[]
    const dayIndex = groupings.indexOf("day")
    const groupBy = groupings.filter((each) => each !== "day").map(columnOf)
    const time = dayIndex === -1 ? {} : { per: "day" as const, timeZone }
    const query = { filter, groupBy, ...time }
    const [totals, succeeded] = await Promise.all([this.#totals(query), this.#totals(successesOf(query))])
    const successes = new Map(succeeded.map((each) => [each.group.join("\n"), each.requests]))
    return totals.map((each) => {
      const successfulRequests = successes.get(each.group.join("\n"))
      const group = each.group.map((value) => (value === null ? null : String(value)))
      // The ledger returns the time first; the query decides its position.
      if (dayIndex !== -1) group.splice(dayIndex, 0, dayName(group.shift(), timeZone))
      return { group, ...sumsOf(each, successfulRequests) }
    })
  }
}

const COLUMNS = { user: "userId", client: "clientId", model: "model", provider: "provider", status: "status" } as const

function columnOf(grouping: Exclude<UsageGrouping, "day">) {
  if (typeof grouping === "object") return grouping
  const column = COLUMNS[grouping]
  if (column !== undefined) return column
  const names = Object.keys(COLUMNS).join(", ")
  throw new InvalidArgumentError("query.groupBy", `one of ${names}, day, or { tag: "name" }`, grouping)
}

/** The day that starts at an instant, as `2026-11-23`. */
function dayName(start: string | number | null | undefined, timeZone = "UTC"): string {
  // The Swedish date format is ISO 8601.
  return new Intl.DateTimeFormat("sv-SE", { timeZone }).format(Number(start))
}

function epochMs(value: Date | number | undefined, argument: string): number | undefined {
  if (value === undefined) return undefined
  const at = value instanceof Date ? value.getTime() : value
  if (!Number.isFinite(at)) throw new InvalidArgumentError(argument, "a valid Date or epoch milliseconds", value)
  return Math.floor(at)
}

/** The same query for successful attempts only. A request with tools may have several. */
function successesOf<Query extends { filter: UsageFilter }>(query: Query): Query {
  return { ...query, filter: { ...query.filter, status: "succeeded" } }
}

/** Every sum is zero if the ledger has no entries. */
function sumsOf(totals: Partial<UsageTotals> = {}, successfulRequests = 0): UsageSums {
  const { requests = 0, attempts = 0, denied = 0, expired = 0 } = totals
  const { costNanoUsd = 0, reservedNanoUsd = 0, failedCostNanoUsd = 0, differenceNanoUsd = 0 } = totals
  const { inDoubt = 0, inDoubtNanoUsd = 0 } = totals
  const { inputTokens = 0, outputTokens = 0 } = totals.tokens ?? {}
  return {
    totalRequests: requests,
    successfulRequests,
    failedRequests: requests - successfulRequests,
    attempts,
    deniedRequests: denied,
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
    inDoubtAttempts: inDoubt,
    inDoubtCost: toUsdNumber(inDoubtNanoUsd),
    inDoubtCostNanoUsd: inDoubtNanoUsd,
    providerDifference: toUsdNumber(differenceNanoUsd),
    providerDifferenceNanoUsd: differenceNanoUsd,
  }
}

/** Sums a request over its attempts: one or more, in order. */
function recordOf(attempts: StoredEntry[]): RequestRecord {
  // A request whose last attempt called tools has their entries after it.
  const last = attempts.findLast(({ model }) => !model.startsWith("tool/")) ?? attempts.at(-1)!
  const sum = (amount: (entry: StoredEntry) => number | undefined) =>
    attempts.reduce((total, entry) => total + (amount(entry) ?? 0), 0)
  const inputTokens = sum((entry) => entry.tokens.inputTokens)
  const outputTokens = sum((entry) => entry.tokens.outputTokens)
  const costNanoUsd = sum((entry) => entry.costNanoUsd)
  return {
    requestId: last.requestId,
    at: new Date(Math.min(...attempts.map((entry) => entry.at))),
    status: last.status as RequestRecord["status"],
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
