import { fork } from "node:child_process"
import { connectStore, createFaultyProxy, type SuiteFactory } from "@p2/budget/testing"
import { postgresStore } from "@p2/budget-postgres"
import type { PostgresServer } from "@p2/postgres-server"
import { Pool } from "pg"

const START = Date.UTC(2026, 0, 31, 23)
const SCHEMA = "suite"
const RECORDS = `${SCHEMA}.p2_records`

/** One target per case: its own connections, proxy and clock, on one schema of a server that all cases share. */
export function suiteFactory(server: PostgresServer, childScript: string): SuiteFactory {
  return async ({ level }) => {
    const proxy = await createFaultyProxy({
      targets: [server],
      isCall: (sent) => Buffer.from(sent).includes("COMMIT;"),
    })
    const { port } = proxy.addresses[0]!
    const pool = new Pool({ connectionString: server.url.replace(`:${server.port}/`, `:${port}/`), max: 5 })
    const admin = new Pool({ connectionString: server.url, max: 1 })
    const isVirtual = level !== "processes"
    let now = START
    const open = () =>
      postgresStore({
        pool,
        schema: SCHEMA,
        // The machine that runs the tests may be busy; the timeouts have their own tests.
        timeoutMs: 20_000,
        ...(isVirtual ? { now: () => now } : {}),
      })
    let store = open()
    // Creates the tables, so that a fault hits an operation.
    await store.read({ partition: "nobody", counters: [] })
    const advance = async (ms: number) => {
      now += ms
      // What housekeeping deletes with the next transactions.
      await admin.query(`DELETE FROM ${RECORDS} WHERE forget_at <= $1`, [now])
    }
    return {
      store,
      ...(isVirtual && { clock: { now: () => now, advance } }),
      size: async (partition) => {
        const kinds = "('counter', 'reservation', 'adjustment')"
        const sql = `SELECT count(*)::int AS n FROM ${RECORDS} WHERE partition = $1 AND kind IN ${kinds}`
        return (await admin.query<{ n: number }>(sql, [partition])).rows[0]!.n
      },
      spawn: () => connectStore(fork(childScript, [server.url, SCHEMA])),
      faults: {
        down: () => proxy.down(),
        up: () => proxy.up(),
        loseAnswer: () => proxy.loseAnswer(),
        damage: async ({ partition, kind, key }) => {
          const sql = `UPDATE ${RECORDS} SET value = '{"spent":0.5}' WHERE partition = $1 AND kind = $2 AND key = $3`
          await admin.query(sql, [partition, kind, key])
        },
        restart: async () => {
          await store.close!()
          store = open()
          return store
        },
      },
      close: async () => {
        await store.close!()
        await pool.end()
        await admin.end()
        await proxy.close()
      },
    }
  }
}
