import type { StoredEntry, UsageFilter, UsageGroup, UsageTotals, Write } from "@p2/budget/store"
import type { Query, Row } from "./connection"

// The table p2_usage has the columns of each entry that filters and totals need. They hold strings as JSON text: a text
// column cannot hold NUL and lone surrogates, and JSON escapes both.

const COLUMNS = {
  requestId: "request_id",
  userId: "user_id",
  clientId: "client_id",
  model: "model",
  provider: "provider",
  status: "status",
} as const

const UPSERT = `at = excluded.at, request_id = excluded.request_id, shared = u.shared OR excluded.shared,
  user_id = excluded.user_id, client_id = excluded.client_id, model = excluded.model, provider = excluded.provider,
  status = excluded.status, tags = excluded.tags, kinds = excluded.kinds, tokens = excluded.tokens, count = excluded.count,
  cost = excluded.cost, reserved = excluded.reserved, difference = excluded.difference, in_doubt = excluded.in_doubt`

const jsonOf = (value: string | undefined) => (value === undefined ? null : JSON.stringify(value))

function usageRow(entry: StoredEntry) {
  const { tags = {}, tokens, status, costNanoUsd, tableCostNanoUsd = costNanoUsd } = entry
  return {
    ...{ key: entry.idempotencyKey, at: entry.at, request_id: jsonOf(entry.requestId), user_id: jsonOf(entry.userId) },
    ...{ client_id: jsonOf(entry.clientId), model: jsonOf(entry.model), provider: jsonOf(entry.provider) },
    tags: Object.fromEntries(Object.entries(tags).map((tag) => tag.map(jsonOf))),
    ...{ status: jsonOf(status), kinds: JSON.stringify(Object.keys(tokens)), tokens: Object.values(tokens) },
    ...{ count: status === "denied" ? (entry.count ?? 1) : 1, cost: costNanoUsd, reserved: entry.reservedNanoUsd },
    ...{ difference: costNanoUsd - tableCostNanoUsd, in_doubt: entry.inDoubt === true },
  }
}

/** Writes the rows of entries. `shared` marks entries whose request has another entry: only those need a count of distinct ids. */
export async function writeUsage(query: Query, schema: string, partition: string, entries: Write[]): Promise<void> {
  const rows = entries.map(({ value }) => usageRow(JSON.parse(value!)))
  await query(
    `WITH written AS (SELECT * FROM jsonb_to_recordset($2) AS row(key text, at bigint, request_id text, user_id text,
        client_id text, model text, provider text, status text, tags jsonb, kinds text, tokens bigint[], count bigint,
        cost bigint, reserved bigint, difference bigint, in_doubt boolean)),
      others AS (UPDATE ${schema}.p2_usage SET shared = true WHERE partition = $1 AND NOT shared
        AND request_id IN (SELECT request_id FROM written) AND key NOT IN (SELECT key FROM written))
    INSERT INTO ${schema}.p2_usage AS u (partition, shared, key, at, request_id, user_id, client_id, model, provider, status,
      tags, kinds, tokens, count, cost, reserved, difference, in_doubt)
    SELECT $1, count(*) OVER (PARTITION BY request_id) > 1 OR EXISTS (SELECT FROM ${schema}.p2_usage other
      WHERE other.partition = $1 AND other.request_id = written.request_id AND other.key <> written.key), *
    FROM written ON CONFLICT (partition, key) DO UPDATE SET ${UPSERT}`,
    [partition, JSON.stringify(rows)],
  )
}

/** The conditions of a filter, with the values of its parameters. */
export function usageConditions(partition: string, filter: UsageFilter): { conditions: string; values: unknown[] } {
  const values: unknown[] = [partition]
  const parameter = (value: unknown) => `$${values.push(value)}`
  const conditions = ["partition = $1"]
  if (filter.from !== undefined) conditions.push(`at >= ${parameter(filter.from)}`)
  if (filter.to !== undefined) conditions.push(`at < ${parameter(filter.to)}`)
  for (const field of Object.keys(COLUMNS) as (keyof typeof COLUMNS)[])
    if (filter[field] !== undefined) conditions.push(`${COLUMNS[field]} = ${parameter(jsonOf(filter[field]))}`)
  const { tag } = filter
  if (tag !== undefined) conditions.push(`tags ->> ${parameter(jsonOf(tag.name))} = ${parameter(jsonOf(tag.value))}`)
  return { conditions: conditions.join(" AND "), values }
}

interface TotalsQuery {
  filter: UsageFilter
  groupBy: readonly UsageGroup[]
  buckets: readonly number[] | null
}

/**
 * Totals as a `UsageFold` has them. The database sums by group, status and kinds of tokens; here the rows of a group are added.
 * `widest`: the most kinds of tokens that an entry is expected to have; the reply has the most that were found.
 */
