import { expect, it } from "vitest"
import { createBudget, memoryStore, type ReserveOptions } from "../src/index"

const subject = { userId: "ada" }
const limits = [{ scope: "user", limit: 5 }] as const

/** A budget whose store answers, after which a signal fires so many turns of promises later. */
function abortedAfter(turns: number) {
  const controller = new AbortController()
  const memory = memoryStore()
  const abort = (left: number): void => (left === 0 ? controller.abort() : queueMicrotask(() => abort(left - 1)))
  const store = {
    ...memory,
    reserve: async (request: Parameters<typeof memory.reserve>[0]) => {
      const answer = await memory.reserve(request)
      abort(turns)
      return answer
    },
  }
  return { budget: createBudget({ store, limits }), signal: controller.signal }
}

const ways: [string, (signal: AbortSignal) => Partial<ReserveOptions>][] = [
  ["signal", (signal) => ({ signal })],
  ["wait.signal", (signal) => ({ wait: { timeoutMs: 1_000, signal } })],
]

it.each(ways)(
  "whenever %s fires, the reservation is handed out or given back, and never left to its lease",
  async (_, by) => {
    const outcomes = new Set<boolean>()
    for (let turns = 0; turns < 30; turns++) {
      const { budget, signal } = abortedAfter(turns)
      const handedOut = await budget.reserve({ subject, amount: { usd: 1 }, ...by(signal) }).then(
        (outcome) => outcome.ok,
        (error: Error) => {
          expect(error.name).toBe("AbortedError")
          return false
        },
      )
      expect(await budget.flush()).toBe(true)
      const [user] = await budget.status(subject)
      expect([turns, user!.reserved]).toEqual([turns, handedOut ? 1_000_000_000 : 0])
      outcomes.add(handedOut)
    }
    expect(outcomes).toEqual(new Set([true, false]))
  },
)

it.each(ways)("what is no signal is a mistake before anything is held (%s)", async (_, by) => {
  const budget = createBudget({ store: memoryStore(), limits })
  for (const signal of [{}, "abort", 5, { aborted: false }] as unknown as AbortSignal[])
    await expect(budget.reserve({ subject, amount: { usd: 1 }, ...by(signal) })).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining("an AbortSignal"),
    })
  expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0 })
})
