import { toStoreError } from "./postgres-errors"

/** The part of a `Pool` of `pg` that the store uses. */
export interface PostgresPool {
  connect(callback: (error: Error | undefined, client: PostgresClient | undefined) => void): void
  on(event: "error", listener: (error: Error) => void): unknown
  listenerCount(event: "error"): number
}

/** A connection of such a pool. */
export interface PostgresClient {
  query(query: { text: string; values?: unknown[]; query_timeout: number; types: object }): Promise<unknown>
  on(event: "error", listener: (error: Error) => void): unknown
  off(event: "error", listener: (error: Error) => void): unknown
  release(destroy: boolean): void
}

export type Row = Record<string, string | null>
export type Query = (text: string, values?: unknown[]) => Promise<Row[]>

export interface TransactionOptions {
  timeoutMs: number
  /** Reads one snapshot. Otherwise each statement reads what was committed when it started. */
  readOnly?: boolean
  /** Statements without parameters, sent together with BEGIN. `work` receives the rows of the last one. */
  first?: string
  /**
   * When to wait for the disk: in the commit; after it, so that locks are released first; or never. @defaultValue
   * "in-commit"
   */
  flush?: "in-commit" | "after" | "never"
}

/** Every column is text, whatever parsers the program has set for `pg`. */
const TEXT = { getTypeParser: () => (text: string) => text }
const MIN_QUERY_MS = 100
/**
 * Commits a WAL message as durably as the server is configured to commit. The log is sequential, so everything
 * committed before is then as durable, and the server flushes once for all waiting sessions.
 */
const FLUSH = "SELECT pg_logical_emit_message(true, 'p2', '')"

/** Runs `work` in a transaction on a separate connection. What `work` throws is thrown unchanged, after a rollback. */
export async function inTransaction<T>(
  pool: PostgresPool,
  { timeoutMs, readOnly = false, first = "", flush = "in-commit" }: TransactionOptions,
  work: (query: Query, firstRows: Row[]) => Promise<T>,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  const client = await connect(pool, timeoutMs)
  let stage: "open" | "committing" | "done" = "open"
  const send = async (text: string, values?: unknown[]) => {
    const query_timeout = Math.max(MIN_QUERY_MS, Math.ceil(deadline - performance.now()))
    try {
      const result = await client.query({ text, ...(values && { values }), query_timeout, types: TEXT })
      return [result].flat() as { rows: Row[]; command: string }[]
    } catch (error) {
      throw toStoreError(error, stage === "committing" ? "maybe" : "no")
    }
  }
  const query: Query = async (text, values) => (await send(text, values)).at(-1)!.rows
  try {
    const limits = ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"]
    const settings = limits.map((name) => `SET LOCAL ${name} = ${timeoutMs};`)
    if (flush !== "in-commit") settings.push("SET LOCAL synchronous_commit = off;")
    const level = readOnly ? "REPEATABLE READ, READ ONLY" : "READ COMMITTED"
    const result = await work(query, await query(`BEGIN ISOLATION LEVEL ${level}; ${settings.join(" ")} ${first}`))
    stage = "committing"
    const [commit] = await send(flush === "after" ? `COMMIT; ${FLUSH}` : "COMMIT")
    if (commit?.command !== "COMMIT") throw toStoreError(new Error("The server rolled back."), "no")
    stage = "done"
    return result
  } finally {
    client.off("error", ignoreError)
    client.release(stage !== "done") // Closing the connection rolls back.
  }
}

/** A lost connection emits an error, which would end the process. The statement that runs on it is rejected too. */
function ignoreError(): void {}

/**
 * Gets a connection from the pool, which may have none free or a server that does not reply. Errors that it emits are
 * ignored.
 */
async function connect(pool: PostgresPool, timeoutMs: number): Promise<PostgresClient> {
  let timer: NodeJS.Timeout | undefined
  let isLate = false
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => {
        isLate = true
        reject(new Error(`The pool provided no connection within ${timeoutMs} ms.`))
      }, timeoutMs)
      // Uses the callback form: a server that goes away may emit an error before a promise resolves.
      pool.connect((error, client) => {
        if (client === undefined) return reject(error)
        if (isLate) return client.release(false)
        client.on("error", ignoreError)
        resolve(client)
      })
    })
  } catch (error) {
    throw toStoreError(error, "no")
  } finally {
    clearTimeout(timer)
  }
}
