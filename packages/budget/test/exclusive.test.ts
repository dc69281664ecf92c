import { expect, it } from "vitest"
import { budgetOn, reserved, world } from "./budget-world"

const limits = [{ scope: "total", limit: 10 }] as const
const options = { amount: 1, idempotencyKey: "item-1", exclusive: true }

it("an exclusive key belongs to the first call that reserves it, also once it is resolved", async () => {
  const at = world()
  const [one, other] = [budgetOn(at, { limits }), budgetOn(at, { limits })]
  const first = await reserved(one, options)
  expect(first.replayed).toBe(false)
  await expect(other.reserve(options)).rejects.toMatchObject({ code: "reservation-held" })
  await expect(other.reserve({ ...options, exclusive: false })).rejects.toMatchObject({
    code: "idempotency-key-mismatch",
  })
  expect(await first.settle(0.5)).toMatchObject({ status: "settled", replayed: false })
  await expect(other.reserve(options)).rejects.toMatchObject({ code: "reservation-held" })
  expect((await one.status())[0]).toMatchObject({ spent: 0.5, reserved: 0 })
  await expect(one.reserve({ ...options, exclusive: 1 as never })).rejects.toThrow(/Invalid `exclusive`/)
})

it("a lost reply leaves nothing reserved, and does not release the reservation of another call", async () => {
  const at = world()
  const [one, other] = [budgetOn(at, { limits }), budgetOn(at, { limits })]
  at.faults.push({ member: "reserve", kind: "lost" })
  await expect(one.reserve(options)).rejects.toMatchObject({ code: "store-unavailable" })
  await one.flush()
  expect((await one.status())[0]).toMatchObject({ spent: 0, reserved: 0 })
  const held = await reserved(other, { ...options, idempotencyKey: "item-2" })
  at.faults.push({ member: "reserve", kind: "lost" })
  await expect(one.reserve({ ...options, idempotencyKey: "item-2" })).rejects.toMatchObject({
    code: "store-unavailable",
  })
  await one.flush()
  expect((await one.status())[0]).toMatchObject({ reserved: 1 })
  expect(await held.settle(1)).toMatchObject({ status: "settled", recovered: false })
})

it("another process settles an exclusive reservation by its key", async () => {
  const at = world()
  await reserved(budgetOn(at, { limits }), options)
  const resumed = await budgetOn(at, { limits }).resume("item-1")
  expect(await resumed.settle(0.25)).toMatchObject({ status: "settled" })
})
