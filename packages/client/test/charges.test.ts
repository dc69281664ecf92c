import { createBudget, memoryStore } from "@p2/budget"
import { type LocalProvider, type MockServer, startLocalProvider, startMockServer } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { LLMClientOptions } from "../src/index"
import { openClient } from "./open-client"

let provider: LocalProvider
let server: MockServer
beforeAll(async () => {
  provider = await startLocalProvider()
  server = await startMockServer()
})
beforeEach(() => provider.faults.clear())
afterAll(async () => {
  await provider.close()
  await server.close()
})

const once = { retries: 0, repairs: 0, maxTokens: 100 }

describe("the option `charge` decides what an attempt in doubt is charged", () => {
  const attempt = async (charge: LLMClientOptions["charge"], request: object = {}) => {
    const { receipt } = await openClient(provider, { ...once, ...request }, { charge }).generate()
    return receipt.attempts[0]!
  }

  test("after a server error", async () => {
    provider.faults.always({ status: 500 })
    const byDefault = await attempt(undefined)
    expect(byDefault).toMatchObject({ costSource: "bound", inDoubt: true, costNanoUsd: byDefault.reservedNanoUsd })
    const input = await attempt({ serverError: "input" })
    expect(input).toMatchObject({ costSource: "bound", inDoubt: true })
    expect(input.costNanoUsd).toBeGreaterThan(0)
    expect(input.costNanoUsd).toBeLessThan(input.reservedNanoUsd)
    expect(await attempt({ serverError: "received" })).toMatchObject({ costNanoUsd: input.costNanoUsd, inDoubt: true })
    expect(await attempt({ serverError: "nothing" })).toMatchObject({
      costNanoUsd: 0,
      costSource: "none",
      inDoubt: true,
    })
    expect(await attempt({ abort: "nothing" })).toMatchObject({ costNanoUsd: byDefault.costNanoUsd })
    expect(await attempt({ unbilledStatuses: [500] })).toMatchObject({ costNanoUsd: 0, inDoubt: false })
  })

  test("after a deadline in a stream", async () => {
    provider.faults.always({ stall: "stream", afterChunks: 3 })
    const request = { stream: true, timeoutMs: 1_500 }
    const byDefault = await attempt(undefined, request)
    expect(byDefault).toMatchObject({ deadlineHit: "total", costNanoUsd: byDefault.reservedNanoUsd, inDoubt: true })
    const received = await attempt({ abort: "received" }, request)
    const input = await attempt({ abort: "input" }, request)
    expect(received.costNanoUsd).toBeGreaterThan(input.costNanoUsd)
    expect(received.costNanoUsd).toBeLessThan(received.reservedNanoUsd)
    expect(await attempt({ serverError: "nothing" }, request)).toMatchObject({ costNanoUsd: byDefault.costNanoUsd })
  })

  test("a reported usage or a documented rule decides before it", async () => {
    provider.faults.always({ status: 400 })
    expect(await attempt({ serverError: "bound" })).toMatchObject({ costNanoUsd: 0, inDoubt: false })
    provider.faults.clear()
    expect(await attempt({ serverError: "nothing", abort: "nothing" })).toMatchObject({
      costSource: "table",
      inDoubt: false,
    })
  })
})

test("attempts in doubt are marked in the ledger, and summed separately", async () => {
  const client = openClient(provider, { ...once, userId: "ann" })
  provider.faults.next({ status: 500 })
  const { receipt } = await client.generate()
  await client.generate()
  expect(receipt.inDoubtNanoUsd).toBe(receipt.costNanoUsd)
  const stats = await client.usageTracker.getUsageStats()
  expect(stats).toMatchObject({ attempts: 2, inDoubtAttempts: 1, inDoubtCostNanoUsd: receipt.costNanoUsd })
  const details = await client.usageTracker.getRequestDetails(receipt.requestId)
  expect(details?.attempts).toMatchObject([{ inDoubt: true, costSource: "bound" }])
})

