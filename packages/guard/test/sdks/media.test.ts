import { type Budget, createBudget, type Limit, memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest"
import { budgetErrorFrom, type GuardAttempt } from "../../src/index"
import { connect } from "./integrations"
import { MEDIA, type MediaIntegration } from "./media-integrations"

let server: LocalProvider
beforeAll(async () => {
  server = await startLocalProvider()
})
afterAll(() => server.close())
beforeEach(() => {
  server.faults.clear()
  server.ledger.clear()
})

function guardFor({ options }: MediaIntegration, limit: Limit["limit"]) {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const attempts: GuardAttempt[] = []
  const counts = { asked: 0 }
  const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
  const connection = connect(server, { budget, provider: "openai", onAttempt, ...options }, () => counts.asked++)
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

describe.each(MEDIA)("$name", (integration) => {
  const { isReported = true } = integration

  it("charges a call what was billed", async () => {
    const guard = guardFor(integration, "20.00")
    await integration.call(guard.connection)
    expect(guard.attempts).toMatchObject([{ status: "succeeded", inDoubt: !isReported }])
    expect(server.ledger.calls).toHaveLength(1)
    expect(server.ledger.totalNanoUsd).toBeGreaterThan(0)
    const { spent, reserved } = await spentAndReserved(guard.budget)
    expect(reserved).toBe(0)
    if (isReported) expect(spent).toBe(server.ledger.totalNanoUsd)
    else expect(spent).toBeGreaterThanOrEqual(server.ledger.totalNanoUsd)
  })

  it("asks a denied call once, and recognizes the denial", async () => {
    const { budget, connection, counts } = guardFor(integration, "0.000001")
    const error = await failure(integration.call(connection))
    expect(budgetErrorFrom(error)).toMatchObject({ code: "budget-exceeded", scope: "total", limitNanoUsd: 1_000 })
    expect(counts.asked).toBe(1)
    expect(server.ledger.calls).toHaveLength(0)
    expect(await spentAndReserved(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it("charges every retry of the SDK", async () => {
    const guard = guardFor(integration, "20.00")
    const headers = { "retry-after-ms": "1" }
    for (const status of [500, 429]) server.faults.next({ status, headers, billed: status === 500 })
    await integration.call(guard.connection)
    expect(guard.attempts.map(({ httpStatus }) => httpStatus)).toEqual([500, 429, 200])
    expect(server.ledger.calls).toHaveLength(2)
    await expectCovered(guard)
    server.faults.next({ status: 529, headers, billed: true })
    await failure(integration.call(guard.connection))
    await expectCovered(guard)
  })

  it("admits as many of 40 calls at once as the budget can pay", async () => {
    const probe = guardFor(integration, "20.00")
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
    await expectCovered(guard)
  })

  it("sends nothing for a signal that is aborted before the call", async () => {
    const guard = guardFor(integration, "20.00")
    expect(await failure(integration.call({ ...guard.connection, signal: AbortSignal.abort() }))).toBeDefined()
    expect(server.ledger.calls).toHaveLength(0)
    expect(await spentAndReserved(guard.budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it.each(["headers", "body"] as const)("charges a call that is aborted before its %s", async (stall) => {
    const guard = guardFor(integration, "20.00")
    server.faults.always({ stall })
    const controller = new AbortController()
    const failing = failure(integration.call({ ...guard.connection, signal: controller.signal }))
    await vi.waitFor(() => expect(server.ledger.calls).toHaveLength(1), 60_000)
    controller.abort()
    expect(await failing).toBeDefined()
    await expectCovered(guard)
    expect(guard.attempts).toMatchObject([{ inDoubt: true }])
  })

  it("charges a body that is cut", async () => {
    const guard = guardFor(integration, "20.00")
    server.faults.next({ cut: "body" })
    await failure(integration.call({ ...guard.connection, maxRetries: 0 }))
    await expectCovered(guard)
    expect(guard.attempts[0]).toMatchObject({ status: "failed", inDoubt: true })
  })
})

describe.each(MEDIA.filter(({ stream }) => stream !== undefined))("$name, streamed", (integration) => {
  const stream = integration.stream!

  it("charges a stream what was billed", async () => {
    const { budget, connection, attempts } = guardFor(integration, "20.00")
    server.faults.always({ chunkDelayMs: 5 })
    let pieces = 0
    await stream(connection, () => ++pieces > 0)
    expect(pieces).toBeGreaterThan(1)
    expect(attempts).toMatchObject([{ status: "succeeded", inDoubt: false }])
    expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("asks a denied stream once, and recognizes the denial", async () => {
    const { connection, counts } = guardFor(integration, "0.000001")
    expect(budgetErrorFrom(await failure(stream(connection, () => true)))).toMatchObject({ scope: "total" })
    expect(counts.asked).toBe(1)
  })

  it("charges a stream that its reader leaves", async () => {
    const guard = guardFor(integration, "20.00")
    server.faults.always({ chunkDelayMs: 5 })
    await stream(guard.connection, () => false)
    await expectCovered(guard)
  })

  it("charges a stream that never ends when its signal is aborted", async () => {
    const guard = guardFor(integration, "20.00")
    server.faults.always({ stall: "stream", afterChunks: 1 })
    const controller = new AbortController()
    await failure(
      stream({ ...guard.connection, signal: controller.signal }, () => {
        controller.abort()
        return true
      }),
    )
    await expectCovered(guard)
    expect(guard.attempts).toMatchObject([{ inDoubt: true }])
  })

  it("charges a stream that is cut", async () => {
    const guard = guardFor(integration, "20.00")
    server.faults.next({ cut: "stream" })
    await failure(stream({ ...guard.connection, maxRetries: 0 }, () => true))
    await expectCovered(guard)
    expect(guard.attempts[0]).toMatchObject({ status: "failed", inDoubt: true })
  })
})
