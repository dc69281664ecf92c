// Totals over a million usage entries of 60 days, written through the store; then, from a new connection: by day and
// model (all), one user's month by day, one client's month by model.
//   npm run bench:totals     after `npm run build`; ENTRIES=1000000 by default
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { sqliteStore } from "../dist/index.js"

const ENTRIES = Number(process.env.ENTRIES ?? 1_000_000)
const DAY = 86_400_000
const START = Date.UTC(2026, 0, 1)
const models = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4", "gemini-2.5-flash", "llama-3.3-70b"]

function entryOf(index) {
  // One request in twenty needs a second attempt.
  const again = index % 20 === 19
  return {
    requestId: `request-${again ? index - 1 : index}`,
    attempt: again ? 2 : 1,
    clientId: `client-${index % 50}`,
    userId: `user-${(index * 7919) % 2_000}`,
    model: models[(index * 31) % models.length],
    provider: "openrouter",
    mode: "json_schema",
    reservedNanoUsd: 5_000_000,
    status: index % 20 === 18 ? "failed" : "succeeded",
    tokens: { inputTokens: 900 + (index % 100), cacheReadTokens: index % 50, outputTokens: 120 },
    costNanoUsd: 1_000_003 + index,
    costSource: "table",
    durationMs: 812,
  }
}

async function fill(path) {
  let time = START
  const store = sqliteStore(path, { now: () => time })
  for (let index = 0; index < ENTRIES; ) {
    time = START + Math.floor((index / ENTRIES) * 60 * DAY)
    const writes = []
    for (let end = Math.min(index + 100, ENTRIES); index < end; index++) {
      writes.push(store.ledger.record({ root: "main", id: `id-${index}`, entry: entryOf(index) }))
    }
    await Promise.all(writes)
  }
  await store.close()
}

async function timed(name, path, ask) {
  const store = sqliteStore(path, { now: () => START + 60 * DAY })
  const [start, before] = [performance.now(), process.cpuUsage()]
  const rows = await ask(store.ledger)
  const { user, system } = process.cpuUsage(before)
  const milliseconds = (performance.now() - start).toFixed(0)
  console.log(
    `${name}: ${milliseconds} ms (${((user + system) / 1_000).toFixed(0)} ms of CPU), ${rows.length} rows, opening included`,
  )
  await store.close()
  return rows
}

const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-totals-"))
try {
  const path = join(folder, "p2.db")
  const start = performance.now()
  await fill(path)
  const seconds = (performance.now() - start) / 1_000
  const mebibytes = Math.round(statSync(path).size / 2 ** 20)
  console.log(
    `${ENTRIES} entries written in ${seconds.toFixed(0)} s, ${mebibytes} MiB (${Math.round((mebibytes * 2 ** 20) / ENTRIES)} bytes an entry)`,
  )
  const days = Array.from({ length: 61 }, (_, day) => START + day * DAY)
  const month = days.slice(0, 31)
  const root = "main"
  const all = await timed("by day and model", path, (ledger) =>
    ledger.totals({ root, filter: {}, groupBy: ["bucket", "model"], buckets: days }),
  )
  const expected = ENTRIES * 1_000_003 + (ENTRIES * (ENTRIES - 1)) / 2
  const cost = all.reduce((sum, row) => sum + row.costNanoUsd, 0)
  if (cost !== expected) throw new Error(`the costs add up to ${cost}, expected ${expected}`)
  await timed("one user's month by day", path, (ledger) =>
    ledger.totals({
      root,
      filter: { userId: "user-7", from: month[0], to: month[30] },
      groupBy: ["bucket"],
      buckets: month,
    }),
  )
  await timed("one client's month by model", path, (ledger) =>
    ledger.totals({ root, filter: { clientId: "client-7", from: month[0], to: month[30] }, groupBy: ["model"] }),
  )
  await timed(
    "a page of 100, newest first",
    path,
    async (ledger) => (await ledger.list({ root, filter: {}, limit: 100, order: "newest" })).entries,
  )
} finally {
  rmSync(folder, { recursive: true })
}
