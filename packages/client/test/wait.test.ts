import { type Budget, type BudgetAlert, createBudget, memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { findRedisServer } from "@p2/redis-server"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { storeKind } from "../fuzz/world-stores"
import { openClient } from "./open-client"

const noRedis = (await findRedisServer({ fetch: true })) === undefined
if (noRedis && process.env.CI === "true") throw new Error("There is no redis-server, and CI=true forbids skipping.")

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.faults.clear()
  provider.received.length = 0
})
afterAll(() => provider.close())

const ANSWER = "A novel by Charles Dickens, published in parts from 1849 to 1850, about the life of its hero. ".repeat(
  2,
)
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)
const request = { model: "openai/gpt-4o", fallbacks: ["openai/gpt-4o-mini"], maxTokens: 100 }
const budgetOf = (nanoUsd: number) =>
  createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: { nanoUsd } }] })

/** The upper bound of a call of `request`, and its cost with this answer. */
async function amountsOf(answer: string): Promise<{ bound: number; cost: number }> {
  provider.faults.next({ answer })
  const client = openClient(provider, request)
  const { upperBoundCostNanoUsd: bound } = await client.getBudgetInfo()
  const { costNanoUsd: cost } = (await client.generate()).receipt
  provider.received.length = 0
  return { bound, cost }
}

describe.each(noRedis ? (["memory"] as const) : (["memory", "redis"] as const))("in the %s store", (name) => {
  let kind: Awaited<ReturnType<typeof storeKind>>
  beforeAll(async () => {
    kind = await storeKind(name)
  })
  afterAll(() => kind.close())

  test.each([
    ["one process", 64, 1],
    ["two processes", 32, 2],
  ])(
    "a budget for N equal calls of %s serves 0.95 N at 64 at a time before it denies one, and is not overspent",
    async (_, concurrency, processes) => {
      const { bound, cost } = await amountsOf(ANSWER)
      // The bound is 2 % of the limit.
      const limit = bound * 50
      const fits = Math.floor(limit / cost)
      provider.faults.always({ answer: ANSWER })
      const data = await kind.open()
      // Each process has its own connection and its own queue.
      const budgets = Array.from({ length: processes }, () =>
        createBudget({ store: data.another(), limits: [{ scope: "total", limit: { nanoUsd: limit } }] }),
      )
      let served = 0
      const denied: string[] = []
      const worker = async (budget: Budget) => {
        while (denied.length === 0) {
          const result = await openClient(provider, request, { budget, wait: { timeoutMs: 60_000 } }).generate()
          const attempts = result.receipt.attempts
          // The first denial of the first model, before its fallback.
          if (attempts[0]!.status === "denied") denied.push(attempts[0]!.errorCode!)
          else if (result.ok && denied.length === 0) served++
        }
      }
      await Promise.all(budgets.flatMap((budget) => Array.from({ length: concurrency }, () => worker(budget))))
      expect(denied[0]).toBe("budget-exceeded")
      expect(served).toBeGreaterThanOrEqual(0.95 * fits)
      const [total] = await budgets[0]!.status()
      expect(total!.spentNanoUsd).toBeLessThanOrEqual(limit)
      expect(total!.reservedNanoUsd).toBe(0)
      const billed = sum(provider.ledger.calls.slice(-provider.received.length).map(({ nanoUsd }) => nanoUsd))
      expect(total!.spentNanoUsd).toBe(billed)
      for (const budget of budgets) await budget.close({ keepStore: true })
      await data.close()
    },
  )
})

test("no fallback is used while only the reservations of other calls prevent the call", async () => {
  const { bound } = await amountsOf("Yes.")
  const budget = budgetOf(bound * 1.5)
  provider.faults.always({ answer: "Yes." })
  const calls = Array.from({ length: 8 }, () => openClient(provider, request, { budget }).generate())
  const results = await Promise.all(calls)
  expect(results.filter(({ ok }) => ok)).toHaveLength(1)
  expect(provider.received.map(({ body }) => body.model)).toEqual(["gpt-4o"])
  for (const result of results)
    if (!result.ok) expect(result.error).toMatchObject({ code: "budget-exceeded", busy: true, scope: "total" })
})

test("with `wait` the same calls are all served by the first model, and the receipts say for what they waited", async () => {
  const { bound } = await amountsOf("Yes.")
  const budget = budgetOf(bound * 1.5)
  const options = { budget, wait: { timeoutMs: 60_000 } }
  provider.faults.always({ answer: "Yes." })
  const results = await Promise.all(Array.from({ length: 4 }, () => openClient(provider, request, options).generate()))
  expect(results.map(({ ok }) => ok)).toEqual([true, true, true, true])
  expect(new Set(provider.received.map(({ body }) => body.model))).toEqual(new Set(["gpt-4o"]))
  const waited = results.filter(({ receipt }) => receipt.timings.waitMs > 0)
  expect(waited).toHaveLength(3)
  for (const { receipt } of waited) {
    const [attempt] = receipt.attempts
    expect(attempt).toMatchObject({ reason: "first", limit: { scope: "total", window: "total", unit: "usd" } })
    expect(attempt!.timings.waitMs).toBeLessThanOrEqual(attempt!.timings.reserveMs)
  }
  expect(results.find(({ receipt }) => receipt.timings.waitMs === 0)!.receipt.attempts[0]!.limit).toBeUndefined()
})

