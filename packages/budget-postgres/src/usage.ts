import type { PartialTotals, StoredEntry, UsageFilter, UsageGroup, Write } from "@p2/budget/store"
import type { Query, Row } from "./connection"

// The table p2_usage has the fields of each entry that filters and totals need. Strings are JSON texts there: columns
// of text cannot hold NUL and lone surrogates, and JSON escapes both.

const TEXTS = {
  ...{ requestId: "request_id", userId: "user_id", clientId: "client_id" },
  ...{ model: "model", provider: "provider", status: "status" },
} as const
/** The kinds of tokens that have a column. `other_tokens` has the others. */
const TOKENS = {
  ...{ inputTokens: "input_tokens", outputTokens: "output_tokens", reasoningTokens: "reasoning_tokens" },
  ...{ cacheReadTokens: "cache_read_tokens", cacheWriteTokens: "cache_write_tokens" },
} as const
const TEXT_FIELDS = Object.keys(TEXTS) as (keyof typeof TEXTS)[]
const TOKEN_KINDS = Object.keys(TOKENS) as (keyof typeof TOKENS)[]
const TYPES: [column: string, type: string][] = [
  ...["at", "cost", "reserved", "repeats", "difference", "in_doubt_cost"].map((name): [string, string] => [
    name,
    "bigint",
  ]),
  ...Object.values(TOKENS).map((name): [string, string] => [name, "bigint"]),
  ...["key", ...Object.values(TEXTS)].map((name): [string, string] => [name, "text"]),
  ...["tags", "other_tokens"].map((name): [string, string] => [name, "jsonb"]),
]
const COLUMNS = TYPES.map(([name]) => name)

const jsonOf = (value: string | undefined) => (value === undefined ? undefined : JSON.stringify(value))

/** Null, here undefined, where totals have nothing to add. */
function usageRow(entry: StoredEntry): Record<string, unknown> {
  const { tags = {}, tokens, status, costNanoUsd, tableCostNanoUsd = costNanoUsd, count = 1 } = entry
  const others = Object.entries(tokens).filter(([kind]) => !Object.hasOwn(TOKENS, kind))
  return {
    ...{ key: entry.idempotencyKey, at: entry.at, cost: costNanoUsd, reserved: entry.reservedNanoUsd },
    repeats: status === "denied" && count > 1 ? count - 1 : undefined,
    difference: costNanoUsd - tableCostNanoUsd || undefined,
    in_doubt_cost: entry.inDoubt ? costNanoUsd : undefined,
    ...Object.fromEntries(TEXT_FIELDS.map((field) => [TEXTS[field], jsonOf(entry[field])])),
    ...Object.fromEntries(TOKEN_KINDS.map((kind) => [TOKENS[kind], tokens[kind]])),
    tags: Object.fromEntries(Object.entries(tags).map((tag) => tag.map(jsonOf))),
    other_tokens:
      others.length === 0 ? undefined : Object.fromEntries(others.map(([kind, sum]) => [jsonOf(kind), sum])),
  }
}

/** The JSON of the rows of entries, as {@link writingUsage} needs it. */
export function usageRows(entries: readonly Write[]): string {
  return JSON.stringify(entries.map(({ value }) => usageRow(JSON.parse(value!))))
}

/**
 * Common table expressions that write rows of entries. `shared` marks entries whose request has another entry: only those
 * need a count of distinct ids.
 */
export function writingUsage(usage: string, partition: string, rows: string): string {
  return `written AS (SELECT * FROM jsonb_to_recordset(${rows}) AS row(${TYPES.map((column) => column.join(" "))})),
    others AS (UPDATE ${usage} SET shared = true WHERE partition = ${partition} AND NOT shared
      AND request_id IN (SELECT request_id FROM written) AND key NOT IN (SELECT key FROM written)),
    usage AS (INSERT INTO ${usage} AS u (partition, shared, ${COLUMNS})
      SELECT ${partition}, count(*) OVER (PARTITION BY request_id) > 1 OR EXISTS (SELECT FROM ${usage} other
        WHERE other.partition = ${partition} AND other.request_id = written.request_id AND other.key <> written.key), ${COLUMNS}
      FROM written ON CONFLICT (partition, key) DO UPDATE
      SET shared = u.shared OR excluded.shared, ${COLUMNS.map((name) => `${name} = excluded.${name}`)})`
}

/** The conditions of a filter, with the values of its parameters. */
export function usageConditions(partition: string, { from, to, tag, ...fields }: UsageFilter) {
  const values: unknown[] = [partition]
  const parameter = (value: unknown) => `$${values.push(value)}`
  const conditions = ["partition = $1"]
  if (from !== undefined) conditions.push(`at >= ${parameter(from)}`)
  if (to !== undefined) conditions.push(`at < ${parameter(to)}`)
  for (const field of TEXT_FIELDS)
    if (fields[field] !== undefined) conditions.push(`${TEXTS[field]} = ${parameter(jsonOf(fields[field]))}`)
  if (tag !== undefined) conditions.push(`tags ->> ${parameter(jsonOf(tag.name))} = ${parameter(jsonOf(tag.value))}`)
  return { conditions, values, parameter }
}

