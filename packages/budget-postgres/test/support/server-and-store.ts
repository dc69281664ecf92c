import { type BudgetStore, checkedStore, StoreError } from "@p2/budget/store"
import { type PostgresStoreOptions, postgresStore } from "@p2/budget-postgres"
import { type PostgresServer, startPostgres } from "@p2/postgres-server"
import { Pool, type PoolConfig } from "pg"
import { afterAll, beforeAll, onTestFinished } from "vitest"

/** A server for all tests of the file. */
export function serverForFile(): { readonly server: PostgresServer } {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())
  return {
    get server() {
      return server
    },
  }
}

export function poolOf(server: PostgresServer, config: PoolConfig = {}): Pool {
  const pool = new Pool({ connectionString: server.url, ...config })
  onTestFinished(() => pool.end())
  return pool
}

/** A store as the budget calls it, in its own schema, with a long timeout unless the test sets another. */
export function storeOn(pool: Pool, options: Omit<PostgresStoreOptions, "pool">): BudgetStore {
  const store = checkedStore(postgresStore({ pool, timeoutMs: 20_000, ...options }))
  onTestFinished(() => store.close!())
  return store
}

/** What the call rejected with, which must be a `StoreError`. */
export async function failureOf(call: Promise<unknown>): Promise<StoreError> {
  const outcome = await call.then(
    (value) => new Error(`Expected a StoreError, got ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  if (!StoreError.isInstance(outcome)) throw outcome
  return outcome
}
