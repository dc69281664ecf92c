import { describe, expect, it } from "vitest"
import type { UsageEntry } from "../../src/ledger"
import { memoryStore } from "../../src/memory-store"
import type { BudgetStore } from "../../src/store"
import { createRandom } from "../../src/testing/random"
import { cell, reserveRequest, settleRequest } from "../../src/testing/requests"
import { failureOf, noServer, serverAndStore } from "./own-server"

const ROOT = "main"
/** No test here is about the timeout, and the machine may be busy. */
const PATIENT = { timeoutMs: 20_000 }
const START = Date.UTC(2060, 0, 1)
const LEASE_MS = 1_000
const draft = { requestId: "q", attempt: 1, model: "m", reservedNanoUsd: 5 }
const refused: UsageEntry = { ...draft, status: "refused", tokens: {}, costNanoUsd: 0, costSource: "none" }
const spent: UsageEntry = { ...refused, status: "succeeded", costNanoUsd: 3, costSource: "table" }
const request = (id: string) => reserveRequest(ROOT, id, [cell("a", 5)], { leaseMs: LEASE_MS, draft })

/** What may happen to an id, in any order. */
const STEPS: Record<string, (store: BudgetStore, id: string) => Promise<unknown>> = {
  record: (store, id) => store.ledger!.record({ root: ROOT, id, entry: refused }),
  reserve: (store, id) => store.reserve(request(id)),
  commit: (store, id) => store.settle(settleRequest(request(id), [3], { entry: spent })),
  correct: (store, id) => store.settle(settleRequest(request(id), [4], { revision: 1 })),
  release: (store, id) => store.settle(settleRequest(request(id), [], { outcome: "release" })),
  extend: (store, id) => store.extend({ root: ROOT, id, leaseMs: 2 * LEASE_MS }),
  sweep: (store) => store.sweep({ root: ROOT, max: 10 }),
}

async function entriesOf(store: BudgetStore) {
  return (await store.ledger!.list({ root: ROOT, filter: {}, limit: 1_000 })).entries
}

describe.skipIf(noServer)("an entry that `record` wrote of an id", () => {
  it("stays the id's one entry, whatever happens to the id before and after, as in memory", async () => {
    let now = START
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const reference = memoryStore({ clock: () => now })
    const random = createRandom(7)
    const names = Object.keys(STEPS)
    for (let round = 0; round < 400; round++) {
      const done: string[] = []
      for (let step = 0; step < 6; step++) {
        const name = random.chance(0.25) ? "record" : random.pick(names)
        done.push(name)
        const told = await STEPS[name]!(store, `r${round}`)
        expect([done, told]).toEqual([done, await STEPS[name]!(reference, `r${round}`)])
        now += random.chance(0.3) ? LEASE_MS : 1
      }
      await store.sweep({ root: ROOT, max: 10 })
      await reference.sweep({ root: ROOT, max: 10 })
      now += 2 * LEASE_MS
    }
    expect(await entriesOf(store)).toEqual(await entriesOf(reference))
    const cells = { root: ROOT, keys: ["a"] }
    expect(await store.read(cells)).toEqual(await reference.read(cells))
  })

  it("is written again once it was pruned", async () => {
    let now = START
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    await STEPS.record!(store, "r1")
    await STEPS.record!(store, "r2")
    now += 1
    await STEPS.record!(store, "r3")
    expect(await store.ledger!.prune({ root: ROOT, before: now })).toEqual({ removed: 2 })
    await STEPS.record!(store, "r1")
    await STEPS.record!(store, "r3")
    await STEPS.reserve!(store, "r2")
    await STEPS.commit!(store, "r2")
    expect((await entriesOf(store)).map(({ id, status }) => [id, status])).toEqual([
      ["r1", "refused"],
      ["r2", "succeeded"],
      ["r3", "refused"],
    ])
  })

  it("is written also where the id's key is damaged, which is left as it is", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.set(`p2:5:{${ROOT}}:r:r1`, "nonsense")
    await client.sadd(`p2:5:{${ROOT}}:r:r2`, "x")
    for (const id of ["r1", "r2"]) {
      await STEPS.record!(store, id)
      expect(await failureOf(store.reserve(request(id)))).toMatchObject({ code: "corrupt", applied: "no" })
    }
    expect(await entriesOf(store)).toHaveLength(2)
    expect(await client.get(`p2:5:{${ROOT}}:r:r1`)).toBe("nonsense")
    expect(await client.smembers(`p2:5:{${ROOT}}:r:r2`)).toEqual(["x"])
  })
})
