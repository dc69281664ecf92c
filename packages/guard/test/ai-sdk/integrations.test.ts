import { type Budget, createBudget, type Limit, memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import type { BudgetMiddlewareOptions } from "../../src/ai-sdk"
import { budgetErrorFrom, type GuardAttempt } from "../../src/index"
import { INTEGRATIONS, type Integration } from "./integrations"

let server: LocalProvider
beforeAll(async () => {
  server = await startLocalProvider()
})
afterAll(() => server.close())
beforeEach(() => {
  server.faults.clear()
  server.ledger.clear()
})

function guardFor(integration: Integration, limit: Limit["limit"], options: Partial<BudgetMiddlewareOptions> = {}) {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const attempts: GuardAttempt[] = []
  const counts = { asked: 0 }
  const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
  const caller = integration.connect(server, { budget, onAttempt, ...options }, () => counts.asked++)
  return { budget, attempts, counts, caller }
}

async function spentAndReserved(budget: Budget): Promise<{ spent: number; reserved: number }> {
  const [status] = await budget.status()
  return { spent: status!.spentNanoUsd!, reserved: status!.reservedNanoUsd! }
}

/** Every attempt has ended: at least what was billed is spent, and nothing is reserved. */
async function expectCovered({ budget, attempts, counts }: ReturnType<typeof guardFor>): Promise<void> {
  await vi.waitFor(() => expect(attempts).toHaveLength(counts.asked), 60_000)
  const { spent, reserved } = await spentAndReserved(budget)
  expect(reserved).toBe(0)
  expect(spent).toBeGreaterThanOrEqual(server.ledger.totalNanoUsd)
}

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (reason: unknown) => reason ?? true,
  )

describe.each(INTEGRATIONS)("$name", (integration) => {
  it("charges a call what was billed", async () => {
    const { budget, caller, attempts } = guardFor(integration, "1.00")
    await caller.call()
    expect(attempts).toMatchObject([{ status: "succeeded", inDoubt: false, costSource: "table" }])
    expect(server.ledger.calls).toHaveLength(1)
    expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("charges each step what was billed", async () => {
    const { budget, caller } = guardFor(integration, "5.00")
    await caller.steps()
    expect(server.ledger.calls).toHaveLength(2)
    expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("charges a stream what was billed", async () => {
    const { budget, caller, attempts } = guardFor(integration, "1.00")
    let pieces = 0
    await caller.stream(() => ++pieces > 0)
    expect(pieces).toBeGreaterThan(1)
    expect(attempts).toMatchObject([{ status: "succeeded", inDoubt: false }])
    expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("asks a denied call once, and throws the denial itself", async () => {
    const { budget, caller, counts } = guardFor(integration, "0.000001")
    for (const call of [() => caller.call(), () => caller.stream(() => true)]) {
      counts.asked = 0
      const error = await failure(call())
      expect(error).toMatchObject({ name: "BudgetExceededError", code: "budget-exceeded", limitNanoUsd: 1_000 })
      expect(budgetErrorFrom(error)).toBe(error)
      expect(counts.asked).toBe(1)
    }
    expect(server.ledger.calls).toHaveLength(0)
    expect(await spentAndReserved(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it("charges every retry of the SDK", async () => {
    const guard = guardFor(integration, "1.00")
    const headers = { "retry-after-ms": "1" }
    // Gemini documents that it does not bill a 500.
    for (const status of [503, 429]) server.faults.next({ status, headers, billed: status === 503 })
    await guard.caller.call()
    expect(guard.attempts.map(({ httpStatus }) => httpStatus)).toEqual([503, 429, 200])
    expect(server.ledger.calls).toHaveLength(2)
    await expectCovered(guard)
    server.faults.next({ status: 529, headers, billed: true })
    await failure(guard.caller.call())
    await expectCovered(guard)
  })

  it("admits as many of 40 calls at once as the budget can pay", async () => {
    const probe = guardFor(integration, "1.00")
    await probe.caller.call()
    const bound = probe.attempts[0]!.reservedNanoUsd
    server.ledger.clear()
    const guard = guardFor(integration, { nanoUsd: 10 * bound })
    let answer = () => {}
    server.faults.always({ until: new Promise<void>((resolve) => (answer = resolve)) })
    const calls = Array.from({ length: 40 }, () => failure(guard.caller.call()))
    // The first ones end when the last ones have been denied.
    let denied = 0
    for (const each of calls) void each.then((error) => error !== undefined && denied++)
    await vi.waitFor(() => expect(denied).toBe(30), 60_000)
    answer()
    const errors = await Promise.all(calls)
    expect(errors.filter((error) => error === undefined)).toHaveLength(10)
    expect(errors.filter((error) => budgetErrorFrom(error) !== undefined)).toHaveLength(30)
    expect(guard.counts.asked).toBe(40)
    expect(server.ledger.totalNanoUsd).toBeLessThanOrEqual(10 * bound)
    await expectCovered(guard)
  })

  it("charges a stream that its reader leaves", async () => {
    const guard = guardFor(integration, "1.00")
    server.faults.always({ chunkDelayMs: 5 })
    await guard.caller.stream(() => false)
    await expectCovered(guard)
    expect(guard.attempts).toHaveLength(1)
  })

  it("sends nothing for a signal that is aborted before the call", async () => {
    const guard = guardFor(integration, "1.00")
    expect(await failure(guard.caller.call(AbortSignal.abort()))).toBeDefined()
    expect(server.ledger.calls).toHaveLength(0)
    expect(await spentAndReserved(guard.budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it.each([
    ["headers", { stall: "headers" }],
    ["body", { stall: "body" }],
  ] as const)("charges a call that is aborted before its %s", async (_name, fault) => {
    const guard = guardFor(integration, "1.00")
    server.faults.always(fault)
    const controller = new AbortController()
    const failing = failure(guard.caller.call(controller.signal))
    await vi.waitFor(() => expect(server.ledger.calls).toHaveLength(1), 60_000)
    controller.abort()
    expect(await failing).toBeDefined()
    await expectCovered(guard)
    expect(guard.attempts).toMatchObject([{ inDoubt: true }])
  })

  it("charges a stream that never ends when its signal is aborted", async () => {
    const guard = guardFor(integration, "1.00")
    server.faults.always({ stall: "stream", afterChunks: 2 })
    const controller = new AbortController()
    const onPiece = () => {
      controller.abort()
      return true
    }
    await failure(guard.caller.stream(onPiece, controller.signal))
    await expectCovered(guard)
    expect(guard.attempts).toMatchObject([{ inDoubt: true }])
  })

  it.each([
    ["body", { cut: "body" }],
    ["stream", { cut: "stream" }],
  ] as const)("charges a %s that is cut", async (name, fault) => {
    const guard = guardFor(integration, "1.00")
    server.faults.next(fault)
    await failure(name === "body" ? guard.caller.call() : guard.caller.stream(() => true))
    await expectCovered(guard)
    expect(guard.attempts[0]).toMatchObject({ status: "failed", inDoubt: true })
  })
})
