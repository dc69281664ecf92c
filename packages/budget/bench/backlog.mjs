// How long scripts keep the server while 100,000 expired reservations wait, and behind as many entries. Linux only.
// Run `pnpm build` first, then `node bench/backlog.mjs [reservations]`.
import { readFileSync } from "node:fs"
import { startRedis } from "@p2/redis-server"
import { Redis } from "ioredis"
import { redisStore } from "../dist/redis.js"

const waiting = Number(process.argv[2] ?? 100_000)
const server = await startRedis()
const client = new Redis(server.url)
let now = Date.UTC(2060, 0, 1)
let tickMs = 0
const store = redisStore({ client, timeoutMs: 60_000, now: () => (now += tickMs) })
const cellsOf = (user) =>
  [`user=${user}`, "client", "total"].map((key) => ({
    key,
    startsAt: null,
    endsAt: null,
    keepMs: null,
    amount: 1_000,
    limit: null,
    onExpire: 1_000,
  }))
const reserve = (index) =>
  store.reserve({
    root: "main",
    id: `attempt-${index}`,
    fingerprint: "f",
    cells: cellsOf(index % 10_000),
    leaseMs: 1_000,
    draft: {
      requestId: `q${index}`,
      attempt: 1,
      userId: `u${index % 10_000}`,
      clientId: "web",
      model: "m",
      reservedNanoUsd: 1_000,
    },
  })

for (let from = 0; from < waiting; from += 5_000) {
  await Promise.all(Array.from({ length: 5_000 }, (_, index) => reserve(from + index)))
}
now += 2_000
// From here on time goes by, as it does where entries are written one after the other.
tickMs = 1
await report("200 reserves, each ending 16 by the way", 200, (index) => reserve(waiting + index))
let ended = 0
let more = true
await report("a sweep of the rest, in steps of 32", Number.POSITIVE_INFINITY, async () => {
  const step = await store.sweep({ root: "main", max: 32 })
  ended += step.expired.length
  more = step.more
  return more
})
console.log(`${ended} leases ended by the sweep, more: ${more}`)
const { entries } = await store.ledger.list({ root: "main", filter: {}, limit: 1 })
await report("pages of 1,000 entries of one user", 20, () =>
  store.ledger.list({ root: "main", filter: { userId: "u7" }, limit: 1_000 }),
)
await report("attempts of one request, asked for the first time", 1, () =>
  store.ledger.get({ root: "main", requestId: entries[0].requestId }),
)
await report("attempts of one request", 20, () => store.ledger.get({ root: "main", requestId: entries[0].requestId }))
await store.close()
client.disconnect()
await server.stop()

/**
 * Time that the server's main thread spent on a processor, in nanoseconds: on a busy machine the clock, and with it
 * SLOWLOG and `commandstats`, also counts waiting for one. Linux tells it to the nanosecond.
 */
function cpuNanos() {
  return Number(readFileSync(`/proc/${server.pid}/task/${server.pid}/schedstat`, "utf8").split(" ")[0])
}

/** One call at a time, so that the processor's time of each is known; input and output are in it. */
async function report(what, calls, run) {
  const micros = []
  await client.config("RESETSTAT")
  for (let index = 0; index < calls; index++) {
    const before = cpuNanos()
    const goesOn = await run(index)
    micros.push((cpuNanos() - before) / 1_000)
    if (goesOn === false) break
  }
  const match = /cmdstat_evalsha:calls=(\d+)/.exec(await client.info("commandstats"))
  const scripts = Number(match[1])
  const average = micros.reduce((sum, one) => sum + one, 0) / scripts
  micros.sort((a, b) => a - b)
  const at = (share) => micros[Math.min(micros.length - 1, Math.floor(micros.length * share))].toFixed(0)
  console.log(
    `${what}: ${micros.length} calls, ${scripts} scripts of ${average.toFixed(0)} µs; µs of processor a call: median ${at(0.5)}, 99 % ${at(0.99)}, most ${at(1)}; over 5 ms: ${micros.filter((one) => one > 5_000).length}`,
  )
}
