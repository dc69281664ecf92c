import type { StoredEntry, UsageEntry } from "@p2/budget"
import type { Connection, SqlValue } from "./connection"
import { ENTRY_COLUMNS, type EntryRow, entryOf, tokensOf, valuesOf } from "./entry-row"
import { QUARTER_MS, TOKEN_COLUMNS } from "./schema"

export const INSERT_ENTRY = `INSERT INTO p2_entries (root, id, at, again, ${ENTRY_COLUMNS.join(", ")})
  VALUES (?, ?, ?, EXISTS (SELECT 1 FROM p2_entries WHERE root = ? AND request_id = ?), ${ENTRY_COLUMNS.map(() => "?").join(", ")})
  ON CONFLICT (root, id) DO NOTHING`
const SELECT_ENTRY = "SELECT * FROM p2_entries WHERE root = ? AND id = ?"
const UPDATE_ENTRY = `UPDATE p2_entries SET
  again = CASE WHEN request_id = ? THEN again ELSE EXISTS (SELECT 1 FROM p2_entries WHERE root = ? AND request_id = ?) END,
  ${ENTRY_COLUMNS.map((column) => `${column} = ?`).join(", ")} WHERE seq = ?`
const DELETE_ENTRY = "DELETE FROM p2_entries WHERE seq = ?"

const KEY_COLUMNS = ["root", "at", "model", "provider", "has_provider", "status"]
const SUM_COLUMNS = ["attempts", "cost", "reserved", "difference"]
export const ADD_USAGE = `INSERT INTO p2_usage (${[...KEY_COLUMNS, ...SUM_COLUMNS, ...TOKEN_COLUMNS].join(", ")})
  VALUES (${[...KEY_COLUMNS, ...SUM_COLUMNS, ...TOKEN_COLUMNS].map(() => "?").join(", ")})
  ON CONFLICT (${KEY_COLUMNS.join(", ")}) DO UPDATE SET ${[
    ...SUM_COLUMNS.map((column) => `${column} = ${column} + excluded.${column}`),
    // A kind that no entry has stays NULL, which is not 0.
    ...TOKEN_COLUMNS.map(
      (kind) =>
        `${kind} = CASE WHEN excluded.${kind} IS NULL THEN ${kind} ELSE coalesce(${kind}, 0) + excluded.${kind} END`,
    ),
  ].join(", ")}`
const DROP_USAGE = `DELETE FROM p2_usage WHERE ${KEY_COLUMNS.map((column) => `${column} = ?`).join(" AND ")} AND attempts = 0`

/** What a transaction adds to one row of `p2_usage`. */
interface Sums {
  key: SqlValue[]
  sums: number[]
  tokens: (number | null)[]
  shrinks: boolean
}

/** What of an entry is summed. */
interface Counted {
  root: string
  at: number
  model: string
  provider: string | null
  status: string
  cost: number
  reserved: number
  tableCost: number | null
  tokens: (number | null)[]
}

/** Writes usage entries in the open transaction and keeps the sums by quarter of an hour in step. */
export class EntryWriter {
  readonly #connection: Connection
  readonly #now: number
  readonly #sums = new Map<string, Sums>()

  constructor(connection: Connection, now: number) {
    this.#connection = connection
    this.#now = now
  }

  /** Writes the entry of an id or overwrites it; the time of the first write stays. */
  write(
    root: string,
    id: string,
    entry: UsageEntry,
    how: { charges: Record<string, number>; revision: number; keepKnown?: boolean },
  ): void {
    const { requestId } = entry
    const values = valuesOf(entry, how.charges, how.revision)
    const inserted = this.#connection.change(INSERT_ENTRY, root, id, this.#now, root, requestId, ...values)
    if (inserted > 0) {
      this.#count(countedEntry(root, this.#now, entry), 1)
      return
    }
    if (how.keepKnown) return
    const before = this.#connection.get<EntryRow>(SELECT_ENTRY, root, id)!
    this.#count(countedRow(before), -1)
    this.#connection.run(UPDATE_ENTRY, requestId, root, requestId, ...values, before.seq)
    this.#count(countedEntry(root, before.at, entry), 1)
  }

  find(root: string, id: string): StoredEntry | undefined {
    const row = this.#connection.get<EntryRow>(SELECT_ENTRY, root, id)
    return row === undefined ? undefined : entryOf(row)
  }

  remove(rows: readonly EntryRow[]): void {
    for (const row of rows) {
      this.#count(countedRow(row), -1)
      this.#connection.run(DELETE_ENTRY, row.seq)
    }
  }

  /** Writes the sums. */
  finish(): void {
    for (const sums of this.#sums.values()) this.#flush(sums)
    this.#sums.clear()
  }

  #count(entry: Counted, sign: 1 | -1): void {
    const { root, at, model, provider, status, cost, reserved, tableCost } = entry
    const quarter = at - (at % QUARTER_MS)
    const key = [root, quarter, model, provider ?? "", provider === null ? 0 : 1, status]
    const difference = tableCost === null ? 0 : cost - tableCost
    const next: Sums = {
      key,
      sums: [sign, cost * sign, reserved * sign, difference * sign],
      tokens: sign === 1 ? entry.tokens : entry.tokens.map((count) => (count === null ? null : -count)),
      shrinks: sign < 0,
    }
    const name = JSON.stringify(key)
    const known = this.#sums.get(name)
    const merged = known === undefined ? next : merge(known, next)
    if (merged === undefined) this.#flush(known!)
    this.#sums.set(name, merged ?? next)
  }

  #flush({ key, sums, tokens, shrinks }: Sums): void {
    this.#connection.run(ADD_USAGE, ...key, ...sums, ...tokens)
    if (shrinks) this.#connection.run(DROP_USAGE, ...key)
  }
}

/** Undefined when a sum would leave the safe integers: SQLite then adds, in 64 bits. */
function merge(a: Sums, b: Sums): Sums | undefined {
  const sums = a.sums.map((value, index) => value + b.sums[index]!)
  const tokens = a.tokens.map((value, index) => {
    const other = b.tokens[index]!
    return value === null ? other : other === null ? value : value + other
  })
  const safe = [...sums, ...tokens].every((value) => value === null || Number.isSafeInteger(value))
  return safe ? { key: a.key, sums, tokens, shrinks: a.shrinks || b.shrinks } : undefined
}

function countedEntry(root: string, at: number, entry: UsageEntry): Counted {
  const { model, provider = null, status, costNanoUsd: cost, reservedNanoUsd: reserved } = entry
  return {
    root,
    at,
    model,
    provider,
    status,
    cost,
    reserved,
    tableCost: entry.tableCostNanoUsd ?? null,
    tokens: tokensOf(entry),
  }
}

function countedRow(row: EntryRow): Counted {
  const tokens = TOKEN_COLUMNS.map((kind) => row[kind] as number | null)
  return { ...row, tableCost: row.table_cost, tokens }
}
