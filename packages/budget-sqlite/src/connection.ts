import { StoreError } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import { toStoreError } from "./sqlite-errors"
import { givenRows, keptValues } from "./text"

/** What a value may be in a statement. Integers are JavaScript numbers; nothing beyond ±(2^53 − 1) is ever bound. */
export type SqlValue = string | number | bigint | null

/** A prepared statement as better-sqlite3, libsql and `node:sqlite` have it. */
export interface SqliteStatement {
  run(...values: SqlValue[]): unknown
  get(...values: SqlValue[]): unknown
  all(...values: SqlValue[]): unknown[]
}

/**
 * The part of a connection that the store uses: the `Database` of better-sqlite3 and libsql and the `DatabaseSync` of
 * `node:sqlite` have it.
 */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

type Row = Record<string, SqlValue>

/** Most statements kept prepared: what the store writes with, and the forms of filters that were asked for last. */
const MAX_STATEMENTS = 200

/** A connection with its prepared statements. Plain reads give numbers; `allExact` gives bigints. */
export class Connection {
  readonly #database: SqliteDatabase
  readonly #statements = new Map<string, SqliteStatement>()
  #busyTimeoutMs: number | undefined

  constructor(
    database: SqliteDatabase,
    readonly owned: boolean,
    /** What errors call it. */
    readonly name: string,
  ) {
    this.#database = database
  }

  exec(sql: string): void {
    this.#database.exec(sql)
  }

  run(sql: string, ...values: SqlValue[]): void {
    this.#prepared(sql).run(...keptValues(values))
  }

  /** The number of rows that the statement changed. */
  change(sql: string, ...values: SqlValue[]): number {
    const result = this.#prepared(sql).run(...keptValues(values)) as { changes: number | bigint }
    return Number(result.changes)
  }

  get<T = Row>(sql: string, ...values: SqlValue[]): T | undefined {
    try {
      const row = this.#prepared(sql).get(...keptValues(values)) as T | null | undefined
      return row === null || row === undefined ? undefined : givenRows([row])[0]
    } catch (error) {
      throw damageOr(error)
    }
  }

