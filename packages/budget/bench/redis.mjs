// What the Redis store costs: rates, and processor time of the server and of this process, compared with a bare EVALSHA of a
// one-counter increment in one interleaved run; ten thousand users compared with a million; bytes of memory.
// Run `pnpm build` first, then `node --expose-gc bench/redis.mjs [milliseconds per round] [rounds] [callers: only compare these]`.
// Takes REDIS_URL, which must be a server for this alone (it is flushed), or starts one.
import { createHash } from "node:crypto"
import { Ratelimit } from "@upstash/ratelimit"
import { Redis } from "ioredis"
import { RateLimiterRedis } from "rate-limiter-flexible"
import { redisStore } from "../dist/redis.js"

const roundMs = Number(process.argv[2] ?? 100)
const rounds = Number(process.argv[3] ?? 15)
const onlyCallers = process.argv[4]

const DAY_MS = 86_400_000
const day = Math.floor(Date.now() / DAY_MS) * DAY_MS
const window = { startsAt: day, endsAt: day + 2 * DAY_MS, keepMs: null }
const counter = (name) => ({ name, ...window, amount: 1_000, limit: 9_000_000_000_000, onExpire: 1_000 })
const THREE = [counter("u=alice|usd|day"), counter("c=web|usd|month"), counter("total|usd|day")]
const ONE = THREE.slice(0, 1)
const FINGERPRINT = "kq0Zp1v7yQ2w9tXcR4mB8g"

const server = process.env.REDIS_URL ? undefined : await (await import("@p2/redis-server")).startRedis()
const url = process.env.REDIS_URL || server.url
const client = new Redis(url)
const PATIENT = { timeoutMs: 10_000 }
const store = redisStore({ client, ledgerRetentionMs: 0, ...PATIENT })
const ledgerStore = redisStore({ client, prefix: "ledger", ...PATIENT })

let keys = 0
function reserveRequest(counters) {
  const key = `attempt-${keys++}`
  return {
    partition: "main",
    key,
    fingerprint: FINGERPRINT,
    counters,
    leaseMs: 60_000,
    pendingEntry: pendingEntry(key),
  }
}
function settleRequest({ partition, key, fingerprint, counters, pendingEntry }, expiresAt) {
  return {
    partition,
    key,
    fingerprint,
    outcome: "settled",
    revision: 0,
    counters: counters.map(({ name, startsAt, endsAt, keepMs, amount }) => ({
      name,
      startsAt,
      endsAt,
      keepMs,
      reserved: amount,
      amount: 700,
    })),
    expiresAt,
    entry: {
      ...pendingEntry,
      status: "succeeded",
      modelUsed: "gpt-4o-mini-2024-07-18",
      tokens: { inputTokens: 812, cacheReadTokens: 512, outputTokens: 143 },
      costs: { input: 300, output: 400 },
      costNanoUsd: 700,
      costSource: "table",
      durationMs: 1_240,
      generationId: "chatcmpl-9XyZ",
    },
  }
}
function pendingEntry(requestId) {
  return {
    requestId,
    attempt: 1,
    clientId: "web",
    userId: "alice",
    model: "openai/gpt-4o-mini",
    provider: "openai",
    mode: "json_schema",
    status: "expired",
    reservedNanoUsd: 1_000,
    costNanoUsd: 1_000,
    costSource: "bound",
    tokens: {},
  }
}
async function pair(on, counters) {
  const request = reserveRequest(counters)
  const reserved = await on.reserve(request)
  if (reserved.status !== "ok") throw new Error(`reserve: ${reserved.status}`)
  const settled = await on.settle(settleRequest(request, reserved.expiresAt))
  if (settled.status !== "settled") throw new Error(`settle: ${settled.status}`)
}

/** The baseline of all ratios: increments a counter that expires. */
const BARE =
  "local n = redis.call('INCRBY', KEYS[1], ARGV[1]) if n == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return { n, redis.call('PTTL', KEYS[1]) }"
const bareSha = createHash("sha1").update(BARE).digest("hex")
const plain = new Redis(url)
await plain.script("LOAD", BARE)
const flexible = new RateLimiterRedis({ storeClient: client, points: 1e9, duration: 86_400, keyPrefix: "flexible" })
const upstash = new Ratelimit({
  redis: upstashShim(client),
  limiter: Ratelimit.fixedWindow(1e9, "1 d"),
  ephemeralCache: false,
  timeout: 0,
})

