import { type Budget, createBudget, type Limit, memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { budgetErrorFrom, circuitErrorFrom, type GuardAttempt, type GuardOptions } from "../../src/index"
import { connect, INTEGRATIONS, type Integration } from "./integrations"

let server: LocalProvider
beforeAll(async () => {
  server = await startLocalProvider()
})
afterAll(() => server.close())
beforeEach(() => {
  server.faults.clear()
  server.ledger.clear()
})

/** A guarded fetch with its budget, and what passed through it. */
function guardFor(integration: Integration, limit: Limit["limit"], options: Partial<GuardOptions> = {}) {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const attempts: GuardAttempt[] = []
  const counts = { asked: 0 }
  const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
  const connection = connect(
    server,
    { budget, provider: integration.provider, onAttempt, ...options },
    () => counts.asked++,
  )
  return { budget, attempts, counts, connection }
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
    const { budget, connection, attempts } = guardFor(integration, "1.00")
    await integration.call(connection)
    expect(attempts).toMatchObject([{ status: "succeeded", inDoubt: false }])
    expect(server.ledger.calls).toHaveLength(1)
    expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("charges each step what was billed", async () => {
    const { budget, connection } = guardFor(integration, "1.00")
    await integration.steps(connection)
    expect(server.ledger.calls).toHaveLength(2)
    expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("charges a stream what was billed", async () => {
    const { budget, connection, attempts } = guardFor(integration, "1.00")
    let pieces = 0
    await integration.stream(connection, () => ++pieces > 0)
    expect(pieces).toBeGreaterThan(1)
    expect(attempts).toMatchObject([{ status: "succeeded", inDoubt: false }])
    expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("asks a denied call once, and recognizes the denial", async () => {
    const { budget, connection, counts } = guardFor(integration, "0.000001")
    for (const call of [() => integration.call(connection), () => integration.stream(connection, () => true)]) {
      counts.asked = 0
      const error = await failure(call())
      expect(budgetErrorFrom(error)).toMatchObject({ code: "budget-exceeded", scope: "total", limitNanoUsd: 1_000 })
      expect(counts.asked).toBe(1)
    }
    expect(server.ledger.calls).toHaveLength(0)
    expect(await spentAndReserved(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it("asks a call with an open circuit once, and recognizes it", async () => {
    const probe = guardFor(integration, "1.00")
    await integration.call(probe.connection)
    server.ledger.clear()
    // A limit for two calls: after a failure the next call waits for a minute of the store's clock, which stands still.
    const store = memoryStore({ now: () => Date.UTC(2026, 10, 30, 12) })
    const limit = { nanoUsd: 2 * probe.attempts[0]!.reservedNanoUsd }
    const budget = createBudget({ store, limits: [{ scope: "total", limit }] })
    const guard = guardFor(integration, "1.00", { budget })
    server.faults.next({ status: 503, headers: { "x-should-retry": "false", "retry-after-ms": "1" } })
    await failure(integration.call(guard.connection))
    for (const call of [
      () => integration.call(guard.connection),
      () => integration.stream(guard.connection, () => true),
    ]) {
      guard.counts.asked = 0
      const error = await failure(call())
      expect(circuitErrorFrom(error)).toMatchObject({ code: "circuit-open", provider: integration.provider })
      expect(circuitErrorFrom(error)!.retryAfterMs).toBeGreaterThan(50_000)
      expect(budgetErrorFrom(error)).toBeUndefined()
      expect(guard.counts.asked).toBe(1)
    }
    expect(guard.attempts).toHaveLength(1)
  })

  it("charges every retry of the SDK", async () => {
    const guard = guardFor(integration, "1.00")
    const headers = { "retry-after-ms": "1" }
    // LangChain gives up after a 429.
    const second = integration.name === "@langchain/openai" ? 503 : 429
    // Google documents that a 500 is not billed.
    const first = /google|gemini/i.test(integration.name) ? 503 : 500
    for (const status of [first, second]) server.faults.next({ status, headers, billed: status === first })
    await integration.call(guard.connection)
    expect(guard.attempts.map(({ httpStatus }) => httpStatus)).toEqual([first, second, 200])
    expect(server.ledger.calls).toHaveLength(2)
    await expectCovered(guard)
    server.faults.next({ status: 529, headers, billed: true })
    await failure(integration.call(guard.connection))
    await expectCovered(guard)
  })

  it("charges nothing for a status that is not billed", async () => {
    const { budget, connection, attempts } = guardFor(integration, "1.00")
    server.faults.next({ status: 400 })
    await failure(integration.call(connection))
    expect(attempts).toMatchObject([{ httpStatus: 400, costNanoUsd: 0, inDoubt: false }])
    expect(await spentAndReserved(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it("admits as many of 40 calls at once as the budget can pay", async () => {
    const probe = guardFor(integration, "1.00")
    await integration.call(probe.connection)
    const bound = probe.attempts[0]!.reservedNanoUsd
    server.ledger.clear()
    const guard = guardFor(integration, { nanoUsd: 10 * bound })
    let answer = () => {}
    server.faults.always({ until: new Promise<void>((resolve) => (answer = resolve)) })
    const calls = Array.from({ length: 40 }, () => failure(integration.call(guard.connection)))
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
    await integration.stream(guard.connection, () => false)
    await expectCovered(guard)
    expect(guard.attempts).toHaveLength(1)
  })

  it("sends nothing for a signal that is aborted before the call", async () => {
    const guard = guardFor(integration, "1.00")
    expect(await failure(integration.call({ ...guard.connection, signal: AbortSignal.abort() }))).toBeDefined()
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
    const failing = failure(integration.call({ ...guard.connection, signal: controller.signal }))
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
    const failing = failure(
      integration.stream({ ...guard.connection, signal: controller.signal }, () => {
        controller.abort()
        return true
      }),
    )
    await failing
    await expectCovered(guard)
    expect(guard.attempts).toMatchObject([{ inDoubt: true }])
  })

  it.each([
    ["body", { cut: "body" }],
    ["stream", { cut: "stream" }],
  ] as const)("charges a %s that is cut", async (name, fault) => {
    const guard = guardFor(integration, "1.00")
    server.faults.next(fault)
    const { connection } = guard
    await failure(name === "body" ? integration.call(connection) : integration.stream(connection, () => true))
    await expectCovered(guard)
    expect(guard.attempts[0]).toMatchObject({ status: "failed", inDoubt: true })
  })
})
