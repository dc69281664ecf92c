// What the Redis store costs: ratios in one interleaved run, and the script's microseconds on the server.
// Run `pnpm build` first, then `node --expose-gc bench/redis.mjs [operations per round] [rounds]`. Takes REDIS_URL, which must be a server of
// yours for this alone (it is flushed), or starts a server of its own.
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Ratelimit } from "@upstash/ratelimit"
import { Redis } from "ioredis"
import { RateLimiterRedis } from "rate-limiter-flexible"
import { findRedisServer } from "../../redis-server/fetch.mjs"
import { redisStore } from "../dist/redis.js"

const operations = Number(process.argv[2] ?? 1_500)
const rounds = Number(process.argv[3] ?? 15)
const PORT = 7_391

const server = await start()
const client = new Redis(server.url)
const store = redisStore({ client, ledger: false, timeoutMs: 10_000 })
const ledgerStore = redisStore({ client, prefix: "ledger", timeoutMs: 10_000 })

const DAY_MS = 86_400_000
const day = Math.floor(Date.now() / DAY_MS) * DAY_MS
const window = { startsAt: day, endsAt: day + 2 * DAY_MS, keepMs: null }
const cell = (key) => ({ key, ...window, amount: 1_000, limit: 9_000_000_000_000, onExpire: 1_000 })
const THREE = [cell("u=alice|nanoUsd|day.UTC.0"), cell("c=web|nanoUsd|month.UTC.0"), cell("total|nanoUsd|total")]
const ONE = THREE.slice(0, 1)
const FINGERPRINT = "kq0Zp1v7yQ2w9tXcR4mB8g"

let ids = 0
const reserveOf = (cells, draft) => ({
  root: "main",
  id: `attempt-${ids++}`,
  fingerprint: FINGERPRINT,
  cells,
  leaseMs: 60_000,
  draft,
})
const settleOf = (request, expiresAt, entry) => ({
  root: request.root,
  id: request.id,
  fingerprint: FINGERPRINT,
  outcome: "commit",
  revision: 0,
  cells: request.cells.map(({ key, startsAt, endsAt, keepMs, amount }) => ({
    key,
    startsAt,
    endsAt,
    keepMs,
    reserved: amount,
    amount: 700,
  })),
  expiresAt,
  entry,
})
const draftOf = (id) => ({
  requestId: id,
  attempt: 1,
  clientId: "web",
  userId: "alice",
  model: "openai/gpt-4o-mini",
  provider: "openai",
  mode: "json_schema",
  reservedNanoUsd: 1_000,
})
// A literal that begins with a spread would cost Node 20 more than all that is measured here.
const entryOf = (id) =>
  Object.assign(draftOf(id), {
    status: "succeeded",
    modelUsed: "gpt-4o-mini-2024-07-18",
    tokens: { inputTokens: 812, cacheReadTokens: 512, outputTokens: 143 },
    costs: { input: 300, output: 400 },
    costNanoUsd: 700,
    costSource: "table",
    durationMs: 1_240,
    generationId: "chatcmpl-9XyZ",
  })

async function pair(on, cells, withEntry) {
  const request = reserveOf(cells)
  if (withEntry) request.draft = draftOf(request.id)
  const held = await on.reserve(request)
  if (held.result !== "ok") throw new Error(`reserve: ${held.result}`)
  await on.settle(settleOf(request, held.expiresAt, withEntry ? entryOf(request.id) : undefined))
}

// The script that the store's numbers are compared with: what a counter with an end costs.
const SMALL =
  "local n = redis.call('INCRBY', KEYS[1], ARGV[1]) if n == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return { n, redis.call('PTTL', KEYS[1]) }"
const small = { sha: createHash("sha1").update(SMALL).digest("hex") }
const raw = { three: await recorded(THREE), one: await recorded(ONE) }
const flexible = new RateLimiterRedis({ storeClient: client, points: 1e9, duration: 86_400, keyPrefix: "flexible" })
const upstash = new Ratelimit({
  redis: upstashShim(client),
  limiter: Ratelimit.fixedWindow(1e9, "1 d"),
  ephemeralCache: false,
  timeout: 0,
})
const plain = new Redis(server.url, { enableOfflineQueue: false, lazyConnect: true })
await plain.connect()
await client.eval(SMALL, 1, "small", 1, 86_400_000)

