import { describe, expect, it } from "vitest"
import { type BudgetStore, memoryStore } from "../src"

const START = 1_000_000
const cell = (key: string, amount = 1) => ({
  key,
  startsAt: null,
  endsAt: null,
  keepMs: null,
  amount,
  limit: null,
  onExpire: 0,
})
const ask = (id: string, keys: string[]) => ({
  root: "main",
  id,
  fingerprint: "f",
  cells: keys.map((key) => cell(key)),
  leaseMs: 1_000,
})

async function settle(store: BudgetStore, id: string, keys: string[], amount = 1) {
  const cells = keys.map((key) => ({ ...cell(key, amount), reserved: 1 }))
  return store.settle({
    root: "main",
    id,
    fingerprint: "f",
    outcome: "commit",
    revision: 0,
    cells,
    expiresAt: START + 1_000,
  })
}

describe("a memory store that is full", () => {
  it("refuses, forgets no open id, and takes new ones when old ones have left", async () => {
    let now = START
    const store = memoryStore({ clock: () => now, retentionMs: 5_000, maxIds: 3 })
    for (const id of ["a", "b", "c"]) expect(await store.reserve(ask(id, ["k"]))).toMatchObject({ result: "ok" })
    await expect(store.reserve(ask("d", ["k"]))).rejects.toMatchObject({ code: "unavailable", applied: "no" })
    // A retry of what is open needs no room; nor does a settle.
    expect(await store.reserve(ask("a", ["k"]))).toMatchObject({ result: "ok", replayed: true })
    expect(await settle(store, "a", ["k"])).toMatchObject({ result: "committed" })
    await expect(store.reserve(ask("d", ["k"]))).rejects.toMatchObject({ code: "unavailable" })
    // Ids leave up to a 64th of the retention late.
    now += 6_100
    expect(await store.reserve(ask("d", ["k"]))).toMatchObject({ result: "ok" })
    expect(store.size().ids).toBeLessThanOrEqual(3)
    expect((await store.read({ root: "main", keys: ["k"] })).cells[0]).toMatchObject({ spent: 1, reserved: 1 })
  })

  it("refuses a new cell, and counts on in those that it has", async () => {
    const store = memoryStore({ clock: () => START, maxCells: 2 })
    await store.reserve(ask("a", ["k", "l"]))
    await expect(store.reserve(ask("b", ["k", "m"]))).rejects.toMatchObject({ code: "unavailable", applied: "no" })
    expect(await store.reserve(ask("b", ["k", "l"]))).toMatchObject({ result: "ok" })
    expect(store.size()).toMatchObject({ ids: 2, cells: 2 })
  })

  it("takes the place of an id that is over without counting it twice", async () => {
    let now = START
    const store = memoryStore({ clock: () => now, retentionMs: 1_000, maxIds: 2 })
    for (let round = 0; round < 50; round++) {
      expect(await store.reserve(ask("same", ["k"]))).toMatchObject({ result: "ok", replayed: false })
      await settle(store, "same", ["k"])
      now += 2_001
      expect(store.size().ids).toBeLessThanOrEqual(2)
    }
    now += 10_000
    await store.sweep({ root: "main", max: 1 })
    expect(store.size().ids).toBe(0)
  })

  it("keeps what it admits when making room took the root and the old id of the call", async () => {
    let now = START
    const retentionMs = 6_400
    const store = memoryStore({ clock: () => now, retentionMs, maxIds: 66 })
    const late = Array.from({ length: 65 }, (_, index) => `late${index}`)
    for (const id of late) await store.reserve(ask(id, ["k"]))
    now += 1_000
    await store.sweep({ root: "main", max: 100 })
    now += 1_000
    const other = { ...ask("a", []), root: "other", cells: [{ ...cell("k"), keepMs: 1_000, limit: 1 }] }
    await store.reserve({ ...other, leaseMs: 1 })
    now += 1
    await store.sweep({ root: "other", max: 1 })
    now += retentionMs - 1_500
    // They stay longer than the queue thinks, and an operation that looks at a few of them finds nothing to forget.
    for (const id of late) await settle(store, id, ["k"])
    now += 1_700
    expect(store.size().ids).toBe(66)
    expect(store.size().cells).toBe(1)
    expect(await store.reserve(other)).toMatchObject({ result: "ok", replayed: false })
    expect(await store.reserve({ ...other, id: "b" })).toMatchObject({ result: "exceeded" })
    expect((await store.read({ root: "other", keys: ["k"] })).cells[0]).toMatchObject({ reserved: 1 })
  })

  it("drops the oldest usage entries and says how many", async () => {
    const store = memoryStore({ clock: () => START, maxEntries: 10 })
    const entry = {
      requestId: "q",
      attempt: 1,
      model: "m",
      reservedNanoUsd: 0,
      status: "refused",
      tokens: {},
      costNanoUsd: 0,
      costSource: "none",
    } as const
    for (let index = 0; index < 25; index++) await store.ledger!.record({ root: "main", id: `i${index}`, entry })
    const page = await store.ledger!.list({ root: "main", filter: {}, limit: 100 })
    expect([page.entries.length, page.dropped, store.size().entries]).toEqual([10, 15, 10])
    const text = "x".repeat(60_000)
    const small = memoryStore({ maxContentChars: 150_000 })
    for (let index = 0; index < 5; index++)
      await small.ledger!.record({ root: "main", id: `i${index}`, entry: { ...entry, prompt: text } })
    expect((await small.ledger!.list({ root: "main", filter: {}, limit: 100 })).dropped).toBe(3)
  })
})

it("keeps its size over 200,000 users whose windows end", async () => {
  let now = START
  const store = memoryStore({ clock: () => now, retentionMs: 1_000 })
  let most = 0
  for (let user = 0; user < 200_000; user++) {
    const startsAt = Math.floor(now / 1_000) * 1_000
    const cells = [{ ...cell(`u=${user}|nanoUsd|every.1000.${startsAt}`), startsAt, endsAt: startsAt + 1_000 }]
    await store.reserve({ ...ask(`r${user}`, []), cells, leaseMs: 500 })
    await settle(store, `r${user}`, [cells[0]!.key])
    if (user % 10 === 0) now++
    const { ids, cells: held } = store.size()
    most = Math.max(most, ids + held)
  }
  // Ten users a millisecond, two records each, kept for at most about three seconds.
  expect(most).toBeLessThan(100_000)
})
