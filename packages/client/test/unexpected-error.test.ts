import { createBudget, memoryStore } from "@p2/budget"
import { type MockServer, startMockServer } from "@p2/local-provider"
import { afterAll, beforeAll, expect, test } from "vitest"
import { instantClock, openClient } from "./open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
})
afterAll(() => server.close())

test("an unexpected error after the reserve charges the reservation and leaves nothing reserved", async () => {
  let isSent = false
  server.answer(({ sendJson }) => {
    isSent = true
    sendJson(500, { error: { message: "overloaded" } })
  })
  const now = () => {
    if (isSent) throw new Error("no clock")
    return Date.now()
  }
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
  const request = { model: "openai/gpt-4o-mini", maxTokens: 100, retries: 0, repairs: 0 }
  const client = openClient<unknown>(server, request as object, { budget, clock: { ...instantClock, now } })
  const { receipt, ...result } = await client.generate()
  expect(result).toMatchObject({ ok: false, error: { code: "unexpected" } })
  expect(receipt.costNanoUsd).toBeGreaterThan(0)
  expect(receipt).toMatchObject({
    costNanoUsd: receipt.reservedNanoUsd,
    inDoubtNanoUsd: receipt.reservedNanoUsd,
    costSource: "bound",
    settlement: "settled",
  })
  const [status] = await budget.status({})
  expect(status).toMatchObject({ spentNanoUsd: receipt.costNanoUsd, reservedNanoUsd: 0 })
})
