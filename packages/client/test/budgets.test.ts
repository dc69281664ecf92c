import { createBudget, memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { instantClock, openClient, Person, recordingStore } from "./open-client"
import { overrideStore } from "./override-store"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.faults.clear()
  provider.received.length = 0
})
afterAll(() => provider.close())

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)

test("an admitted attempt makes two round trips to the store in addition to those of the circuit breaker: reserve and settle", async () => {
  const { store, calls } = recordingStore()
  const client = openClient(provider, { answerModel: Person, userId: "u", clientId: "c", maxBudget: "1" }, { store })
  expect((await client.generate()).ok).toBe(true)
  expect(calls).toEqual(["reserve", "settle"])
  provider.faults.next({ status: 500 })
  await client.generate()
  expect(calls).toEqual(["reserve", "settle", "reserve", "settle", "reserve", "settle"])
})

test("maxBudget denies in this process, with the numbers in the error, and reserves and sends nothing", async () => {
  const { store, calls } = recordingStore()
  const client = openClient(provider, { maxTokens: 500, maxBudget: "0.0001" }, { store })
  const result = await client.generate()
  expect(result).toMatchObject({
    ok: false,
    error: { code: "budget-exceeded", kind: "denied", scope: "request", limitNanoUsd: 100_000, limit: 0.0001 },
  })
  if (result.ok) return
  const { error } = result as unknown as { error: { requested: number; remaining: number } }
  expect(error.requested).toBeGreaterThan(error.remaining)
  expect(result.receipt).toMatchObject({ costNanoUsd: 0, costSource: "none", reservedNanoUsd: 0 })
  expect(calls).not.toContain("reserve")
  expect(provider.received).toHaveLength(0)
})

test("one maxBudget covers all attempts: the retry cannot spend what the first may have cost", async () => {
  const client = openClient(provider, { maxTokens: 500, maxBudget: "1" })
  const bound = (await client.getBudgetInfo()).upperBoundCost
  provider.faults.next({ status: 500 })
  const tight = openClient(provider, { maxTokens: 500, maxBudget: bound * 1.5 })
  const result = await tight.generate()
  expect(result).toMatchObject({ ok: false, error: { code: "budget-exceeded", scope: "request" } })
  expect(result.receipt.attempts.map(({ status }) => status)).toEqual(["failed", "denied"])
  expect(provider.received).toHaveLength(1)
})

test("without maxTokens the budget limits the output tokens; with too few nothing is sent", async () => {
  const requested = async (maxBudget: string) => {
    provider.received.length = 0
    const result = await openClient(provider, { maxBudget }).generate()
    return { result, maxTokens: provider.received[0]?.body.max_completion_tokens as number | undefined }
  }
  expect((await requested("1")).maxTokens).toBe(4096)
  const some = await requested("0.0003")
  expect(some.maxTokens).toBeLessThan(4096)
  expect(some.maxTokens).toBeGreaterThanOrEqual(64)
  expect(some.result.receipt.reservedNanoUsd).toBeLessThanOrEqual(300_000)
  const little = await requested("0.00002")
  expect(little.maxTokens).toBeUndefined()
  expect(little.result).toMatchObject({ ok: false, error: { code: "budget-exceeded" } })
})

test("without maxTokens a denied call is tried once more with what the scope can afford", async () => {
  const { store, calls } = recordingStore()
  const request = { userId: "u", userBudget: "0.0005" }
  const client = openClient(provider, request, { store })
  const result = await client.generate()
  expect(result.ok).toBe(true)
  expect(calls).toEqual(["reserve", "reserve", "settle"])
  const narrowed = provider.received[0]?.body.max_completion_tokens
  expect(narrowed).toBeLessThan(4096)
  expect(result.receipt.attempts).toMatchObject([
    { status: "denied", reason: "first", maxTokens: 4096 },
    { status: "succeeded", reason: "narrowed", maxTokens: narrowed },
  ])
  const fixed = openClient(provider, { ...request, maxTokens: 4096 }, { store })
  expect(await fixed.generate()).toMatchObject({ ok: false, error: { code: "budget-exceeded", scope: "user" } })
})

