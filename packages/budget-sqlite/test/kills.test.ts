import { type ChildProcess, fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type SqliteDatabase, sqliteStore } from "@p2/budget-sqlite"
import { afterAll, beforeAll, expect, it } from "vitest"
import { childScript } from "./support/child-script"
import { openDatabase } from "./support/open-database"

/** Requests in all, two operations each on average. `npm run test:soak` does a hundred thousand operations. */
const REQUESTS = Number(process.env.P2_SQLITE_REQUESTS ?? 3_000)
const PROCESSES = 3
const KILLS_EVERY = 600

let script: Awaited<ReturnType<typeof childScript>>
const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
const path = join(folder, "p2.db")
beforeAll(async () => {
  script = await childScript("operate")
})
afterAll(() => {
  script.remove()
  rmSync(folder, { recursive: true })
})

/** Runs processes until the requests are done, killing one after every few hundred. */
async function runAndKill(): Promise<{ commits: Map<string, number>; kills: number }> {
  const commits = new Map<string, number>()
  const alive = new Set<ChildProcess>()
  let [finished, killed, names] = [0, 0, 0]
  await new Promise<void>((resolve, reject) => {
    const start = () => {
      const child = fork(script.path, [path, `p${names++}`, String(REQUESTS)])
      alive.add(child)
      child.on("message", ({ commits: made, operations }: { commits: [string, number][]; operations: number }) => {
        for (const [id, cost] of made) commits.set(id, cost)
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
  return { commits, kills: killed + PROCESSES }
}

type Rows = Record<string, number | string>[]

/** What each cell must hold, from the entries, the adjustments and the leases that are still held. */
function expectedCells(database: SqliteDatabase): Rows {
  return database
    .prepare(`
    WITH moves AS (
      SELECT e.root AS root, c.key AS key, c.value AS spent, 0 AS reserved
        FROM (SELECT root AS root, charges AS charges FROM p2_entries) AS e, json_each(e.charges) AS c
      UNION ALL
      SELECT root, json_extract(content, '$[0]'), applied, 0 FROM p2_adjustments
        WHERE json_extract(content, '$[1]') <> 'granted'
      UNION ALL
      SELECT h.root, json_extract(c.value, '$[0]'), 0, json_extract(c.value, '$[1]')
        FROM (SELECT root AS root, cells AS cells FROM p2_ids WHERE state = 'held') AS h, json_each(h.cells) AS c
    )
    SELECT root, key, sum(spent) AS spent, sum(reserved) AS reserved FROM moves GROUP BY root, key ORDER BY root, key`)
    .all() as Rows
}

it(`after ${REQUESTS} random requests over several processes, some killed, the ledger adds up to the cells`, {
  timeout: 600_000,
}, async () => {
  const { commits, kills } = await runAndKill()
  const store = sqliteStore(path)
  const database = openDatabase(path)
  const plain = (rows: unknown[]) =>
    (rows as Rows).map(({ root, key, spent, reserved }) => ({ root, key, spent, reserved }))
  const cells = () =>
    plain(database.prepare("SELECT root, key, spent, reserved FROM p2_cells ORDER BY root, key").all())
  expect(cells().length).toBe(12)
  expect(plain(expectedCells(database))).toEqual(cells())
  for (const root of ["main", "other"]) {
    while ((await store.sweep({ root, max: 1_000 })).more);
  }
  expect(plain(expectedCells(database))).toEqual(cells())

  const rows = database.prepare("SELECT id, revision, cost FROM p2_entries").all() as Rows
  const entries = new Map(rows.map((row) => [row.id, row]))
  const lost = [...commits].filter(([id, cost]) => {
    const entry = entries.get(id)
    return entry === undefined || (entry.revision === 0 && entry.cost !== cost)
  })
  expect(lost).toEqual([])
  const ids = database.prepare("SELECT count(*) AS n FROM p2_ids").get() as { n: number }
  console.log(`${ids.n} reservations, ${commits.size} answered commits found again, ${kills} processes killed`)

  // What is summed ahead agrees with the entries, too.
  for (const root of ["main", "other"]) {
    const [ahead] = await store.ledger!.totals({ root, filter: {}, groupBy: [] })
    const all = database.prepare("SELECT count(*) AS n, sum(cost) AS cost FROM p2_entries WHERE root = ?").get(root)
    expect(ahead).toMatchObject({ attempts: (all as { n: number }).n, costNanoUsd: (all as { cost: number }).cost })
  }
  expect(Object.values(database.prepare("PRAGMA integrity_check").get() as object)[0]).toBe("ok")
  database.close()
  await store.close!()
})
