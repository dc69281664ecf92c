import { StoreError } from "@p2/budget/store"
import { InvalidArgumentError } from "@p2/core"
import { toStoreError } from "./sqlite-errors"

/** A value of a statement. Integers are JavaScript numbers. */
export type SqlValue = string | number | null

/** A prepared statement of better-sqlite3, libsql or `node:sqlite`. */
export interface SqliteStatement {
  run(...values: SqlValue[]): unknown
  get(...values: SqlValue[]): unknown
  all(...values: SqlValue[]): unknown[]
}

/** The part of a connection that the store uses, common to better-sqlite3, libsql and `node:sqlite`. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

type DatabaseClass = new (path: string) => SqliteDatabase

/** Opens `path` with `node:sqlite` if Node has it (22.13 and later), otherwise with libsql. */
export async function openDatabase(path: string): Promise<SqliteDatabase> {
  const Database = builtinDatabase() ?? (await libsqlDatabase())
  try {
    const database = new Database(path)
    // SQLite's own wait would block the event loop.
    database.exec("PRAGMA busy_timeout = 0")
    return database
  } catch (error) {
    throw toStoreError(error, "no", `opening ${path}`)
  }
}

/** Loads `node:sqlite` at run time, so that bundlers do not resolve it and older versions of Node do not fail. */
function builtinDatabase(): DatabaseClass | undefined {
  const load = process.getBuiltinModule as ((id: string) => unknown) | undefined
  return (load?.("node:sqlite") as { DatabaseSync?: DatabaseClass } | undefined)?.DatabaseSync
}

async function libsqlDatabase(): Promise<DatabaseClass> {
  // Not a literal: libsql is optional, and its binary cannot be bundled.
  const name: string = "libsql"
  try {
    return ((await import(name)) as { default: DatabaseClass }).default
  } catch (cause) {
    throw new StoreError(
      `Node ${process.versions.node} has no built-in SQLite and libsql could not be loaded. Install it (\`npm install libsql\`), use Node 22.13 or later, or pass a connection of better-sqlite3.`,
      { code: "store-misconfigured", applied: "no", cause },
    )
  }
}

/** The single value of a PRAGMA. */
export function pragma(database: SqliteDatabase, name: string): unknown {
  return Object.values((database.prepare(`PRAGMA ${name}`).get() ?? {}) as object)[0]
}

/**
 * Decodes a column that was read with `CAST(… AS BLOB)`. Text in a damaged file may not be UTF-8, and libsql ends the process
 * when it reads such text.
 */
export function decodeText(bytes: unknown): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes as Uint8Array)
  } catch (cause) {
    throw new StoreError("A stored record is not UTF-8 text. The record was not changed.", {
      code: "store-corrupt",
      applied: "no",
      cause,
    })
  }
}

/** The path in `./p2.db`, `file:./p2.db` and `file:///var/lib/p2.db`. @throws InvalidArgumentError */
export function pathOf(location: string): string {
  const path = location.startsWith("file://") ? pathOfUrl(location) : location.replace(/^file:/, "")
  // Another scheme is the address of another store, which may contain a password.
  if (/^(?!file:)[a-z][a-z+.-]+:(?![\\])/i.test(location))
    throw new InvalidArgumentError(
      "location",
      'a path such as "./p2.db" or "file:./p2.db"',
      undefined,
      'Invalid `location`: expected a path such as "./p2.db" or "file:./p2.db", got an address with another scheme.',
    )
  if (path === "" || path.includes("\0"))
    throw new InvalidArgumentError("location", 'a path such as "./p2.db" or "file:./p2.db"', location)
  // In SQLite's URIs, parameters start here; as part of a path they would open another file.
  if (location.startsWith("file:") && /[?#]/.test(location))
    throw new InvalidArgumentError(
      "location",
      'a "file:" path without "?" and "#" (pass settings as options)',
      location,
    )
  return path
}

/** Rejects URLs with a host: in `file://./p2.db`, `.` is the host and the path is `/p2.db`. */
function pathOfUrl(location: string): string {
  const url = URL.canParse(location) ? new URL(location) : undefined
  if (url === undefined || (url.host !== "" && url.host !== "localhost") || url.pathname === "/")
    throw new InvalidArgumentError(
      "location",
      '"file:./p2.db", or "file:///var/lib/p2.db" with three slashes',
      location,
    )
  return decodeURIComponent(url.pathname).replace(/^\/([A-Za-z]:)/, "$1")
}

export function isDatabase(value: unknown): value is SqliteDatabase {
  const candidate = (value ?? {}) as Partial<Record<keyof SqliteDatabase, unknown>>
  return typeof candidate.exec === "function" && typeof candidate.prepare === "function"
}
