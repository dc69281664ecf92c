import { expect, it } from "vitest"
import { SettleMismatchError, type UsageEntry } from "../src/index"
import { budgetOn, world } from "./budget-world"

const subject = { userId: "ada" }

it("a release after a settle that is still pending does not overtake it: what was spent stays spent", async () => {
  const at = world()
  const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1 }] })
  const outcome = await budget.reserve({ subject, amount: { usd: 1 } })
  if (!outcome.ok) throw outcome.error
  at.faults.push({ member: "settle", kind: "down" })
  expect(await outcome.reservation.settle({ usd: 0.5 })).toMatchObject({ status: "pending" })
  // The store is back, and would take a release that came first.
  await expect(outcome.reservation.release()).rejects.toBeInstanceOf(SettleMismatchError)
  expect(await budget.flush()).toBe(true)
  expect(await budget.status(subject)).toMatchObject([{ spent: 500_000_000, reserved: 0 }])
  expect(at.warnings).toEqual([])
})

it("a settle that was a mistake leaves the reservation to be released", async () => {
  const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
  const outcome = await budget.reserve({ subject, amount: { usd: 1 } })
  if (!outcome.ok) throw outcome.error
  await expect(outcome.reservation.settle({ usd: -1 })).rejects.toMatchObject({ kind: "usage" })
  const entry = { requestId: "r", attempt: 0, model: "m" } as UsageEntry
  await expect(outcome.reservation.settle({ usd: 0.5 }, entry)).rejects.toMatchObject({ kind: "usage" })
  expect(await outcome.reservation.release()).toMatchObject({ status: "settled", replayed: false })
  expect(await budget.status(subject)).toMatchObject([{ spent: 0, reserved: 0 }])
})
