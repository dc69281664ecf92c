// What an open dashboard costs on a ledger of a million entries in SQLite: the first view, then the processor time of a viewer.
//   node bench/dashboard.mjs            after `pnpm build`; ENTRIES=100000 for less
import { mkdtempSync, rmSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createBudget } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { createDashboard } from "../dist/dashboard.js"

const ENTRIES = Number(process.env.ENTRIES ?? 1_000_000)
const SECONDS = Number(process.env.SECONDS ?? 15)
const ORIGIN = "http://127.0.0.1:4000"
const DAY_MS = 86_400_000
const folder = mkdtempSync(join(tmpdir(), "p2-dashboard-bench-"))
const path = join(folder, "p2.db")

/** Copies one entry, over the last day, with 1,000 users, 8 models and 20 teams. */
function fill(count) {
  const Database = createRequire(import.meta.url)("libsql")
  const database = new Database(path)
  const now = Date.now()
  database
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?),
       entry AS (SELECT value FROM p2_records WHERE kind = 'entry' LIMIT 1)
       INSERT INTO p2_records (partition, kind, key, value, at)
       SELECT 'main', 'entry', printf('k%08d', i),
         json_set(entry.value, '$.idempotencyKey', printf('k%08d', i), '$.requestId', printf('r%08d', i),
           '$.userId', 'user-' || (i % 1000), '$.model', 'model-' || (i % 8), '$.tags.team', 'team-' || (i % 20),
           '$.at', CAST(? AS INTEGER) + i * CAST(? AS INTEGER) / CAST(? AS INTEGER)),
         CAST(? AS INTEGER) + i * CAST(? AS INTEGER) / CAST(? AS INTEGER)
       FROM n, entry`,
    )
    .run(count, now - DAY_MS, DAY_MS, count, now - DAY_MS, DAY_MS, count)
  database.close()
}

async function call(budget, index) {
  const subject = { userId: `user-${index % 10}`, model: "model-1", tags: { team: "team-1" } }
  const result = await budget.reserve({ subject, amount: "0.01" })
  const tokens = { inputTokens: 900, outputTokens: 120 }
  if (result.ok) await result.reservation.settle("0.002", { tokens, provider: "openai", costSource: "table" })
}

async function watch(dashboard, onSection) {
  const link = new URL(dashboard.createLink())
  const headers = { host: link.host }
  const opened = await dashboard.handle(new Request(link, { headers }))
  const cookie = opened.headers.get("set-cookie").split(";")[0]
  const request = new Request(`${ORIGIN}/dashboard/events?range=24h`, { headers: { ...headers, cookie } })
  const response = await dashboard.handle(request)
  const decoder = new TextDecoder()
  for await (const chunk of response.body) {
    const text = decoder.decode(chunk)
    for (const [, name] of text.matchAll(/event: (\w+)/g)) onSection(name)
    if (text.includes('"isComplete":true')) onSection("complete")
  }
}

async function cpuOf(seconds, work) {
  const before = process.cpuUsage()
  const start = performance.now()
  let index = 0
  while (performance.now() - start < seconds * 1_000) {
    await work(index++)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { user, system } = process.cpuUsage(before)
  return `${(((user + system) / 1_000 / (performance.now() - start)) * 100).toFixed(1)} % of a processor`
}

const limits = [
  { scope: "total", limit: null },
  { scope: "user", limit: 100, per: "day" },
]
const budget = createBudget({ store: sqliteStore(path), limits })
try {
  await call(budget, 0)
  const filling = performance.now()
  fill(ENTRIES)
  console.log(
    `${ENTRIES.toLocaleString("en-US")} entries written in ${((performance.now() - filling) / 1_000).toFixed(1)} s`,
  )
  const dashboard = createDashboard({ budget, origin: ORIGIN })
  const idle = async () => {}
  const lively = (index) => call(budget, index)
  console.log(`20 calls a second, nobody looks: ${await cpuOf(SECONDS, lively)}`)
  const start = performance.now()
  const before = process.cpuUsage()
  const first = {}
  let onComplete
  const complete = new Promise((resolve) => {
    onComplete = resolve
  })
  const watching = watch(dashboard, (name) => {
    first[name] ??= performance.now() - start
    if (name === "complete") onComplete()
  })
  let [last, pause] = [performance.now(), 0]
  const timer = setInterval(() => {
    pause = Math.max(pause, performance.now() - last)
    last = performance.now()
  }, 5)
  await complete
  clearInterval(timer)
  const { user, system } = process.cpuUsage(before)
  for (const name of ["limits", "calls", "totals", "complete"])
    console.log(`first view: ${name} after ${(first[name] / 1_000).toFixed(1)} s`)
  console.log(`processor time meanwhile: ${((user + system) / 1_000_000).toFixed(1)} s`)
  console.log(`longest pause of the event loop meanwhile: ${Math.round(pause)} ms`)
  console.log(`no calls, one viewer: ${await cpuOf(SECONDS, idle)}`)
  console.log(`20 calls a second, one viewer: ${await cpuOf(SECONDS, lively)}`)
  dashboard.close()
  await watching
} finally {
  await budget.close()
  rmSync(folder, { recursive: true, force: true })
}
