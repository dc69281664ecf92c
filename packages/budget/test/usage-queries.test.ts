import { describe, expect, it } from "vitest"
import { createBudget, memoryStore } from "../src"
import { budgetOn, NOON, reserved, USD, world } from "./budget-world"

const limits = [{ scope: "total", limit: null }] as const
const subject = { userId: "ada", clientId: "web" }

/** Three users: ada with 3 cheap attempts, bob with 1 expensive one, eve with 2. */
async function spent() {
  const budget = budgetOn(world(), { limits })
  for (const [userId, costs] of Object.entries({ ada: [0.1, 0.1, 0.1], bob: [2], eve: [0.4, 0.5] }))
    for (const cost of costs) {
      const subject = { userId, requestId: `of-${userId}`, tags: { team: userId === "bob" ? "ops" : "search" } }
      await (await reserved(budget, { subject, amount: 3 })).settle(cost)
    }
  return budget
}

describe("totals", () => {
  it("are ordered by group, or the largest first, and cut to the first rows", async () => {
    const { usage } = await spent()
    const users = async (query: object) =>
      (await usage.totals({ groupBy: ["userId"], ...query })).map(({ group }) => group[0])
    expect(await users({})).toEqual(["ada", "bob", "eve"])
    expect(await users({ orderBy: "costNanoUsd" })).toEqual(["bob", "eve", "ada"])
    expect(await users({ orderBy: "attempts" })).toEqual(["ada", "eve", "bob"])
    expect(await users({ orderBy: "requests" })).toEqual(["ada", "bob", "eve"])
    expect(await users({ orderBy: "costNanoUsd", limit: 2 })).toEqual(["bob", "eve"])
    expect(await users({ limit: 1 })).toEqual(["ada"])
    expect(await usage.totals({ groupBy: [{ tag: "team" }, "status"], orderBy: "costNanoUsd" })).toMatchObject([
      { group: ["ops", "succeeded"], costNanoUsd: 2 * USD },
      { group: ["search", "succeeded"], costNanoUsd: 1.2 * USD },
    ])
  })

  it.each([
    [{ groupBy: ["user"] }, 'Did you mean "userId"?'],
    [{ groupBy: ["client"] }, 'Did you mean "clientId"?'],
    [{ groupBy: ["userID"] }, 'Did you mean "userId"?'],
    [{ groupBy: ["tag"] }, 'Did you mean { tag: "team" }?'],
    [{ groupBy: ["day"] }, 'Did you mean `per: "day"`?'],
    [{ groupBy: ["bucket"] }, 'Did you mean `per: "day"`?'],
    [{ groupBy: ["provider", "color"] }, "Invalid `query.groupBy[1]`: expected one of userId, clientId"],
    [{ groupBy: [{ tga: "team" }] }, "Did you mean `tag`?"],
    [{ groupBy: "userId" }, "Invalid `query.groupBy`: expected an array"],
    [{ orderBy: "cost" }, "Invalid `query.orderBy`: expected one of group, costNanoUsd, requests, attempts"],
    [{ limit: 0 }, "Invalid `query.limit`"],
    [{ per: "total" }, "Invalid `query.per`"],
    [{ per: "1w" }, "Invalid `query.per`"],
    [{ timeZone: "Europe/Paris" }, "Invalid `query.timeZone`: expected absent without `per`"],
    [{ per: "day", timeZone: "Mars" }, "Invalid `query.timeZone`"],
    [{ filter: { tag: { name: "a", value: "b", vlaue: "c" } } }, "Did you mean `value`?"],
  ])("with %j are a usage error: %s", async (query, message) => {
    await expect(budgetOn(world(), { limits }).usage.totals(query as never)).rejects.toThrow(message)
  })
})

it("entries are pruned by a Date or by epoch milliseconds", async () => {
  const at = world()
  const budget = budgetOn(at, { limits })
  for (const hours of [0, 1, 2]) {
    at.now = NOON + hours * 3_600_000
    await (await reserved(budget, { amount: 1 })).settle(1)
  }
  expect(await budget.usage.prune(new Date(NOON + 1))).toEqual({ removed: 1 })
  expect(await budget.usage.prune(NOON + 3_600_001)).toEqual({ removed: 1 })
  for (const before of [new Date(Number.NaN), Number.NaN, "2026", undefined])
    await expect(budget.usage.prune(before as never)).rejects.toMatchObject({ argument: "before" })
})

