import { type BudgetStore, createStore } from "@p2/budget/store"
import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { PostgresPool } from "./connection"
import { createPostgresStorage } from "./postgres-storage"

export interface PostgresStoreOptions {
  /** A `Pool` of `pg`, of which the store uses one connection per transaction. `close` leaves it open. */
  pool: PostgresPool
  /** Schema of the store's tables (`p2_…`), which is created if it does not exist. @defaultValue "p2_budget" */
  schema?: string | undefined
  /** How long a call may wait for a connection, a lock and the server, in milliseconds. @defaultValue 2000 */
  timeoutMs?: number | undefined
  /** How long resolved keys, and counters after the end of their window, are kept, in milliseconds. @defaultValue 3600000 */
  retentionMs?: number | undefined
  /** Epoch milliseconds; for tests. @defaultValue the server's clock */
  now?: (() => number) | undefined
}

const OPTIONS: ReadonlySet<string> = new Set([
  ...(["pool", "schema", "timeoutMs", "retentionMs", "now"] satisfies (keyof PostgresStoreOptions)[]),
])
const POOL = "Pass a pool of pg: `pool: new Pool({ connectionString })`."
const ADVICE = { connectionString: POOL, url: POOL, uri: POOL, host: POOL, client: POOL, connection: POOL, db: POOL }

/** Whether a value is a `Pool` of `pg`, and not a `Client`, which is one connection. */
function isPool(value: unknown): boolean {
  const { connect, listenerCount, connectionParameters } = Object(value) as Record<string, unknown>
  return typeof connect === "function" && typeof listenerCount === "function" && connectionParameters === undefined
}

/**
 * Budget store and usage ledger in PostgreSQL 13 or later, for any number of processes and machines.
 *
 * @throws InvalidArgumentError immediately if an option is invalid. The first call connects and creates the tables; it rejects
 *   with a `StoreError` if that is impossible.
 */
export function postgresStore(options: PostgresStoreOptions): BudgetStore {
  if (isPool(options)) throw new InvalidArgumentError("options", "an object such as { pool }", options)
  checkOptions(options, OPTIONS, "options", ADVICE)
  const { pool, schema = "p2_budget", timeoutMs = 2_000, retentionMs, now } = options
  if (!isPool(pool)) throw new InvalidArgumentError("options.pool", "a `Pool` of `pg`", pool)
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(schema))
    throw new InvalidArgumentError("options.schema", "1 to 63 letters, digits and _, not a digit first", schema)
  if (now !== undefined && typeof now !== "function")
    throw new InvalidArgumentError("options.now", "a function that returns epoch milliseconds", now)
  return createStore(createPostgresStorage({ pool, schema, timeoutMs, now }), { retentionMs })
}
