import { type Budget, createBudget, type Limit, memoryStore } from "@p2/budget"
import type { LocalProvider } from "@p2/local-provider"
import { describe, expect, it, vi } from "vitest"
import { budgetErrorFrom, circuitErrorFrom, type GuardAttempt } from "../../src/index"
import { failure } from "../failure"

/** The calls that a case makes. */
export interface Caller {
  call(signal?: AbortSignal): Promise<unknown>
  /** A stream; `onPiece` returns false to abandon it. */
  stream?(onPiece: () => boolean, signal?: AbortSignal): Promise<void>
  /** Two calls: the model calls a tool and gets its result. */
  steps?(): Promise<unknown>
}

/** Options of every guard. */
export interface GuardedBy {
  budget: Budget
  onAttempt: (attempt: GuardAttempt) => void
}

/** An SDK under a guard. */
export interface GuardedSDK {
  name: string
  /** `onRequest` is called for each request of the SDK, before the budget reserves. */
  connect(server: LocalProvider, guard: GuardedBy, onRequest: () => void): Caller
  /** What it supports in addition to plain calls. @defaultValue both */
  has?: readonly ("stream" | "steps")[]
  /** False: the endpoint reports no usage, so the upper bound is charged. @defaultValue true */
  isReported?: boolean | undefined
  /** Two statuses that the SDK retries; the provider bills the first one. @defaultValue 503, 429 */
  retried?: readonly [number, number]
  /** The guard throws its errors itself. @defaultValue false: they are found in the error of the SDK */
  throwsItself?: boolean
}

const ENOUGH = "20.00"