it("list goes page by page, in either order, and rejects other orders", async () => {
  const { usage } = await spent()
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<typeof usage.list>> = await usage.list({ limit: 2, order: "newest", cursor })
    seen.push(...page.entries.map(({ idempotencyKey }) => idempotencyKey))
    cursor = page.cursor
  } while (cursor !== null)
  const { entries } = await usage.list()
  expect(seen).toEqual(entries.map(({ idempotencyKey }) => idempotencyKey).reverse())
  for (const query of [{ order: "oldest-first" }, { limit: 0 }, { limit: 1_001 }])
    await expect(usage.list(query as never)).rejects.toMatchObject({ kind: "usage" })
})

describe("usage", () => {
  it("sums by day of a time zone, exports lines and prunes", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: null }] })
    for (let hour = 0; hour < 48; hour++) {
      await (await reserved(budget, { subject, amount: { nanoUsd: 10 } })).settle({ nanoUsd: 10 })
      at.now += 3_600_000
    }
    const days = await budget.usage.totals({ per: "day", timeZone: "Asia/Kathmandu", groupBy: ["userId"] })
    expect(days.map(({ group, costNanoUsd }) => [group, costNanoUsd])).toEqual([
      [[Date.UTC(2026, 2, 1, 18, 15), "ada"], 70],
      [[Date.UTC(2026, 2, 2, 18, 15), "ada"], 240],
      [[Date.UTC(2026, 2, 3, 18, 15), "ada"], 170],
    ])
    const lines: string[] = []
    for await (const line of budget.usage.export({ from: NOON + 24 * 3_600_000 })) lines.push(line)
    expect(lines).toHaveLength(24)
    expect(JSON.parse(lines[0]!)).toMatchObject({ userId: "ada", costNanoUsd: 10 })
    expect(await budget.usage.prune(NOON + 24 * 3_600_000)).toEqual({ removed: 24 })
    await expect(budget.usage.totals({ per: "1s", filter: { from: 0 } })).rejects.toMatchObject({
      argument: "query.per",
    })
  })

  it("sums by day from any start, without the days before the first entry", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: null }] })
    await (await reserved(budget, { subject, amount: { nanoUsd: 10 } })).settle({ nanoUsd: 7 })
    const since = (from: number) => budget.usage.totals({ per: "day", filter: { from } })
    expect(await since(0)).toMatchObject([{ group: [Date.UTC(2026, 2, 2)], costNanoUsd: 7 }])
    expect(await since(0)).toEqual(await since(NOON - 86_400_000))
    expect(await budget.usage.totals({ per: "day", filter: { from: 0, to: NOON - 86_400_000 } })).toEqual([])
  })

  it("orders its groups by time and value, null last", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: null }] })
    for (const [userId, clientId] of [
      ["zoe", "b"],
      ["ada", undefined],
      ["ada", "b"],
      ["Zed", "a"],
      ["ada", "a"],
    ] as const)
      await (await reserved(budget, { subject: { userId, clientId }, amount: { nanoUsd: 1 } })).settle({ nanoUsd: 1 })
    at.now += 86_400_000
    await (await reserved(budget, { subject: { userId: "ada" }, amount: { nanoUsd: 1 } })).settle({ nanoUsd: 1 })
    const groups = async (per?: "day") =>
      (await budget.usage.totals({ groupBy: ["userId", "clientId"], per })).map(({ group }) => group)
    const first = [
      ["Zed", "a"],
      ["ada", "a"],
      ["ada", "b"],
      ["ada", null],
      ["zoe", "b"],
    ]
    expect(await groups()).toEqual(first)
    const day = Date.UTC(2026, 2, 2)
    expect(await groups("day")).toEqual([...first.map((group) => [day, ...group]), [day + 86_400_000, "ada", null]])
  })

  it("throws a NoLedgerError if the store keeps no ledger", async () => {
    const budget = createBudget({ store: memoryStore({ maxEntries: 0 }), limits: [] })
    expect(budget.usage.available).toBe(false)
    await expect(budget.usage.list()).rejects.toMatchObject({ code: "no-ledger" })
  })
})
