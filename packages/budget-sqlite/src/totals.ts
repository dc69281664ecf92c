import type { UsageFilter, UsageGroup, UsageTotals } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import type { Connection, SqlValue } from "./connection"
import { QUARTER_MS, TOKEN_COLUMNS } from "./schema"
import { type Condition, conditionOf, rangeOf, tagValue } from "./usage-filter"

export interface TotalsRequest {
  root: string
  filter: UsageFilter
  groupBy: UsageGroup[]
  buckets?: number[] | undefined
}

interface Range {
  from: number
  to: number
}

type Sums = Record<string, bigint | string | null>

const ENTRY_COLUMN = {
  userId: "user_id",
  clientId: "client_id",
  model: "model",
  provider: "provider",
  status: "status",
} as const

const USAGE_COLUMN: Record<string, string> = {
  model: "model",
  provider: "CASE WHEN has_provider = 1 THEN provider END",
  status: "status",
}

const tokenSums = TOKEN_COLUMNS.map((kind) => `sum(${kind}) AS ${kind}`).join(", ")

const STATUSES = ["succeeded", "failed", "refused", "expired"] as const

const ENTRY_SUMS = `count(*) AS attempts, count(DISTINCT request_id) AS requests,
  ${STATUSES.map((status) => `sum(status = '${status}') AS ${status}`).join(", ")},
  sum(cost) AS cost, sum(CASE WHEN status <> 'succeeded' THEN cost ELSE 0 END) AS failed_cost,
  sum(reserved) AS reserved, coalesce(sum(cost - table_cost), 0) AS difference, ${tokenSums}`

const USAGE_SUMS = `sum(attempts) AS attempts, sum(attempts) AS requests,
  ${STATUSES.map((status) => `sum(CASE WHEN status = '${status}' THEN attempts ELSE 0 END) AS ${status}`).join(", ")},
  sum(cost) AS cost, sum(CASE WHEN status <> 'succeeded' THEN cost ELSE 0 END) AS failed_cost,
  sum(reserved) AS reserved, sum(difference) AS difference, ${tokenSums}`

/** The groups of a query as columns g0, g1, …; the bucket is constant in each query. */
interface Groups {
  columns: string
  /** The end of the query. */
  names: string
  /** The names alone. */
  list: string
  values: SqlValue[]
}

/** Exact sums. What can be taken from the sums by quarter of an hour is; the rest comes from the entries. */
export function totals(connection: Connection, request: TotalsRequest): UsageTotals[] {
  const { root, groupBy } = request
  const condition = conditionOf(request.filter)
  const groups = new Map<string, Total>()
  const add = (bucket: number | null, rows: Sums[], into: (total: Total, row: Sums) => void) => {
    for (const row of rows) into(totalIn(groups, groupOf(groupBy, bucket, row)), row)
  }
  const hasOther = connection.get<{ n: number }>(HAS_OTHER_TOKENS, root)?.n === 1
  for (const { bucket, range } of bucketsOf(request)) {
    for (const { sql, values } of queriesOf(request, condition, range)) {
      add(bucket, connection.allExact<Sums>(sql, ...values), addSums)
    }
    if (isSummedAhead(request)) {
      const { sql, values } = repeatsQuery(request, condition, range)
      add(bucket, connection.allExact<Sums>(sql, ...values), (total, row) => {
        total.requests -= row.repeats as bigint
      })
    }
    if (!hasOther) continue
    const { sql, values } = otherTokensQuery(request, condition, range)
    add(bucket, connection.allExact<Sums>(sql, ...values), (total, row) =>
      addTokens(total, row.kind as string, row.count as bigint),
    )
  }
  return Array.from(groups.values(), publicTotal)
}

const HAS_OTHER_TOKENS = "SELECT EXISTS (SELECT 1 FROM p2_entries WHERE root = ? AND other_tokens IS NOT NULL) AS n"