  all<T = Row>(sql: string, ...values: SqlValue[]): T[] {
    try {
      return givenRows(this.#prepared(sql).all(...keptValues(values)) as T[])
    } catch (error) {
      throw damageOr(error)
    }
  }

  /** As {@link all}, with integers as bigints: sums may pass 2^53. */
  allExact<T = Row>(sql: string, ...values: SqlValue[]): T[] {
    return givenRows(this.#prepared(sql, true).all(...keptValues(values)) as T[])
  }

  /**
   * Begins a transaction with SQLite's own waiting switched off: it would stop the event loop. A user's connection gets its
   * value back.
   */
  begin(sql: "BEGIN" | "BEGIN IMMEDIATE"): void {
    this.#busyTimeoutMs ??= Number(Object.values(this.get("PRAGMA busy_timeout") ?? {})[0] ?? 0)
    // Never as a kept statement: in libsql one that met a lock stays "in progress" and then prevents every COMMIT.
    if (this.#busyTimeoutMs === 0) {
      this.exec(sql)
      return
    }
    this.exec("PRAGMA busy_timeout = 0")
    try {
      this.exec(sql)
    } finally {
      this.exec(`PRAGMA busy_timeout = ${this.#busyTimeoutMs}`)
    }
  }

  /** Ends a connection that the store opened. A user's connection is the user's to end. */
  close(): void {
    if (!this.owned) return
    try {
      // libsql frees its statements late, and SQLite tidies the log only after the last of them.
      this.exec("PRAGMA wal_checkpoint(TRUNCATE)")
    } catch {
      // Another connection is at work, or the file is damaged: the log stays, which loses nothing.
    }
    this.abandon()
  }

  /** As {@link close}, without writing anything: for files that were refused. */
  abandon(): void {
    this.#statements.clear()
    if (this.owned) this.#database.close()
  }

  /**
   * libsql ends the process when a text that it reads is no UTF-8, as one in a damaged file may be. From it texts are read as
   * bytes, and decoded by {@link givenRows}.
   */
  #withTextsAsBytes(statement: SqliteStatement, sql: string): SqliteStatement {
    const { columns, interrupt } = statement as { columns?: () => { name: string }[]; interrupt?: unknown }
    // Of the libraries that fit, only libsql can interrupt a statement.
    const isLibsql = typeof interrupt === "function" && typeof columns === "function"
    if (!isLibsql || !sql.startsWith("SELECT")) return statement
    const names = columns.call(statement).map(({ name }) => `"${name}"`)
    const asBytes = names.map(
      (name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) ELSE ${name} END AS ${name}`,
    )
    return this.#database.prepare(`SELECT ${asBytes.join(", ")} FROM (${sql})`)
  }

  #prepared(sql: string, exact = false): SqliteStatement {
    const key = exact ? `exact ${sql}` : sql
    const known = this.#statements.get(key)
    if (known !== undefined) return known
    const statement = this.#withTextsAsBytes(this.#database.prepare(sql), sql)
    readIntegersAs(statement, exact)
    if (this.#statements.size >= MAX_STATEMENTS) {
      const oldest = this.#statements.keys().next().value
      if (oldest !== undefined) this.#statements.delete(oldest)
    }
    this.#statements.set(key, statement)
    return statement
  }
}

/**
 * Nothing that the store writes in a row passes ±(2^53 − 1). `node:sqlite` throws where another hand wrote such a number;
 * the other libraries round it, which is found by whoever reads the row.
 */
function damageOr(error: unknown): unknown {
  if ((error as { code?: unknown }).code !== "ERR_OUT_OF_RANGE") return error
  return new StoreError("A row holds a number beyond 2^53 − 1, which the store never writes. It was left as it is.", {
    code: "corrupt",
    applied: "no",
    cause: error,
  })
}

/** The user may have switched the whole connection to bigints, so both ways are said. */
function readIntegersAs(statement: SqliteStatement, bigints: boolean): void {
  const modes = statement as {
    safeIntegers?(on: boolean): unknown
    setReadBigInts?(on: boolean): unknown
    reader?: boolean
  }
  if (typeof modes.setReadBigInts === "function") modes.setReadBigInts(bigints)
  // better-sqlite3 refuses this on statements that return no rows.
  else if (typeof modes.safeIntegers === "function" && modes.reader !== false) modes.safeIntegers(bigints)
}

/** Opens `path` with `node:sqlite` where Node has it (22.13 and later), otherwise with libsql. */
export async function openPath(path: string): Promise<Connection> {
  const Database = builtinDatabase() ?? (await libsqlDatabase())
  try {
    const connection = new Connection(new Database(path), true, `The file ${path}`)
    connection.exec("PRAGMA busy_timeout = 0")
    return connection
  } catch (error) {
    throw toStoreError(error, "no", `opening ${path}`)
  }
}

type DatabaseClass = new (path: string) => SqliteDatabase

/** Asked for at run time, so that bundlers have nothing to resolve and older versions of Node nothing to miss. */
function builtinDatabase(): DatabaseClass | undefined {
  const load = process.getBuiltinModule as ((id: string) => unknown) | undefined
  const module = load?.("node:sqlite") as { DatabaseSync?: DatabaseClass } | undefined
  return module?.DatabaseSync
}

async function libsqlDatabase(): Promise<DatabaseClass> {
  // Not a literal: libsql is optional, and its binary cannot be bundled anyway.
  const name: string = "libsql"
  try {
    const module = (await import(name)) as { default: DatabaseClass }
    return module.default
  } catch (cause) {
    throw new StoreError(
      `Node ${process.versions.node} has no built-in SQLite and libsql could not be loaded. Install it (\`npm install libsql\`), use Node 22.13 or later, or pass a connection of better-sqlite3.`,
      { code: "misconfigured", applied: "no", cause },
    )
  }
}

/** The path in `./p2.db`, `file:./p2.db` and `file:///var/lib/p2.db`. */
export function pathOf(location: string): string {
  const path = location.startsWith("file://") ? pathOfUrl(location) : location.replace(/^file:/, "")
  if (path === "" || path.includes("\0")) {
    throw new InvalidArgumentError("location", 'a path such as "./p2.db" or "file:./p2.db"', location)
  }
  // SQLite's own URIs have parameters there. Taken for a part of the name, they would open another file than was meant.
  if (location.startsWith("file:") && /[?#]/.test(location)) {
    throw new InvalidArgumentError("location", 'a "file:" path without "?" and "#": settings are options', location)
  }
  return path
}

/** What stands between the second and the third slash is a host, so that `file://./p2.db` would be `/p2.db`. */
function pathOfUrl(location: string): string {
  const url = URL.canParse(location) ? new URL(location) : undefined
  if (url === undefined || (url.host !== "" && url.host !== "localhost") || url.pathname === "/") {
    throw new InvalidArgumentError(
      "location",
      '"file:./p2.db", or "file:///var/lib/p2.db" with three slashes',
      location,
    )
  }
  return decodeURIComponent(url.pathname).replace(/^\/([A-Za-z]:)/, "$1")
}

export function isDatabase(value: unknown): value is SqliteDatabase {
  const candidate = value as Partial<Record<keyof SqliteDatabase, unknown>> | null
  return (
    typeof candidate === "object" &&
    candidate !== null &&
    typeof candidate.exec === "function" &&
    typeof candidate.prepare === "function"
  )
}