interface TotalsQuery {
  filter: UsageFilter
  groupBy: readonly UsageGroup[]
  buckets: readonly number[] | null
}

/**
 * Sums by group and status. Most are sums of DOUBLE PRECISION, which PostgreSQL adds several times as fast as BIGINT.
 * They are exact up to 2^53, where totals saturate. A sum of non-negative numbers that has passed 2^53 stays above it.
 */
export async function readTotals(
  query: Query,
  usage: string,
  partition: string,
  { filter, groupBy, buckets }: TotalsQuery,
): Promise<PartialTotals[]> {
  const { conditions, values, parameter } = usageConditions(partition, filter)
  const bounds = buckets && `${parameter(buckets)}::bigint[]`
  if (bounds) conditions.push(`at >= (${bounds})[1] AND at < (${bounds})[cardinality(${bounds})]`)
  const columnOf = (by: UsageGroup): string => {
    if (by === "bucket") return bounds ? `(${bounds})[width_bucket(at, ${bounds})]` : "NULL"
    return typeof by === "object" ? `tags ->> ${parameter(jsonOf(by.tag))}` : TEXTS[by]
  }
  const columns = groupBy.map((by, index) => `${columnOf(by)} AS g${index}`)
  const names = groupBy.map((_, index) => `g${index}`)
  const where = `WHERE ${[...conditions, `status <> '"audit"'`].join(" AND ")}`
  const groupOf = (row: Row) =>
    groupBy.map((by, index) => {
      const text = row[`g${index}`] ?? null
      return text === null ? null : by === "bucket" ? Number(text) : (JSON.parse(text) as string)
    })
  const select = (sums: string[], from: string, and: string, more: string[] = []) =>
    query(
      `SELECT ${[...columns, ...more, ...sums]} FROM ${from} ${where} ${and}
      GROUP BY ${[...names, ...more].join() || "()"} HAVING count(*) > 0`,
      values,
    )

  const sums = ["cost", "reserved", "in_doubt_cost", "repeats", ...Object.values(TOKENS)]
  const counts = ["count(*) AS entries", "count(in_doubt_cost) AS in_doubt", "count(other_tokens) AS others"]
  const rows = await select(
    [
      ...counts,
      "count(*) FILTER (WHERE shared) AS shared",
      "sum(difference) AS difference",
      ...sums.map((name) => `sum(${name}::float8) AS ${name}`),
    ],
    usage,
    "",
    ["status"],
  )
  const parts = rows.map((row): PartialTotals => {
    const status = JSON.parse(row.status!) as StoredEntry["status"]
    const costNanoUsd = Number(row.cost)
    const attempts = Number(row.entries) + Number(row.repeats)
    const tokens: Record<string, number> = {}
    for (const kind of TOKEN_KINDS) if (row[TOKENS[kind]] !== null) tokens[kind] = Number(row[TOKENS[kind]])
    return {
      group: groupOf(row),
      // Denials beyond the first of each entry are separate requests.
      requests: Number(row.entries) - Number(row.shared) + Number(row.repeats),
      attempts,
      [status]: attempts,
      tokens,
      costNanoUsd,
      failedCostNanoUsd: status === "succeeded" ? 0 : costNanoUsd,
      inDoubt: Number(row.in_doubt),
      inDoubtNanoUsd: Number(row.in_doubt_cost),
      reservedNanoUsd: Number(row.reserved),
      differenceNanoUsd: row.difference ? BigInt(row.difference) : 0,
    }
  })
  if (rows.some(({ others }) => others !== "0")) {
    const others = await select(
      ["sum(other.value::numeric) AS tokens"],
      `${usage}, jsonb_each_text(other_tokens) AS other`,
      "AND other_tokens IS NOT NULL",
      ["other.key"],
    )
    for (const row of others)
      parts.push({ group: groupOf(row), tokens: { [JSON.parse(row.key!)]: BigInt(row.tokens!) } })
  }
  if (rows.some(({ shared }) => shared !== "0")) {
    // Faster than count(DISTINCT …), which sorts.
    const distinct = `(SELECT DISTINCT ${[...columns, "request_id"]} FROM ${usage} ${where} AND shared) AS ids`
    const requests = await query(
      `SELECT ${[...names, "count(*) AS requests"]} FROM ${distinct} GROUP BY ${names.join() || "()"} HAVING count(*) > 0`,
      values,
    )
    for (const row of requests) parts.push({ group: groupOf(row), requests: Number(row.requests) })
  }
  return parts
}