/** Users, clients, tags and requests are too many to be summed ahead. */
function isSummedAhead({ filter, groupBy }: TotalsRequest): boolean {
  const { requestId, userId, clientId, tag } = filter
  if ([requestId, userId, clientId, tag].some((value) => value !== undefined)) return false
  return groupBy.every((by) => by === "bucket" || (typeof by === "string" && Object.hasOwn(USAGE_COLUMN, by)))
}

/** The ranges to sum over, one a bucket, cut by the filter's own. */
function bucketsOf({ filter, groupBy, buckets }: TotalsRequest): { bucket: number | null; range: Range }[] {
  const whole = rangeOf(filter)
  if (!groupBy.includes("bucket")) return [{ bucket: null, range: whole }]
  if (buckets === undefined) throw new InvalidArgumentError("buckets", "ascending times, to group by bucket", buckets)
  return buckets.slice(0, -1).flatMap((bucket, index) => {
    const end = buckets[index + 1]!
    if (!Number.isSafeInteger(bucket) || !Number.isSafeInteger(end) || end <= bucket) {
      throw new InvalidArgumentError(`buckets[${index + 1}]`, `an integer above ${bucket}`, end)
    }
    const range = { from: Math.max(bucket, whole.from), to: Math.min(end, whole.to) }
    return range.from < range.to ? [{ bucket, range }] : []
  })
}

/** The queries that together cover a range. */
export function queriesOf(request: TotalsRequest, condition: Condition, range: Range): Condition[] {
  if (!isSummedAhead(request)) return [entriesQuery(request, condition, range)]
  const inner = {
    from: Math.ceil(range.from / QUARTER_MS) * QUARTER_MS,
    to: Math.floor(range.to / QUARTER_MS) * QUARTER_MS,
  }
  if (inner.from >= inner.to) return [entriesQuery(request, condition, range)]
  const edges = [
    { from: range.from, to: inner.from },
    { from: inner.to, to: range.to },
  ].filter(({ from, to }) => from < to)
  return [usageQuery(request, condition, inner), ...edges.map((edge) => entriesQuery(request, condition, edge, true))]
}

function usageQuery(request: TotalsRequest, condition: Condition, range: Range): Condition {
  const { columns, names } = groupsOf(request.groupBy, (by) => ({ sql: USAGE_COLUMN[by as string]!, values: [] }))
  return {
    sql: `SELECT ${columns} ${USAGE_SUMS} FROM p2_usage WHERE root = ? AND at >= ? AND at < ? ${condition.sql.replace(
      "AND provider =",
      "AND has_provider = 1 AND provider =",
    )} ${names}`,
    values: [request.root, range.from, range.to, ...condition.values],
  }
}

function entriesQuery(request: TotalsRequest, condition: Condition, range: Range, edge = false): Condition {
  const { columns, names, values } = groupsOf(request.groupBy, entryColumn)
  // Of an edge, as of a range summed ahead, repeated requests are subtracted once for the whole bucket.
  const sums = edge ? ENTRY_SUMS.replace("count(DISTINCT request_id)", "count(*)") : ENTRY_SUMS
  return {
    sql: `SELECT ${columns} ${sums} FROM p2_entries WHERE root = ? AND at >= ? AND at < ? ${condition.sql} ${names}`,
    values: [...values, request.root, range.from, range.to, ...condition.values],
  }
}

/**
 * By how much attempts exceed requests in each group. A request has at most one entry that is not marked `again`, so
 * that only requests with such a mark in the range can stand in it twice.
 */
export function repeatsQuery(request: TotalsRequest, condition: Condition, range: Range): Condition {
  const { columns, names, list, values } = groupsOf(request.groupBy, entryColumn)
  return {
    sql: `SELECT ${list}${list === "" ? "" : ", "} sum(attempts - 1) AS repeats FROM (
      SELECT ${columns} count(*) AS attempts FROM p2_entries
      WHERE root = ? AND +at >= ? AND +at < ? ${condition.sql} AND request_id IN (
        SELECT request_id FROM p2_entries WHERE root = ? AND again = 1 AND at >= ? AND at < ?)
      GROUP BY ${list}${list === "" ? "" : ", "} request_id) WHERE attempts > 1 ${names}`,
    values: [...values, request.root, range.from, range.to, ...condition.values, request.root, range.from, range.to],
  }
}

