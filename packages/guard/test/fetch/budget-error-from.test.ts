import { BudgetExceededError, createBudget, memoryStore } from "@p2/budget"
import { beforeAll, describe, expect, it } from "vitest"
import { budgetErrorFrom } from "../../src/index"
import { COMPLETION, guardOver, json, post } from "./guarded-server"

let denial: BudgetExceededError
let response: Response
let body: { error: { p2: { id: string; limits: object[] } } }
let remembered: BudgetExceededError | undefined

beforeAll(async () => {
  const now = () => Date.UTC(2026, 10, 30, 12)
  const budget = createBudget({
    store: memoryStore({ now }),
    limits: [
      { scope: { tag: "team" }, limit: { usd: "0.00001", tokens: 5 }, per: "day", timeZone: "Europe/Paris" },
      { scope: "total", limit: 1 },
    ],
  })
  const guard = guardOver(() => json(COMPLETION), { budget, subject: { tags: { team: "search" } } })
  const subject = { tags: { team: "search" } }
  const result = await budget.reserve({ subject, amount: { usd: 1, tokens: 10 }, recordDenial: false })
  if (result.ok) throw new Error("It fits.")
  denial = result.error
  response = await post(guard.fetch)
  body = (await response.json()) as typeof body
  remembered = budgetErrorFrom(body)
})

/** The body as another process would get it: with an id that this process does not remember. */
function fromElsewhere() {
  return { error: { ...body.error, p2: { ...body.error.p2, id: "00000000-0000-0000-0000-000000000000" } } }
}

describe("budgetErrorFrom", () => {
  it("returns the error itself, also as a cause or among several errors", () => {
    expect(budgetErrorFrom(denial)).toBe(denial)
    expect(budgetErrorFrom(new Error("x", { cause: new Error("y", { cause: denial }) }))).toBe(denial)
    expect(budgetErrorFrom(new AggregateError([new Error("x"), denial]))).toBe(denial)
    expect(budgetErrorFrom({ lastError: { errors: [{ error: denial }] } })).toBe(denial)
  })

  it.each([
    ["the body", () => body],
    ["the error in the body", () => body.error],
    ["the body as text", () => JSON.stringify(body)],
    ["a message with the body", () => new Error(`402 ${JSON.stringify(body)}`)],
    ["headers", () => ({ headers: response.headers })],
    ["headers as an object", () => ({ responseHeaders: Object.fromEntries(response.headers) })],
    ["a response", () => ({ response })],
  ])("finds the original error by its id in %s", (_name, error) => {
    expect(remembered).toBeDefined()
    expect(budgetErrorFrom(error())).toBe(remembered)
  })

  it("rebuilds the error from the numbers in the body in another process", () => {
    const rebuilt = budgetErrorFrom(new Error("x", { cause: { responseBody: JSON.stringify(fromElsewhere()) } }))
    expect(rebuilt).not.toBe(remembered)
    expect(BudgetExceededError.isInstance(rebuilt)).toBe(true)
    expect(rebuilt!.message).toBe(remembered!.message)
    expect({ ...rebuilt }).toEqual({ ...remembered })
    expect(rebuilt!.all).toHaveLength(2)
    expect(rebuilt!.scope).toEqual({ tag: "team" })
  })

  it.each([
    ["no limits", []],
    ["a limit without numbers", [{ scope: "total" }]],
    ["a wrong number", () => [{ ...body.error.p2.limits[0], spent: "5" }]],
    ["a time zone that does not exist", () => [{ ...body.error.p2.limits[0], retryAfterMs: 5, timeZone: "Mars/Base" }]],
  ])("does not rebuild an error from %s", (_name, limits) => {
    const { error } = fromElsewhere()
    const given = typeof limits === "function" ? limits() : limits
    expect(budgetErrorFrom({ error: { ...error, p2: { ...error.p2, limits: given } } })).toBeUndefined()
  })

  it("returns undefined for everything else, cycles and getters that throw included", () => {
    const cycle: Record<string, unknown> = { cause: {} }
    cycle.error = cycle
    const hostile = Object.defineProperty(new Error("x"), "cause", {
      get() {
        throw new Error("no")
      },
    })
    const deep = Array.from({ length: 5_000 }).reduce((cause) => ({ cause }), {})
    for (const value of [undefined, null, 5, "text", "{", '{"p2"', new Error("x"), cycle, hostile, deep, { p2: 5 }])
      expect(budgetErrorFrom(value)).toBeUndefined()
  })

  it("shows no value of the subject in the response", () => {
    expect(JSON.stringify(body)).not.toContain("search")
  })
})