const variants = {
  small: () => plain.evalsha(small.sha, 1, "small", 1_000, 86_400_000),
  "raw EVALSHA, reserve over 3 cells": () => raw.three(),
  "reserve over 3 cells": () => store.reserve(reserveOf(THREE)),
  "raw EVALSHA, reserve over 1 cell": () => raw.one(),
  "reserve over 1 cell": () => store.reserve(reserveOf(ONE)),
  "reserve and settle over 3 cells": () => pair(store, THREE, false),
  "reserve and settle, with ledger": () => pair(ledgerStore, THREE, true),
  "rate-limiter-flexible consume": () => flexible.consume("alice", 1_000),
  "@upstash/ratelimit limit": () => upstash.limit("alice", { rate: 1_000 }),
}

console.log(
  `redis ${server.version}, ioredis, node ${process.version}; ${operations} operations a round, ${rounds} rounds, medians`,
)
for (const concurrency of [1, 32, 256]) await compare(concurrency)
await settleWithLedger()
await serverMicroseconds()
await users()
await memory()
await store.close()
await ledgerStore.close()
client.disconnect()
plain.disconnect()
await server.stop()

/**
 * Takes the garbage of the last slice away, so that the next does not pay for it. The young only: a full collection also
 * throws away most of the compiled code of ioredis and Node, and a short slice would then measure the compiler.
 */
function collect() {
  globalThis.gc?.({ type: "minor" })
}

/**
 * Slices are short and their order is shuffled, so that what else the machine does falls on all alike. One caller has very
 * short ones: what a call takes changes by a fifth from one tenth of a second to the next, and a ratio of two slices of
 * hundreds of calls told more of that than of the calls.
 */
async function compare(concurrency) {
  const [turns, count] = concurrency === 1 ? [16, Math.ceil(operations / 64)] : [1, operations]
  const rates = Object.fromEntries(Object.keys(variants).map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    const seconds = Object.fromEntries(Object.keys(variants).map((name) => [name, 0]))
    for (let turn = 0; turn < turns; turn++) {
      for (const [name, operation] of shuffled(Object.entries(variants))) {
        // Every slice begins with an empty server: leases of one are not paid for by the next.
        await client.flushall()
        await rateOf(operation, Math.ceil(count / 10), concurrency)
        if (turns === 1) collect()
        seconds[name] += count / (await rateOf(operation, count, concurrency))
      }
      if (turns > 1) collect()
    }
    // The first round warms up.
    if (round > 0) for (const name of Object.keys(variants)) rates[name].push((turns * count) / seconds[name])
  }
  console.log(`\nconcurrency ${concurrency}`)
  for (const name of Object.keys(variants)) {
    const base =
      name === "reserve over 3 cells"
        ? "raw EVALSHA, reserve over 3 cells"
        : name === "reserve over 1 cell"
          ? "raw EVALSHA, reserve over 1 cell"
          : undefined
    const toRaw = base === undefined ? "" : `  ${ratio(rates[name], rates[base])} of the raw EVALSHA`
    console.log(
      `  ${name.padEnd(36)} ${String(Math.round(median(rates[name]))).padStart(7)} a second  ${ratio(rates[name], rates.small)} of the small script${toRaw}`,
    )
  }
}

/**
 * The time of a settle alone, with and without its entry. All reservations of a round are made before, so that slices of
 * the two can follow each other at once: what the machine does changes between one tenth of a second and the next.
 */
async function settleWithLedger() {
  console.log("\nsettle over 3 cells, time with an entry over time without")
  for (const concurrency of [1, 32, 256]) {
    const [turns, count] = concurrency === 1 ? [16, Math.ceil(operations / 64)] : [4, Math.ceil(operations / 4)]
    const sides = {
      plain: { on: store, times: [], micros: [] },
      entry: { on: ledgerStore, times: [], micros: [] },
    }
    for (let round = 0; round <= rounds; round++) {
      await client.flushall()
      for (const [name, side] of shuffled(Object.entries(sides))) {
        side.settles = await heldSettles(side.on, turns * count, name === "entry")
        side.next = side.seconds = side.cpu = 0
      }
      // Twice: what was made before the clock starts is then old, and no collection copies it while the clock runs.
      collect()
      collect()
      for (let turn = 0; turn < turns; turn++) {
        for (const side of shuffled(Object.values(sides))) {
          const before = await cpuMicros()
          side.seconds += count / (await rateOf(() => side.on.settle(side.settles[side.next++]), count, concurrency))
          side.cpu += (await cpuMicros()) - before
        }
      }
      for (const side of Object.values(sides)) {
        if (round > 0) side.times.push(side.seconds)
        if (round > 0) side.micros.push(side.cpu / (turns * count))
      }
    }
    const { plain: without, entry } = sides
    console.log(
      `  concurrency ${String(concurrency).padStart(3)}: ${ratio(entry.times, without.times)}; processor of the server a settle: ${median(without.micros).toFixed(1)} µs, with an entry ${median(entry.micros).toFixed(1)} µs`,
    )
  }
}