export async function readTotals(
  query: Query,
  schema: string,
  partition: string,
  { filter, groupBy, buckets }: TotalsQuery,
  widest: number,
): Promise<{ totals: UsageTotals[]; widest: number }> {
  const { conditions, values } = usageConditions(partition, filter)
  const parameter = (value: unknown) => `$${values.push(value)}`
  const where = [conditions, `status <> '"audit"'`]
  const bounds = buckets === null ? undefined : `${parameter(buckets)}::bigint[]`
  if (bounds !== undefined) where.push(`at >= (${bounds})[1] AND at < (${bounds})[cardinality(${bounds})]`)
  const columnOf = (by: UsageGroup): string => {
    if (by === "bucket") return bounds === undefined ? "NULL" : `(${bounds})[width_bucket(at, ${bounds})]`
    return typeof by === "object" ? `tags ->> ${parameter(jsonOf(by.tag))}` : COLUMNS[by]
  }
  const groups = groupBy.map((by, index) => `${columnOf(by)} AS g${index},`).join(" ")
  const names = groupBy.map((_, index) => `, g${index}`).join("")
  const from = `FROM ${schema}.p2_usage WHERE ${where.join(" AND ")}`
  const read = (kinds: number) => {
    const tokens = Array.from({ length: kinds }, (_, index) => `, sum(tokens[${index + 1}]) AS t${index}`).join("")
    return query(
      `SELECT ${groups} status, kinds, count(*) FILTER (WHERE NOT shared) AS requests,
        count(*) AS entries, sum(count) AS attempts, sum(cost) AS cost, sum(reserved) AS reserved,
        sum(difference) AS difference, count(*) FILTER (WHERE in_doubt) AS in_doubt,
        sum(cost) FILTER (WHERE in_doubt) AS in_doubt_cost ${tokens}
      ${from} GROUP BY status, kinds ${names}`,
      values,
    )
  }
  let rows = await read(widest)
  const found = rows.reduce((most, row) => Math.max(most, (JSON.parse(row.kinds!) as string[]).length), widest)
  if (found > widest) rows = await read(found)
  // Faster than count(DISTINCT …), which sorts.
  const columns = groupBy.map((_, index) => `g${index},`).join(" ")
  const shared = await query(
    `SELECT ${columns} count(*) AS requests FROM (SELECT DISTINCT ${groups} request_id ${from} AND shared) AS ids
    ${names.replace(",", "GROUP BY")}`,
    values,
  )
  const sums = new Map<string, GroupSums>()
  const sumsOf = (row: Row) => {
    const group = groupBy.map((by, index) => {
      const text = row[`g${index}`]
      if (text === null || text === undefined) return null
      return by === "bucket" ? Number(text) : (JSON.parse(text) as string)
    })
    const key = JSON.stringify(group)
    const groupSums = sums.get(key) ?? new GroupSums(group)
    sums.set(key, groupSums)
    return groupSums
  }
  for (const row of rows) sumsOf(row).add(row)
  // Without groups there is a row even if no entry matches.
  for (const row of shared) if (row.requests !== "0") sumsOf(row).addRequests(row.requests!)
  return { totals: [...sums.values()].map((each) => each.totals()), widest: found }
}

class GroupSums {
  readonly #group: UsageTotals["group"]
  readonly #sums = new Map<string, bigint>()
  readonly #tokens = new Map<string, bigint>()

  constructor(group: UsageTotals["group"]) {
    this.#group = group
  }

  addRequests(requests: string): void {
    add(this.#sums, "requests", requests)
  }

  add(row: Row): void {
    const status = JSON.parse(row.status!) as string
    for (const name of ["requests", "attempts", "cost", "reserved", "difference", "in_doubt", "in_doubt_cost"])
      add(this.#sums, name, row[name])
    // Denials beyond the first of each entry are separate requests.
    add(this.#sums, "requests", BigInt(row.attempts!) - BigInt(row.entries!))
    add(this.#sums, status, row.attempts)
    if (status !== "succeeded") add(this.#sums, "failed_cost", row.cost)
    for (const [index, kind] of (JSON.parse(row.kinds!) as string[]).entries())
      add(this.#tokens, kind, row[`t${index}`])
  }

  totals(): UsageTotals {
    const of = (name: string) => toNumber(this.#sums.get(name) ?? 0n)
    return {
      ...{ group: this.#group, requests: of("requests"), attempts: of("attempts"), succeeded: of("succeeded") },
      ...{ failed: of("failed"), denied: of("denied"), expired: of("expired"), released: of("released") },
      tokens: Object.fromEntries([...this.#tokens].map(([kind, sum]) => [kind, toNumber(sum)])),
      ...{ costNanoUsd: of("cost"), failedCostNanoUsd: of("failed_cost"), inDoubt: of("in_doubt") },
      ...{ inDoubtNanoUsd: of("in_doubt_cost"), reservedNanoUsd: of("reserved"), differenceNanoUsd: of("difference") },
    }
  }
}

function add(sums: Map<string, bigint>, name: string, amount: string | bigint | null | undefined): void {
  sums.set(name, (sums.get(name) ?? 0n) + BigInt(amount ?? 0))
}

/** Sums stop at ±(2^53 − 1). */
function toNumber(sum: bigint): number {
  const largest = BigInt(Number.MAX_SAFE_INTEGER)
  return Number(sum > largest ? largest : sum < -largest ? -largest : sum)
}
