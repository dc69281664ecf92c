import { expect, it } from "vitest"
import { createBudget, memoryStore } from "../src/index"

const limit = { scope: "user", limit: 1, per: "day" } as const
const known = { subject: { userId: "ada" }, amount: { usd: "0.05" } }

it.each([
  [
    "an option of createBudget",
    () => createBudget({ store: memoryStore(), limits: [], onAlerts() {} } as never),
    "onAlert",
  ],
  [
    "a limit",
    () => createBudget({ store: memoryStore(), limits: [{ ...limit, timezone: "UTC" }] } as never),
    "timeZone",
  ],
  ["an option of memoryStore", () => memoryStore({ retention: 5 } as never), "retentionMs"],
])("%s with a wrong name is a mistake that names the right one", (_what, wrong, right) => {
  expect(wrong).toThrow(`Did you mean \`${right}\`?`)
})

it("so are an option and a subject of reserve, and a limit of this call", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [] })
  await expect(budget.reserve({ ...known, limit: [] } as never)).rejects.toThrow("Did you mean `limits`?")
  await expect(budget.reserve({ ...known, subject: { user: "ada" } } as never)).rejects.toThrow(
    "Did you mean `userId`?",
  )
  await expect(budget.reserve({ ...known, limits: [{ ...limit, period: "day" }] } as never)).rejects.toThrow(
    "limits[0].period",
  )
  await expect(budget.reserve(undefined as never)).rejects.toThrow("Invalid `options`: expected an object")
  expect(() => budget.child(undefined as never)).toThrow("Invalid `options`: expected an object")
})

it("so is a unit of a limit, and a name beside a tag: they would limit nothing; an amount may say more", async () => {
  const limits = [{ scope: "total", limit: { usd: 5, tokens: 99 } }] as const
  const budget = createBudget({ store: memoryStore(), limits })
  for (const wrong of [{ usd: 1, token: 9 }, { nanoUSD: 1 }])
    expect(() => createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: wrong }] } as never)).toThrow(
      /Did you mean `(tokens|nanoUsd)`\?/,
    )
  const amount = { usd: 1, tokens: 9 }
  // Also where the same list was right before.
  await budget.reserve({ amount, limits: [{ scope: "total", limit: { usd: 1 }, per: "day" }] })
  const added = [{ scope: "total", limit: { usd: 1, token: 9 }, per: "day" }]
  await expect(budget.reserve({ amount, limits: added } as never)).rejects.toThrow("Did you mean `tokens`?")
  const tagged = [{ scope: { tag: "team", value: "search" }, limit: 1, optional: true }]
  await expect(budget.reserve({ amount, limits: tagged } as never)).rejects.toThrow("limits[0].scope.value")
  await expect(budget.reserve({ amount: { usd: 1, token: 9 } } as never)).rejects.toThrow("amount.tokens")
  // What `@p2/pricing` computes says more than a budget needs.
  const bound = { nanoUsd: 9, tokens: 1, picoUsd: 9_000n, lines: [], asOf: "2026-01-01", basis: "table" }
  const outcome = await budget.reserve({ amount: bound })
  if (!outcome.ok) throw outcome.error
  await expect(outcome.reservation.settle({ cost: 1 } as never)).rejects.toThrow("Invalid `cost`: expected an amount")
  expect(await outcome.reservation.settle({ ...bound, nanoUsd: 7 })).toMatchObject({ status: "settled" })
})

it("so are a name, or no object at all, in every other member", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [limit] })
  const { subject } = known
  const told = [
    ["Did you mean `per`?", () => budget.topUp({ scope: "user", subject, amount: { usd: 1 }, pre: "day" } as never)],
    ["Did you mean `per`?", () => budget.reset({ scope: "user", subject, pre: "day" } as never)],
    ["Did you mean `userId`?", () => budget.topUp({ scope: "user", subject: { user: "ada" }, amount: {} } as never)],
    ["Did you mean `userId`?", () => budget.status({ user: "ada" } as never)],
    ["Did you mean `limits`?", () => budget.status(subject, { limit: [] } as never)],
    ["Did you mean `signal`?", () => budget.reserve({ ...known, wait: { timeoutMs: 1, singal: 1 } } as never)],
    ["Did you mean `changes`?", () => budget.correct({ entry: {}, cost: {}, change: {} } as never)],
    ["Did you mean `max`?", () => budget.sweep({ maxx: 1 } as never)],
    ["Invalid `options`: expected an object", () => budget.topUp(undefined as never)],
    ["Invalid `options`: expected an object", () => budget.reset(null as never)],
    ["Invalid `options`: expected an object", () => budget.correct(undefined as never)],
    ["Invalid `entry`: expected an entry", () => budget.correct({ cost: { usd: 1 } } as never)],
    ["Invalid `wait`: expected an object", () => budget.reserve({ ...known, wait: null } as never)],
    ["Invalid `wait`: expected an object", () => budget.reserve({ ...known, wait: 5 } as never)],
    ["Invalid `subject`: expected an object", () => budget.status(null as never)],
    ["Invalid `subject`: expected an object", () => budget.reserve({ ...known, subject: "ada" } as never)],
    ["Invalid `call`: expected a function", () => budget.run(known, undefined as never)],
    [
      "Invalid `onError`: expected",
      () => budget.run({ ...known, onError: "refund" } as never, async () => ({}) as never),
    ],
  ] as const
  for (const [message, wrong] of told) await expect(wrong(), message).rejects.toThrow(message)
  expect(() => budget.child({ limit: 1, alertAt: [1] } as never)).toThrow("Unknown option `alertAt`")
  expect(() => budget.child({ limit: null } as never)).toThrow("Invalid `child.limit`")
  expect(await budget.status(subject)).toMatchObject([{ spent: 0, reserved: 0, granted: 0 }])
})

it("a run that throws is a failed entry at the bound; a cost that the entry contradicts wins", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [limit] })
  const broken = budget.run(known, async () => {
    throw new Error("provider")
  })
  await expect(broken).rejects.toThrow("provider")
  const held = await budget.reserve(known)
  if (!held.ok) throw held.error
  const entry = {
    requestId: "r",
    attempt: 1,
    model: "m",
    reservedNanoUsd: 1,
    status: "succeeded",
    tokens: {},
    costNanoUsd: 1,
    costSource: "table",
  } as const
  await held.reservation.settle({ usd: "0.02" }, { ...entry, userId: "ada" })
  const [totals] = await budget.usage.totals({ filter: { userId: "ada" } })
  expect(totals).toMatchObject({ succeeded: 1, failed: 1, failedCostNanoUsd: 50_000_000, costNanoUsd: 70_000_000 })
  const { entries } = await budget.usage.list({ filter: { status: "failed" }, limit: 10 })
  expect(entries[0]).toMatchObject({ costSource: "bound", costNanoUsd: 50_000_000 })
})
