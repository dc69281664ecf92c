import { expect, it } from "vitest"
import { createBudget, memoryStore } from "../src"
import { reserved } from "./budget-world"

const limit = { scope: "user", limit: 1, per: "day" } as const
const request = { subject: { userId: "ada" }, amount: { usd: "0.05" } }

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
])("%s with a wrong name is a usage error that names the right one", (_what, wrong, right) => {
  expect(wrong).toThrow(`Did you mean \`${right}\`?`)
})

it("an option and a subject of reserve, and a limit of this call, are checked by name", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [] })
  await expect(budget.reserve({ ...request, limit: [] } as never)).rejects.toThrow("Did you mean `limits`?")
  await expect(budget.reserve({ ...request, subject: { user: "ada" } } as never)).rejects.toThrow(
    "Did you mean `userId`?",
  )
  await expect(budget.reserve({ ...request, limits: [{ ...limit, period: "day" }] } as never)).rejects.toThrow(
    "Unknown option `limits[0].period`. Did you mean `per`?",
  )
  await expect(budget.reserve(undefined as never)).rejects.toThrow("Invalid `options`: expected an object")
  expect(() => budget.child(undefined as never)).toThrow("Invalid `options`: expected an object")
})

it("units of limits and amounts are checked by name, except in results of @p2/pricing", async () => {
  const limits = [{ scope: "total", limit: { usd: 5, tokens: 99 } }] as const
  const budget = createBudget({ store: memoryStore(), limits })
  for (const wrong of [{ usd: 1, token: 9 }, { nanoUSD: 1 }])
    expect(() => createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: wrong }] } as never)).toThrow(
      /Did you mean `(tokens|nanoUsd)`\?/,
    )
  const amount = { usd: 1, tokens: 9 }
  await budget.reserve({ amount, limits: [{ scope: "total", limit: { usd: 1 }, per: "day" }] })
  const added = [{ scope: "total", limit: { usd: 1, token: 9 }, per: "day" }]
  await expect(budget.reserve({ amount, limits: added } as never)).rejects.toThrow("Did you mean `tokens`?")
  const tagged = [{ scope: { tag: "team", value: "search" }, limit: 1, optional: true }]
  await expect(budget.reserve({ amount, limits: tagged } as never)).rejects.toThrow("limits[0].scope.value")
  await expect(budget.reserve({ amount: { usd: 1, token: 9 } } as never)).rejects.toThrow(
    "Unknown option `amount.token`. Did you mean `tokens`?",
  )
  const bound = { nanoUsd: 9, tokens: 1, picoUsd: 9_000n, lines: [], asOf: "2026-01-01", basis: "table" }
  const reservation = await reserved(budget, { amount: bound })
  await expect(reservation.settle({ cost: 1 } as never)).rejects.toThrow(
    "Unknown option `cost.cost`. Did you mean `usd`?",
  )
  await expect(reservation.settle({})).rejects.toThrow("Invalid `cost`: expected an amount")
  await expect(reservation.settle(1, { userid: "ada" } as never)).rejects.toThrow("Did you mean `userId`?")
  await expect(reservation.settle(1, null as never)).rejects.toThrow("Invalid `entry`: expected an object")
  await expect(reservation.settle(1, {}, { revison: 1 } as never)).rejects.toThrow("Did you mean `revision`?")
  expect(await reservation.settle({ ...bound, nanoUsd: 7 })).toMatchObject({ status: "settled" })
})

