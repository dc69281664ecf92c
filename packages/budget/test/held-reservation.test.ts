import { expect, it } from "vitest"
import { SettleMismatchError } from "../src"
import { budgetOn, reserved, world } from "./budget-world"

const subject = { userId: "ada" }

it("a release does not overtake a pending settle", async () => {
  const at = world()
  const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1 }] })
  const reservation = await reserved(budget, { subject, amount: 1 })
  at.faults.push({ member: "settle", kind: "down" })
  expect(await reservation.settle({ usd: 0.5 })).toMatchObject({ status: "pending" })
  // The store is back, and would accept a release that arrives first.
  await expect(reservation.release()).rejects.toBeInstanceOf(SettleMismatchError)
  expect(await budget.flush()).toBe(true)
  expect(await budget.status(subject)).toMatchObject([{ spent: 0.5, reserved: 0 }])
  expect(at.warnings).toEqual([])
})

it("a settle with a usage error leaves the reservation to be released", async () => {
  const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
  const reservation = await reserved(budget, { subject, amount: 1 })
  await expect(reservation.settle({ usd: -1 })).rejects.toMatchObject({ kind: "usage" })
  await expect(reservation.settle({ usd: 0.5 }, { attempt: 0 })).rejects.toMatchObject({ kind: "usage" })
  expect(await reservation.release()).toMatchObject({ status: "settled", replayed: false })
  expect(await budget.status(subject)).toMatchObject([{ spent: 0, reserved: 0 }])
})
