// What each durability setting of Redis costs, and what a `kill -9` of the server loses.
// Run `pnpm build` first, then `node bench/durability.mjs [pairs per round] [rounds]`.
import { startRedis } from "@p2/redis-server"
import { Redis } from "ioredis"
import { redisStore } from "../dist/redis.js"

const pairs = Number(process.argv[2] ?? 3_000)
const rounds = Number(process.argv[3] ?? 5)
const SETTINGS = {
  "no append-only file": ["--appendonly", "no"],
  "appendfsync everysec": ["--appendonly", "yes", "--appendfsync", "everysec"],
  "appendfsync always": ["--appendonly", "yes", "--appendfsync", "always"],
}
const COUNTERS = ["user", "client", "total"].map((name) => ({
  name,
  startsAt: null,
  endsAt: null,
  keepMs: null,
  amount: 1_000,
  limit: null,
  onExpire: 1_000,
}))

const ENTRY = {
  requestId: "q",
  attempt: 1,
  model: "m",
  status: "succeeded",
  reservedNanoUsd: 1_000,
  costNanoUsd: 1_000,
  costSource: "table",
  tokens: {},
}

let keys = 0
const lanes = []
for (const [name, args] of Object.entries(SETTINGS)) {
  const server = await startRedis({ args })
  const client = new Redis(server.url, { lazyConnect: true })
  client.on("error", () => {})
  lanes.push({
    name,
    server,
    client,
    store: redisStore({ client, ledgerRetentionMs: 0, timeoutMs: 10_000 }),
    rates: {},
  })
}

console.log(`reserve-and-settle pairs a second over 3 counters, medians of ${rounds} interleaved rounds of ${pairs}`)
for (const concurrency of [1, 32, 256]) {
  for (let round = 0; round <= rounds; round++) {
    for (const lane of lanes) {
      const rate = await rateOf(() => pair(lane.store), concurrency === 1 ? Math.ceil(pairs / 4) : pairs, concurrency)
      // The first round warms up.
      if (round > 0) lane.rates[concurrency] = [...(lane.rates[concurrency] ?? []), rate]
    }
  }
  for (const lane of lanes) {
    const rate = median(lane.rates[concurrency])
    const share = median(lane.rates[concurrency].map((value, index) => value / lanes[0].rates[concurrency][index]))
    console.log(
      `  concurrency ${String(concurrency).padStart(3)}  ${lane.name.padEnd(22)} ${String(Math.round(rate)).padStart(6)}  ${share.toFixed(2)}`,
    )
  }
}

console.log("\nkill -9 of redis-server under load, then a restart: confirmed settles that are lost")
for (const lane of lanes) {
  let confirmed = 0
  const before = await spent(lane.store)
  const load = Promise.allSettled(
    Array.from({ length: 32 }, async () => {
      for (;;) {
        await pair(lane.store)
        confirmed++
      }
    }),
  )
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await lane.server.kill()
  await load
  await lane.server.restart()
  const after = await spent(lane.store)
  const lost = Math.max(0, confirmed - Math.round((after - before) / 1_000))
  const what = after < before ? `all ${confirmed}, and whatever was there before` : `${lost} of ${confirmed}`
  console.log(`  ${lane.name.padEnd(22)} ${what}`)
  await lane.store.close()
  lane.client.disconnect()
  await lane.server.stop()
}

async function pair(store) {
  const request = { partition: "main", key: `attempt-${keys++}`, fingerprint: "f", counters: COUNTERS }
  const reserved = await store.reserve({ ...request, leaseMs: 60_000, pendingEntry: ENTRY })
  const counters = COUNTERS.map((counter) => ({ ...counter, reserved: counter.amount }))
  const settle = { ...request, counters, outcome: "settled", revision: 0, expiresAt: reserved.expiresAt, entry: ENTRY }
  await store.settle(settle)
}

async function spent(store) {
  for (;;) {
    const reply = await store.read({ partition: "main", counters: ["total"] }).catch(() => undefined)
    if (reply !== undefined) return reply.counters[0].spent
  }
}

async function rateOf(operation, count, concurrency) {
  let remaining = count
  const started = performance.now()
  const lane = async () => {
    while (remaining-- > 0) await operation()
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  return (count / (performance.now() - started)) * 1_000
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}