test("a fallback that fits the budget is tried when the first model does not", async () => {
  const expensive = openClient(provider, { model: "openai/gpt-4o", maxTokens: 500, maxBudget: "1" })
  const cheap = openClient(provider, { maxTokens: 500, maxBudget: "1" })
  const [high, low] = [(await expensive.getBudgetInfo()).upperBoundCost, (await cheap.getBudgetInfo()).upperBoundCost]
  const client = openClient(provider, {
    model: "openai/gpt-4o",
    fallbacks: ["openai/gpt-4o-mini"],
    maxTokens: 500,
    maxBudget: (high + low) / 2,
  })
  const result = await client.generate()
  expect(result.ok).toBe(true)
  expect(result.receipt.attempts.map(({ status, model, reason }) => ({ status, model, reason }))).toEqual([
    { status: "denied", model: "openai/gpt-4o", reason: "first" },
    { status: "succeeded", model: "openai/gpt-4o-mini", reason: "fallback" },
  ])
})

test("the provider's bill of 1,000 concurrent requests with failures and retries stays within the budget", async () => {
  const mark = provider.ledger.calls.length
  provider.faults.always({ status: 500, billed: true }, ({ number }) => number % 7 === 0)
  provider.faults.always({ wrongShape: true }, ({ number }) => number % 5 === 0)
  provider.faults.always({ status: 429 }, ({ number }) => number % 11 === 0)
  const limit = 20_000_000
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: { nanoUsd: limit } }] })
  const request = { answerModel: Person, maxTokens: 200, userId: "u", clientId: "c" }
  const results = await Promise.all(
    Array.from({ length: 1_000 }, () => openClient(provider, request, { budget, clock: instantClock }).generate()),
  )
  const billed = sum(provider.ledger.calls.slice(mark).map(({ nanoUsd }) => nanoUsd))
  const charged = sum(results.map(({ receipt }) => receipt.costNanoUsd))
  expect(billed).toBeGreaterThan(0)
  expect(billed).toBeLessThanOrEqual(charged)
  expect(charged).toBeLessThanOrEqual(limit)
  const [total] = (await budget.status({})).filter(({ scope }) => scope === "total")
  expect(total).toMatchObject({ spentNanoUsd: charged, reservedNanoUsd: 0 })
  expect(results.filter(({ ok }) => ok).length).toBeGreaterThan(0)
  expect(results.filter((result) => !result.ok && result.error.code === "budget-exceeded").length).toBeGreaterThan(0)
  await budget.close()
})

test("a failed settle does not lose the answer", async () => {
  const inner = memoryStore()
  let broken = true
  const store = overrideStore(inner, {
    settle: (request) => (broken ? Promise.reject(new Error("the disk is full")) : inner.settle(request)),
  })
  const client = openClient(provider, { userId: "u", userBudget: "1" }, { store })
  const result = await client.generate()
  expect(result).toMatchObject({ ok: true, receipt: { settlement: "pending" } })
  broken = false
  await client.close()
  const entries = await inner.ledger!.get({ partition: "main", requestId: result.receipt.requestId })
  expect(entries).toMatchObject([{ status: "succeeded", costNanoUsd: result.receipt.costNanoUsd }])
})

test("nothing is sent when the store fails", async () => {
  const inner = memoryStore()
  const store = overrideStore(inner, { reserve: () => Promise.reject(new Error("connection lost")) })
  const result = await openClient(provider, { userId: "u", userBudget: "1" }, { store }).generate()
  expect(result.ok).toBe(false)
  expect(result.receipt).toMatchObject({ costNanoUsd: 0, costSource: "none" })
  expect(provider.received).toHaveLength(0)
})

test("getBudgetInfo() describes the call that generate() makes without maxTokens", async () => {
  const request = { userId: "u", userBudget: { limit: "0.0005", per: "day" } as const }
  const store = memoryStore({ now: () => Date.UTC(2026, 2, 1, 12) })
  const client = openClient(provider, request, { store })
  const info = await client.getBudgetInfo()
  const result = await client.generate()
  expect(result.ok).toBe(true)
  expect(info).toMatchObject({ budgetExceeded: false, maxTokens: result.receipt.attempts.at(-1)?.maxTokens })
  expect(info.upperBoundCostNanoUsd).toBeLessThanOrEqual(500_000)
})

test("a usage error of a later attempt carries the receipt of what was paid", async () => {
  const limits = ({ model }: { model?: string | undefined }) =>
    model === "openai/gpt-4o" ? [{ scope: { tag: "team" }, limit: "1.00" } as const] : []
  const budget = createBudget({ store: memoryStore(), limits })
  provider.faults.next({ empty: true })
  const client = openClient(provider, { repairs: 0, fallbacks: ["openai/gpt-4o"] }, { budget })
  const error = await client.generate().catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ kind: "usage", receipt: { attempts: [{ errorCode: "answer-empty" }, {}] } })
  expect((error as { receipt: { costNanoUsd: number } }).receipt.costNanoUsd).toBe(
    provider.ledger.calls.at(-1)?.nanoUsd,
  )
})