function otherTokensQuery(request: TotalsRequest, condition: Condition, range: Range): Condition {
  const { columns, list, values } = groupsOf(request.groupBy, entryColumn)
  return {
    sql: `SELECT ${columns} other.key AS kind, sum(other.value) AS count FROM p2_entries, json_each(other_tokens) AS other
      WHERE p2_entries.root = ? AND at >= ? AND at < ? AND other_tokens IS NOT NULL ${condition.sql}
      GROUP BY ${list}${list === "" ? "" : ", "} other.key`,
    values: [...values, request.root, range.from, range.to, ...condition.values],
  }
}

function entryColumn(by: UsageGroup): Condition {
  if (typeof by === "object") return { sql: tagValue(), values: [by.tag] }
  return { sql: ENTRY_COLUMN[by as keyof typeof ENTRY_COLUMN], values: [] }
}

function groupsOf(groupBy: readonly UsageGroup[], columnOf: (by: UsageGroup) => Condition): Groups {
  const columns: string[] = []
  const values: SqlValue[] = []
  for (const by of groupBy) {
    if (by === "bucket") continue
    const column = columnOf(by)
    columns.push(`${column.sql} AS g${columns.length}`)
    values.push(...column.values)
  }
  const names = columns.map((_, index) => `g${index}`).join(", ")
  return {
    columns: columns.map((column) => `${column},`).join(" "),
    // Without groups, an aggregate over nothing is a row of NULLs.
    names: names === "" ? "HAVING count(*) > 0" : `GROUP BY ${names}`,
    list: names,
    values,
  }
}

interface Total {
  group: UsageTotals["group"]
  requests: bigint
  sums: Record<string, bigint>
  tokens: Map<string, bigint>
}

function groupOf(groupBy: readonly UsageGroup[], bucket: number | null, row: Sums): UsageTotals["group"] {
  let column = 0
  return groupBy.map((by) => (by === "bucket" ? bucket : ((row[`g${column++}`] ?? null) as string | null)))
}

function totalIn(groups: Map<string, Total>, group: UsageTotals["group"]): Total {
  const name = JSON.stringify(group)
  const total = groups.get(name) ?? { group, requests: 0n, sums: {}, tokens: new Map() }
  groups.set(name, total)
  return total
}

const SUMS = [...STATUSES, "attempts", "cost", "failed_cost", "reserved", "difference"] as const

function addSums(total: Total, row: Sums): void {
  total.requests += row.requests as bigint
  for (const name of SUMS) total.sums[name] = (total.sums[name] ?? 0n) + ((row[name] ?? 0n) as bigint)
  for (const kind of TOKEN_COLUMNS) if (row[kind] !== null) addTokens(total, kind, row[kind] as bigint)
}

function addTokens(total: Total, kind: string, count: bigint): void {
  total.tokens.set(kind, (total.tokens.get(kind) ?? 0n) + count)
}

function publicTotal({ group, requests, sums, tokens }: Total): UsageTotals {
  const sum = (name: (typeof SUMS)[number]) => numberOf(sums[name] ?? 0n)
  return {
    group,
    requests: numberOf(requests),
    attempts: sum("attempts"),
    succeeded: sum("succeeded"),
    failed: sum("failed"),
    refused: sum("refused"),
    expired: sum("expired"),
    tokens: Object.fromEntries([...tokens].map(([kind, count]) => [kind, numberOf(count)])),
    costNanoUsd: sum("cost"),
    failedCostNanoUsd: sum("failed_cost"),
    reservedNanoUsd: sum("reserved"),
    differenceNanoUsd: sum("difference"),
  }
}

const MAX = BigInt(Number.MAX_SAFE_INTEGER)

/** Exact, and where no number holds the sum, the last one that is: as in a cell, nothing is rounded. */
function numberOf(value: bigint): number {
  if (value > MAX) return Number(MAX)
  return Number(value < -MAX ? -MAX : value)
}
