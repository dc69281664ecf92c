// How long scripts run on the server while 100,000 expired reservations wait: SLOWLOG, with everything over 1 ms.
// Run `pnpm build` first, then `node bench/backlog.mjs [reservations]`.
import { startRedis } from "@p2/redis-server"
import { Redis } from "ioredis"
import { redisStore } from "../dist/redis.js"

const waiting = Number(process.argv[2] ?? 100_000)
const server = await startRedis()
const client = new Redis(server.url)
let now = Date.UTC(2060, 0, 1)
const store = redisStore({ client, timeoutMs: 60_000, now: () => now })
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
await client.config("SET", "slowlog-max-len", "100000")
await client.config("SET", "slowlog-log-slower-than", "1000")
await client.slowlog("RESET")
await client.config("RESETSTAT")
await report("100 reserves, each ending 16 by the way", async () => {
  for (let index = 0; index < 100; index++) await reserve(waiting + index)
})
await report("a sweep of the rest, in steps of 32", async () => {
  const { expired, more } = await store.sweep({ root: "main", max: waiting })
  console.log(`${expired.length} leases ended, more: ${more}`)
})
await store.close()
client.disconnect()
await server.stop()

/** Time that the server's main thread spent on a processor: on a busy machine the clock also counts waiting for one. */
async function cpuMicros() {
  const text = await client.info("cpu")
  const seconds = (name) => Number(new RegExp(`^${name}:(.*)$`, "m").exec(text)[1])
  return (seconds("used_cpu_user_main_thread") + seconds("used_cpu_sys_main_thread")) * 1e6
}

async function report(what, run) {
  await client.slowlog("RESET")
  await client.config("RESETSTAT")
  const before = await cpuMicros()
  await run()
  const cpu = (await cpuMicros()) - before
  const slow = await client.slowlog("GET", -1)
  const scripts = slow
    .filter(([, , , command]) => /^evalsha/i.test(command[0]))
    .map(([, , micros]) => micros)
    .sort((a, b) => b - a)
  const match = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await client.info("commandstats"))
  console.log(
    `${what}: ${match[1]} scripts, ${(Number(match[2]) / Number(match[1])).toFixed(0)} µs on average by the clock, ${(cpu / Number(match[1])).toFixed(0)} µs of processor with all its input and output, longest by the clock ${scripts[0] ?? "under 1,000"} µs, over 5 ms: ${scripts.filter((micros) => micros > 5_000).length}`,
  )
}
