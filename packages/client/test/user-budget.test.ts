import { memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import type { BudgetAlert } from "../src/index"
import { openClient } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.faults.clear()
  provider.faults.always({ answer: "Yes." })
})
afterAll(() => provider.close())

/** Monday, 2 March 2026, 04:59 UTC: 05:59 in Paris. */
const NOW = Date.UTC(2026, 2, 2, 4, 59)

test.each([
  [{ per: "day", start: { hour: 6 } }, "2026-03-01T05:00:00.000Z", "2026-03-02T05:00:00.000Z"],
  [{ per: "week", start: { weekday: "sunday" } }, "2026-02-28T23:00:00.000Z", "2026-03-07T23:00:00.000Z"],
  [{ per: "month", start: { day: 15 } }, "2026-02-14T23:00:00.000Z", "2026-03-14T23:00:00.000Z"],
  [{ per: "quarter" }, "2025-12-31T23:00:00.000Z", "2026-03-31T22:00:00.000Z"],
] as const)("userBudget %j is a window from %s to %s in Paris", async (window, startsAt, resetsAt) => {
  const store = memoryStore({ now: () => NOW })
  const userBudget = { limit: "1.00", timeZone: "Europe/Paris", ...window }
  const client = openClient(provider, { userId: "ada", userBudget }, { store })
  const { ok } = await client.generate()
  expect(ok).toBe(true)
  const [user] = (await client.getBudgetInfo()).scopes
  expect(user).toMatchObject({ window: window.per, startsAt: new Date(startsAt), resetsAt: new Date(resetsAt) })
  expect(user!.spentNanoUsd).toBeGreaterThan(0)
})

test("alertAt of userBudget calls onAlert once per threshold and window, with the numbers", async () => {
  let now = NOW
  const store = memoryStore({ now: () => now })
  const alerts: BudgetAlert[] = []
  const request = {
    userId: "ada",
    maxTokens: 100,
    userBudget: { limit: "0.001", per: "day", alertAt: [0.001, 0.9] },
  } as const
  const call = () => openClient(provider, request, { store, onAlert: (alert) => alerts.push(alert) }).generate()
  for (let count = 0; count < 3; count++) await call()
  const alert = { threshold: 0.001, value: "ada", scope: "user", window: "day", limit: 0.001, unit: "usd" }
  expect(alerts).toMatchObject([alert])
  expect(alerts[0]!.spentNanoUsd).toBe(provider.ledger.calls.at(-3)!.nanoUsd)
  now += 86_400_000
  await call()
  expect(alerts).toMatchObject([alert, alert])
})

test("an alert of another client of the same store goes to that client", async () => {
  const store = memoryStore()
  const alerts: string[] = []
  const call = (userId: string) =>
    openClient(
      provider,
      { userId, maxTokens: 100, userBudget: { limit: "0.001", alertAt: [0.001] } },
      { store, onAlert: ({ value }) => alerts.push(`${userId}: ${value}`) },
    ).generate()
  await Promise.all([call("ada"), call("bob")])
  expect(alerts.sort()).toEqual(["ada: ada", "bob: bob"])
})

test("carryOver of userBudget adds what remained of a day to the next one", async () => {
  let now = NOW
  const store = memoryStore({ now: () => now })
  const userBudget = { limit: "0.001", per: "day", carryOver: 0.5 } as const
  const client = openClient(provider, { userId: "ada", maxTokens: 100, userBudget }, { store })
  await client.generate()
  now += 86_400_000
  await client.generate()
  expect((await client.getBudgetInfo()).scopes).toMatchObject([{ limitNanoUsd: 1_000_000, grantedNanoUsd: 500_000 }])
})
