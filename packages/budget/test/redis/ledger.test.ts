import { describe, expect, it } from "vitest"
import { memoryStore } from "../../src/memory/memory-store"
import type { BudgetStore } from "../../src/store/budget-store"
import { checkedStore } from "../../src/store/checked-store"
import { createRandom } from "../../src/testing/random"
import { counter, reserveRequest, settleRequest, usageEntry } from "../../src/testing/requests"
import type { UsageEntry } from "../../src/usage/entry"
import { noServer, PATIENT, serverAndStore } from "./own-server"

const START = Date.UTC(2060, 0, 1)
const DAY_MS = 86_400_000
const LEASE_MS = 1_000
const denied = (requestId: string, more: Partial<UsageEntry> = {}) =>
  usageEntry(requestId, 0, { status: "denied", costSource: "none", tokens: {}, ...more })
const request = (key: string) => reserveRequest("main", key, [counter("a", 5)], { leaseMs: LEASE_MS })
const all = { partition: "main", filter: {}, cursor: null, limit: 1_000, newestFirst: false }

describe.skipIf(noServer)("the ledger in Redis", () => {
  it("pages through more entries than one step reads, in order, in both directions, many in one millisecond", async () => {
    let now = START
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const count = 1_300
    for (let index = 0; index < count; index++) {
      if (index % 450 === 0) now += 1
      await store.ledger!.record({ partition: "main", key: `r${index}`, entry: denied(`q${index % 100}`) })
    }
    for (const newestFirst of [false, true]) {
      const seen: string[] = []
      let cursor: string | null = null
      do {
        const page = await store.ledger!.list({ ...all, limit: 70, newestFirst, cursor })
        seen.push(...page.entries.map(({ at, idempotencyKey }) => `${at} ${idempotencyKey}`))
        cursor = page.cursor
      } while (cursor !== null)
      expect(new Set(seen).size).toBe(count)
      expect(seen).toHaveLength(count)
      const sorted = [...seen].sort()
      expect(seen).toEqual(newestFirst ? sorted.reverse() : sorted)
    }
    const found = await store.ledger!.get({ partition: "main", requestId: "q7" })
    expect(found).toHaveLength(13)
    const totals = await store.ledger!.totals({ partition: "main", filter: {}, groupBy: [], buckets: null })
    expect(totals).toMatchObject([{ denied: count, requests: 100 }])
  })

  it("the next page continues after the last one, even if its last entry was pruned or new ones came", async () => {
    let now = START
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const record = (key: string) => store.ledger!.record({ partition: "main", key, entry: denied("q") })
    for (const key of ["b", "d", "f"]) await record(key)
    now += 10
    for (const key of ["h", "j"]) await record(key)
    const first = await store.ledger!.list({ ...all, limit: 2 })
    expect(first.entries.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["b", "d"])
    expect(await store.ledger!.prune({ partition: "main", before: START + 1 })).toEqual({ removed: 3 })
    await record("g")
    const rest = await store.ledger!.list({ ...all, cursor: first.cursor })
    expect(rest.entries.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["g", "h", "j"])
  })

  it("prunes in steps, and deletes the keys of the pruned entries", async () => {
    let now = START
    const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    for (let index = 0; index < 500; index++) {
      now += 1
      await store.ledger!.record({ partition: "main", key: `r${index}`, entry: denied("q") })
    }
    expect(await store.ledger!.prune({ partition: "main", before: START + 401 })).toEqual({ removed: 400 })
    expect(await client.keys("*:e:*")).toHaveLength(100)
    expect(await client.zcard("p2:{main}:entries")).toBe(100)
  })

  it("keeps entries for their retention; a settle removes keys from the index that Redis has deleted", async () => {
    let now = START
    const { client, store } = await serverAndStore({
      store: { ...PATIENT, ledgerRetentionMs: DAY_MS, now: () => now },
    })
    for (const key of ["r1", "r2"]) await store.settle(settleRequest(request(key), [1]))
    expect(await client.pexpiretime("p2:{main}:e:r1")).toBe(START + 8 * DAY_MS)
    now += DAY_MS
    expect((await store.ledger!.list(all)).entries).toEqual([])
    // Forgotten, but still stored within the margin for wrong clocks; prune removes it nevertheless.
    expect(await client.exists("p2:{main}:e:r1")).toBe(1)
    expect(await store.ledger!.prune({ partition: "main", before: now })).toEqual({ removed: 2 })
    expect(await client.exists("p2:{main}:e:r1")).toBe(0)
    await store.settle(settleRequest(request("r3"), [1]))
    now += 8 * DAY_MS + 1
    await store.settle(settleRequest(request("r4"), [1]))
    expect(await client.zrange("p2:{main}:entries", "0", "-1")).toEqual(["r4"])
  })

  it("returns every string unchanged: lone surrogates, NUL, quotes, long prompts", async () => {
    const { store } = await serverAndStore({ store: PATIENT })
    const texts = ["\ud800", "a\u0000b", '"],"charges":{', "é".repeat(20_000), "\n\r\t", "__proto__"]
    for (const [index, text] of texts.entries()) {
      const entry = usageEntry(`q${index}`, 1, {
        prompt: text,
        answer: text,
        tags: { [text.slice(0, 8)]: text.slice(0, 99) },
      })
      await store.settle(settleRequest(request(`r${index}`), [1], { entry }))
      const [stored] = await store.ledger!.get({ partition: "main", requestId: `q${index}` })
      expect(stored).toEqual({
        ...entry,
        idempotencyKey: `r${index}`,
        at: stored!.at,
        revision: 0,
        state: "settled",
        charges: { a: 1 },
      })
      await store.ledger!.record({ partition: "main", key: `d${index}`, entry: denied(`d${index}`, { prompt: text }) })
      await store.ledger!.record({ partition: "main", key: `d${index}`, entry: denied(`d${index}`, { count: 3 }) })
      const [counted] = await store.ledger!.get({ partition: "main", requestId: `d${index}` })
      expect([counted!.count, counted!.prompt]).toEqual([4, text])
    }
  })

  /** What may happen to a key, in any order. */
  const STEPS: Record<string, (store: BudgetStore, key: string) => Promise<unknown>> = {
    record: (store, key) => store.ledger!.record({ partition: "main", key, entry: denied("q") }),
    reserve: (store, key) => store.reserve(request(key)),
    settle: (store, key) => store.settle(settleRequest(request(key), [3])),
    correct: (store, key) => store.settle(settleRequest(request(key), [4], { revision: 1 })),
    release: (store, key) => store.settle(settleRequest(request(key), [], { outcome: "released" })),
    extend: (store, key) => store.extend({ partition: "main", key, leaseMs: 2 * LEASE_MS }),
    expire: (store, key) => store.expire({ partition: "main", key, counters: ["a"] }),
  }

  it("a key has one entry, whatever happens to it before and after, as in memory", async () => {
    let now = START
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const reference = checkedStore(memoryStore({ now: () => now }))
    const random = createRandom(7)
    const names = Object.keys(STEPS)
    for (let round = 0; round < 400; round++) {
      const done: string[] = []
      for (let step = 0; step < 6; step++) {
        const name = random.chance(0.25) ? "record" : random.pick(names)
        done.push(name)
        const reply = await STEPS[name]!(store, `r${round}`)
        expect([done, reply]).toEqual([done, await STEPS[name]!(reference, `r${round}`)])
        now += random.chance(0.3) ? LEASE_MS : 1
      }
      now += 2 * LEASE_MS
      for (const one of [store, reference]) await STEPS.expire!(one, `r${round}`)
    }
    expect((await store.ledger!.list(all)).entries).toEqual((await reference.ledger!.list(all)).entries)
    const counters = { partition: "main", counters: ["a"] }
    expect(await store.read(counters)).toEqual(await reference.read(counters))
  })

  it("an entry that was recorded and pruned is written again", async () => {
    let now = START
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    await STEPS.record!(store, "r1")
    await STEPS.record!(store, "r2")
    now += 1
    await STEPS.record!(store, "r3")
    expect(await store.ledger!.prune({ partition: "main", before: now })).toEqual({ removed: 2 })
    await STEPS.record!(store, "r1")
    await STEPS.record!(store, "r3")
    await STEPS.reserve!(store, "r2")
    await STEPS.settle!(store, "r2")
    const { entries } = await store.ledger!.list(all)
    expect(entries.map(({ idempotencyKey, status, count }) => [idempotencyKey, status, count])).toEqual([
      ["r1", "denied", undefined],
      ["r2", "succeeded", undefined],
      ["r3", "denied", 2],
    ])
  })

  it("a denial is recorded even if the key's reservation is damaged, and does not change it", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.set("p2:{main}:r:r1", "nonsense")
    await STEPS.record!(store, "r1")
    expect((await store.ledger!.list(all)).entries).toHaveLength(1)
    expect(await client.get("p2:{main}:r:r1")).toBe("nonsense")
  })
})
