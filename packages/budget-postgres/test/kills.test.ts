import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import type { StoredEntry } from "@p2/budget/store"
import { postgresStore } from "@p2/budget-postgres"
import { expect, it } from "vitest"
import { childScript } from "../../budget/test/adapters/child-script"
import { poolOf, serverForFile } from "./support/server-and-store"

const file = serverForFile()
/** Kills of clients and of the server; `pnpm test:soak` does more. */
const ROUNDS = Number(process.env.P2_POSTGRES_ROUNDS ?? 6)
const SCHEMA = "kills"

it(
  "over kills of clients and of the server, the ledger equals the counters and every confirmed settle is found",
  async () => {
    const script = await childScript(new URL("./support/work.ts", import.meta.url))
    const confirmed: [partition: string, key: string, cost: number][] = []
    let started = 0
    const start = (): ChildProcess => {
      const child = fork(script.path, [file.server.url, SCHEMA, `c${started++}`])
      child.on("message", (settle) => confirmed.push(settle as (typeof confirmed)[number]))
      return child
    }
    const end = async (child: ChildProcess) => {
      expect(child.exitCode, "a process that ended by itself failed").toBe(null)
      child.kill("SIGKILL")
      await once(child, "exit")
    }
    const children = [start(), start()]
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const enough = confirmed.length + 40
        while (confirmed.length < enough) await new Promise((resolve) => setTimeout(resolve, 5))
        if (round % 2 === 0) {
          await end(children.shift()!)
          children.push(start())
        } else {
          await file.server.kill()
          await file.server.restart()
        }
      }
    } finally {
      for (const child of children) await end(child)
      script.remove()
    }
    const store = postgresStore({ pool: poolOf(file.server), schema: SCHEMA, timeoutMs: 20_000 })
    for (const partition of ["main", "other"]) {
      const entries = new Map<string, StoredEntry>()
      for (let cursor: string | null = null; ; ) {
        const page = await store.ledger!.list({ partition, filter: {}, cursor, limit: 1_000, newestFirst: false })
        for (const entry of page.entries) entries.set(entry.idempotencyKey, entry)
        cursor = page.cursor
        if (cursor === null) break
      }
      const missing = confirmed.filter(
        ([where, key, cost]) => where === partition && entries.get(key)?.costNanoUsd !== cost,
      )
      expect(missing, "confirmed settles that the ledger does not have").toEqual([])
      const charged = new Map<string, number>()
      for (const { charges } of entries.values())
        for (const [name, amount] of Object.entries(charges)) charged.set(name, (charged.get(name) ?? 0) + amount)
      const { counters } = await store.listCounters({ partition, cursor: null, limit: 100 })
      expect(Object.fromEntries(counters.map(({ name, spent }) => [name, spent]))).toEqual(Object.fromEntries(charged))
      const [totals] = await store.ledger!.totals({ partition, filter: {}, groupBy: [], buckets: null })
      const costs = [...entries.values()].reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0)
      expect([totals?.attempts, totals?.costNanoUsd]).toEqual([entries.size, costs])
    }
    await store.close!()
  },
  60_000 + ROUNDS * 30_000,
)
