import { setTimeout as pause } from "node:timers/promises"
import { type Records, type Storage, type StoreCheck, StoreError, type UsageFilter, type Write } from "@p2/budget/store"
import { InvalidArgumentError } from "@p2/core"
import { decodeText, pragma } from "./database"
import { begin, closeOwned, type OpenFile, openFile, rollback, type SqliteSettings } from "./open-file"
import { INDEXED, readVersion, SCHEMA_VERSION, schemaTooNew } from "./schema"
import { isBusy, sqliteCode, toStoreError } from "./sqlite-errors"

const PAGE = 1_000
/** Transactions between two steps of housekeeping, and the maximum number of records that a step deletes. */
const HOUSEKEEPING_EVERY = 16
const HOUSEKEEPING_MAX = 256
const SQLITE_FULL = 13

const GET = "SELECT CAST(value AS BLOB) AS value FROM p2_records WHERE partition = ? AND kind = ? AND key = ?"
const DUE = `SELECT CAST(key AS BLOB) AS key FROM p2_records
  WHERE partition = ? AND kind = 'reservation' AND at <= ? ORDER BY at, key LIMIT ?`
const PUT = `INSERT INTO p2_records VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (partition, kind, key)
  DO UPDATE SET value = excluded.value, at = excluded.at, forget_at = excluded.forget_at`
const DELETE = "DELETE FROM p2_records WHERE partition = ? AND kind = ? AND key = ?"
const KEYS = `SELECT CAST(key AS BLOB) AS key FROM p2_records
  WHERE partition = ? AND kind = ? AND key > ? ORDER BY key LIMIT ?`
const ENTRIES_BEFORE = `SELECT CAST(key AS BLOB) AS key FROM p2_records
  WHERE partition = ? AND kind = 'entry' AND at < ? ORDER BY at, key LIMIT ${PAGE}`
const FORGOTTEN = `SELECT partition, kind, key FROM p2_records WHERE forget_at <= ? LIMIT ${HOUSEKEEPING_MAX}`

