import type { Found, Reads, Storage, StoreCheck, UsageFilter, Write } from "@p2/budget/store"
import { InvalidArgumentError } from "@p2/core"
import { decodeText, pragma } from "./database"
import { begin, closeOwned, type OpenFile, openFile, rollback, type SqliteSettings } from "./open-file"
import { INDEXED, readVersion, SCHEMA_VERSION, schemaTooNew } from "./schema"
import { sqliteCode, toStoreError } from "./sqlite-errors"

/** A step deletes more records than the writes between two steps, so that it keeps up. */
const FORGET_MAX = 1_000
const SQLITE_FULL = 13

const GET = "SELECT CAST(value AS BLOB) AS value FROM p2_records WHERE partition = ? AND kind = ? AND key = ?"
const DUE = `SELECT CAST(key AS BLOB) AS key FROM p2_records
  WHERE partition = ? AND kind = 'reservation' AND at <= ? ORDER BY at, key LIMIT ?`
const PUT = `INSERT INTO p2_records VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (partition, kind, key)
  DO UPDATE SET value = excluded.value, at = excluded.at, forget_at = excluded.forget_at`
const DELETE = "DELETE FROM p2_records WHERE partition = ? AND kind = ? AND key = ?"
const KEYS = `SELECT CAST(key AS BLOB) AS key FROM p2_records
  WHERE partition = ? AND kind = ? AND key > ? ORDER BY key LIMIT ?`
const PRUNE = `DELETE FROM p2_records WHERE partition = ?1 AND kind = 'entry' AND key IN (
  SELECT key FROM p2_records WHERE partition = ?1 AND kind = 'entry' AND at < ?2 ORDER BY at, key LIMIT ?3)`
const FORGET = `DELETE FROM p2_records WHERE (partition, kind, key) IN (
  SELECT partition, kind, key FROM p2_records WHERE forget_at <= ? LIMIT ${FORGET_MAX})`

/** Text records in one SQLite database, for any number of processes on one machine. */
export function createSqliteStorage(settings: SqliteSettings): Storage {
  let file: OpenFile

  function readClock(): number {
    const clock = Math.trunc(settings.now())
    if (Number.isSafeInteger(clock) && clock >= 0) return clock
    throw new InvalidArgumentError("options.now", "a function that returns epoch milliseconds", clock)
  }

  /** Runs `work` in a transaction. Synchronous, so that transactions of one connection never interleave. */
  function inTransaction<T>(mode: "" | "IMMEDIATE", work: (clock: number) => T): T {
    const { database, identity, origin } = file
    let stage: "beginning a transaction" | "writing" | "committing" = "beginning a transaction"
    let isOpen = false
    try {
      identity?.check(readClock())
      begin(file, `BEGIN ${mode}`.trim())
      isOpen = true
      stage = "writing"
      // Another process, of a newer version of this package, may have the same file open.
      const version = readVersion(database)
      if (!(version <= SCHEMA_VERSION)) throw schemaTooNew(origin, version)
      const result = work(readClock())
      stage = "committing"
      database.exec("COMMIT")
      return result
    } catch (error) {
      if (isOpen) rollback(database)
      throw toStoreError(error, stage === "committing" && sqliteCode(error) !== SQLITE_FULL ? "maybe" : "no", stage)
    }
  }

  function find(partition: string, clock: number, { records: keys, due }: Reads): Found {
    const records = keys.flatMap(({ kind, key }) => {
      const row = file.prepare(GET).get(partition, kind, key) as { value: unknown } | undefined | null
      return row ? [{ kind, key, value: readValue(row.value) }] : []
    })
    return { clock, records, due: due > 0 ? readKeys(file.prepare(DUE).all(partition, clock, due)) : [] }
  }

  function apply(partition: string, writes: readonly Write[]): void {
    for (const { kind, key, value, at, forgetAt } of writes)
      if (value === null) file.prepare(DELETE).run(partition, kind, key)
      else file.prepare(PUT).run(partition, kind, key, value, at ?? null, forgetAt ?? null)
  }

  function reading<T>(read: (file: OpenFile) => T): T {
    file.identity?.check(readClock())
    try {
      return read(file)
    } catch (error) {
      throw toStoreError(error, "no", "reading")
    }
  }
  const select = (sql: string, values: (string | number)[]) => reading(({ prepare }) => prepare(sql).all(...values))

  return {
    ...{ name: "sqlite", shared: settings.shared, clock: "process", timeoutMs: settings.timeoutMs },
    async open() {
      file = await openFile(settings)
    },
    transaction: async (partition, reads, decide) =>
      inTransaction("IMMEDIATE", (clock) => {
        const { result, writes } = decide(find(partition, clock, reads))
        apply(partition, writes)
        return result
      }),
    read: async (partition, reads) => inTransaction("", (clock) => find(partition, clock, reads)),
    async entries(partition, { filter, newestFirst, after, limit }) {
      const { sql, values, damaged } = entriesQuery(partition, filter, newestFirst, after)
      // The index of users and requests does not find damaged entries, but one may belong to this query.
      for (const key of damaged ? readKeys(select(damaged, [partition])) : []) return [{ at: 0, key, value: "" }]
      const rows = select(sql, [...values, limit]) as { at: number | bigint; key: unknown; value: unknown }[]
      return rows.map(({ at, key, value }) => ({ at: Number(at), key: decodeText(key), value: readValue(value) }))
    },
    keys: async (partition, kind, { after, limit }) => readKeys(select(KEYS, [partition, kind, after, limit])),
    prune: async (partition, before, limit) =>
      inTransaction("IMMEDIATE", () => {
        const { changes } = file.prepare(PRUNE).run(partition, before, limit) as { changes: number | bigint }
        return Number(changes)
      }),
    forget: async (before) => inTransaction("IMMEDIATE", () => void file.prepare(FORGET).run(before)),
    check: async () => reading(() => checkFile(file, settings)),
    async close() {
      if (file?.origin.owned) closeOwned(file.database)
    },
  }
}

