import { describe, expect, it } from "vitest"
import { createBudget, memoryStore, type UsageEntry } from "../src"
import { reserved } from "./budget-world"

const limits = [{ scope: "total", limit: null }] as const
const LONG = "x".repeat(20_000)
const attempt = { attempt: 1, reservedNanoUsd: 1, tokens: {}, costNanoUsd: 1, costSource: "table" } as const
const entryOf = (more: Partial<UsageEntry>): UsageEntry => ({
  ...attempt,
  ...{ requestId: "r", model: "m", status: "succeeded" },
  ...more,
})

describe("long strings in the ledger", () => {
  it("are bounded wherever they come from, and still found and distinguished", async () => {
    const store = memoryStore()
    const budget = createBudget({ store, limits })
    const [one, other] = [`${LONG}1`, `${LONG}2`]
    for (const [index, value] of [one, other].entries()) {
      const identity = { userId: value, clientId: value, model: value, tags: { [value]: value, team: value } }
      const subject = { ...identity, requestId: value }
      const own = await reserved(budget, { subject, amount: { nanoUsd: 1 } })
      const entry = entryOf({
        ...identity,
        provider: value,
        modelUsed: value,
        errorCode: value,
        generationId: value,
        mode: value,
      })
      const given = await reserved(budget, { subject, amount: { nanoUsd: 1 }, entry })
      const released = await reserved(budget, { subject, amount: { nanoUsd: 1 } })
      await own.settle({ nanoUsd: 1 })
      await given.settle({ nanoUsd: 1 }, entry)
      await released.release({ ...entry, status: "released" })
      await budget.usage.record(`denied${index}`, { ...entry, status: "denied", costNanoUsd: 0 })
    }
    const { entries } = await budget.usage.list({ limit: 100 })
    expect(entries).toHaveLength(8)
    for (const entry of entries) expect(JSON.stringify(entry).length).toBeLessThan(4_000)
    for (const value of [one, other])
      for (const filter of [
        { userId: value },
        { clientId: value },
        { model: value },
        { tag: { name: "team", value: value } },
        { tag: { name: value, value: value } },
      ])
        expect((await budget.usage.list({ filter })).entries).toHaveLength(4)
    expect(await budget.usage.totals({ groupBy: ["userId"] })).toMatchObject([{ attempts: 4 }, { attempts: 4 }])
    expect(await budget.usage.totals({ groupBy: [{ tag: one }] })).toMatchObject([{ attempts: 4 }, { attempts: 4 }])
    expect(await budget.usage.get(one)).toHaveLength(1)
  })

  it("are bounded in expired attempts and corrections too", async () => {
    let now = 1_000_000
    const budget = createBudget({ store: memoryStore({ now: () => now }), limits, leaseMs: 1_000 })
    await budget.reserve({ subject: { userId: LONG }, amount: { nanoUsd: 1 } })
    now += 100_000
    await budget.sweep()
    const [entry] = (await budget.usage.list({ filter: { userId: LONG } })).entries
    expect(entry).toMatchObject({ status: "expired" })
    await budget.correct({ entry: entry!, cost: { nanoUsd: 2 }, changes: { modelUsed: LONG } })
    const [corrected] = (await budget.usage.list({ filter: { userId: LONG } })).entries
    expect(corrected).toMatchObject({ costNanoUsd: 2, revision: 1, userId: entry!.userId })
    expect(JSON.stringify(corrected).length).toBeLessThan(4_000)
  })

  it("are hashed, and a string that looks like such a hash is another one", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const plain = { userId: "sha256:ann", clientId: "é", tags: { team: "search", __proto__x: "\0" }, model: "m" }
    await budget.usage.record("a", entryOf(plain))
    expect((await budget.usage.list()).entries).toMatchObject([plain])
    await budget.usage.record("b", entryOf({ userId: LONG }))
    const long = (await budget.usage.list({ filter: { userId: LONG } })).entries[0]!.userId!
    await budget.usage.record("c", entryOf({ userId: long }))
    expect(
      (await budget.usage.list({ filter: { userId: LONG } })).entries.map(({ idempotencyKey }) => idempotencyKey),
    ).toEqual(["b"])
    expect(
      (await budget.usage.list({ filter: { userId: long } })).entries.map(({ idempotencyKey }) => idempotencyKey),
    ).toEqual(["c"])
  })

  it("of a request id are found by the id that was given, and by the one in the entries", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    for (const requestId of ["order 7", "é", "plain", LONG, "sha256:plain"]) {
      await (await reserved(budget, { subject: { requestId }, amount: { nanoUsd: 1 } })).settle({ nanoUsd: 1 })
      const [entry, ...more] = await budget.usage.get(requestId)
      expect(more).toEqual([])
      expect(await budget.usage.get(entry!.requestId)).toEqual([entry])
      expect((await budget.usage.list({ filter: { requestId } })).entries).toEqual([entry])
    }
  })

  it("beyond 32 tags or a million characters are a usage error before anything is reserved", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const many = Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`t${index}`, "v"]))
    const endless = "x".repeat(1_048_577)
    for (const subject of [{ tags: many }, { userId: endless }, { model: endless }, { tags: { a: endless } }])
      await expect(budget.reserve({ subject, amount: { nanoUsd: 1 } })).rejects.toMatchObject({ kind: "usage" })
    expect(await budget.status()).toMatchObject([{ reserved: 0, spent: 0 }])
  })
})

describe("a query", () => {
  it("with an unknown name is a usage error: it would find everything", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const { usage } = budget
    const wrong: [string, () => Promise<unknown>][] = [
      ["Did you mean `userId`?", () => usage.list({ filter: { user: "ann" } as never })],
      ["Did you mean `userId`?", () => usage.totals({ filter: { userid: "ann" } as never })],
      ["Did you mean `userId`?", () => usage.export({ userID: "ann" } as never).next()],
      ["Did you mean `filter`?", () => usage.list({ filters: {} } as never)],
      ["Did you mean `groupBy`?", () => usage.totals({ groupby: ["model"] } as never)],
      ["Did you mean `subject`?", () => usage.get("r", { subjects: {} } as never)],
      ["Did you mean `userId`?", () => usage.list({ subject: { user: "ann" } as never })],
      ["filter.userId", () => usage.list({ filter: { userId: 5 } as never })],
      ["filter.tag", () => usage.list({ filter: { tag: "team" } as never })],
      ["filter.status", () => usage.list({ filter: { status: "paid" } as never })],
    ]
    for (const [message, query] of wrong) await expect(query(), message).rejects.toThrow(message)
  })
})
