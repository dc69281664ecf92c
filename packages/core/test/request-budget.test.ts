import { describe, expect, it } from "vitest"
import { InvalidRequestError, Request, type RequestOptions } from "../src"

const budgetOf = (userBudget: unknown) =>
  new Request({ model: "m", userId: "u", userBudget: userBudget as RequestOptions["userBudget"] }).userBudget

function issuesOf(userBudget: unknown): Record<string, string> {
  try {
    budgetOf(userBudget)
  } catch (error) {
    if (InvalidRequestError.isInstance(error))
      return Object.fromEntries(error.issues.map(({ path, message }) => [path, message]))
    throw error
  }
  return {}
}

describe("a budget", () => {
  it("keeps the start of its period, its alerts and what it carries over", () => {
    const budget = { limit: "5.00", per: "month", timeZone: "Europe/Paris", start: { day: 15, hour: 6 } }
    expect(budgetOf({ ...budget, alertAt: [0.5, 1], carryOver: 0.5 })).toEqual({
      limitNanoUsd: 5_000_000_000,
      per: "month",
      timeZone: "Europe/Paris",
      start: { day: 15, hour: 6 },
      alertAt: [0.5, 1],
      carryOver: 0.5,
    })
    expect(budgetOf({ limit: 1, per: "quarter" })).toEqual({
      limitNanoUsd: 1_000_000_000,
      per: "quarter",
      timeZone: "UTC",
    })
    expect(budgetOf({ limit: 1, per: "week", start: { weekday: "sunday" } })?.start).toEqual({ weekday: "sunday" })
  })

  it.each([
    [{ per: "day", start: { hour: 24 } }, "userBudget.start.hour", "expected an integer from 0 to 23, got 24"],
    [{ per: "day", start: { day: 2 } }, "userBudget.start.day", /^expected absent for the period day/],
    [{ per: "month", start: { day: 31 } }, "userBudget.start.day", /from 1 to 28, because every month/],
    [{ per: "90m", start: { hour: 1 } }, "userBudget.start", /only day, week, month and quarter/],
    [{ per: "week", start: { day_of_week: 1 } }, "userBudget.start.day_of_week", /^Unknown option/],
    [{ per: "day", alertAt: [0] }, "userBudget.alertAt", /fractions above 0 and up to 10/],
    [{ per: "day", alertAt: 0.5 }, "userBudget.alertAt", /fractions/],
    [{ per: "day", carryOver: "all" }, "userBudget.carryOver", /true, false or a fraction/],
    [{ carryOver: true }, "userBudget.carryOver", /without a window nothing is carried over/],
    [{ per: "quater" }, "userBudget.per", /"quarter"/],
    [{ per: "day", start_hour: 6 }, "userBudget.start_hour", /unknown option/],
  ])("%j is an issue of %s", (more, path, message) => {
    expect(issuesOf({ limit: 1, ...more })).toEqual({
      [path]: message instanceof RegExp ? expect.stringMatching(message) : message,
    })
  })
})
