// What a reserve-and-settle pair of a budget costs over the memory store, called as `@p2/client` calls it, compared with the same
// pair of the bare store and of the store behind its checks. In microseconds of processor time, so that other work on the
// machine does not count, and in bytes that are allocated. Run `pnpm build` first, then
// `node --expose-gc bench/facade.mjs [pairs]`.
import { createBudget, memoryStore } from "../dist/index.js"
import { checkedStore } from "../dist/store.js"

const PAIRS = Number(process.argv[2] ?? 20_000)
const ROUNDS = 5
const SMALL = 1_000

/**
 * Its clock advances by a millisecond with every pair, so that keys are forgotten as fast as they are added and 60,000
 * are kept.
 */
function storeOf() {
  let calls = 0
  const now = () => 1_800_000_000_000 + (calls++ >> 1)
  return memoryStore({ now, retentionMs: 60_000, maxEntries: 10_000 })
}

const amount = { nanoUsd: 310_500, tokens: 570 }
const cost = { nanoUsd: 25_500, tokens: 95 }
const attempt = { provider: "openai", mode: "json_schema" }
const result = {
  modelUsed: "gpt-4o-mini-2024-07-18",
  tokens: { inputTokens: 70, outputTokens: 25 },
  costSource: "table",
  durationMs: 12,
  generationId: "chatcmpl-1",
}

/**
 * A user and a client whose spending is only counted, as for a request that names them without budgets. The client freezes
 * its limits, so that they are validated once.
 */
const COUNTED = Object.freeze([
  Object.freeze({ scope: "user", limit: null }),
  Object.freeze({ scope: "client", limit: null }),
])
/** Dollars of a user per day, dollars of a client per hour, and tokens in total. */
const LIMITED = [
  { scope: "user", limit: { nanoUsd: 9e15 }, per: "day", timeZone: "Europe/Paris" },
  { scope: "client", limit: { nanoUsd: 9e15 }, per: "hour", timeZone: "UTC" },
  { scope: "total", limit: { tokens: 9e15 } },
]

function facade(own, limits, signal) {
  const budget = createBudget({ store: storeOf(), limits: own })
  let done = 0
  return async () => {
    const idempotencyKey = `3b241101-e2bb-4255-8caf-${done++}.1`
    const requestId = idempotencyKey.slice(0, -2)
    const subject = { userId: "u", clientId: "c", model: "openai/gpt-4o-mini", requestId }
    const reserved = await budget.reserve({ idempotencyKey, subject, amount, limits, entry: attempt, signal })
    const settled = await reserved.reservation.settle(cost, result)
    if (settled.status !== "settled") throw new Error(settled.status)
  }
}

function bare(store) {
  const counter = (name) => ({ name, startsAt: null, endsAt: null, keepMs: null })
  const [user, client] = [counter("u=u|usd|total"), counter("c=c|usd|total")]
  const reserving = [user, client].map((each) => ({ ...each, amount: 310_500, limit: null, onExpire: 310_500 }))
  const settling = [user, client].map((each) => ({ ...each, reserved: 310_500, amount: 25_500 }))
  const fingerprint = "0123456789abcdefghijkl"
  const known = { userId: "u", clientId: "c", model: "openai/gpt-4o-mini", attempt: 1, ...attempt, fingerprint }
  const money = { reservedNanoUsd: 310_500, costNanoUsd: 25_500 }
  let done = 0
  return async () => {
    const key = `3b241101-e2bb-4255-8caf-${done++}.1`
    const request = { partition: "main", key, fingerprint }
    const entry = { ...known, ...money, requestId: key.slice(0, -2) }
    const pendingEntry = { ...entry, status: "expired", tokens: {}, costNanoUsd: 310_500, costSource: "bound" }
    const { expiresAt } = await store.reserve({ ...request, counters: reserving, leaseMs: 60_000, pendingEntry })
    const settled = await store.settle({
      ...{ ...request, outcome: "settled", revision: 0, counters: settling, expiresAt },
      entry: { ...entry, status: "succeeded", ...result },
    })
    if (settled.status !== "settled") throw new Error(settled.status)
  }
}

const contestants = {
  "budget, limits of the call that count": facade([], COUNTED),
  "the same with a signal": facade([], COUNTED, new AbortController().signal),
  "budget, limits of the call, windows": facade([], LIMITED),
  "budget, limits of its own, windows": facade(LIMITED, undefined),
  "checked memory store, two counters": bare(checkedStore(storeOf(), { trustsRequests: true })),
  "bare memory store, two counters": bare(storeOf()),
}

async function microseconds(pair, count) {
  const before = process.cpuUsage()
  for (let done = 0; done < count; done++) await pair()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

async function bytes(pair) {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc")
  const each = []
  for (let round = 0; round < 21; round++) {
    globalThis.gc()
    const before = process.memoryUsage().heapUsed
    for (let done = 0; done < SMALL; done++) await pair()
    each.push((process.memoryUsage().heapUsed - before) / SMALL)
  }
  // A garbage collection during a round makes its figure too small.
  return each.sort((a, b) => b - a)[5]
}

const times = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]))
for (const pair of Object.values(contestants)) await microseconds(pair, PAIRS / 4)
for (let round = 0; round < ROUNDS; round++)
  for (const [name, pair] of Object.entries(contestants)) times[name].push(await microseconds(pair, PAIRS))
for (const [name, pair] of Object.entries(contestants)) {
  const sorted = times[name].sort((a, b) => a - b)
  const median = sorted[Math.floor(ROUNDS / 2)].toFixed(1)
  console.log(
    `${name.padEnd(40)} ${median.padStart(6)} us a pair (${sorted[0].toFixed(1)}-${sorted.at(-1).toFixed(1)})   ` +
      `${Math.round(await bytes(pair))} bytes allocated`,
  )
}
