import { openDatabase, pragma, type SqliteDatabase, type SqliteStatement } from "./database"
import { FileIdentity } from "./file-identity"
import { type DatabaseOrigin, prepareSchema } from "./schema"
import { toStoreError } from "./sqlite-errors"

export interface SqliteSettings {
  location: { path: string } | { database: SqliteDatabase }
  shared: boolean
  synchronous: "NORMAL" | "FULL"
  timeoutMs: number
  now: () => number
}

/** The open database, with its prepared statements. */
export interface OpenFile {
  database: SqliteDatabase
  origin: DatabaseOrigin
  identity: FileIdentity | undefined
  busyTimeoutMs: number
  prepare(sql: string): SqliteStatement
}

export async function openFile({ location, synchronous, now }: SqliteSettings): Promise<OpenFile> {
  const isPath = "path" in location
  const database = isPath ? await openDatabase(location.path) : location.database
  const origin = { owned: isPath, name: isPath ? `The file ${location.path}` : "The database" }
  try {
    prepareSchema(database, origin, synchronous)
  } catch (error) {
    if (isPath) database.close()
    throw toStoreError(error, "no", isPath ? `opening ${location.path}` : "opening the database")
  }
  const isOwnFile = isPath && location.path !== ":memory:"
  const statements = new Map<string, SqliteStatement>()
  return {
    database,
    origin,
    identity: isOwnFile ? new FileIdentity(location.path, now()) : undefined,
    busyTimeoutMs: Number(pragma(database, "busy_timeout") ?? 0),
    prepare(sql) {
      const statement = statements.get(sql) ?? database.prepare(sql)
      statements.set(sql, statement)
      return statement
    },
  }
}

/** Begins a transaction with `busy_timeout` 0, because SQLite's own wait blocks the event loop. Restores the user's value afterwards. */
export function begin({ database, busyTimeoutMs }: OpenFile, sql: string): void {
  // Not a prepared statement: in libsql, one that met a lock stays "in progress" and then prevents every COMMIT.
  if (busyTimeoutMs === 0) return void database.exec(sql)
  database.exec("PRAGMA busy_timeout = 0")
  try {
    database.exec(sql)
  } finally {
    database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  }
}

export function rollback(database: SqliteDatabase): void {
  try {
    database.exec("ROLLBACK")
  } catch {
    // SQLite has already rolled back, as it does when the disk is full.
  }
}

export function closeOwned(database: SqliteDatabase): void {
  try {
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  } catch {
    // Another connection is writing, or the file is damaged. The log stays, and nothing is lost.
  }
  database.close()
}
