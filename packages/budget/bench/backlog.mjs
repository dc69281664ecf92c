// Measures how long each call occupies the server while 100,000 ended leases wait to be expired, and while the ledger
// has as many entries. Linux only. Run `pnpm build` first, then `node bench/backlog.mjs [reservations]`.
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
const namesOf = (index) => [`user=${index % 10_000}`, "client", "total"]
const counter = (name) => ({
  name,
  startsAt: null,
  endsAt: null,
  keepMs: null,
  amount: 1_000,
  limit: null,
  onExpire: 1_000,
})
const reserve = (index) =>
  store.reserve({
    partition: "main",
    key: `attempt-${index}`,
    fingerprint: "f",
    counters: namesOf(index).map(counter),
    leaseMs: 1_000,
    pendingEntry: {
      requestId: `q${index}`,
      attempt: 1,
      userId: `u${index % 10_000}`,
      clientId: "web",
      model: "m",
      status: "expired",
      reservedNanoUsd: 1_000,
      costNanoUsd: 1_000,
      costSource: "bound",
      tokens: {},
    },
  })

for (let from = 0; from < waiting; from += 5_000) {
  await Promise.all(Array.from({ length: 5_000 }, (_, index) => reserve(from + index)))
}
now += 2_000
// From here on the clock advances, as it does when entries are written one after another.
tickMs = 1
await report("reserves next to the backlog", 200, (index) => reserve(waiting + index))
let expired = 0
await report("pages of a sweep, 64 leases each", Number.POSITIVE_INFINITY, async () => {
  const { due } = await store.listDue({ partition: "main", limit: 64 })
  const replies = await Promise.all(due.map((one) => store.expire({ partition: "main", ...one })))
  expired += replies.filter(({ status }) => status === "expired").length
  return due.length > 0
})
console.log(`${expired} leases were expired`)
const list = { partition: "main", filter: { userId: "u7" }, cursor: null, limit: 1_000, newestFirst: false }
await report("entries of one user among all", 3, () => store.ledger.list(list))
await report("totals of all entries", 3, () =>
  store.ledger.totals({ partition: "main", filter: {}, groupBy: ["userId"], buckets: null }),
)
await report("attempts of one request", 3, () => store.ledger.get({ partition: "main", requestId: "q7" }))
await store.close()
client.disconnect()
await server.stop()

/**
 * CPU time of the server's main thread, in nanoseconds: on a busy machine SLOWLOG and `commandstats` also count waiting
 * for a CPU.
 */
function serverNanos() {
  return Number(readFileSync(`/proc/${server.pid}/task/${server.pid}/schedstat`, "utf8").split(" ")[0])
}

/** One call at a time, so that each is measured separately. */
async function report(what, calls, run) {
  const micros = []
  const started = performance.now()
  await client.config("RESETSTAT")
  for (let index = 0; index < calls; index++) {
    const before = serverNanos()
    const goesOn = await run(index)
    micros.push((serverNanos() - before) / 1_000)
    if (goesOn === false) break
  }
  const seconds = (performance.now() - started) / 1_000
  const scripts = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info("commandstats"))[1])
  const average = micros.reduce((sum, one) => sum + one, 0) / scripts
  micros.sort((a, b) => a - b)
  const at = (share) => micros[Math.min(micros.length - 1, Math.floor(micros.length * share))].toFixed(0)
  console.log(
    `${what}: ${micros.length} in ${seconds.toFixed(1)} s, ${scripts} scripts of ${average.toFixed(0)} µs; µs of the server each: median ${at(0.5)}, 99 % ${at(0.99)}, most ${at(1)}`,
  )
}
