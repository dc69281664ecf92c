// What a reserve-and-settle pair of a budget costs over the memory store, called in the way of `@p2/client`, beside the same
// pair of the bare store. In microseconds of processor time, so that other work on the machine does not count, and in
// bytes that are allocated. Run `pnpm build` first, then `node --expose-gc bench/facade.mjs [pairs]`.
import { createBudget, memoryStore } from "../dist/index.js"

const PAIRS = Number(process.argv[2] ?? 100_000)
const ROUNDS = 5
const SMALL = 1_000
// The store's clock moves a millisecond with every pair, so that ids leave as they come and 60,000 are held.

function storeOf() {
  let calls = 0
  const clock = () => 1_800_000_000_000 + (calls++ >> 1)
  return memoryStore({ clock, retentionMs: 60_000, maxEntries: 10_000 })
}

function draftOf(requestId) {
  return {
    requestId,
    attempt: 1,
    clientId: "c",
    userId: "u",
    tags: undefined,
    model: "openai/gpt-4o-mini",
    provider: "openai",
    mode: "json_schema",
    reservedNanoUsd: amount.nanoUsd,
    fingerprint: undefined,
  }
}

function entryOf(requestId) {
  return {
    requestId,
    attempt: 1,
    clientId: "c",
    userId: "u",
    tags: undefined,
    model: "openai/gpt-4o-mini",
    provider: "openai",
    mode: "json_schema",
    reservedNanoUsd: amount.nanoUsd,
    fingerprint: undefined,
    status: "succeeded",
    modelUsed: "gpt-4o-mini-2024-07-18",
    errorCode: undefined,
    tokens: { inputTokens: 70, outputTokens: 25 },
    costNanoUsd: paid.nanoUsd,
    costSource: "table",
    tableCostNanoUsd: undefined,
    durationMs: 12,
    generationId: "chatcmpl-1",
    prompt: undefined,
    answer: undefined,
  }
}

const amount = { nanoUsd: 310_500, tokens: 570 }
const paid = { nanoUsd: 25_500, tokens: 95 }

/** A user and a client whose spending is only counted, as for a request that names them without budgets. */
const COUNTED = [
  { scope: "user", limit: null },
  { scope: "client", limit: null },
]
/** A day's money of a user, an hour's of a client and tokens of everybody, brought along by the call. */
const LIMITED = [
  { scope: "user", limit: { nanoUsd: 9e15 }, per: "day", timeZone: "Europe/Paris" },
  { scope: "client", limit: { nanoUsd: 9e15 }, per: "hour", timeZone: "UTC" },
  { scope: "total", limit: { tokens: 9e15 } },
]

function facade(own, limits) {
  const budget = createBudget({ store: storeOf(), limits: own })
  let done = 0
  return async () => {
    const id = `3b241101-e2bb-4255-8caf-${done++}.1`
    const requestId = id.slice(0, -2)
    const subject = { userId: "u", clientId: "c", tags: undefined, model: "openai/gpt-4o-mini", requestId }
    const held = await budget.reserve({ id, subject, amount, limits, draft: draftOf(requestId) })
    const settled = await held.reservation.settle(paid, entryOf(requestId))
    if (settled.status !== "settled") throw new Error(settled.status)
  }
}

function bare() {
  const store = storeOf()
  const cell = (key) => ({ key, startsAt: null, endsAt: null, keepMs: null })
  const [user, client] = [cell("u=u|nanoUsd|total"), cell("c=c|nanoUsd|total")]
  const asked = [user, client].map((each) => ({ ...each, amount: 310_500, limit: null, onExpire: 310_500 }))
  const cells = [user, client].map((each) => ({ ...each, reserved: 310_500, amount: 25_500 }))
  const fingerprint = "0123456789abcdefghijkl"
  let done = 0
  return async () => {
    const id = `3b241101-e2bb-4255-8caf-${done++}.1`
    const requestId = id.slice(0, -2)
    const draft = draftOf(requestId)
    const held = await store.reserve({ root: "main", id, fingerprint, cells: asked, leaseMs: 60_000, draft })
    const { expiresAt } = held
    const entry = entryOf(requestId)
    const settling = { root: "main", id, fingerprint, outcome: "commit", revision: 0, cells, expiresAt, entry }
    const settled = await store.settle(settling)
    if (settled.result !== "committed") throw new Error(settled.result)
  }
}

const contestants = {
  "budget, limits of the call that count": facade([], COUNTED),
  "budget, limits of the call, windows": facade([], LIMITED),
  "budget, limits of its own, windows": facade(LIMITED, undefined),
  "bare memory store, two cells": bare(),
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
  // A collection in between makes the figure of a round too small.
  return each.sort((a, b) => b - a)[5]
}

const times = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]))
for (const pair of Object.values(contestants)) await microseconds(pair, PAIRS / 4)
for (let round = 0; round < ROUNDS; round++)
  for (const [name, pair] of Object.entries(contestants)) times[name].push(await microseconds(pair, PAIRS))
for (const [name, pair] of Object.entries(contestants)) {
  const sorted = times[name].toSorted((a, b) => a - b)
  const median = sorted[Math.floor(ROUNDS / 2)].toFixed(1)
  console.log(
    `${name.padEnd(40)} ${median.padStart(6)} us a pair (${sorted[0].toFixed(1)}-${sorted.at(-1).toFixed(1)})   ` +
      `${Math.round(await bytes(pair))} bytes allocated`,
  )
}
