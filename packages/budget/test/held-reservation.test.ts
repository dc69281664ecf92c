import { expect, it } from "vitest"
import { SettleMismatchError } from "../src/index"
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

it("a settle that finds a release before it leaves the reservation released, also when that is said again", async () => {
  const at = world()
  const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1 }] })
  const asked = { subject, amount: { usd: 1 }, id: "shared" }
  const [one, other] = [await budget.reserve(asked), await budget.reserve(asked)]
  if (!one.ok || !other.ok) throw new Error("expected two owners of one reservation")
  await other.reservation.release()
  await expect(one.reservation.settle({ usd: 0.5 })).rejects.toBeInstanceOf(SettleMismatchError)
  expect(await one.reservation.release()).toMatchObject({ status: "settled", replayed: true })
})