it("the options of every other member are checked by name", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [limit] })
  const { subject } = request
  const calls = [
    ["Did you mean `per`?", () => budget.topUp({ scope: "user", subject, amount: { usd: 1 }, pre: "day" } as never)],
    ["Did you mean `per`?", () => budget.reset({ scope: "user", subject, pre: "day" } as never)],
    ["Did you mean `userId`?", () => budget.topUp({ scope: "user", subject: { user: "ada" }, amount: {} } as never)],
    ["Did you mean `userId`?", () => budget.status({ user: "ada" } as never)],
    ["Did you mean `limits`?", () => budget.status(subject, { limit: [] } as never)],
    ["Did you mean `signal`?", () => budget.reserve({ ...request, wait: { timeoutMs: 1, singal: 1 } } as never)],
    ["Did you mean `changes`?", () => budget.correct({ entry: {}, cost: {}, change: {} } as never)],
    ["Did you mean `max`?", () => budget.sweep({ maxx: 1 } as never)],
    ["Invalid `options`: expected an object", () => budget.topUp(undefined as never)],
    ["Invalid `options`: expected an object", () => budget.reset(null as never)],
    ["Invalid `options`: expected an object", () => budget.correct(undefined as never)],
    ["Invalid `entry`: expected an entry", () => budget.correct({ cost: { usd: 1 } } as never)],
    ["Invalid `wait`: expected an object", () => budget.reserve({ ...request, wait: null } as never)],
    ["Invalid `wait`: expected an object", () => budget.reserve({ ...request, wait: 5 } as never)],
    ["Invalid `subject`: expected an object", () => budget.status(null as never)],
    ["Invalid `subject`: expected an object", () => budget.reserve({ ...request, subject: "ada" } as never)],
    ["Invalid `call`: expected a function", () => budget.run(request, undefined as never)],
    [
      "Invalid `onError`: expected",
      () => budget.run({ ...request, onError: "refund" } as never, async () => ({}) as never),
    ],
  ] as const
  for (const [message, wrong] of calls) await expect(wrong(), message).rejects.toThrow(message)
  expect(() => budget.child({ limit: 1, alertAt: [1] } as never)).toThrow("Unknown option `alertAt`")
  expect(() => budget.child({ limit: null } as never)).toThrow("Invalid `limit`")
  expect(await budget.status(subject)).toMatchObject([{ spent: 0, reserved: 0, granted: 0 }])
})

it("a run that throws is a failed entry at the upper bound; the cost overrides that of the entry", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [limit] })
  const broken = budget.run(request, async () => {
    throw new Error("provider")
  })
  await expect(broken).rejects.toThrow("provider")
  const reservation = await reserved(budget, request)
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
  await reservation.settle({ usd: "0.02" }, { ...entry, userId: "ada" })
  const [totals] = await budget.usage.totals({ filter: { userId: "ada" } })
  expect(totals).toMatchObject({ succeeded: 1, failed: 1, failedCostNanoUsd: 50_000_000, costNanoUsd: 70_000_000 })
  const { entries } = await budget.usage.list({ filter: { status: "failed" }, limit: 10 })
  expect(entries[0]).toMatchObject({ costSource: "bound", costNanoUsd: 50_000_000 })
})

it("suggests the right option where the spelling does not", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [limit] })
  const reservation = await reserved(budget, { subject: { userId: "ada" }, amount: 0.1 })
  const limitWith = (options: object) => async () =>
    createBudget({ store: memoryStore(), limits: [{ scope: "user", ...options }] as never })
  const calls: [string, () => Promise<unknown>][] = [
    ["Unknown option `id`. Did you mean `idempotencyKey`?", () => budget.reserve({ ...request, id: "x" } as never)],
    [
      "Unknown option `draft`. Did you mean `entry`?",
      () => budget.run({ ...request, draft: {} } as never, async () => ({}) as never),
    ],
    ["Unknown option `usd`. Did you mean `amount`?", () => budget.reserve({ usd: 1 } as never)],
    ["`wait: { timeoutMs }`?", () => budget.reserve({ ...request, timeoutMs: 5 } as never)],
    ["Unknown option `userId`. It is part of the subject", () => budget.reserve({ userId: "ada", amount: 1 } as never)],
    [
      "in the options of the store",
      async () => createBudget({ store: memoryStore(), limits: [], storeTimeoutMs: 5 } as never),
    ],
    ["Did you mean `partition`?", async () => createBudget({ store: memoryStore(), limits: [], root: "a" } as never)],
    ["`limits[0].window`. Did you mean `per`?", limitWith({ limit: 1, window: "day" })],
    ["`limits[0].budget`. Did you mean `limit`?", limitWith({ budget: 1 })],
    ["`limits[0].limit.dollars`. Did you mean `usd`?", limitWith({ limit: { dollars: 1 } })],
    ["`amount.dollars`. Did you mean `usd`?", () => budget.reserve({ ...request, amount: { dollars: 1 } as never })],
    ["`tokens`, input plus output?", () => reservation.settle({ inputTokens: 1, outputTokens: 1 } as never)],
    ["`entry.usage`. Did you mean `tokens`?", () => reservation.settle(1, { usage: {} } as never)],
    ["Invalid `subject.userId`: expected a string", () => budget.reserve({ subject: { userId: "" }, amount: 1 })],
  ]
  for (const [message, wrong] of calls) await expect(wrong(), message).rejects.toThrow(message)
  expect((await budget.status({ userId: "ada" }))[0]).toMatchObject({ spent: 0, reserved: 0.1 })
})
