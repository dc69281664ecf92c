import fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type BudgetAlert,
  type BudgetStore,
  createBudget,
  memoryStore,
  type Reservation,
  type ReserveOptions,
} from "../src"
import { workOf } from "../src/at-once"
import { NOON } from "./budget-world"

/** The same store, each of whose answers has to be waited for. */
function waiting(store: BudgetStore): BudgetStore {
  return {
    ...store,
    reserve: async (request) => store.reserve(request),
    settle: async (request) => store.settle(request),
  }
}

const LIMITS = [
  { scope: "user", limit: { nanoUsd: 60, tokens: 500 }, per: "1m", alertAt: [0.5, 1] },
  { scope: "total", limit: { nanoUsd: 200 }, per: "hour" },
] as const

const FLOOR = { onExpire: "floor", floor: { nanoUsd: 3 } } as const

const id = fc.constantFrom("a", "b", "c", "d")
const step = fc.oneof(
  fc.record({ kind: fc.constant("reserve" as const), id, nanoUsd: fc.constantFrom(10, 30, 70), floor: fc.boolean() }),
  fc.record({ kind: fc.constant("many" as const), count: fc.constantFrom(3, 25, 60), nanoUsd: fc.constantFrom(1, 5) }),
  fc.record({ kind: fc.constant("settle" as const), at: fc.nat(20), nanoUsd: fc.constantFrom(0, 10, 90) }),
  fc.record({ kind: fc.constant("release" as const), at: fc.nat(20) }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, 1_000, 30_000, 3_600_000) }),
)
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

/** What a budget says at every step, and what is in its store in the end. */
async function told(steps: readonly Step[], wrap: (store: BudgetStore) => BudgetStore): Promise<unknown[]> {
  let now = NOON
  const alerts: BudgetAlert[] = []
  const budget = createBudget({
    store: wrap(memoryStore({ clock: () => now, maxIds: 150, retentionMs: 60_000 })),
    limits: LIMITS,
    leaseMs: 1_000,
    onAlert: (alert) => void alerts.push(alert),
    onWarning: () => {},
  })
  const subject = { userId: "u" }
  const held: Reservation[] = []
  let made = 0
  const reserve = async (name: string, nanoUsd: number, expiry: Pick<ReserveOptions, "onExpire" | "floor">) => {
    const outcome = await budget.reserve({ subject, id: name, amount: { nanoUsd, tokens: 7 }, ...expiry })
    if (!outcome.ok) return outcome.error.all
    held.push(outcome.reservation)
    const { replayed, expiresAt, cells } = outcome.reservation
    return { replayed, expiresAt, cells }
  }
  const doStep = async (one: Step): Promise<unknown> => {
    if (one.kind === "pass") now += one.ms
    if (one.kind === "reserve") return reserve(one.id, one.nanoUsd, one.floor ? FLOOR : {})
    if (one.kind === "many")
      for (let count = 0; count < one.count; count++) await reserve(`m${made++}`, one.nanoUsd, { onExpire: "release" })
    const reservation = "at" in one ? held[one.at] : undefined
    // An id that was charged anew is another one in each run.
    if (one.kind === "settle") return reservation?.settle({ nanoUsd: one.nanoUsd })
    if (one.kind === "release") return reservation?.release()
    return undefined
  }
  const said: unknown[] = []
  for (const one of steps) said.push(await doStep(one).catch((error: unknown) => `${error}`))
  const { entries } = await budget.usage.list({ limit: 1_000 })
  said.push(await budget.status(subject), entries.map(withoutId), alerts)
  await budget.close()
  return said
}

function withoutId<Entry extends { id: string; requestId: string }>({ id: _id, ...entry }: Entry) {
  return entry
}

describe("a store that answers at once", () => {
  it("is told and tells the same as one that has to be waited for", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        expect(await told(steps, (store) => store)).toEqual(await told(steps, waiting))
      }),
      { numRuns: 300 },
    )
  })

  it("is known by the member itself: what stands in its place is asked instead", async () => {
    const store = memoryStore()
    expect(workOf(store.reserve)).toBeTypeOf("function")
    const calls: string[] = []
    const watched: BudgetStore = {
      ...store,
      reserve: (request) => {
        calls.push("reserve")
        return store.reserve(request)
      },
    }
    const budget = createBudget({ store: watched, limits: [] })
    const outcome = await budget.reserve({ amount: { usd: 1 } })
    if (!outcome.ok) throw outcome.error
    watched.settle = (request) => {
      calls.push("settle")
      return store.settle(request)
    }
    await outcome.reservation.settle({ usd: 1 })
    expect(calls).toEqual(["reserve", "settle"])
  })
})