/** Text records in one SQLite database, for any number of processes on one machine. */
export function createSqliteStorage(settings: SqliteSettings): Storage {
  const running = new Set<Promise<unknown>>()
  let opening: Promise<OpenFile> | undefined
  let isClosed = false
  let transactions = 0

  function open(): Promise<OpenFile> {
    if (isClosed) return Promise.reject(unavailable("The store is closed. Create a new one."))
    opening ??= openFile(settings).catch((error: unknown) => {
      // The next call tries again: the disk may have space again, or the lock may be free.
      opening = undefined
      throw error
    })
    return opening
  }

  function readClock(): number {
    const clock = Math.trunc(settings.now())
    if (Number.isSafeInteger(clock) && clock >= 0) return clock
    throw new InvalidArgumentError("options.now", "a function that returns epoch milliseconds", clock)
  }

  function recordsOf({ prepare }: OpenFile, partition: string, clock: number): Records {
    return {
      clock,
      async get(kind, keys) {
        const found = new Map<string, string>()
        for (const key of keys) {
          const row = prepare(GET).get(partition, kind, key) as { value: unknown } | undefined | null
          if (row) found.set(key, readValue(row.value))
        }
        return found
      },
      due: async (limit) => readKeys(prepare(DUE).all(partition, clock, limit)),
    }
  }

  function apply({ prepare }: OpenFile, partition: string, writes: readonly Write[]): void {
    for (const { kind, key, value, at, forgetAt } of writes)
      if (value === null) prepare(DELETE).run(partition, kind, key)
      else prepare(PUT).run(partition, kind, key, value, at ?? null, forgetAt ?? null)
  }

  function forgetSome({ prepare }: OpenFile, clock: number): void {
    const rows = prepare(FORGOTTEN).all(clock) as { partition: string; kind: string; key: string }[]
    for (const { partition, kind, key } of rows) prepare(DELETE).run(partition, kind, key)
  }

  /**
   * Tries the transaction once. It starts in its own turn of the event loop, and `body` awaits only records, which are read
   * synchronously. So no other code of this process runs in between, and transactions of one connection never interleave.
   */
  async function attempt<T>(
    partition: string,
    body: (records: Records) => Promise<{ result: T; writes: Write[] }>,
    readOnly: boolean,
  ): Promise<{ status: "done"; result: T } | { status: "busy"; error: unknown }> {
    const file = await open()
    await nextTurn()
    file.identity?.check(readClock())
    try {
      begin(file, readOnly ? "BEGIN" : "BEGIN IMMEDIATE")
    } catch (error) {
      if (isBusy(error)) return { status: "busy", error }
      throw toStoreError(error, "no", "beginning a transaction")
    }
    let isCommitting = false
    try {
      // Another process, of a newer version of this package, may have the same file open.
      const version = readVersion(file.database)
      if (!(version <= SCHEMA_VERSION)) throw schemaTooNew(file.origin, version)
      const clock = readClock()
      const { result, writes } = await body(recordsOf(file, partition, clock))
      apply(file, partition, writes)
      if (writes.length > 0 && transactions++ % HOUSEKEEPING_EVERY === 0) forgetSome(file, clock)
      isCommitting = true
      file.database.exec("COMMIT")
      return { status: "done", result }
    } catch (error) {
      rollback(file.database)
      throw toStoreError(error, isCommitting && sqliteCode(error) !== SQLITE_FULL ? "maybe" : "no", "writing")
    }
  }

  async function transaction<T>(
    partition: string,
    body: (records: Records) => Promise<{ result: T; writes: Write[] }>,
    { readOnly = false } = {},
  ): Promise<T> {
    const deadline = performance.now() + settings.timeoutMs
    for (let tries = 0; ; tries++) {
      const outcome = await attempt(partition, body, readOnly)
      if (outcome.status === "done") return outcome.result
      if (performance.now() >= deadline)
        throw unavailable(
          `Another connection, or a transaction of your own, held the database lock for ${settings.timeoutMs} ms.`,
          outcome.error,
        )
      // Wait with a timer, because SQLite's own wait blocks the event loop. The jitter spreads the retries of other processes.
      await pause(1 + Math.random() * Math.min(16, 2 ** Math.min(tries, 4)))
    }
  }

  /** Makes `close` wait for the promise. */
  function track<T>(promise: Promise<T>): Promise<T> {
    running.add(promise)
    const end = () => running.delete(promise)
    promise.then(end, end)
    return promise
  }

  return {
    name: "sqlite",
    shared: settings.shared,
    clock: "process",
    // Longer than the wait for the lock, so that the caller gets the error that says that nothing was applied.
    timeoutMs: settings.timeoutMs + 1_000,
    transaction: (partition, body, options) => track(transaction(partition, body, options)),
    async *scan(partition, { filter, newestFirst, after }) {
      const { sql, values, damaged } = scanQuery(filter, newestFirst)
      if (damaged !== undefined) {
        // The index of users and requests does not find damaged entries, but one may belong to this query.
        const { prepare } = await open()
        for (const _ of reading(() => prepare(damaged).all(partition))) yield ""
      }
      let position = after ?? (newestFirst ? { at: Number.MAX_SAFE_INTEGER, key: "" } : { at: -1, key: "" })
      for (;;) {
        const { prepare, identity } = await open()
        // Read each page in its own turn: a long scan must not block the event loop.
        await nextTurn()
        identity?.check(readClock())
        // SQLite finds the start of the page by `at` alone: a comparison of `(at, key)` passes over all rows before it.
        const from = newestFirst ? (filter.from ?? 0) : Math.max(filter.from ?? 0, position.at)
        const end = filter.to ?? Number.MAX_SAFE_INTEGER
        const to = newestFirst ? Math.min(end, position.at + 1) : end
        const bounds = [partition, from, to, ...values, position.at, position.key]
        const rows = reading(() => prepare(sql).all(...bounds)) as EntryRow[]
        for (const row of rows) yield readValue(row.value)
        const last = rows.at(-1)
        if (last === undefined || rows.length < PAGE) return
        position = { at: Number(last.at), key: decodeText(last.key) }
      }
    },
    async keys(partition, kind, { after, limit }) {
      const { prepare } = await open()
      return reading(() => readKeys(prepare(KEYS).all(partition, kind, after, limit)))
    },
    async prune(partition, before) {
      let removed = 0
      for (;;) {
        const count = await track(
          transaction(partition, async () => {
            const { prepare } = await open()
            const keys = readKeys(prepare(ENTRIES_BEFORE).all(partition, before))
            return { result: keys.length, writes: keys.map((key) => ({ kind: "entry" as const, key, value: null })) }
          }),
        )
        removed += count
        if (count < PAGE) return removed
      }
    },
    async check() {
      const file = await open()
      return reading(() => checkFile(file, settings))
    },
    async close() {
      if (isClosed) return
      await Promise.allSettled(running)
      isClosed = true
      const file = await opening?.catch(() => undefined)
      if (file?.origin.owned) closeOwned(file.database)
    },
  }
}

interface EntryRow {
  at: number | bigint
  key: unknown
  value: unknown
}

interface ScanQuery {
  sql: string
  values: string[]
  /** Finds a damaged entry that the index does not contain. */
  damaged?: string
}

function scanQuery(filter: UsageFilter, newestFirst: boolean): ScanQuery {
  const conditions = ["partition = ?", "kind = 'entry'", "at >= ?", "at < ?"]
  let damaged: string | undefined
  const values: string[] = []
  for (const name of ["requestId", "userId"] as const) {
    const text = filter[name]
    // SQLite and JSON compare strings with NUL or lone surrogates differently. The caller filters the entries again.
    if (text === undefined || /[\0\ud800-\udfff]/.test(text)) continue
    conditions.push(`${INDEXED[name]} = ?`)
    values.push(text)
    damaged = `SELECT 1 FROM p2_records WHERE partition = ? AND kind = 'entry' AND ${INDEXED[name]} = 0 LIMIT 1`
    break
  }
  const order = newestFirst ? "ORDER BY at DESC, key DESC" : "ORDER BY at, key"
  conditions.push(`(at, key) ${newestFirst ? "<" : ">"} (?, ?)`)
  const columns = "at, CAST(key AS BLOB) AS key, CAST(value AS BLOB) AS value"
  const sql = `SELECT ${columns} FROM p2_records WHERE ${conditions.join(" AND ")} ${order} LIMIT ${PAGE}`
  return { sql, values, ...(damaged === undefined ? {} : { damaged }) }
}

/** Returns an empty string, which is not JSON, for text that is not UTF-8. So the damage affects only its own record. */
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

function reading<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw toStoreError(error, "no", "reading")
  }
}

/** Resolves after all other callbacks and promises of this turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
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

function unavailable(message: string, cause?: unknown): StoreError {
  return new StoreError(message, { code: "store-unavailable", applied: "no", cause })
}
