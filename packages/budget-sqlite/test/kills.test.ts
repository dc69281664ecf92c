import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sqliteStore } from "@p2/budget-sqlite"
import { afterAll, beforeAll, expect, it } from "vitest"
import { childScript } from "../../budget/test/adapters/child-script"
import { openDatabase } from "./support/open-database"

/**
 * Total number of requests, with two operations each on average. `npm run test:soak` does a hundred thousand
 * operations.
 */
const REQUESTS = Number(process.env.P2_SQLITE_REQUESTS ?? 3_000)
const PROCESSES = 3
const KILLS_EVERY = 600

let script: Awaited<ReturnType<typeof childScript>>
const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
const path = join(folder, "p2.db")
beforeAll(async () => {
  script = await childScript(new URL("./support/operate.ts", import.meta.url))
})
afterAll(() => {
  script.remove()
  rmSync(folder, { recursive: true })
})

/** Runs processes until the requests are done, killing one after every few hundred. */
async function runAndKill(): Promise<{ settles: Map<string, number>; kills: number }> {
  const settles = new Map<string, number>()
  const alive = new Set<ChildProcess>()
  let [finished, killed, names] = [0, 0, 0]
  await new Promise<void>((resolve, reject) => {
    const start = () => {
      const child = fork(script.path, [path, `p${names++}`, String(REQUESTS)])
      alive.add(child)
      child.on("message", ({ settles: made, operations }: { settles: [string, number][]; operations: number }) => {
        for (const [key, cost] of made) settles.set(key, cost)
        finished += operations
        if (finished >= REQUESTS) for (const one of alive) one.kill("SIGKILL")
        else if (finished >= (killed + 1) * KILLS_EVERY) {
          killed++
          child.kill("SIGKILL")
        }
      })
      child.on("exit", (code) => {
        alive.delete(child)
        if (code !== null && code !== 0) reject(new Error(`a process ended with ${code}`))
        else if (finished < REQUESTS) start()
        else if (alive.size === 0) resolve()
      })
    }
    for (let index = 0; index < PROCESSES; index++) start()
  })
  return { settles, kills: killed + PROCESSES }
}

type Rows = Record<string, number | string>[]

/** What each counter must hold, from the entries, the adjustments and the reservations that are still held. */
const EXPECTED = `
  WITH moves AS (
    SELECT e.partition, c.key AS name, c.value AS spent, 0 AS reserved
      FROM (SELECT partition, value FROM p2_records WHERE kind = 'entry') AS e, json_each(e.value, '$.charges') AS c
    UNION ALL
    SELECT partition, json_extract(value, '$.counter'), json_extract(value, '$.applied'), 0
      FROM p2_records WHERE kind = 'adjustment' AND json_extract(value, '$.kind') <> 'granted'
    UNION ALL
    SELECT h.partition, json_extract(c.value, '$.name'), 0, json_extract(c.value, '$.amount')
      FROM (SELECT partition, value FROM p2_records
              WHERE kind = 'reservation' AND json_extract(value, '$.state') = 'held') AS h,
           json_each(h.value, '$.counters') AS c
  )
  SELECT partition, name, sum(spent) AS spent, sum(reserved) AS reserved FROM moves
    GROUP BY partition, name ORDER BY partition, name`
const COUNTERS = `
  SELECT partition, key AS name, json_extract(value, '$.spent') AS spent, json_extract(value, '$.reserved') AS reserved
    FROM p2_records WHERE kind = 'counter' ORDER BY partition, key`
const ENTRIES = `
  SELECT key, json_extract(value, '$.revision') AS revision, json_extract(value, '$.costNanoUsd') AS cost
    FROM p2_records WHERE kind = 'entry'`

it(`after ${REQUESTS} random requests over several processes, some killed, the ledger adds up to the counters`, {
  timeout: 600_000,
}, async () => {
  const { settles, kills } = await runAndKill()
  const store = sqliteStore(path)
  const database = openDatabase(path)
  const select = (sql: string) => (database.prepare(sql).all() as Rows).map((row) => ({ ...row }))
  expect(select(COUNTERS)).toHaveLength(12)
  expect(select(EXPECTED)).toEqual(select(COUNTERS))
  for (const partition of ["main", "other"])
    for (let isDone = false; !isDone; ) {
      const { due } = await store.listDue({ partition, limit: 64 })
      for (const { key, counters } of due) await store.expire({ partition, key, counters })
      isDone = due.length === 0
    }
  expect(select(EXPECTED)).toEqual(select(COUNTERS))

  const entries = new Map(select(ENTRIES).map((row) => [row.key, row]))
  const lost = [...settles].filter(([key, cost]) => {
    const entry = entries.get(key)
    return entry === undefined || (entry.revision === 0 && entry.cost !== cost)
  })
  expect(lost).toEqual([])
  console.log(`${entries.size} entries, ${settles.size} confirmed settles found again, ${kills} processes killed`)
  expect(Object.values(database.prepare("PRAGMA integrity_check").get() as object)[0]).toBe("ok")
  database.close()
  await store.close!()
})