interface EntriesQuery {
  sql: string
  values: (string | number)[]
  /** Finds a damaged entry that the index does not contain. */
  damaged: string | undefined
}

function entriesQuery(
  partition: string,
  filter: UsageFilter,
  newestFirst: boolean,
  after: { at: number; key: string },
): EntriesQuery {
  // SQLite finds the start of the page by `at` alone: a comparison of `(at, key)` scans all rows before it.
  const from = Math.max(filter.from ?? 0, newestFirst ? 0 : after.at)
  const to = Math.min(filter.to ?? Number.MAX_SAFE_INTEGER, newestFirst ? after.at + 1 : Number.MAX_SAFE_INTEGER)
  const conditions = ["partition = ?", "kind = 'entry'", "at >= ?", "at < ?"]
  const values: (string | number)[] = [partition, from, to]
  // SQLite and JSON compare strings with NUL or lone surrogates differently. The caller filters the entries again.
  const isIndexed = (name: "requestId" | "userId") => !/[\0\ud800-\udfff]/.test(filter[name] ?? "\0")
  const field = (["requestId", "userId"] as const).find(isIndexed)
  if (field !== undefined) {
    conditions.push(`${INDEXED[field]} = ?`)
    values.push(filter[field]!)
  }
  conditions.push(`(at, key) ${newestFirst ? "<" : ">"} (?, ?)`)
  values.push(after.at, after.key)
  const columns = "at, CAST(key AS BLOB) AS key, CAST(value AS BLOB) AS value"
  const order = newestFirst ? "ORDER BY at DESC, key DESC" : "ORDER BY at, key"
  return {
    sql: `SELECT ${columns} FROM p2_records WHERE ${conditions.join(" AND ")} ${order} LIMIT ?`,
    values,
    damaged:
      field &&
      `SELECT CAST(key AS BLOB) AS key FROM p2_records WHERE partition = ? AND kind = 'entry' AND ${INDEXED[field]} = 0 LIMIT 1`,
  }
}

/**
 * Returns an empty string, which is not JSON, for text that is not UTF-8, so the damage affects only its own record.
 */
function readValue(bytes: unknown): string {
  try {
    return decodeText(bytes)
  } catch {
    return ""
  }
}

function readKeys(rows: unknown[]): string[] {
  return (rows as { key: unknown }[]).map(({ key }) => decodeText(key))
}

function checkFile({ database }: OpenFile, settings: SqliteSettings): StoreCheck {
  const synchronous = Number(pragma(database, "synchronous"))
  const warnings: string[] = []
  if (settings.shared && pragma(database, "journal_mode") !== "wal")
    warnings.push(
      "The connection does not use WAL: readers and writers block each other. Set PRAGMA journal_mode = WAL.",
    )
  if (synchronous === 0) warnings.push("PRAGMA synchronous is OFF: a power cut may damage the file.")
  const durability = !settings.shared ? "none" : synchronous >= 2 ? "disk" : "process"
  return { ok: warnings.length === 0, durability, warnings }
}