test("a fallback is used when waiting does not help, and the receipt says which limit denied the first model", async () => {
  const { bound, cost } = await amountsOf("Yes.")
  const budget = budgetOf(bound + cost)
  const options = { budget, wait: { timeoutMs: 60_000 } }
  provider.faults.always({ answer: "Yes." })
  const [first, second, third] = [
    await openClient(provider, request, options).generate(),
    await openClient(provider, request, options).generate(),
    await openClient(provider, request, options).generate(),
  ]
  expect(first.receipt.attempts).toHaveLength(1)
  expect(second.receipt.attempts).toHaveLength(1)
  expect(third.receipt.attempts).toMatchObject([
    { status: "denied", model: "openai/gpt-4o", errorCode: "budget-exceeded", limit: { scope: "total" } },
    { status: "succeeded", model: "openai/gpt-4o-mini", reason: "fallback" },
  ])
})

test("a wait that ends before the call fits is a denial: at `wait.timeoutMs`, or before the total deadline", async () => {
  const { bound } = await amountsOf("Yes.")
  const budget = budgetOf(bound)
  const other = await budget.reserve({ amount: { nanoUsd: bound } })
  for (const [timeoutMs, waitMs] of [
    [120_000, 60],
    [300, 60_000],
  ] as const) {
    const client = openClient(provider, { ...request, timeoutMs }, { budget })
    const result = await client.generate({ wait: { timeoutMs: waitMs } })
    expect(result).toMatchObject({ ok: false, error: { code: "budget-exceeded", busy: true } })
    expect(result.receipt.attempts).toMatchObject([{ status: "denied", limit: { scope: "total" } }])
    expect(result.receipt.timings.waitMs).toBeGreaterThan(0)
  }
  if (other.ok) await other.reservation.release()
  expect(provider.received).toHaveLength(0)
})

test("an abort ends a wait immediately and leaves nothing reserved", async () => {
  const { bound } = await amountsOf("Yes.")
  const budget = budgetOf(bound)
  const other = await budget.reserve({ amount: { nanoUsd: bound } })
  const controller = new AbortController()
  const call = openClient(provider, request, { budget, wait: { timeoutMs: 60_000 } })
  const waiting = call.generate({ signal: controller.signal })
  setTimeout(() => controller.abort(), 30)
  expect(await waiting).toMatchObject({
    ok: false,
    error: { code: "aborted" },
    receipt: { costNanoUsd: 0, attempts: [{ status: "released", settlement: "none" }] },
  })
  if (other.ok) await other.reservation.release()
  await budget.flush()
  expect((await budget.status())[0]).toMatchObject({ spent: 0, reserved: 0 })
  expect(provider.received).toHaveLength(0)
})

test("onAlert of the client whose call crosses a threshold of `alertAt` is called, once", async () => {
  const alerts: string[] = []
  const budget = createBudget({
    store: memoryStore(),
    limits: [{ scope: "user", limit: "0.01", alertAt: [0.001, 0.5] }],
  })
  provider.faults.always({ answer: "Yes." })
  for (const name of ["a", "b", "b"]) {
    const onAlert = ({ value, threshold }: BudgetAlert) => alerts.push(`${name} ${value} ${threshold}`)
    await openClient(provider, { ...request, userId: name }, { budget, onAlert }).generate()
  }
  expect(alerts).toEqual(["a a 0.001", "b b 0.001"])
})

test.each([{ timeoutMs: -1 }, { timeoutMs: 1.5 }, {}, { timeoutMs: "5s" }])(
  "`wait` %o is a usage error",
  async (wait) => {
    const options = { wait: wait as { timeoutMs: number } }
    expect(() => openClient(provider, request, options)).toThrow(/Invalid `options\.wait\.timeoutMs`/)
    await expect(openClient(provider, request).generate(options)).rejects.toThrow(/Invalid `options\.wait\.timeoutMs`/)
  },
)

test("amounts that remain are never clamped: an overrun shows as negative", async () => {
  const budget = budgetOf(1_000_000)
  const reserved = await budget.reserve({ amount: { nanoUsd: 1_000_000 } })
  if (reserved.ok) await reserved.reservation.settle({ nanoUsd: 1_500_000 })
  const client = openClient(provider, { ...request, maxBudget: "0.000001" }, { budget })
  const info = await client.getBudgetInfo()
  expect(info.scopes).toMatchObject([{ remaining: -0.0005, remainingNanoUsd: -500_000, exceeded: true }])
  expect(info.remainingBudgetNanoUsd).toBe(1_000 - info.upperBoundCostNanoUsd)
  expect(info.remainingBudget).toBeLessThan(0)
  expect(info.budgetExceeded).toBe(true)
})
