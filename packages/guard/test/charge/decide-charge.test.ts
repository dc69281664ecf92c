import { describe, expect, it } from "vitest"
import type { AttemptEvidence, Charge, ChargeOptions } from "../../src/charge/charge"
import { decideCharge } from "../../src/charge/decide-charge"
import { errorReading, evidence, RESERVED, reading, usageOf } from "./example-evidence"

const BOUND = RESERVED.nanoUsd

function decide(changes: Partial<AttemptEvidence>, options?: ChargeOptions): Charge {
  return decideCharge(evidence(changes), RESERVED, options)
}

function charged(changes: Partial<AttemptEvidence>, options?: ChargeOptions): Extract<Charge, { status: "charged" }> {
  const charge = decide(changes, options)
  if (charge.status !== "charged") throw new Error("The attempt was released.")
  return charge
}

describe("a status without usage", () => {
  type Expected = "nothing" | "bound"
  const cases: (readonly [provider: string, status: number, code: string | undefined, expected: Expected])[] = [
    ...[400, 401, 402, 404, 413, 422, 429].map((status) => ["openai", status, undefined, "nothing"] as const),
    ...[403, 408, 409, 425, 451, 499, 500, 502, 503, 504, 520, 529].map(
      (status) => ["openai", status, undefined, "bound"] as const,
    ),
    ["openai", 301, undefined, "bound"],
    ["openai", 400, "context_length_exceeded", "nothing"],
    ["openai", 400, "content_filter", "nothing"],
    ["anthropic", 400, "invalid_request_error", "nothing"],
    ["anthropic", 413, "request_too_large", "nothing"],
    ["anthropic", 500, "api_error", "bound"],
    ["anthropic", 529, "overloaded_error", "bound"],
    ["azure", 400, "content_filter", "bound"],
    ["azure", 400, "ResponsibleAIPolicyViolation", "bound"],
    ["azure", 400, "context_length_exceeded", "bound"],
    ["azure", 400, "invalid_type", "nothing"],
    ["azure", 400, undefined, "bound"],
    ["azure", 400, "invalid_request_error", "nothing"],
    ["azure", 401, undefined, "nothing"],
    ["azure", 408, undefined, "bound"],
    ["azure", 429, undefined, "nothing"],
    ["azure", 503, undefined, "bound"],
    ["xai", 400, undefined, "nothing"],
    ["xai", 403, undefined, "bound"],
    ["xai", 429, undefined, "nothing"],
    ["groq", 400, "json_validate_failed", "bound"],
    ["groq", 400, "tool_use_failed", "bound"],
    ["groq", 400, "invalid_request_error", "nothing"],
    ["groq", 400, undefined, "bound"],
    ["groq", 498, "capacity_exceeded", "bound"],
    ["gemini", 400, "INVALID_ARGUMENT", "nothing"],
    ["gemini", 500, "INTERNAL", "nothing"],
    ["gemini", 503, "UNAVAILABLE", "bound"],
    ["gemini", 504, "DEADLINE_EXCEEDED", "bound"],
    ["google-vertex", 403, undefined, "nothing"],
    ["google-vertex", 529, undefined, "nothing"],
    ["openrouter", 403, undefined, "nothing"],
    ["openrouter", 408, undefined, "nothing"],
    ["openrouter", 502, "502", "nothing"],
    ["openrouter", 503, "503", "nothing"],
    ["openrouter", 502, undefined, "bound"],
    ["openrouter", 504, undefined, "bound"],
    ["openrouter", 520, "520", "bound"],
    ["openrouter", 522, undefined, "bound"],
    ["openrouter", 524, "524", "bound"],
    ["openrouter", 530, "1016", "bound"],
    ["novita", 403, undefined, "nothing"],
    ["novita", 503, undefined, "nothing"],
    ["novita", 499, undefined, "bound"],
    ["deepseek", 402, undefined, "nothing"],
    ["deepseek", 503, undefined, "bound"],
    ["mistral", 422, undefined, "nothing"],
    ["together", 403, undefined, "bound"],
    ["a-gateway", 429, undefined, "nothing"],
    ["a-gateway", 500, undefined, "bound"],
  ]

  it.each(cases)("%s %i %s charges %s", (provider, httpStatus, code, expected) => {
    const charge = charged({ provider, httpStatus, reading: errorReading(code) })
    if (expected === "bound")
      expect(charge).toEqual({
        status: "charged",
        costNanoUsd: BOUND,
        tokens: 1_500,
        costSource: "bound",
        tableCostNanoUsd: undefined,
        inDoubt: true,
        health: "failed",
      })
    else
      expect(charge).toMatchObject({ costNanoUsd: 0, tokens: 0, costSource: "none", inDoubt: false, health: "unknown" })
  })

  it.each(["ResponsibleAIPolicyViolation", "content_filter"])("reads the code of the cause: %s", (innerCode) => {
    for (const code of ["BadRequest", "400", "invalid_request_error"]) {
      const error = { status: undefined, code, innerCode, message: "…" }
      const failed = { provider: "azure", httpStatus: 400, reading: reading({ state: "broken", error }) }
      expect(charged(failed)).toMatchObject({ costNanoUsd: BOUND, inDoubt: true })
      expect(charged({ ...failed, provider: "openai" })).toMatchObject({ costNanoUsd: 0, inDoubt: false })
    }
  })

  it("decides the same without a body", () => {
    expect(charged({ httpStatus: 429 })).toMatchObject({ costNanoUsd: 0, inDoubt: false })
    expect(charged({ httpStatus: 500 })).toMatchObject({ costNanoUsd: BOUND, inDoubt: true })
  })

  it("charges nothing for a status that the user's contract lists", () => {
    const overloaded = { provider: "anthropic", httpStatus: 529, reading: errorReading("overloaded_error") }
    const options = { unbilledStatuses: [529] }
    expect(charged(overloaded, options)).toMatchObject({ costNanoUsd: 0, inDoubt: false, health: "unknown" })
    expect(charged({ ...overloaded, httpStatus: 503 }, options)).toMatchObject({ costNanoUsd: BOUND, inDoubt: true })
  })

  it.each([
    ["output", reading({ receivedOutputTokens: 1 })],
    ["a usage before the end", reading({ usageLowerBound: usageOf(10, 0) })],
    ["a usage without a price", reading({ usage: usageOf(10, 1), serviceTier: "unlisted" })],
  ])("charges an unbilled status that arrives with %s", (_what, body) => {
    for (const provider of ["openai", "openrouter", "gemini"])
      expect(charged({ provider, httpStatus: 400, reading: body }, { unbilledStatuses: [400] })).toMatchObject({
        costNanoUsd: BOUND,
        inDoubt: true,
      })
  })

  it("is in doubt at OpenRouter if a search may have run", () => {
    expect(charged({ provider: "openrouter", httpStatus: 502, hasHostedTools: true })).toMatchObject({
      costNanoUsd: BOUND,
      inDoubt: true,
    })
    expect(charged({ provider: "openrouter", httpStatus: 400, hasHostedTools: true })).toMatchObject({ costNanoUsd: 0 })
  })
})

