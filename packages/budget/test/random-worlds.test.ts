import fc from "fast-check"
import { expect, it } from "vitest"
import { isBudgetError, type Reservation } from "../src"
import { budgetOn, NOON, world } from "./budget-world"

const LEASE_MS = 60_000
const LIMIT = 300
const limits = [
  { scope: "user", limit: { nanoUsd: LIMIT, requests: 40 }, per: "hour" },
  { scope: "total", limit: null },
] as const
const subject = { userId: "ada" }

const step = fc.oneof(
  fc.record({
    kind: fc.constant("reserve" as const),
    budget: fc.nat(1),
    key: fc.constantFrom("a", "b", "c", "d", "e", undefined),
    nanoUsd: fc.constantFrom(10, 30, 70),
    onExpire: fc.constantFrom("charge" as const, "release" as const, { nanoUsd: 3 }),
  }),
  fc.record({ kind: fc.constant("settle" as const), at: fc.nat(12), nanoUsd: fc.constantFrom(0, 10, 90) }),
  fc.record({ kind: fc.constant("release" as const), at: fc.nat(12) }),
  fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(1, 1_000, 40_000, 70_000, 3_600_000) }),
  fc.record({
    kind: fc.constant("fault" as const),
    member: fc.constantFrom(
      "reserve" as const,
      "settle" as const,
      "extend" as const,
      "expire" as const,
      "listDue" as const,
    ),
    fault: fc.constantFrom("lost" as const, "down" as const),
  }),
  fc.record({ kind: fc.constant("flush" as const), budget: fc.nat(1) }),
)
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

/** Runs the steps in two budgets over one store, and checks the money when everything has ended. */
async function check(steps: readonly Step[]): Promise<void> {
  const at = world(NOON)
  const budgets = [0, 1].map(() => budgetOn(at, { limits, leaseMs: LEASE_MS }))
  const reservations: Reservation[] = []
  /** One key is one call, which has one cost. */
  const costs = new Map<string, number>()
  /** The settles that were accepted or are pending. */
  const confirmed = new Map<Reservation, number>()
  const released = new Set<Reservation>()
  const run = async (one: Step): Promise<void> => {
    if (one.kind === "pass") at.now += one.ms
    if (one.kind === "fault") at.faults.push({ member: one.member, kind: one.fault })
    if (one.kind === "flush") await budgets[one.budget]!.flush({ timeoutMs: 0 })
    if (one.kind === "reserve") {
      const { key: idempotencyKey, nanoUsd, onExpire } = one
      const options = { subject, amount: { nanoUsd }, onExpire, idempotencyKey }
      const result = await budgets[one.budget]!.reserve(options)
      if (result.ok) reservations.push(result.reservation)
      const [user] = await budgets[one.budget]!.status(subject)
      // A cost may exceed its reservation, a reservation never exceeds the limit.
      if (result.ok) expect(user!.reservedNanoUsd!).toBeLessThanOrEqual(LIMIT)
      return
    }
    const reservation = "at" in one ? reservations[one.at] : undefined
    if (reservation === undefined) return
    if (one.kind === "settle") {
      const { idempotencyKey } = reservation
      const nanoUsd = costs.get(idempotencyKey) ?? one.nanoUsd
      costs.set(idempotencyKey, nanoUsd)
      const { status } = await reservation.settle({ nanoUsd })
      if (status !== "forgotten" && !released.has(reservation)) confirmed.set(reservation, nanoUsd)
    }
    if (one.kind === "release") {
      released.add(reservation)
      await reservation.release()
    }
  }
  for (const one of steps)
    await run(one).catch((error: unknown) => {
      if (!isBudgetError(error)) throw error
    })
  at.faults.length = 0
  for (const budget of budgets) expect(await budget.flush({ timeoutMs: 10_000 })).toBe(true)
  at.now += LEASE_MS + 1
  expect((await budgets[0]!.sweep()).more).toBe(false)
  const { entries } = await budgets[0]!.usage.list({ limit: 1_000 })
  const attempts = entries.filter(({ state }) => state !== "recorded")
  const { counters } = await at.store.listCounters({ partition: "main", cursor: null, limit: 1_000 })
  for (const { name, spent, reserved } of counters) {
    const charged = attempts.reduce((sum, { charges }) => sum + (charges[name] ?? 0), 0)
    expect([name, spent, reserved]).toEqual([name, charged, 0])
  }
  for (const { charges, costNanoUsd } of attempts)
    for (const [name, charge] of Object.entries(charges)) if (name.includes("|usd|")) expect(charge).toBe(costNanoUsd)
  // No cost that was confirmed to a caller is lost.
  for (const [{ idempotencyKey }, cost] of confirmed) {
    const charged = attempts.filter(({ requestId }) => requestId === idempotencyKey).map((entry) => entry.costNanoUsd)
    expect([idempotencyKey, charged.includes(cost), charged]).toEqual([idempotencyKey, true, charged])
  }
  for (const budget of budgets) await budget.close({ keepStore: true })
  // A caller who releases and settles may learn that in the background only.
  const expected = /released by another caller|The pending (settlement|release) of .* was rejected/
  expect(at.warnings.filter((warning) => !expected.test(warning))).toEqual([])
}

it("after any failures, counters equal the ledger and the callers' results, and nothing stays reserved", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), check), { numRuns: 1_500 })
})