test("reconcile ends the doubt where the provider reports the cost", async () => {
  const model = "openrouter/openai/gpt-4o-mini"
  for (const charge of [undefined, { serverError: "nothing", abort: "nothing" }] as const) {
    const options = { baseURL: provider.openRouterBaseURL, charge }
    const client = openClient(provider, { ...once, model, userId: "ann", stream: true }, options)
    provider.faults.next({ cut: "stream", afterChunks: 3 })
    const { receipt } = await client.generate()
    expect(receipt.attempts).toMatchObject([{ inDoubt: true, generationId: expect.any(String) }])
    const billed = provider.ledger.calls.at(-1)!.nanoUsd
    expect(await client.reconcile()).toMatchObject({ corrected: [{ attempt: 1, toNanoUsd: billed }] })
    const stats = await client.usageTracker.getUsageStats()
    expect(stats).toMatchObject({ inDoubtAttempts: 0, inDoubtCostNanoUsd: 0, totalCostNanoUsd: billed })
    expect(await client.reconcile()).toMatchObject({ confirmed: [1], corrected: [] })
  }
})

describe("a provider that always fails", () => {
  const day = "1.00"
  /** Requests of one user until the circuit breaker rejects one. */
  async function untilOpen(request: object = {}) {
    const store = memoryStore({ now: () => Date.UTC(2026, 2, 1, 12) })
    const options = { budget: createBudget({ store, limits: [] }) }
    const open = () =>
      openClient(
        provider,
        { ...once, maxTokens: 20_000, userId: "ann", userBudget: { limit: day, per: "day" }, ...request },
        options,
      )
    for (let number = 0; number < 60; number++) {
      const result = await open().generate()
      if (result.receipt.attempts[0]!.errorCode === "circuit-open") return { result, client: open() }
    }
    throw new Error("The circuit breaker did not open.")
  }

  test("does not empty a budget: the circuit breaker rejects further calls, and nothing is sent", async () => {
    provider.faults.always({ status: 503 })
    const { result, client } = await untilOpen()
    expect(result).toMatchObject({ ok: false, error: { code: "circuit-open", kind: "failed", retryable: true } })
    expect(result.receipt).toMatchObject({ costNanoUsd: 0, attempts: [{ status: "released", settlement: "none" }] })
    const received = provider.received.length
    expect((await client.generate()).ok).toBe(false)
    expect(provider.received.length).toBe(received)
    const [user] = (await client.getBudgetInfo()).scopes
    expect(user!.spent).toBeLessThan(0.2)
    expect(user!.reserved).toBe(0)
  })

  test("leads to the fallback", async () => {
    provider.faults.always({ status: 503 }, ({ body }) => body.model === "gpt-4o-mini")
    const { result } = await untilOpen({ fallbacks: ["openai/gpt-4.1-nano"] })
    expect(result.ok).toBe(true)
    expect(result.receipt.attempts).toMatchObject([
      { errorCode: "circuit-open", status: "released" },
      { reason: "fallback", status: "succeeded" },
    ])
  })
})

describe("a cost that the provider reports is charged", () => {
  test.each([
    ["perplexity/sonar", { cost: { total_cost: 0.25 } }],
    ["xai/grok-3", { cost_in_usd_ticks: 2_500_000_000 }],
    ["openrouter/openai/gpt-4o-mini", { cost: 0.25 }],
  ])("by %s", async (model, more) => {
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, ...more }
    const choices = [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }]
    server.answer(({ sendJson }) => sendJson(200, { choices, usage }))
    const providers = [{ name: "perplexity", baseURL: server.baseURL, keyVariables: [] }]
    const { receipt } = await openClient(server, { ...once, model }, { providers }).generate()
    expect(receipt).toMatchObject({ costSource: "provider", costNanoUsd: 250_000_000 })
  })
})
