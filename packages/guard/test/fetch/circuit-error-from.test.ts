import { createBudget, memoryStore } from "@p2/budget"
import { describe, expect, it } from "vitest"
import { CircuitOpenError } from "../../src/charge"
import { budgetErrorFrom, circuitErrorFrom } from "../../src/index"
import { CALL, guardOver, json, post } from "./guarded-server"

const CIRCUIT = { provider: "openai", model: CALL.model, retryAfterMs: 60_000, inDoubtNanoUsd: 40, limitNanoUsd: 100 }

/** The response to a call after two failures that used the share of a limit. */
async function rejectedResponse(): Promise<Response> {
  const store = memoryStore({ now: () => Date.UTC(2026, 10, 30, 12) })
  const budget = createBudget({ store, limits: [{ scope: "total", limit: "0.0002" }] })
  const guard = guardOver(() => json({ error: { message: "Overloaded" } }, { status: 503 }), { budget })
  for (let call = 0; call < 4; call++) {
    const response = await post(guard.fetch)
    if (response.status !== 503) return response
  }
  throw new Error("The circuit is closed.")
}

describe("the response of an open circuit", () => {
  it("has status 402, which SDKs do not retry, and names a failure of the server", async () => {
    const response = await rejectedResponse()
    expect(response.status).toBe(402)
    expect(response.headers.get("retry-after")).toBe("60")
    expect(response.headers.get("x-should-retry")).toBe("false")
    expect(await response.json()).toMatchObject({ error: { type: "server_error", code: "circuit_open" } })
  })

  it("is found in the body, and is not a denial", async () => {
    const body = (await (await rejectedResponse()).json()) as { error: { message: string } }
    for (const error of [body, { error: body.error }, new Error(`402 ${JSON.stringify(body)}`), { cause: { body } }]) {
      const open = circuitErrorFrom(error)
      expect(open).toBeInstanceOf(CircuitOpenError)
      expect(open).toMatchObject({ provider: "openai", model: CALL.model, retryAfterMs: 60_000 })
      expect(open!.message).toBe(body.error.message)
      expect(budgetErrorFrom(error)).toBeUndefined()
    }
  })
})

describe("circuitErrorFrom", () => {
  it("returns the error itself, also as a cause", () => {
    const open = new CircuitOpenError(CIRCUIT)
    expect(circuitErrorFrom(open)).toBe(open)
    expect(circuitErrorFrom(new AggregateError([new Error("x", { cause: open })]))).toBe(open)
  })

  it.each([
    [undefined],
    ["{"],
    [new Error("x")],
    [{ p2: { circuit: 5 } }],
    [{ p2: { circuit: { ...CIRCUIT, model: 5 } } }],
    [{ p2: { circuit: { ...CIRCUIT, retryAfterMs: "5" } } }],
    [{ p2: { circuit: { ...CIRCUIT, limitNanoUsd: -1 } } }],
  ])("returns undefined for %j", (error) => {
    expect(circuitErrorFrom(error)).toBeUndefined()
  })
})
