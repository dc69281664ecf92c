import { expect, it } from "vitest"
import { budgetOn, reserved, USD, world } from "./budget-world"

const limits = [{ scope: "user", limit: { usd: 5, tokens: 1_000 } }] as const
const subject = { userId: "ada", clientId: "web", tags: { team: "search" }, model: "gpt-x", requestId: "r-1" }
const identity = { ...subject, attempt: 1, reservedNanoUsd: 0.5 * USD }

it("an entry is complete without a caller's part, or with any part of it", async () => {
  const budget = budgetOn(world(), { limits })
  const amount = { usd: 0.5, tokens: 100 }
  const settleWith = async (...[cost, entry]: Parameters<Awaited<ReturnType<typeof reserved>>["settle"]>) => {
    const reservation = await reserved(budget, { subject, amount, entry: { mode: "text", provider: "openai" } })
    await reservation.settle(cost, entry)
    const entries = await budget.usage.get("r-1")
    return entries.find(({ idempotencyKey }) => idempotencyKey === reservation.idempotencyKey)!
  }
  const known = { ...identity, mode: "text", provider: "openai" }
  expect(await settleWith("0.2")).toMatchObject({
    ...known,
    ...{ status: "succeeded", tokens: {}, costNanoUsd: 0.2 * USD, costSource: "custom", state: "settled" },
  })
  const tokens = { inputTokens: 1, outputTokens: 2 }
  const counted = await settleWith({ usd: 0.1 }, { tokens })
  expect(counted).toMatchObject({ ...known, tokens, costNanoUsd: 0.1 * USD, costSource: "custom" })
  expect(counted.charges).toMatchObject({ "u=ada|usd|total": 0.1 * USD, "u=ada|tok|total": 3 })
  expect(await settleWith(0.3, { status: "failed", errorCode: "timeout", costSource: "table" })).toMatchObject({
    ...known,
    ...{ status: "failed", errorCode: "timeout", costSource: "table", costNanoUsd: 0.3 * USD },
  })
  // Undefined fields erase nothing, and money is that of the counters.
  const explicit = { userId: undefined, provider: undefined, costNanoUsd: 1, reservedNanoUsd: 2, fingerprint: "x" }
  const merged = await settleWith(0.3, explicit)
  expect(merged).toMatchObject({ ...known, costNanoUsd: 0.3 * USD })
  expect(merged.fingerprint).toBe(counted.fingerprint)
})

it("the reservation's own amount as the cost is marked as the upper bound, and as in doubt", async () => {
  const budget = budgetOn(world(), { limits })
  const reservation = await reserved(budget, { subject, amount: { usd: 0.5, tokens: 100 } })
  await reservation.settle(reservation.amount, { status: "failed" })
  expect(await budget.usage.get("r-1")).toMatchObject([
    { costSource: "bound", inDoubt: true, costNanoUsd: 0.5 * USD, status: "failed" },
  ])
})

it("`inDoubt` is decided by the end of an attempt, is counted in totals, and ends with a correction", async () => {
  const budget = budgetOn(world(), { limits })
  const doubtIn = async () => {
    const [totals] = await budget.usage.totals()
    return [totals!.inDoubt, totals!.inDoubtNanoUsd]
  }
  const reserve = () =>
    reserved(budget, { subject, amount: { usd: 0.5, tokens: 100 }, entry: { attempt: 1, inDoubt: true } })
  await (await reserve()).settle("0.2")
  expect(await doubtIn()).toEqual([0, 0])
  // A documented rule decided that the whole amount is charged.
  const ruled = await reserve()
  await ruled.settle(ruled.amount, { costSource: "bound" })
  expect(await doubtIn()).toEqual([0, 0])
  await (await reserve()).settle("0.3", { inDoubt: true })
  expect(await doubtIn()).toEqual([1, 0.3 * USD])
  const failing = budget.run({ subject, amount: { usd: 0.1, tokens: 1 } }, async () => {
    throw new Error("no answer")
  })
  await expect(failing).rejects.toThrow("no answer")
  expect(await doubtIn()).toEqual([2, 0.4 * USD])
  const { entries } = await budget.usage.list()
  const bound = entries.find(({ status }) => status === "failed")!
  expect(bound).toMatchObject({ inDoubt: true, costSource: "bound" })
  await budget.correct({ entry: bound, cost: { usd: 0.05, tokens: 1 }, subject })
  expect(await doubtIn()).toEqual([1, 0.3 * USD])
  const after = await budget.usage.list()
  expect(after.entries.find(({ status }) => status === "failed")).toMatchObject({ costSource: "custom" })
  const false_ = { inDoubt: false as unknown as true }
  await expect((await reserve()).settle("0.1", false_)).rejects.toMatchObject({ argument: "entry.inDoubt" })
})

it("a released attempt has an entry without cost, whatever the caller's part says", async () => {
  const budget = budgetOn(world(), { limits })
  const reservation = await reserved(budget, { subject, amount: { usd: 0.5, tokens: 100 } })
  await reservation.release({ errorCode: "no-connection", costNanoUsd: 5 })
  expect(await budget.usage.get("r-1")).toMatchObject([
    {
      ...identity,
      status: "released",
      errorCode: "no-connection",
      costNanoUsd: 0,
      costSource: "none",
      state: "released",
    },
  ])
})

it("a tag's value may look like code, and an entry's fields are bounded JSON", async () => {
  const budget = budgetOn(world(), { limits })
  const tags = Object.fromEntries([
    ["__proto__", "x"],
    ["team", "\ud800"],
  ])
  const reservation = await reserved(budget, { subject: { ...subject, tags }, amount: { usd: 0.5, tokens: 100 } })
  await reservation.settle(0)
  const [entry] = await budget.usage.get("r-1")
  expect(Object.entries(entry!.tags!)).toEqual(Object.entries(tags))
})

it("amounts are dollars, strings, units, or results of @p2/pricing", async () => {
  const at = world()
  const budget = budgetOn(at, { limits: [{ scope: "total", limit: { usd: 5, tokens: 1_000, requests: 9 } }] })
  const bound = { nanoUsd: 9, tokens: 7, estimate: { nanoUsd: 3 }, lines: [], asOf: "2026-01-01" }
  for (const amount of [bound, { usd: "$0.000000009", tokens: 7 }, { nanoUsd: 9, tokens: 7, requests: 1 }])
    expect((await reserved(budget, { amount })).amount).toEqual({ nanoUsd: 9, tokens: 7, requests: 1 })
  const dollars = budgetOn(at, { limits: [{ scope: "total", limit: 5 }] })
  for (const amount of [0.05, "0.05", "$0.05"])
    expect((await reserved(dollars, { amount })).amount.nanoUsd).toBe(50_000_000)
  for (const amount of ["5$", "", " ", "-1", -1, Number.NaN, true, null, [], { usd: "x" }, { nanoUsd: 1, usd: 1 }])
    await expect(dollars.reserve({ amount: amount as never })).rejects.toMatchObject({ kind: "usage" })
  await expect(budget.reserve({ amount: 1 })).rejects.toMatchObject({ argument: "amount.tokens" })
  await expect(budget.reserve({ amount: { tokens: 1 } })).rejects.toMatchObject({ argument: "amount" })
})