/** Settles of reservations that are held, made 500 at a time. */
async function heldSettles(on, count, withEntry) {
  const settles = []
  while (settles.length < count) {
    const batch = Array.from({ length: Math.min(500, count - settles.length) }, async () => {
      const request = reserveOf(THREE)
      if (withEntry) request.draft = draftOf(request.id)
      const { expiresAt } = await on.reserve(request)
      return settleOf(request, expiresAt, withEntry ? entryOf(request.id) : undefined)
    })
    settles.push(...(await Promise.all(batch)))
  }
  return settles
}

/** Time that the server's main thread spent on a processor, input and output included. */
async function cpuMicros() {
  const text = await client.info("cpu")
  const seconds = (name) => Number(new RegExp(`^${name}:(.*)$`, "m").exec(text)[1])
  return (seconds("used_cpu_user_main_thread") + seconds("used_cpu_sys_main_thread")) * 1e6
}

async function serverMicroseconds() {
  console.log("\nmicroseconds of the server a call (INFO commandstats)")
  const measured = { ...variants }
  for (const [name, operation] of Object.entries(measured)) {
    await client.flushall()
    await rateOf(operation, 500, 32)
    await client.config("RESETSTAT")
    await rateOf(operation, operations, 32)
    const stats = await client.info("commandstats")
    const match = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(stats)
    if (match !== null)
      console.log(
        `  ${name.padEnd(36)} ${(Number(match[2]) / Number(match[1])).toFixed(1)} (${(Number(match[1]) / operations).toFixed(0)} calls an operation)`,
      )
  }
}

/**
 * A reserve-and-settle pair among ten thousand users and among a million, whose cells are all there: in turn on two
 * databases of one server, since a machine that is slower for a minute must not be taken for a larger table.
 */
async function users() {
  console.log("\nusers (processor time of the server a reserve-and-settle pair over 3 cells, input and output in it)")
  const counts = [10_000, 1_000_000]
  await client.flushall()
  const sides = []
  for (const [db, count] of counts.entries()) {
    const own = new Redis(server.url, { db: db + 1 })
    for (let from = 0; from < count; from += 10_000) await fillCells(own, from, from + 10_000)
    sides.push({
      count,
      own,
      store: redisStore({ client: own, ledger: false, timeoutMs: 10_000 }),
      micros: [],
      user: 0,
    })
  }
  for (let round = 0; round <= rounds * 2; round++) {
    for (const side of shuffled(sides)) {
      const operation = () => {
        side.user = (side.user + 7_919) % side.count
        return pair(side.store, [cell(`u=user-${side.user}|nanoUsd|day.UTC.0`), THREE[1], THREE[2]], false)
      }
      collect()
      const before = await cpuMicros()
      await rateOf(operation, operations, 32)
      if (round > 0) side.micros.push(((await cpuMicros()) - before) / operations)
    }
  }
  for (const { count, own, store: used, micros } of sides) {
    console.log(`  ${String(count).padStart(9)}: ${median(micros).toFixed(2)} µs, ${await own.dbsize()} keys`)
    await used.close()
    own.disconnect()
  }
  console.log(`  a million over ten thousand: ${ratio(sides[1].micros, sides[0].micros)}`)
  await client.flushall()
}

/** Cells as the store writes them: 40 bytes with an end. */
async function fillCells(own, from, to) {
  const ends = window.endsAt + 3_600_000
  const value = Buffer.alloc(40)
  value.writeDoubleLE(ends, 32)
  const pipeline = own.pipeline()
  for (let index = from; index < to; index++) {
    pipeline.set(`p2:5:{main}:c:u=user-${index}|nanoUsd|day.UTC.0`, value, "PXAT", ends)
  }
  await pipeline.exec()
}