describe("a reported usage", () => {
  const usage = usageOf(900, 100)

  it.each([
    ["a complete answer", { httpStatus: 200, reading: reading({ state: "complete", usage }) }],
    ["a status of 500", { httpStatus: 500, reading: errorReading("server_error", { usage }) }],
    ["a status of 429", { httpStatus: 429, reading: errorReading("rate_limit", { usage }) }],
    ["an error inside the answer", { httpStatus: 200, reading: errorReading("server_error", { usage }) }],
    ["a stream that broke after its usage", { httpStatus: 200, reading: reading({ usage }) }],
    ["an abort after the usage", { httpStatus: 200, reading: reading({ usage }), endedBy: "caller" }],
    ["a proof that a response refutes", { sent: "not-sent", httpStatus: 200, reading: reading({ usage }) }],
  ] as [string, Partial<AttemptEvidence>][])("decides, with %s", (_what, changes) => {
    const options = { serverError: "nothing", abort: "nothing", unbilledStatuses: [500] } as const
    expect(charged(changes, options)).toMatchObject({
      costNanoUsd: 1_300_000,
      tokens: 1_000,
      costSource: "table",
      inDoubt: false,
    })
  })

  it("yields to the cost that the provider reports", () => {
    const body = reading({ state: "complete", usage: usageOf(900, 100, 0.002) })
    expect(charged({ httpStatus: 200, reading: body })).toMatchObject({
      costNanoUsd: 2_000_000,
      costSource: "provider",
      tableCostNanoUsd: 1_300_000,
    })
  })

  it("is charged in full above the reservation", () => {
    const body = reading({ state: "complete", usage: usageOf(1_000, 5_000) })
    expect(charged({ httpStatus: 200, reading: body })).toMatchObject({ costNanoUsd: 21_000_000, inDoubt: false })
  })

  it("of zero tokens costs nothing and is not in doubt", () => {
    const body = errorReading("server_error", { usage: usageOf(0, 0) })
    expect(charged({ httpStatus: 500, reading: body })).toMatchObject({ costNanoUsd: 0, inDoubt: false })
  })

  it("without a price leaves the cost in doubt", () => {
    const body = reading({ state: "complete", usage: usageOf(900, 100), serviceTier: "unlisted" })
    expect(charged({ httpStatus: 200, reading: body })).toMatchObject({
      costNanoUsd: BOUND,
      costSource: "bound",
      inDoubt: true,
      health: "answered",
    })
  })
})

