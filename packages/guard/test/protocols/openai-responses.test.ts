import { createPriceTable } from "@p2/pricing"
import { describe, expect, it } from "vitest"
import { findProtocol, type PricedCall, type ProtocolContext, type ProviderCall } from "../../src/protocols"

const context: ProtocolContext = { prices: createPriceTable({}, { extends: "published" }), deployments: {} }

function callTo(url: string, value: Record<string, unknown> | undefined, method = "POST"): ProviderCall {
  const body = value === undefined ? ({ kind: "none" } as const) : ({ kind: "json", value } as const)
  return { method, url: new URL(url), headers: new Headers(), body }
}

const URL_OF_RESPONSES = "https://api.openai.com/v1/responses"

function priced(body: Record<string, unknown>, more: Partial<ProtocolContext> = {}): PricedCall {
  const description = findProtocol(callTo(URL_OF_RESPONSES, body), { ...context, ...more })
  if (description.status !== "priced") throw new Error(JSON.stringify(description))
  return description
}

describe("responses", () => {
  it("counts instructions, input and tools", () => {
    const call = priced({ model: "gpt-4o-mini", instructions: "Be brief.", input: "Hello", max_output_tokens: 100 })
    expect(call).toMatchObject({ provider: "openai", priceKey: "openai/gpt-4o-mini", maxOutputTokens: 100 })
    expect(call.input.upperBound).toBeLessThan(100)
  })

  it("bounds hosted tools by their maximum and the context window", () => {
    const tools = [{ type: "web_search" }]
    const call = priced({ model: "gpt-5", input: "Hello", tools, max_tool_calls: 2 })
    expect(call.boundOptions.webSearches).toBe(2)
    expect(call.input.upperBound).toBeGreaterThan(2 * 400_000)
    expect(priced({ model: "gpt-5", input: "Hello", tools }, { maxToolCalls: 1 }).bodyToSend({})).toMatchObject({
      max_tool_calls: 1,
    })
  })

  it("bounds earlier turns by the context window", () => {
    expect(priced({ model: "gpt-5", input: "Go on", previous_response_id: "resp_1" }).input.upperBound).toBe(400_000)
  })

  it("rejects what has no bound", () => {
    const describe = (body: Record<string, unknown>) => findProtocol(callTo(URL_OF_RESPONSES, body), context)
    expect(describe({ model: "gpt-5", input: "Hello", tools: [{ type: "web_search" }] })).toMatchObject({
      status: "rejected",
      reason: "unbounded-cost",
    })
    expect(describe({ model: "gpt-5", prompt: { id: "pmpt_1" } })).toMatchObject({ reason: "unbounded-cost" })
    expect(describe({ model: "gpt-5", input: "Hello", surprise: 1 })).toMatchObject({ reason: "unknown-field" })
  })

  it("derives the key of a background response from its id", () => {
    const { status, ...poll } = findProtocol(callTo(`${URL_OF_RESPONSES}/resp_1`, undefined, "GET"), context)
    expect({ status, ...poll }).toMatchObject({ status: "resumed", idempotencyKey: "response:resp_1" })
    expect(findProtocol(callTo(`${URL_OF_RESPONSES}/resp_1`, undefined, "DELETE"), context)).toEqual({ status: "free" })
  })
})