async function memory() {
  console.log("\nbytes (difference of used_memory over 20,000 of each)")
  const count = 20_000
  const used = async () => Number(/used_memory:(\d+)/.exec(await client.info("memory"))[1])
  const lane = async (operation) => {
    const before = await used()
    await rateOf(operation, count, 32)
    return Math.round(((await used()) - before) / count)
  }
  await client.flushall()
  await rateOf(() => store.reserve(reserveOf(THREE)), 500, 32)
  let key = 0
  // A cell as the store writes it: 40 bytes with an end.
  const ends = window.endsAt + 3_600_000
  const aCell = () => client.set(`p2:5:{main}:c:u=user-${key++}|nanoUsd|day.UTC.0`, Buffer.alloc(40), "PXAT", ends)
  console.log(`  a cell                      ${await lane(aCell)}`)
  console.log(`  a held reservation, 3 cells ${await lane(() => store.reserve(reserveOf(THREE)))}`)
  await client.flushall()
  await rateOf(() => pair(store, THREE, false), 500, 32)
  console.log(`  a resolved id               ${await lane(() => pair(store, THREE, false))}`)
  await client.flushall()
  await rateOf(() => pair(ledgerStore, THREE, true), 500, 32)
  console.log(`  a resolved id and its entry ${await lane(() => pair(ledgerStore, THREE, true))}`)
}

async function rateOf(operation, count, concurrency) {
  let left = count
  const started = performance.now()
  const lane = async () => {
    while (left-- > 0) await operation()
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  return (count / (performance.now() - started)) * 1_000
}

/** The arguments of a reserve as the store sends them, sent again by ioredis alone with ids of their own. */
async function recorded(cells) {
  let seen
  const spy = {
    status: "ready",
    duplicate: () => {
      const own = new Redis(server.url)
      const { evalshaBuffer } = own
      own.evalshaBuffer = (...args) => {
        seen = args
        return evalshaBuffer.apply(own, args)
      }
      return own
    },
  }
  const spied = redisStore({ client: spy, ledger: false, timeoutMs: 10_000 })
  const request = reserveOf(cells)
  await spied.reserve(request)
  await spied.reserve(reserveOf(cells))
  await spied.close()
  const args = seen
  const id = `attempt-${ids - 1}`
  const record = args.findIndex((arg) => String(arg).endsWith(`r:${id}`))
  const base = String(args[record]).slice(0, -id.length)
  // Everything but the store is as it is for the store: the settings of its connection too.
  const connection = new Redis(server.url, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
  })
  await connection.connect()
  once(client, "end").then(() => connection.disconnect())
  return () => {
    const own = args.slice()
    own[record] = `${base}attempt-${ids++}`
    return connection.evalshaBuffer(...own)
  }
}

/**
 * What @upstash/ratelimit asks of its client, on ioredis, so that no network but the loopback is measured. Its scripts begin
 * with a flag that only Upstash knows; it is left out.
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
  return items
    .map((item) => [Math.random(), item])
    .sort((a, b) => a[0] - b[0])
    .map(([, item]) => item)
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]
}

function ratio(values, base) {
  return median(values.map((value, index) => value / base[index])).toFixed(2)
}

async function start() {
  const url = process.env.REDIS_URL
  if (url) return { url, version: "of REDIS_URL", stop: async () => {} }
  const program = await findRedisServer({ fetch: true })
  if (program === undefined) throw new Error("No redis-server: set REDIS_URL, or put one on the PATH.")
  const dir = mkdtempSync(join(tmpdir(), "p2-bench-"))
  const child = spawn(
    program,
    ["--port", String(PORT), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "no"],
    { stdio: "ignore" },
  )
  const probe = new Redis(PORT, { maxRetriesPerRequest: null })
  probe.on("error", () => {})
  const version = /redis_version:(\S+)/.exec(await probe.info("server"))[1]
  probe.disconnect()
  const stop = async () => {
    child.kill()
    await once(child, "exit")
    rmSync(dir, { recursive: true, force: true })
  }
  process.once("exit", () => child.kill("SIGKILL"))
  return { url: `redis://127.0.0.1:${PORT}`, version, stop }
}
