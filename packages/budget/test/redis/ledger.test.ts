import { describe, expect, it } from "vitest"
import type { UsageEntry } from "../../src/ledger"
import { cell, reserveRequest, settleRequest } from "../../src/testing/requests"
import { noServer, serverAndStore } from "./own-server"

const ROOT = "main"
/** No test here is about the timeout, and the machine may be busy. */
const PATIENT = { timeoutMs: 20_000 }
const START = Date.UTC(2060, 0, 1)
const entryOf = (requestId: string, more: Partial<UsageEntry> = {}): UsageEntry => ({
  requestId,
  attempt: 1,
  model: "m",
  reservedNanoUsd: 0,
  status: "refused",
  tokens: {},
  costNanoUsd: 0,
  costSource: "none",
  ...more,
})

describe.skipIf(noServer)("the ledger's chunks", () => {
  it("are closed when they are full, and a request is found in each of them, first and later", async () => {
    let now = START
    const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const record = async (id: string, entry: UsageEntry) => {
      now += 1
      await store.ledger!.record({ root: ROOT, id, entry })
    }
    const count = 1_300
    // Two requests whose entries lie in all chunks; one has a name that only JSON keeps apart, another a tag of that name.
    const names = ["often", 'a "quoted" one', ...Array.from({ length: 98 }, (_, index) => `q${index}`)]
    for (let index = 0; index < count; index++) {
      await record(`r${index}`, entryOf(names[index % 100]!, { tags: { requestId: "q5" }, attempt: index + 1 }))
    }
    expect(await client.zcard(`p2:5:{${ROOT}}:u:i`)).toBe(3)
    for (let round = 0; round < 2; round++) {
      for (const [index, requestId] of [names[0]!, names[1]!, "q5", "nobody"].entries()) {
        const found = await store.ledger!.get({ root: ROOT, requestId })
        expect(found.map((entry) => entry.requestId)).toEqual(Array(index === 3 ? 0 : 13).fill(requestId))
      }
    }
    const places = (await client.keys(`p2:5:{${ROOT}}:u:y:*`)).sort()
    expect(places).toHaveLength(2)
    for (const key of places) expect(await client.pttl(key)).toBeGreaterThan(0)

    const user = { root: ROOT, filter: { requestId: "often" }, limit: 5, order: "newest" } as const
    const first = await store.ledger!.list(user)
    const second = await store.ledger!.list({ ...user, cursor: first.cursor! })
    expect([...first.entries, ...second.entries].map((entry) => entry.attempt)).toEqual(
      [12, 11, 10, 9, 8, 7, 6, 5, 4, 3].map((hundred) => hundred * 100 + 1),
    )
    // What is pruned is gone from the middle of a chunk, and from chunks that leave as a whole.
    expect(await store.ledger!.prune({ root: ROOT, before: START + 601 })).toEqual({ removed: 600 })
    expect(await client.zcard(`p2:5:{${ROOT}}:u:i`)).toBe(2)
    const left = await store.ledger!.get({ root: ROOT, requestId: "often" })
    expect(left.map((entry) => entry.attempt)).toEqual([601, 701, 801, 901, 1_001, 1_101, 1_201])
    const totals = await store.ledger!.totals({ root: ROOT, filter: {}, groupBy: [] })
    expect(totals).toMatchObject([{ attempts: count - 600 }])
  })

  it("keep order and every entry when the clock goes back", async () => {
    let now = START + 10_000
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    for (let index = 0; index < 1_100; index++) {
      if (index === 300 || index === 800) now -= 5_000
      now += 1
      await store.ledger!.record({ root: ROOT, id: `r${index}`, entry: entryOf("q") })
    }
    const { entries } = await store.ledger!.list({ root: ROOT, filter: {}, limit: 1_000 })
    expect(new Set(entries.map((entry) => entry.id)).size).toBe(1_000)
    expect(entries.map((entry) => entry.at)).toEqual(entries.map((entry) => entry.at).sort((a, b) => a - b))
    expect(await store.ledger!.get({ root: ROOT, requestId: "q" })).toHaveLength(1_100)
  })

  it("one entry an id: a refusal that was recorded gives way to the settle of the same id, and to no later record", async () => {
    const { store } = await serverAndStore({ store: PATIENT })
    await store.ledger!.record({ root: ROOT, id: "r1", entry: entryOf("q1") })
    const request = reserveRequest(ROOT, "r1", [cell("a", 5, 10)])
    await store.reserve(request)
    await store.settle(settleRequest(request, [3], { entry: entryOf("q1", { status: "succeeded", costNanoUsd: 3 }) }))
    await store.ledger!.record({ root: ROOT, id: "r1", entry: entryOf("q1") })
    expect(await store.ledger!.get({ root: ROOT, requestId: "q1" })).toMatchObject([
      { id: "r1", status: "succeeded", charges: { a: 3 } },
    ])
  })

  it("keep a long prompt apart, so that a chunk stays short, and give it back", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    const prompt = "é".repeat(20_000)
    const request = reserveRequest(ROOT, "r1", [cell("a", 5, 10)])
    await store.reserve(request)
    await store.settle(settleRequest(request, [3], { entry: entryOf("q1", { prompt, answer: "yes", userId: "u" }) }))
    const [stored] = await store.ledger!.get({ root: ROOT, requestId: "q1" })
    expect([stored!.prompt === prompt, stored!.answer, stored!.userId]).toEqual([true, "yes", "u"])
    const [chunk] = await client.keys("*:u:x:*")
    expect((await client.lindex(chunk!, 1))!.length).toBeLessThan(500)
    expect(await client.pttl(`p2:5:{${ROOT}}:u:b:r1`)).toBeGreaterThan(0)
    await store.ledger!.prune({ root: ROOT, before: Date.now() + 86_400_000 })
    expect(await client.exists(`p2:5:{${ROOT}}:u:b:r1`)).toBe(0)
  })
})