const variants = {
  "bare EVALSHA of an increment": () => plain.evalsha(bareSha, 1, "bare", 1_000, DAY_MS),
  "reserve over 3 counters": () => store.reserve(reserveRequest(THREE)),
  "reserve over 3 counters, with ledger": () => ledgerStore.reserve(reserveRequest(THREE)),
  "reserve over 1 counter": () => store.reserve(reserveRequest(ONE)),
  "reserve and settle, 3 counters": () => pair(store, THREE),
  "reserve and settle, with entries": () => pair(ledgerStore, THREE),
  "rate-limiter-flexible consume": () => flexible.consume("alice", 1_000),
  "@upstash/ratelimit limit": () => upstash.limit("alice", { rate: 1_000 }),
}

const version = /redis_version:(\S+)/.exec(await client.info("server"))[1]
console.log(`redis ${version}, node ${process.version}; medians of ${rounds} rounds of ${roundMs} ms`)
for (const callers of onlyCallers ? [Number(onlyCallers)] : [1, 32, 256]) await compare(callers)
if (!onlyCallers) {
  await users()
  await memory()
}
await store.close()
await ledgerStore.close()
client.disconnect()
plain.disconnect()
await server?.stop()

/**
 * Runs every variant once per round, for the same time and in a new order, so that other load on the machine affects all
 * of them equally.
 */
async function compare(callers) {
  const results = Object.fromEntries(
    Object.keys(variants).map((name) => [name, { rates: [], micros: [], clientMicros: [] }]),
  )
  for (let round = 0; round <= rounds; round++) {
    for (const [name, operation] of shuffled(Object.entries(variants))) {
      // Otherwise, one variant would expire the leases of the one before.
      await client.flushall()
      await repeatFor(roundMs / 10, operation, callers)
      collectGarbage()
      const before = await serverMicros()
      const clientBefore = process.cpuUsage()
      const { count, rate } = await repeatFor(roundMs, operation, callers)
      const { user, system } = process.cpuUsage(clientBefore)
      // The first round warms up.
      if (round === 0) continue
      results[name].rates.push(rate)
      results[name].micros.push(((await serverMicros()) - before) / count)
      results[name].clientMicros.push((user + system) / count)
    }
  }
  // On a busy machine, the scheduler prefers whoever needs it for shorter: then the ratio of the processor times is the better one.
  console.log(`\n${callers} callers             a second   of bare   µs of the server   of the client   bare/this`)
  const bare = Object.values(results)[0]
  const sums = ({ micros, clientMicros }) => micros.map((value, index) => value + clientMicros[index])
  for (const [name, result] of Object.entries(results)) {
    const rate = String(Math.round(median(result.rates))).padStart(8)
    const times = [result.micros, result.clientMicros].map((list) => median(list).toFixed(1).padStart(15))
    const ratios = [ratio(result.rates, bare.rates), ratio(sums(bare), sums(result))]
    console.log(`  ${name.padEnd(38)} ${rate}      ${ratios[0]} ${times.join(" ")}        ${ratios[1]}`)
  }
}

/**
 * Alternates pairs of ten thousand users with pairs of a million users, all with existing counters, on two databases of
 * one server.
 */
async function users() {
  console.log("\nreserve and settle over 3 counters, µs of the server")
  const sides = []
  await client.flushall()
  for (const [db, count] of [10_000, 1_000_000].entries()) {
    const own = new Redis(url, { db: db + 1 })
    for (let from = 0; from < count; from += 10_000) await fillCounters(own, from, from + 10_000)
    sides.push({
      count,
      own,
      user: 0,
      micros: [],
      store: redisStore({ client: own, ledgerRetentionMs: 0, ...PATIENT }),
    })
  }
  for (let round = 0; round <= rounds; round++) {
    for (const side of shuffled(sides)) {
      const operation = () => {
        side.user = (side.user + 7_919) % side.count
        return pair(side.store, [counter(`u=user-${side.user}|usd|day`), THREE[1], THREE[2]])
      }
      const before = await serverMicros()
      const { count } = await repeatFor(roundMs, operation, 32)
      if (round > 0) side.micros.push(((await serverMicros()) - before) / count)
    }
  }
  for (const side of sides) {
    console.log(`  ${String(side.count).padStart(9)} users: ${median(side.micros).toFixed(1)}`)
    await side.store.close()
    side.own.disconnect()
  }
  console.log(`  a million over ten thousand: ${ratio(sides[1].micros, sides[0].micros)}`)
  await client.flushall()
}