/** The cases of every SDK, against an imitation of the providers that keeps its own ledger (`localServer`). */
export function describeSDKs(server: LocalProvider, sdks: readonly GuardedSDK[]): void {
  /** A caller with its budget, and what passed through the guard. */
  function open(sdk: GuardedSDK, limit: Limit["limit"], store = memoryStore()) {
    const budget = createBudget({ store, limits: [{ scope: "total", limit }] })
    const attempts: GuardAttempt[] = []
    const counts = { requests: 0 }
    const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
    const caller = sdk.connect(server, { budget, onAttempt }, () => counts.requests++)
    const calls = [() => caller.call(), ...(hasStream(sdk) ? [() => caller.stream!(() => true)] : [])]
    return { budget, attempts, counts, caller, calls }
  }

  async function spentAndReserved(budget: Budget): Promise<{ spent: number; reserved: number }> {
    const [status] = await budget.status()
    return { spent: status!.spentNanoUsd!, reserved: status!.reservedNanoUsd! }
  }

  /** Every attempt has ended: at least what was billed is spent, and nothing is reserved. */
  async function expectCovered({ budget, attempts, counts }: ReturnType<typeof open>): Promise<void> {
    await vi.waitFor(() => expect(attempts).toHaveLength(counts.requests), 60_000)
    const { spent, reserved } = await spentAndReserved(budget)
    expect(reserved).toBe(0)
    expect(spent).toBeGreaterThanOrEqual(server.ledger.totalNanoUsd)
  }

  describe.each(sdks)("$name", (sdk) => {
    const { isReported = true, retried = [503, 429], throwsItself = false } = sdk
    // No test is defined, rather than skipped, for an SDK that cannot make such a call.
    const itIf = (canCall: boolean) => (title: string, body: () => Promise<void>) => {
      if (canCall) it(title, body)
    }
    const withStream = itIf(hasStream(sdk))
    const withSteps = itIf(sdk.has?.includes("steps") !== false)

    it("charges a call what was billed", async () => {
      const { budget, caller, attempts } = open(sdk, ENOUGH)
      await caller.call()
      expect(attempts).toMatchObject([
        { status: "succeeded", inDoubt: !isReported, costSource: isReported ? "table" : "bound" },
      ])
      expect(server.ledger.calls).toHaveLength(1)
      expect(server.ledger.totalNanoUsd).toBeGreaterThan(0)
      const { spent, reserved } = await spentAndReserved(budget)
      expect(reserved).toBe(0)
      if (isReported) expect(spent).toBe(server.ledger.totalNanoUsd)
      else expect(spent).toBeGreaterThanOrEqual(server.ledger.totalNanoUsd)
    })

    withSteps("charges each step what was billed", async () => {
      const { budget, caller } = open(sdk, ENOUGH)
      await caller.steps!()
      expect(server.ledger.calls).toHaveLength(2)
      expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    })

    withStream("charges a stream what was billed", async () => {
      const { budget, caller, attempts } = open(sdk, ENOUGH)
      server.faults.always({ chunkDelayMs: 5 })
      let pieces = 0
      await caller.stream!(() => ++pieces > 0)
      expect(pieces).toBeGreaterThan(1)
      expect(attempts).toMatchObject([{ status: "succeeded", inDoubt: false }])
      expect(await spentAndReserved(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    })

    it("tries a denied call once, and recognizes the denial", async () => {
      const { budget, calls, counts } = open(sdk, "0.000001")
      for (const call of calls) {
        counts.requests = 0
        const error = await failure(call())
        const denial = { code: "budget-exceeded", scope: "total", limitNanoUsd: 1_000 }
        expect(budgetErrorFrom(error)).toMatchObject(denial)
        if (throwsItself) expect(budgetErrorFrom(error)).toBe(error)
        expect(counts.requests).toBe(1)
      }
      expect(server.ledger.calls).toHaveLength(0)
      expect(await spentAndReserved(budget)).toEqual({ spent: 0, reserved: 0 })
    })

    it("tries a call with an open circuit once, and recognizes it", async () => {
      const probe = open(sdk, ENOUGH)
      await probe.caller.call()
      server.ledger.clear()
      // A limit for two calls: after a failure the next call waits for a minute of the store's clock, which stands still.
      const store = memoryStore({ now: () => Date.UTC(2026, 10, 30, 12) })
      const guard = open(sdk, { nanoUsd: 2 * probe.attempts[0]!.reservedNanoUsd }, store)
      server.faults.next({ status: 503, headers: { "x-should-retry": "false", "retry-after-ms": "1" } })
      await failure(guard.caller.call())
      // A retry of the SDK is the first call that is rejected.
      for (const call of guard.calls) {
        guard.counts.requests = 0
        const error = await failure(call())
        expect(circuitErrorFrom(error)).toMatchObject({ code: "circuit-open" })
        expect(circuitErrorFrom(error)!.retryAfterMs).toBeGreaterThan(50_000)
        expect(budgetErrorFrom(error)).toBeUndefined()
        expect(guard.counts.requests).toBe(1)
      }
      expect(guard.attempts).toHaveLength(1)
    })

    it("charges every retry of the SDK", async () => {
      const guard = open(sdk, ENOUGH)
      const headers = { "retry-after-ms": "1" }
      for (const status of retried) server.faults.next({ status, headers, billed: status === retried[0] })
      await guard.caller.call()
      expect(guard.attempts.map(({ httpStatus }) => httpStatus)).toEqual([...retried, 200])
      expect(server.ledger.calls).toHaveLength(2)
      await expectCovered(guard)
      server.faults.next({ status: 529, headers, billed: true })
      await failure(guard.caller.call())
      await expectCovered(guard)
    })

    it("charges nothing for a status that is not billed", async () => {
      const { budget, caller, attempts } = open(sdk, ENOUGH)
      server.faults.next({ status: 400 })
      await failure(caller.call())
      expect(attempts).toMatchObject([{ httpStatus: 400, costNanoUsd: 0, inDoubt: false }])
      expect(await spentAndReserved(budget)).toEqual({ spent: 0, reserved: 0 })
    })

    it("admits as many of 40 concurrent calls as the budget can pay", async () => {
      const probe = open(sdk, ENOUGH)
      await probe.caller.call()
      const bound = probe.attempts[0]!.reservedNanoUsd
      server.ledger.clear()
      const guard = open(sdk, { nanoUsd: 10 * bound })
      let answer = () => {}
      server.faults.always({ until: new Promise<void>((resolve) => (answer = resolve)) })
      const calls = Array.from({ length: 40 }, () => failure(guard.caller.call()))
      // The first ones end when the last ones have been denied.
      let denied = 0
      for (const call of calls) void call.then((error) => error !== undefined && denied++)
      await vi.waitFor(() => expect(denied).toBe(30), 60_000)
      answer()
      const errors = await Promise.all(calls)
      expect(errors.filter((error) => error === undefined)).toHaveLength(10)
      expect(errors.filter((error) => budgetErrorFrom(error) !== undefined)).toHaveLength(30)
      expect(guard.counts.requests).toBe(40)
      expect(server.ledger.totalNanoUsd).toBeLessThanOrEqual(10 * bound)
      await expectCovered(guard)
    })

    withStream("charges a stream that its reader leaves", async () => {
      const guard = open(sdk, ENOUGH)
      server.faults.always({ chunkDelayMs: 5 })
      await guard.caller.stream!(() => false)
      await expectCovered(guard)
      expect(guard.attempts).toHaveLength(1)
    })

    it("sends nothing for a signal that is aborted before the call", async () => {
      const { budget, caller } = open(sdk, ENOUGH)
      expect(await failure(caller.call(AbortSignal.abort()))).toBeDefined()
      expect(server.ledger.calls).toHaveLength(0)
      expect(await spentAndReserved(budget)).toEqual({ spent: 0, reserved: 0 })
    })

    it.each(["headers", "body"] as const)("charges a call that is aborted before its %s", async (stall) => {
      const guard = open(sdk, ENOUGH)
      server.faults.always({ stall })
      const controller = new AbortController()
      const failing = failure(guard.caller.call(controller.signal))
      await vi.waitFor(() => expect(server.ledger.calls).toHaveLength(1), 60_000)
      controller.abort()
      expect(await failing).toBeDefined()
      await expectCovered(guard)
      expect(guard.attempts).toMatchObject([{ inDoubt: true }])
    })

    withStream("charges a stream that never ends when its signal is aborted", async () => {
      const guard = open(sdk, ENOUGH)
      server.faults.always({ stall: "stream", afterChunks: 2 })
      const controller = new AbortController()
      const onPiece = () => {
        controller.abort()
        return true
      }
      await failure(guard.caller.stream!(onPiece, controller.signal))
      await expectCovered(guard)
      expect(guard.attempts).toMatchObject([{ inDoubt: true }])
    })

    it.each(hasStream(sdk) ? (["body", "stream"] as const) : (["body"] as const))(
      "charges a %s that is cut",
      async (cut) => {
        const guard = open(sdk, ENOUGH)
        server.faults.next({ cut })
        await failure(guard.calls[cut === "body" ? 0 : 1]!())
        await expectCovered(guard)
        expect(guard.attempts[0]).toMatchObject({ status: "failed", inDoubt: true })
      },
    )
  })
}

function hasStream({ has = ["stream"] }: GuardedSDK): boolean {
  return has.includes("stream")
}