describe("a complete answer without usage", () => {
  const empty = { httpStatus: 200, reading: reading({ state: "complete" }) } as const

  it("and without output is a sign of an outage", () => {
    expect(charged(empty)).toMatchObject({ costNanoUsd: BOUND, inDoubt: true, health: "failed" })
  })

  it.each([
    ["output", reading({ state: "complete", receivedOutputTokens: 1 })],
    ["a part of its usage", reading({ state: "complete", usageLowerBound: usageOf(10, 0) })],
  ])("but with %s is none", (_what, body) => {
    expect(charged({ httpStatus: 200, reading: body })).toMatchObject({ inDoubt: true, health: "answered" })
  })

  it("is none for a call that is not billed for output, such as an embedding", () => {
    const embedding = { ...RESERVED, boundOf: () => 1_000_000 }
    expect(decideCharge(evidence(empty), embedding)).toMatchObject({ inDoubt: true, health: "answered" })
  })
})

describe("an attempt that was sent, without usage or rule", () => {
  const arrived = reading({ receivedOutputTokens: 50 })
  const ends = {
    "abort before headers": { endedBy: "caller" },
    "abort during the answer": { httpStatus: 200, reading: arrived, endedBy: "caller" },
    "deadline before headers": { endedBy: "deadline" },
    "deadline during the answer": { httpStatus: 200, reading: arrived, endedBy: "deadline" },
    "connection lost before headers": {},
    "headers without a body": { httpStatus: 200 },
    "cut stream": { httpStatus: 200, reading: arrived },
    "broken stream": { httpStatus: 200, reading: { ...arrived, state: "broken" } },
    "error inside the answer": { httpStatus: 200, reading: { ...arrived, error: errorReading("x").error } },
    "server error": { httpStatus: 503 },
    redirect: { httpStatus: 302, reading: reading() },
    "abort during an error body": { httpStatus: 503, reading: reading(), endedBy: "caller" },
    "a proof that headers refute": { sent: "not-sent", httpStatus: 503 },
  } satisfies Record<string, Partial<AttemptEvidence>>
  type End = keyof typeof ends

  it.each(Object.keys(ends) as End[])("is charged the bound by default: %s", (end) => {
    expect(charged(ends[end])).toMatchObject({
      costNanoUsd: BOUND,
      tokens: 1_500,
      costSource: "bound",
      inDoubt: true,
    })
  })

  it.each([
    ["abort before headers", "input", 1_000_000, 1_000],
    ["abort before headers", "received", 1_000_000, 1_000],
    ["abort before headers", "nothing", 0, 0],
    ["abort during the answer", "input", 1_000_000, 1_000],
    ["abort during the answer", "received", 1_200_000, 1_050],
    ["deadline during the answer", "received", 1_200_000, 1_050],
    ["deadline before headers", "nothing", 0, 0],
  ] as const)("%s is charged by `abort: %s`", (end, abort, costNanoUsd, tokens) => {
    expect(charged(ends[end], { abort })).toMatchObject({ costNanoUsd, tokens, inDoubt: true })
    expect(charged(ends[end], { serverError: abort })).toMatchObject({ costNanoUsd: BOUND })
  })

  it.each([
    ["server error", "input", 1_000_000],
    ["server error", "nothing", 0],
    ["abort during an error body", "input", 1_000_000],
    ["connection lost before headers", "nothing", 0],
    ["cut stream", "received", 1_200_000],
    ["broken stream", "received", 1_200_000],
    ["error inside the answer", "input", 1_000_000],
    ["redirect", "nothing", 0],
  ] as const)("%s is charged by `serverError: %s`", (end, serverError, costNanoUsd) => {
    expect(charged(ends[end], { serverError })).toMatchObject({ costNanoUsd, inDoubt: true })
    expect(charged(ends[end], { abort: serverError })).toMatchObject({ costNanoUsd: BOUND })
  })

  it("is never charged more than the reservation for what arrived", () => {
    const body = reading({ receivedOutputTokens: 80_000 })
    expect(charged({ httpStatus: 200, reading: body }, { serverError: "received" })).toMatchObject({
      costNanoUsd: BOUND,
      tokens: 1_500,
    })
  })

  it("is charged at least the usage that was reported before the end", () => {
    const body = reading({ usageLowerBound: usageOf(1_000, 1), receivedOutputTokens: 0 })
    for (const serverError of ["nothing", "input"] as const)
      expect(charged({ httpStatus: 200, reading: body }, { serverError })).toMatchObject({
        costNanoUsd: 1_004_000,
        tokens: 1_001,
        costSource: "table",
        inDoubt: true,
      })
    expect(charged({ httpStatus: 200, reading: body })).toMatchObject({ costNanoUsd: BOUND, costSource: "bound" })
  })

  it("is charged a reported lower bound above the reservation in full", () => {
    const body = reading({ usageLowerBound: usageOf(9_000, 1) })
    expect(charged({ httpStatus: 200, reading: body })).toMatchObject({ costNanoUsd: 9_004_000, tokens: 9_001 })
  })

  it("is a sign of an outage unless the caller ended it", () => {
    for (const [end, changes] of Object.entries(ends))
      expect(charged(changes).health, end).toBe(
        /^abort (before headers|during the answer)/.test(end) ? "unknown" : "failed",
      )
  })

  it("is charged the bound for a complete answer, whatever the options", () => {
    const options = { serverError: "nothing", abort: "nothing" } as const
    for (const receivedOutputTokens of [0, 50])
      expect(
        charged({ httpStatus: 200, reading: reading({ state: "complete", receivedOutputTokens }) }, options),
      ).toMatchObject({ costNanoUsd: BOUND, inDoubt: true })
  })

  it("is not billed at OpenRouter if an error ended the answer before any output", () => {
    const failed = { provider: "openrouter", httpStatus: 200 }
    expect(charged({ ...failed, reading: errorReading("502") })).toMatchObject({ costNanoUsd: 0, inDoubt: false })
    for (const changes of [
      { reading: errorReading("502", { receivedOutputTokens: 1 }) },
      { reading: errorReading("502"), hasHostedTools: true },
      { reading: errorReading("502"), provider: "openai" },
      { reading: reading() },
    ])
      expect(charged({ ...failed, ...changes })).toMatchObject({ costNanoUsd: BOUND, inDoubt: true })
  })
})

describe("an attempt that is proven not sent", () => {
  it.each(["caller", "deadline", undefined] as const)("is released, ended by %s", (endedBy) => {
    expect(decide({ sent: "not-sent", endedBy })).toEqual({ status: "released" })
  })
})

it("charges the reservation if the bound of a part cannot be computed any more", () => {
  const boundOf = () => {
    throw new Error("The price has ended.")
  }
  const charge = decideCharge(evidence({ httpStatus: 500 }), { ...RESERVED, boundOf }, { serverError: "input" })
  expect(charge).toMatchObject({ status: "charged", costNanoUsd: BOUND, inDoubt: true })
})
