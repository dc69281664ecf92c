import { createBudget, memoryStore } from "@p2/budget"
import { expect, it } from "vitest"
import { withParentCap } from "../../src/run/run-budget"

const onWarning = () => {}

/** A budget whose store can lose its counters, and the same with the cap in the parent. */
function capped(limit: string) {
  const inStore = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }], onWarning })
  return { inStore, budget: withParentCap(inStore, { limit, onWarning }) }
}

it("the cap of a run holds after the counter of the store was reset", async () => {
  const { inStore, budget } = capped("1.00")
  const first = await budget.reserve({ amount: "0.80" })
  if (first.ok) await first.reservation.settle("0.75")
  await inStore.reset({ scope: "total" })
  expect((await inStore.status())[0]).toMatchObject({ spent: 0, remaining: 1 })
  const denied = await budget.reserve({ amount: "0.30" })
  expect(denied).toMatchObject({ ok: false, error: { code: "budget-exceeded", remaining: 0.25 } })
  // The store keeps nothing of a call that the parent denied.
  expect((await inStore.status())[0]).toMatchObject({ spent: 0, reserved: 0 })
  const fits = await budget.reserve({ amount: "0.25" })
  expect(fits.ok).toBe(true)
})

it("the cap of a run settles, releases and denies as the store does", async () => {
  const { inStore, budget } = capped("1.00")
  const first = await budget.reserve({ amount: "0.60" })
  const second = await budget.reserve({ amount: "0.40" })
  if (!first.ok || !second.ok) throw new Error("Expected two reservations.")
  expect((await budget.reserve({ amount: "0.01" })).ok).toBe(false)
  expect(first.reservation.limits).toMatchObject([{ reserved: 0.6 }])
  expect(await first.reservation.settle("0.10", { provider: "openai" })).toMatchObject({ status: "settled" })
  expect(await second.reservation.release()).toMatchObject({ status: "released" })
  expect((await inStore.status())[0]).toMatchObject({ spent: 0.1, reserved: 0 })
  expect((await budget.reserve({ amount: "0.90" })).ok).toBe(true)
  expect((await budget.usage.list()).entries).toContainEqual(
    expect.objectContaining({ provider: "openai", status: "succeeded", costNanoUsd: 100_000_000 }),
  )
})

it("many concurrent calls fit exactly", async () => {
  const { budget } = capped("1.00")
  const results = await Promise.all(Array.from({ length: 50 }, () => budget.reserve({ amount: "0.10" })))
  expect(results.filter(({ ok }) => ok)).toHaveLength(10)
})
