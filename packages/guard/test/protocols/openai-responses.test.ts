import { createPriceTable } from "@p2/pricing"
import { describe, expect, it } from "vitest"
import { describeCall, type PricedCall, type ProtocolContext, type ProviderCall } from "../../src/protocols"

const context: ProtocolContext = { prices: createPriceTable({}, { extends: "published" }), deployments: {} }

function callTo(url: string, value: Record<string, unknown> | undefined, method = "POST"): ProviderCall {
  const body = value === undefined ? ({ kind: "none" } as const) : ({ kind: "json", value } as const)
  return { method, url: new URL(url), headers: new Headers(), body }
}

const URL_OF_RESPONSES = "https://api.openai.com/v1/responses"

function priced(body: Record<string, unknown>, more: Partial<ProtocolContext> = {}): PricedCall {
  const description = describeCall(callTo(URL_OF_RESPONSES, body), { ...context, ...more })
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
    const describe = (body: Record<string, unknown>) => describeCall(callTo(URL_OF_RESPONSES, body), context)
    expect(describe({ model: "gpt-5", input: "Hello", tools: [{ type: "web_search" }] })).toMatchObject({
      status: "rejected",
      reason: "unbounded-cost",
    })
    expect(describe({ model: "gpt-5", prompt: { id: "pmpt_1" } })).toMatchObject({ reason: "unbounded-cost" })
    expect(describe({ model: "gpt-5", input: "Hello", surprise: 1 })).toMatchObject({ reason: "unknown-field" })
  })

  it("derives the key of a background response from its id", () => {
    const { status, ...poll } = describeCall(callTo(`${URL_OF_RESPONSES}/resp_1`, undefined, "GET"), context)
    expect({ status, ...poll }).toMatchObject({ status: "resumed", idempotencyKey: "response:resp_1" })
    expect(describeCall(callTo(`${URL_OF_RESPONSES}/resp_1`, undefined, "DELETE"), context)).toEqual({ status: "free" })
  })

  it.each([
    ["gpt-5", true],
    ["o4-mini", true],
    ["gpt-5-chat-latest", false],
    ["gpt-4o", false],
  ])("accepts preview searches of %s: %s", (model, isAccepted) => {
    const body = { model, input: "Hello", tools: [{ type: "web_search_preview_2025_03_11" }], max_tool_calls: 1 }
    expect(describeCall(callTo(URL_OF_RESPONSES, body), context).status).toBe(isAccepted ? "priced" : "rejected")
  })

  it("counts citations and fields without a rule", () => {
    const boundOf = (item: Record<string, unknown>) => priced({ model: "gpt-5", input: [item] }).input.upperBound
    const text = { type: "output_text", text: "Hello" }
    const plain = boundOf({ role: "assistant", content: [text] })
    const annotations = [{ type: "url_citation", url: "https://example.org/a/b/c", title: "Example" }]
    expect(boundOf({ role: "assistant", content: [{ ...text, annotations: [] }] })).toBe(plain)
    expect(boundOf({ role: "assistant", content: [{ ...text, annotations }] })).toBeGreaterThan(plain + 20)
    expect(boundOf({ role: "assistant", content: [text], note: "word ".repeat(50) })).toBeGreaterThan(plain + 50)
  })

  it("adds one pass for each call of a hosted tool", () => {
    const tools = [{ type: "file_search", vector_store_ids: ["vs_1"], max_num_results: 2 }]
    const inputOf = (calls: number) =>
      priced({ model: "gpt-5", input: "Hello", tools, max_tool_calls: calls, max_output_tokens: 100 }).input.upperBound
    const first = inputOf(0)
    expect(inputOf(1)).toBe(2 * first + 100 + 2 * 4_096)
    expect(inputOf(3)).toBe(first + 3 * (first + 100 + 3 * 2 * 4_096))
  })

  it("bounds a call of remote tools by its approvals", () => {
    const tools = [{ type: "mcp", server_label: "docs", server_url: "https://example.org" }]
    const approval = { type: "mcp_approval_response", approval_request_id: "a", approve: true }
    expect(priced({ model: "gpt-5", input: [], tools }).input.upperBound).toBe(400_000)
    expect(priced({ model: "gpt-5", input: [approval, approval], tools }).input.upperBound).toBe(1_200_000)
  })

  it("rejects a body that is nested too deeply", () => {
    const nested = JSON.parse(`${"[".repeat(100_000)}${"]".repeat(100_000)}`)
    expect(
      describeCall(callTo(URL_OF_RESPONSES, { model: "gpt-5", input: [{ type: "mcp_call", nested }] }), context),
    ).toEqual({
      status: "rejected",
      reason: "invalid-body",
      message: "The body is nested too deeply.",
    })
  })
})
