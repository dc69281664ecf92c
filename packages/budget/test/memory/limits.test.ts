import { describe, expect, it } from "vitest"
import { memoryStore } from "../../src/memory/memory-store"
import type { BudgetStore, CounterRef, ReserveRequest, UsageEntry } from "../../src/store"

const START = 1_000_000
const ENDLESS = { startsAt: null, endsAt: null, keepMs: null }

const entryOf = (more: Partial<UsageEntry> = {}): UsageEntry => ({
  requestId: "q",
  attempt: 1,
  model: "m",
  reservedNanoUsd: 0,
  status: "denied",
  tokens: {},
  costNanoUsd: 0,
  costSource: "none",
  ...more,
})

function reserveIn(key: string, counters: (Partial<CounterRef> & { name: string; limit?: number })[]): ReserveRequest {
  return {
    partition: "main",
    key,
    fingerprint: "f",
    counters: counters.map((counter) => ({ ...ENDLESS, amount: 1, limit: null, onExpire: 0, ...counter })),
    leaseMs: 1_000,
    pendingEntry: entryOf({ status: "expired" }),
  }
}

const reserveOf = (key: string, names: string[]) =>
  reserveIn(
    key,
    names.map((name) => ({ name })),
  )

async function settle(store: BudgetStore, request: ReserveRequest, amount = 1) {
  const { partition, key, fingerprint } = request
  return store.settle({
    partition,
    key,
    fingerprint,
    outcome: "settled",
    revision: 0,
    counters: request.counters.map(({ name, startsAt, endsAt, keepMs }) => ({
      name,
      startsAt,
      endsAt,
      keepMs,
      reserved: 1,
      amount,
    })),
    expiresAt: START + 1_000,
    entry: entryOf({ status: "succeeded" }),
  })
}

async function expireAll(store: BudgetStore, partition: string) {
  for (;;) {
    const { due } = await store.listDue({ partition, limit: 64 })
    if (due.length === 0) return
    for (const { key, counters } of due) await store.expire({ partition, key, counters })
  }
}

describe("a memory store that is full", () => {
  it("fails, forgets no key that is held or younger than the retention, and accepts new ones later", async () => {
    let now = START
    const store = memoryStore({ now: () => now, retentionMs: 5_000, maxReservations: 3 })
    for (const key of ["a", "b", "c"])
      expect(await store.reserve(reserveOf(key, ["k"]))).toMatchObject({ status: "ok" })
    await expect(store.reserve(reserveOf("d", ["k"]))).rejects.toMatchObject({
      code: "store-unavailable",
      applied: "no",
      message: expect.stringContaining("Raise `maxReservations`"),
    })
    // Neither a retry of a held reservation nor a settle needs a new record.
    expect(await store.reserve(reserveOf("a", ["k"]))).toMatchObject({ status: "ok", replayed: true })
    expect(await settle(store, reserveOf("a", ["k"]))).toMatchObject({ status: "settled" })
    await expect(store.reserve(reserveOf("d", ["k"]))).rejects.toMatchObject({ code: "store-unavailable" })
    now += 6_100
    expect(await store.reserve(reserveOf("d", ["k"]))).toMatchObject({ status: "ok" })
    expect(store.size().reservations).toBeLessThanOrEqual(3)
    const { counters } = await store.read({ partition: "main", counters: ["k"] })
    expect(counters[0]).toMatchObject({ spent: 1, reserved: 3 })
  })

  it("accepts new keys as soon as the old ones are forgotten, however long nothing happened", async () => {
    let now = START
    const store = memoryStore({ now: () => now, retentionMs: 3_600_000, maxReservations: 50 })
    for (let index = 0; index < 50; index++) {
      const request = reserveOf(`a${index}`, ["k"])
      await store.reserve(request)
      await settle(store, request)
    }
    await expect(store.reserve(reserveOf("b", ["k"]))).rejects.toMatchObject({ code: "store-unavailable" })
    now += 4_000_000
    for (let index = 0; index < 50; index++)
      expect(await store.reserve(reserveOf(`b${index}`, ["k"]))).toMatchObject({ status: "ok" })
  })

  it("fails a call that needs a new counter, and keeps counting in existing ones", async () => {
    const store = memoryStore({ now: () => START, maxCounters: 2 })
    await store.reserve(reserveOf("a", ["k", "l"]))
    await expect(store.reserve(reserveOf("b", ["k", "m"]))).rejects.toMatchObject({
      code: "store-unavailable",
      applied: "no",
      message: expect.stringContaining("Raise `maxCounters`"),
    })
    expect(await store.reserve(reserveOf("b", ["k", "l"]))).toMatchObject({ status: "ok" })
    expect(store.size()).toMatchObject({ reservations: 2, counters: 2 })
    const { counters } = await store.read({ partition: "main", counters: ["k", "m"] })
    expect(counters).toMatchObject([{ reserved: 2 }, { reserved: 0 }])
  })

  it("counts adjustments as reservations", async () => {
    const store = memoryStore({ now: () => START, maxReservations: 2 })
    const adjust = (key: string) =>
      store.adjust({ partition: "main", key, counter: { ...ENDLESS, name: "k" }, kind: "granted", delta: 1 })
    await adjust("a")
    await adjust("b")
    await expect(adjust("c")).rejects.toMatchObject({ code: "store-unavailable", applied: "no" })
    await expect(store.reserve(reserveOf("d", ["k"]))).rejects.toMatchObject({ code: "store-unavailable" })
    expect(store.size()).toMatchObject({ adjustments: 2, reservations: 0 })
  })

  it("counts a key that comes again after it was forgotten once", async () => {
    let now = START
    const store = memoryStore({ now: () => now, retentionMs: 1_000, maxReservations: 2, maxEntries: 0 })
    for (let round = 0; round < 50; round++) {
      const request = reserveOf("same", ["k"])
      expect(await store.reserve(request)).toMatchObject({ status: "ok", replayed: false })
      await settle(store, request)
      now += 2_001
      expect(store.size().reservations).toBeLessThanOrEqual(2)
    }
    now += 10_000
    await store.read({ partition: "main", counters: [] })
    expect(store.size().reservations).toBe(0)
  })

  it("keeps what it admits when the records deleted for it include the partition and the old key of the call", async () => {
    let now = START
    const retentionMs = 6_400
    const store = memoryStore({ now: () => now, retentionMs, maxReservations: 66, maxEntries: 0 })
    const late = Array.from({ length: 65 }, (_, index) => `late${index}`)
    for (const key of late) await store.reserve(reserveOf(key, ["k"]))
    now += 1_000
    await expireAll(store, "main")
    now += 1_000
    const other = { ...reserveIn("a", [{ name: "k", keepMs: 1_000, limit: 1 }]), partition: "other", leaseMs: 1 }
    await store.reserve(other)
    now += 1
    await expireAll(store, "other")
    now += retentionMs - 1_500
    for (const key of late) await settle(store, reserveOf(key, ["k"]))
    now += 1_700
    expect(await store.reserve({ ...other, leaseMs: 1_000 })).toMatchObject({ status: "ok", replayed: false })
    expect(await store.reserve({ ...other, key: "b" })).toMatchObject({ status: "exceeded" })
    const { counters } = await store.read({ partition: "other", counters: ["k"] })
    expect(counters[0]).toMatchObject({ reserved: 1 })
  })

  it("drops the oldest usage entries and reports how many", async () => {
    const store = memoryStore({ now: () => START, maxEntries: 10 })
    const record = (target: BudgetStore, index: number, entry: UsageEntry) =>
      target.ledger!.record({ partition: "main", key: `i${index}`, entry })
    const list = (target: BudgetStore) =>
      target.ledger!.list({ partition: "main", filter: {}, cursor: null, limit: 100, newestFirst: false })
    for (let index = 0; index < 25; index++) await record(store, index, entryOf())
    const page = await list(store)
    expect([page.entries.length, page.dropped, store.size().entries]).toEqual([10, 15, 10])
    expect(page.entries.map(({ idempotencyKey }) => idempotencyKey)).toContain("i24")
    const small = memoryStore({ maxContentChars: 150_000 })
    for (let index = 0; index < 5; index++) await record(small, index, entryOf({ prompt: "x".repeat(60_000) }))
    expect((await list(small)).dropped).toBe(3)
  })

  it("drops the right entries after a prune", async () => {
    let now = START
    const store = memoryStore({ now: () => now, maxEntries: 3 })
    const record = (key: string) => store.ledger!.record({ partition: "main", key, entry: entryOf() })
    for (const key of ["a", "b", "c"]) await record(key)
    now++
    expect(await store.ledger!.prune({ partition: "main", before: now })).toEqual({ removed: 3 })
    for (const key of ["b", "d", "e"]) await record(key)
    now++
    await record("f")
    const filter = {}
    const page = await store.ledger!.list({ partition: "main", filter, cursor: null, limit: 10, newestFirst: false })
    expect(page.entries.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["d", "e", "f"])
    expect(page.dropped).toBe(1)
  })
})

