import type { BudgetStore, StoreCheck } from "@p2/budget"
import { StoreError } from "@p2/budget"
import { checkNames, InvalidArgumentError } from "@p2/core"
import type { Batch } from "./batch"
import { checkAdjust, checkName, checkNat, checkReserve, checkRoot, checkSettle } from "./check-request"
import { isDatabase, pathOf, type SqliteDatabase } from "./connection"
import { copyOfReserve, copyOfSettle } from "./copy-request"
import { expireDue } from "./expire"
import { type OpenFile, openFile } from "./open-file"
import { readCells } from "./read-cells"
import { adjust, extend, reserve } from "./reserve"
import { settle } from "./settle"
import { sqliteLedger } from "./sqlite-ledger"

export interface SqliteStoreOptions {
  /**
   * `NORMAL`: what was answered survives the end of the process, also `kill -9`; a loss of power may take the last
   * transactions. `FULL`: it survives that too, at the price of a sync per transaction. Of a path only: a connection
   * keeps the setting that it has.
   * @defaultValue "NORMAL"
   */
  synchronous?: "NORMAL" | "FULL" | undefined
  /** How long an operation may wait while another process writes, in milliseconds. @defaultValue 2,000 */
  timeoutMs?: number | undefined
  /** How long resolved ids, adjustments, and cells after their window are kept, in milliseconds. @defaultValue one hour */
  retentionMs?: number | undefined
  /** How long usage entries are kept, in milliseconds; null: until `prune`. @defaultValue null */
  ledgerRetentionMs?: number | null | undefined
  /** Epoch milliseconds; for tests. The file's time follows it and never goes back. @defaultValue Date.now */
  now?: (() => number) | undefined
}

const OPTIONS: ReadonlySet<string> = new Set([
  "synchronous",
  "timeoutMs",
  "retentionMs",
  "ledgerRetentionMs",
  "now",
] satisfies (keyof SqliteStoreOptions)[])

/** Most cells in one call. */
const MAX_CELLS = 64
/** Leases that one transaction of `sweep` ends. */
const SWEEP_STEP = 64

/**
 * Budget store and usage ledger in one SQLite file, for any number of processes on one machine.
 *
 * @param location a path (`"./p2.db"`, `"file:./p2.db"`) of a file of its own, created when absent; or a connection of
 *   better-sqlite3, libsql or `node:sqlite`, whose database then also holds the store's tables (`p2_…`). Only a
 *   connection that the store opened itself is closed by `close`.
 * @throws InvalidArgumentError at once for a wrong argument. Nothing is opened before the first call, which rejects
 *   with `StoreError` when the file cannot be used.
 */
export function sqliteStore(location: string | SqliteDatabase, options: SqliteStoreOptions = {}): BudgetStore {
  const settings = settingsOf(location, options)
  let opening: Promise<OpenFile> | undefined
  let opened: OpenFile | undefined
  let closed = false
  const file = (): Promise<OpenFile> => {
    if (closed) return Promise.reject(closedError())
    opening ??= openFile(settings).then(
      (file) => {
        opened = file
        return file
      },
      (error: unknown) => {
        // The next call tries again: a full disk or a held lock may have passed.
        opening = undefined
        throw error
      },
    )
    return opening
  }
  // An open file is not waited for: a turn of promises costs as much as a statement.
  const write = <T>(doing: string, apply: (batch: Batch) => T): Promise<T> =>
    opened === undefined || closed
      ? file().then((open) => open.write.run(doing, apply))
      : opened.write.run(doing, apply)

  return {
    name: "sqlite",
    capabilities: {
      shared: settings.shared,
      clock: "process",
      retentionMs: settings.retentionMs,
      maxCells: MAX_CELLS,
    },
    async reserve(request) {
      checkReserve(request, MAX_CELLS)
      const copy = copyOfReserve(request)
      return write("reserving", (batch) => reserve(batch, copy))
    },
    async settle(request) {
      checkSettle(request, MAX_CELLS)
      const copy = copyOfSettle(request)
      return write("settling", (batch) => settle(batch, copy))
    },
    async extend(request) {
      checkRoot(request.root)
      checkName("id", request.id, 64)
      checkNat("leaseMs", request.leaseMs, 1)
      const copy = { ...request }
      return write("extending a lease", (batch) => extend(batch, copy))
    },
    async read({ root, keys }) {
      checkRoot(root)
      for (const [index, key] of keys.entries()) checkName(`keys[${index}]`, key, 200)
      const copy = [...keys]
      const { read } = await file()
      return read.run("reading cells", (connection) => readCells(connection, settings, root, copy))
    },
    async adjust(request) {
      checkAdjust(request)
      const copy = { ...request, cell: { ...request.cell } }
      return write("adjusting", (batch) => adjust(batch, copy))
    },
    async sweep({ root, max }) {
      checkRoot(root)
      checkNat("max", max, 1)
      const swept = { now: 0, expired: [] as Awaited<ReturnType<BudgetStore["sweep"]>>["expired"], more: true }
      for (let left = max; left > 0 && swept.more; ) {
        const step = await write("sweeping", (batch) => {
          const expired = expireDue(batch, root, batch.due(root, Math.min(left, SWEEP_STEP)))
          batch.housekeeping.askForStep()
          return { now: batch.now, expired, more: batch.due(root, 1).length > 0 }
        })
        swept.now = step.now
        swept.more = step.more
        swept.expired.push(...step.expired)
        // Damaged leases stay due; nothing more can be ended.
        if (step.expired.length === 0) break
        left -= step.expired.length
      }
      return swept
    },
    async check() {
      return checkFile(await file(), settings)
    },
    ledger: sqliteLedger({
      write,
      read: async (doing, apply) => (await file()).read.run(doing, apply),
    }),
    async close() {
      if (closed) return
      closed = true
      const open = await opening?.catch(() => undefined)
      await open?.write.drained()
      await open?.read.drained()
      open?.connection.close()
    },
  }
}

