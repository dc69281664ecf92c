import type { StoredEntry, UsageEntry } from "@p2/budget"
import { corruptRow } from "./batch"
import type { SqlValue } from "./connection"
import { TOKEN_COLUMNS } from "./schema"
import { givenText, keptText, mapTags } from "./text"

export type EntryRow = Record<string, SqlValue> & {
  seq: number
  root: string
  id: string
  at: number
  model: string
  provider: string | null
  status: string
  cost: number
  reserved: number
  table_cost: number | null
}

/** Columns that come from the entry, in the order of {@link valuesOf}. */
export const ENTRY_COLUMNS = [
  "revision",
  "request_id",
  "attempt",
  "client_id",
  "user_id",
  "model",
  "provider",
  "status",
  "cost",
  "reserved",
  "table_cost",
  ...TOKEN_COLUMNS,
  "other_tokens",
  "tags",
  "charges",
  "rest",
] as const

const HAS_COLUMN: ReadonlySet<string> = new Set(TOKEN_COLUMNS)

export function valuesOf(entry: UsageEntry, charges: Record<string, number>, revision: number): SqlValue[] {
  return [
    revision,
    entry.requestId,
    entry.attempt,
    entry.clientId ?? null,
    entry.userId ?? null,
    entry.model,
    entry.provider ?? null,
    entry.status,
    entry.costNanoUsd,
    entry.reservedNanoUsd,
    entry.tableCostNanoUsd ?? null,
    ...tokensOf(entry),
    otherTokensOf(entry),
    entry.tags === undefined ? null : JSON.stringify(mapTags(entry.tags, keptText)),
    JSON.stringify(charges),
    restOf(entry),
  ]
}

/** By column; null where the entry has no such kind. */
export function tokensOf({ tokens }: UsageEntry): (number | null)[] {
  return TOKEN_COLUMNS.map((kind) => tokens[kind] ?? null)
}

function otherTokensOf({ tokens }: UsageEntry): string | null {
  let other: Record<string, number> | undefined
  for (const kind of Object.keys(tokens)) {
    if (!HAS_COLUMN.has(kind)) other = { ...other, [keptText(kind)]: tokens[kind]! }
  }
  return other === undefined ? null : JSON.stringify(other)
}

/** Fields without a column: nothing is filtered, grouped or summed by them. */
function restOf(entry: UsageEntry): string {
  const { fingerprint, mode, modelUsed, errorCode, costSource, costs, durationMs, generationId, prompt, answer } = entry
  const rest = { fingerprint, mode, modelUsed, errorCode, costSource, costs, durationMs, generationId, prompt, answer }
  return JSON.stringify(rest)
}

export function entryOf(row: EntryRow): StoredEntry {
  const tokens: Record<string, number> = {}
  for (const kind of TOKEN_COLUMNS) if (row[kind] !== null) tokens[kind] = row[kind] as number
  const entry = {
    requestId: row.request_id,
    attempt: row.attempt,
    ...given("clientId", row.client_id),
    ...given("userId", row.user_id),
    ...given("tags", tagsOf(row)),
    model: row.model,
    ...given("provider", row.provider),
    reservedNanoUsd: row.reserved,
    status: row.status,
    tokens: { ...tokens, ...otherTokensIn(row) },
    costNanoUsd: row.cost,
    ...given("tableCostNanoUsd", row.table_cost),
    ...(parse(row, "rest") as object),
    id: row.id,
    at: row.at,
    revision: row.revision,
    charges: parse(row, "charges"),
  }
  return entry as unknown as StoredEntry
}

function otherTokensIn(row: EntryRow): Record<string, number> {
  const other = (parse(row, "other_tokens") ?? {}) as Record<string, number>
  return Object.fromEntries(Object.entries(other).map(([kind, count]) => [givenText(kind), count]))
}

function tagsOf(row: EntryRow): Record<string, string> | null {
  const tags = parse(row, "tags") as Record<string, string> | null
  return tags === null ? null : mapTags(tags, givenText)
}

function given(field: string, value: unknown): object {
  return value === null || value === undefined ? {} : { [field]: value }
}

function parse(row: EntryRow, column: string): unknown {
  const text = row[column]
  if (text === null || text === undefined) return null
  try {
    return JSON.parse(String(text))
  } catch {
    throw corruptRow(`usage entry ${row.id}`)
  }
}