it("keeps no ledger when `maxEntries` is 0", async () => {
  const store = memoryStore({ maxEntries: 0 })
  expect(store.ledger).toBeUndefined()
  const request = reserveOf("a", ["k"])
  await store.reserve(request)
  expect(await settle(store, request)).toMatchObject({ status: "settled" })
  expect(store.size().entries).toBe(0)
})

it("rejects options that are unknown or out of range", () => {
  expect(() => memoryStore({ retentionMS: 5 } as never)).toThrow("Did you mean `retentionMs`?")
  expect(() => memoryStore({ maxCounters: 0 })).toThrow("Invalid `maxCounters`")
  expect(() => memoryStore({ now: 5 as never })).toThrow("Invalid `now`")
})

it("keeps its size over 100,000 users whose windows end", async () => {
  let now = START
  const store = memoryStore({ now: () => now, retentionMs: 1_000, maxEntries: 1_000 })
  let most = 0
  for (let user = 0; user < 100_000; user++) {
    const startsAt = Math.floor(now / 1_000) * 1_000
    const window = { startsAt, endsAt: startsAt + 1_000 }
    const request = { ...reserveIn(`r${user}`, [{ name: `u=${user}|usd|${startsAt}`, ...window }]), leaseMs: 500 }
    await store.reserve(request)
    await settle(store, request)
    if (user % 10 === 0) now++
    const { reservations, counters } = store.size()
    most = Math.max(most, reservations + counters)
  }
  // Ten users per millisecond, two records each, kept for at most about three seconds.
  expect(most).toBeLessThan(100_000)
})

it("forgets partitions that are empty", async () => {
  let now = START
  const store = memoryStore({ now: () => now, retentionMs: 1_000, maxEntries: 0 })
  for (let index = 0; index < 1_000; index++) {
    const window = { startsAt: 0, endsAt: START + 1_000 }
    const request = { ...reserveIn("a", [{ name: "k", ...window }]), partition: `p${index}` }
    await store.reserve(request)
    await settle(store, request)
  }
  for (let index = 0; index < 100; index++) {
    now += 10_000
    await store.read({ partition: "main", counters: [] })
  }
  expect(store.size()).toEqual({ reservations: 0, counters: 0, adjustments: 0, entries: 0 })
})