export interface StoreSettings {
  location: { path: string } | { database: SqliteDatabase }
  shared: boolean
  synchronous: "NORMAL" | "FULL"
  timeoutMs: number
  retentionMs: number
  ledgerRetentionMs: number | null
  now: () => number
}

function settingsOf(location: unknown, options: SqliteStoreOptions): StoreSettings {
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError("options", "an object", options)
  checkNames(options, OPTIONS, "options")
  const { synchronous = "NORMAL", timeoutMs = 2_000, retentionMs = 3_600_000, ledgerRetentionMs = null } = options
  if (typeof location !== "string" && !isDatabase(location)) {
    throw new InvalidArgumentError(
      "location",
      'a path such as "./p2.db" or a connection of better-sqlite3, libsql or node:sqlite',
      location,
    )
  }
  if (synchronous !== "NORMAL" && synchronous !== "FULL") {
    throw new InvalidArgumentError("options.synchronous", '"NORMAL" or "FULL"', synchronous)
  }
  if (options.now !== undefined && typeof options.now !== "function") {
    throw new InvalidArgumentError("options.now", "a function that returns epoch milliseconds", options.now)
  }
  checkNat("options.timeoutMs", timeoutMs)
  checkNat("options.retentionMs", retentionMs, 1)
  if (ledgerRetentionMs !== null) checkNat("options.ledgerRetentionMs", ledgerRetentionMs, 1)
  const where = typeof location === "string" ? { path: pathOf(location) } : { database: location }
  return {
    location: where,
    shared: "path" in where ? where.path !== ":memory:" : !isInMemory(where.database),
    synchronous,
    timeoutMs,
    retentionMs,
    ledgerRetentionMs,
    now: options.now ?? Date.now,
  }
}

/** Whether the user's connection has no file, so that no other process can see it. */
function isInMemory(database: SqliteDatabase): boolean {
  const main = database.prepare("PRAGMA database_list").all()[0] as { file?: string | null } | undefined
  return main?.file === "" || main?.file === null
}

/** How far the file's time may stand before the clock until `check` warns. */
const CLOCK_TOLERANCE_MS = 60_000

async function checkFile(open: OpenFile, settings: StoreSettings): Promise<StoreCheck> {
  return open.read.run("checking the file", (connection) => {
    const pragma = (name: string) => Object.values(connection.get(`PRAGMA ${name}`) ?? {})[0]
    const synchronous = Number(pragma("synchronous"))
    const stored = connection.get<{ now: number }>("SELECT now FROM p2_meta")?.now ?? 0
    const ahead = stored - settings.now()
    const warnings = [
      ...(settings.shared && pragma("journal_mode") !== "wal"
        ? ["The connection does not use WAL: writers and readers stop one another. Set PRAGMA journal_mode = WAL."]
        : []),
      ...(synchronous === 0 ? ["PRAGMA synchronous is OFF: a loss of power may damage the file."] : []),
      ...(ahead > CLOCK_TOLERANCE_MS
        ? [`The file's time is ${ahead} ms ahead of the clock, and stands until the clock has passed it.`]
        : []),
    ]
    const durability = !settings.shared ? "none" : synchronous >= 2 ? "disk" : "process"
    return { ok: warnings.length === 0, durability, warnings }
  })
}

function closedError(): StoreError {
  return new StoreError("The store is closed. Make a new one.", { code: "unavailable", applied: "no" })
}