/** Counters as the store writes them. */
async function fillCounters(own, from, to) {
  const pipeline = own.pipeline()
  const forgetAt = window.endsAt + 3_600_000
  for (let index = from; index < to; index++) {
    const key = `p2:{main}:c:u=user-${index}|usd|day`
    pipeline.hset(key, "spent", 700, "reserved", 0, "granted", 0, "peak", 700, "forgetAt", forgetAt)
    pipeline.pexpireat(key, forgetAt + 7 * DAY_MS)
  }
  await pipeline.exec()
}

async function memory() {
  console.log("\nbytes of used_memory each, over 20,000")
  const count = 20_000
  const usedMemory = async () => Number(/used_memory:(\d+)/.exec(await client.info("memory"))[1])
  const bytes = async (what, operation) => {
    const before = await usedMemory()
    await repeat(operation, 32, (done) => done < count)
    console.log(`  ${what.padEnd(42)} ${Math.round(((await usedMemory()) - before) / count)}`)
  }
  let user = 0
  await client.flushall()
  await bytes("a counter", () => {
    const key = `p2:{main}:c:u=user-${user++}|usd|day`
    return client
      .pipeline()
      .hset(key, "spent", 1_250_000_000, "reserved", 0, "granted", 0, "peak", 1_250_000_000, "forgetAt", window.endsAt)
      .pexpireat(key, window.endsAt + 8 * DAY_MS)
      .exec()
  })
  await bytes("a held reservation, 3 counters", () => store.reserve(reserveRequest(THREE)))
  await bytes("a held reservation with its pending entry", () => ledgerStore.reserve(reserveRequest(THREE)))
  await client.flushall()
  await bytes("a resolved key, 3 counters", () => pair(store, THREE))
  await bytes("a resolved key and its entry", () => pair(ledgerStore, THREE))
}

/** Processor time of the server's main thread. */
async function serverMicros() {
  const info = await client.info("cpu")
  const seconds = (name) => Number(new RegExp(`^${name}:(.*)$`, "m").exec(info)[1])
  return (seconds("used_cpu_user_main_thread") + seconds("used_cpu_sys_main_thread")) * 1e6
}

function repeatFor(ms, operation, callers) {
  const end = performance.now() + ms
  return repeat(operation, callers, () => performance.now() < end)
}

async function repeat(operation, callers, goesOn) {
  let count = 0
  const started = performance.now()
  const caller = async () => {
    while (goesOn(count)) {
      count++
      await operation()
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return { count, rate: (count / (performance.now() - started)) * 1_000 }
}

/** Collects the garbage of the last slice, so that it does not slow the next one down. */
function collectGarbage() {
  globalThis.gc?.({ type: "minor" })
}

/**
 * What @upstash/ratelimit needs of its client, on ioredis, so that only the loopback is measured. Its scripts begin with a
 * flag that only Upstash knows, which is left out.
 */
function upstashShim(redis) {
  const known = new Map()
  const sha1 = (text) => createHash("sha1").update(text).digest("hex")
  return {
    evalsha: async (sha, keys, args) => {
      if (!known.has(sha)) throw new Error("NOSCRIPT")
      return redis.evalsha(known.get(sha), keys.length, ...keys, ...args)
    },
    eval: (script, keys, args) => {
      const plain = script.replace(/^#!lua flags=allow-key-locking\n/, "")
      known.set(sha1(script), sha1(plain))
      return redis.eval(plain, keys.length, ...keys, ...args)
    },
    get: (key) => redis.get(key),
    set: (key, value) => redis.set(key, value),
  }
}

function shuffled(items) {
  const order = items.map((item) => [Math.random(), item])
  return order.sort((a, b) => a[0] - b[0]).map(([, item]) => item)
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

/** Median of the ratios within each round. */
function ratio(values, base) {
  return median(values.map((value, index) => value / base[index])).toFixed(2)
}
