import { expect, it } from "vitest"
import { createBudget, memoryStore, type ReserveOptions, StoreError } from "../src"
import { changedStore } from "./budget-world"

const subject = { userId: "ada" }
const limits = [{ scope: "user", limit: 5 }] as const

/** A budget, and a signal that fires this many microtasks after the store replied. */
function abortedAfter(turns: number) {
  const controller = new AbortController()
  const memory = memoryStore()
  const abortIn = (remaining: number): void =>
    remaining === 0 ? controller.abort() : queueMicrotask(() => abortIn(remaining - 1))
  const store = changedStore(memory, {
    reserve: async (request) => {
      const reply = await memory.reserve(request)
      abortIn(turns)
      return reply
    },
  })
  return { budget: createBudget({ store, limits }), signal: controller.signal }
}

const ways: [string, (signal: AbortSignal) => Partial<ReserveOptions>][] = [
  ["signal", (signal) => ({ signal })],
  ["wait.signal", (signal) => ({ wait: { timeoutMs: 1_000, signal } })],
]

it.each(ways)("whenever %s fires, the reservation is returned or released, never left to its lease", async (_, by) => {
  const outcomes = new Set<boolean>()
  for (let turns = 0; turns < 60; turns++) {
    const { budget, signal } = abortedAfter(turns)
    const isReturned = await budget.reserve({ subject, amount: { usd: 1 }, ...by(signal) }).then(
      (outcome) => outcome.ok,
      (error: Error) => {
        expect(error.name).toBe("AbortedError")
        return false
      },
    )
    expect(await budget.flush()).toBe(true)
    const [user] = await budget.status(subject)
    expect([turns, user!.reserved]).toEqual([turns, isReturned ? 1 : 0])
    outcomes.add(isReturned)
  }
  expect(outcomes).toEqual(new Set([true, false]))
})

it.each(ways)("a call that %s ends while a window is carried over reserves nothing", async (_, by) => {
  const controller = new AbortController()
  const memory = memoryStore()
  const store = changedStore(memory, {
    adjust: (request) => {
      controller.abort()
      return memory.adjust(request)
    },
  })
  const budget = createBudget({ store, limits: [{ scope: "user", limit: 5, per: "day", carryOver: true }] })
  const call = budget.reserve({ subject, amount: { usd: 1 }, ...by(controller.signal) })
  await expect(call).rejects.toMatchObject({ name: "AbortedError" })
  // The memory store replies in microtasks, so that the rest of the call is over then.
  await new Promise((resolve) => setImmediate(resolve))
  expect(await budget.flush()).toBe(true)
  expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0 })
})

it.each(ways)("a call whose %s has fired is not admitted while the store is down", async (_, by) => {
  const store = changedStore(memoryStore(), {
    check: async () => Promise.reject(new StoreError("down", { code: "store-unavailable", applied: "no" })),
  })
  const budget = createBudget({ store, limits, onStoreFailure: { allowUpTo: 5 } })
  const call = (signal: AbortSignal) => budget.reserve({ subject, amount: { usd: 1 }, ...by(signal) })
  expect(await call(new AbortController().signal)).toMatchObject({ ok: true })
  await expect(call(AbortSignal.abort())).rejects.toMatchObject({ name: "AbortedError" })
})

it.each(ways)("a value that is not a signal is a usage error before anything is reserved (%s)", async (_, by) => {
  const budget = createBudget({ store: memoryStore(), limits })
  for (const signal of [{}, "abort", 5, { aborted: false }] as unknown as AbortSignal[])
    await expect(budget.reserve({ subject, amount: { usd: 1 }, ...by(signal) })).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining("an AbortSignal"),
    })
  expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0 })
})
