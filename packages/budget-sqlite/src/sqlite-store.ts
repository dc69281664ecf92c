import { type BudgetStore, createStore } from "@p2/budget/store"
import { checkOptions, InvalidArgumentError } from "@p2/core"
import { isDatabase, pathOf, type SqliteDatabase } from "./database"
import { createSqliteStorage } from "./sqlite-storage"

export interface SqliteStoreOptions {
  /**
   * `NORMAL`: what was confirmed survives the end of the process, `kill -9` included; a power cut may lose the last
   * transactions. `FULL`: it survives that too, at the cost of a sync per transaction. Only for a path: a connection keeps
   * its own setting.
   * @defaultValue "NORMAL"
   */
  synchronous?: "NORMAL" | "FULL" | undefined
  /** How long a call may wait while another process writes, in milliseconds. @defaultValue 2000 */
  timeoutMs?: number | undefined
  /** How long resolved keys, and counters after the end of their window, are kept, in milliseconds. @defaultValue 3600000 */
  retentionMs?: number | undefined
  /** Epoch milliseconds; for tests. @defaultValue Date.now */
  now?: (() => number) | undefined
}

const OPTIONS: ReadonlySet<string> = new Set([
  "synchronous",
  "timeoutMs",
  "retentionMs",
  "now",
] satisfies (keyof SqliteStoreOptions)[])

/**
 * Budget store and usage ledger in one SQLite file, for any number of processes on one machine.
 *
 * @param location a path (`"./p2.db"`, `"file:./p2.db"`) of a separate file, which is created if it does not exist; or a connection of
 *   better-sqlite3, libsql or `node:sqlite`, whose database then also holds the store's tables (`p2_…`). Only a
 *   connection that the store opened itself is closed by `close`.
 * @throws InvalidArgumentError immediately if an argument is invalid. Nothing is opened before the first call, which rejects with
 *   a `StoreError` if the file cannot be used.
 */
export function sqliteStore(location: string | SqliteDatabase, options: SqliteStoreOptions = {}): BudgetStore {
  checkOptions(options, OPTIONS)
  const { synchronous = "NORMAL", timeoutMs = 2_000, retentionMs, now = Date.now } = options
  if (typeof location !== "string" && !isDatabase(location))
    throw new InvalidArgumentError(
      "location",
      'a path such as "./p2.db" or a connection of better-sqlite3, libsql or node:sqlite',
      location,
    )
  if (synchronous !== "NORMAL" && synchronous !== "FULL")
    throw new InvalidArgumentError("options.synchronous", '"NORMAL" or "FULL"', synchronous)
  if (typeof now !== "function")
    throw new InvalidArgumentError("options.now", "a function that returns epoch milliseconds", now)
  const place = typeof location === "string" ? { path: pathOf(location) } : { database: location }
  const shared = "path" in place ? place.path !== ":memory:" : !isInMemory(place.database)
  return createStore(createSqliteStorage({ location: place, shared, synchronous, timeoutMs, now }), { retentionMs })
}

/** Whether the user's connection has no file, so that no other process can see it. */
function isInMemory(database: SqliteDatabase): boolean {
  const main = database.prepare("PRAGMA database_list").all()[0] as { file?: string | null } | undefined
  return main?.file === "" || main?.file === null
}
