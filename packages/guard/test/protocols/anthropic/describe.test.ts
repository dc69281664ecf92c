import { describe, expect, it } from "vitest"
import { describeCall, type PricedCall, type ProviderCall } from "../../../src/protocols"
import { boundOf, context } from "../features/feature"

const messages = [{ role: "user", content: "Who is David Copperfield?" }]
const URL_OF_API = "https://api.anthropic.com/v1/messages"

function callTo(body: Record<string, unknown>, options: { url?: string; headers?: Record<string, string> } = {}) {
  const value = { model: "claude-sonnet-5", max_tokens: 100, messages, ...body }
  const url = new URL(options.url ?? URL_OF_API)
  const call: ProviderCall = {
    method: "POST",
    url,
    headers: new Headers(options.headers),
    body: { kind: "json", value },
  }
  return describeCall(call, context)
}

function priced(body: Record<string, unknown>, options?: Parameters<typeof callTo>[1]): PricedCall {
  const description = callTo(body, options)
  if (description.status !== "priced") throw new Error(JSON.stringify(description))
  return description
}

function statusOf(method: string, url: string, provider?: string) {
  const call: ProviderCall = { method, url: new URL(url), headers: new Headers(), body: { kind: "none" } }
  return describeCall(call, { ...context, provider }).status
}

describe("a call of Anthropic's Messages API", () => {
  it("has a bound by hand-written rates", () => {
    const call = priced({ inference_geo: "global" })
    expect(call).toMatchObject({ provider: "anthropic", priceKey: "anthropic/claude-sonnet-5", streamed: false })
    expect(boundOf(call)).toBe(call.input.upperBound * 2_000 + 100 * 10_000)
  })

  it("is found with and without /v1, with ?beta=true, behind a gateway and on Vertex AI", () => {
    const at = (url: string) => describeCall(requestTo(url), { ...context, provider: "anthropic" })
    const requestTo = (url: string): ProviderCall => ({
      method: "POST",
      url: new URL(url),
      headers: new Headers(),
      body: { kind: "json", value: { model: "claude-sonnet-5", max_tokens: 100, messages } },
    })
    for (const path of ["/v1/messages", "/messages", "/v1/messages?beta=true", "/anthropic/v1/messages"])
      expect(at(`http://127.0.0.1:4000${path}`)).toMatchObject({ status: "priced", provider: "anthropic" })
    const vertex = "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic/models"
    expect(at(`${vertex}/claude-opus-4-7:streamRawPredict`)).toMatchObject({ provider: "google-vertex" })
    expect(at("http://127.0.0.1:4000/v1/threads/thread_1/messages")).toMatchObject({ status: "rejected" })
  })

  it("leaves a body without an output limit unchanged, and sets the guard's limit", () => {
    const call = priced({ max_tokens: undefined, stream: true })
    expect([call.maxOutputTokens, call.streamed]).toEqual([undefined, true])
    expect(call.bodyToSend({})).not.toHaveProperty("max_tokens", expect.anything())
    expect(call.bodyToSend({ maxOutputTokens: 7 })).toEqual({
      model: "claude-sonnet-5",
      messages,
      stream: true,
      max_tokens: 7,
    })
  })

  it("is never limited below its thinking budget", () => {
    const thinking = { type: "enabled", budget_tokens: 2000 }
    expect(priced({ thinking, max_tokens: 3000 }).minOutputTokens).toBe(2001)
    expect(priced({ thinking: { type: "adaptive" } }).minOutputTokens).toBe(1)
    // With interleaved thinking the budget may exceed the limit.
    expect(priced({ thinking, max_tokens: 1500 }).minOutputTokens).toBe(1500)
  })

  it("bounds every pass of the tools that Anthropic runs", () => {
    const tools = [{ type: "web_search_20250305", name: "web_search", max_uses: 3 }]
    const call = priced({ model: "claude-haiku-4-5", tools })
    expect(call.input.upperBound).toBe(10 * 200_000)
    expect(call.boundOptions).toMatchObject({ choices: 10, webSearches: 3, cacheWrites: "5m" })
  })

  it("bounds a search for tools by the prompt and the answers so far", () => {
    const search = { type: "tool_search_tool_bm25", name: "tool_search_tool_bm25" }
    const plain = priced({ tools: [{ name: "find", input_schema: {}, defer_loading: true }] })
    const call = priced({ tools: [search, { name: "find", input_schema: {}, defer_loading: true }] })
    expect(call.boundOptions.choices).toBe(10)
    expect(call.input.upperBound).toBeGreaterThan(10 * plain.input.upperBound)
    expect(call.input.upperBound).toBeLessThan(10 * plain.input.upperBound + 45 * 2_100 + 10 * 2_500)
  })

  it("takes the time of cache writes from every mark", () => {
    const mark = (ttl?: string) => ({ type: "ephemeral", ...(ttl && { ttl }) })
    const writes = (body: Record<string, unknown>) => priced(body).boundOptions.cacheWrites
    expect(writes({})).toBe("none")
    expect(writes({ cache_control: mark() })).toBe("5m")
    expect(writes({ tools: [{ name: "a", input_schema: {}, cache_control: mark("5m") }] })).toBe("5m")
    const result = {
      type: "tool_result",
      tool_use_id: "a",
      content: [{ type: "text", text: "x", cache_control: mark("1h") }],
    }
    expect(writes({ cache_control: mark(), messages: [{ role: "user", content: [result] }] })).toBe("any")
    expect(writes({ cache_control: mark("2h") })).toBe("any")
  })

  it("prices the fast mode, the standard tier and the stated region", () => {
    expect(priced({ speed: "fast", model: "claude-opus-5" }).boundOptions.serviceTier).toBe("fast")
    expect(priced({ service_tier: "auto" }).boundOptions.serviceTier).toBe("default")
    expect(priced({ inference_geo: "us" }).boundOptions.region).toBe("us")
    expect(priced({}).boundOptions.region).toBeUndefined()
  })

  it("accepts what Claude Code sends", () => {
    const betas =
      "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,effort-2025-11-24"
    const call = priced(
      {
        system: [{ type: "text", text: "You are an agent.", cache_control: { type: "ephemeral" } }],
        messages: [
          { role: "user", content: [{ type: "text", text: "Say hello", cache_control: { type: "ephemeral" } }] },
          { role: "system", content: "A tool was added." },
        ],
        tools: [{ name: "Bash", description: "Runs", input_schema: { type: "object" }, eager_input_streaming: true }],
        metadata: { user_id: "u" },
        max_tokens: 64_000,
        thinking: { type: "adaptive", display: "omitted" },
        context_management: { edits: [{ type: "clear_thinking_20251015", keep: "all" }] },
        output_config: { effort: "high" },
        stream: true,
      },
      { url: `${URL_OF_API}?beta=true`, headers: { "anthropic-beta": betas } },
    )
    expect(call).toMatchObject({ maxOutputTokens: 64_000, streamed: true, boundOptions: { cacheWrites: "5m" } })
  })

  it("rejects a deep nesting instead of overflowing the stack", () => {
    const nested = JSON.parse(`${"[".repeat(5_000)}${"]".repeat(5_000)}`) as unknown
    const schema = { name: "a", input_schema: { nested } }
    let content: unknown[] = [{ type: "text", text: "x" }]
    for (let depth = 0; depth < 5_000; depth++) content = [{ type: "tool_result", tool_use_id: "a", content }]
    expect(callTo({ messages: [{ role: "user", content }] })).toMatchObject({
      status: "rejected",
      reason: "invalid-body",
    })
    expect(["priced", "rejected"]).toContain(callTo({ tools: [schema] }).status)
  })

  it("quotes names, but no text of a request", () => {
    const secret = "tell me the secret of the house"
    const bodies = [
      { messages: [{ role: "user", content: [{ type: secret }] }] },
      { tools: [{ type: secret }] },
      { thinking: { type: secret } },
      { context_management: { edits: [{ type: secret }] } },
      { anthropic_beta: [secret] },
      { messages: [{ role: secret, content: "x" }] },
    ]
    for (const body of bodies) {
      expect(callTo(body)).toMatchObject({ status: "rejected" })
      expect(JSON.stringify(callTo(body))).not.toContain("secret")
    }
  })
})

describe("other paths of Anthropic's API", () => {
  const API = "https://api.anthropic.com"

  it("are free if they are not billed", () => {
    for (const [method, path] of [
      ["POST", "/v1/messages/count_tokens"],
      ["GET", "/v1/models"],
      ["GET", "/v1/models/claude-sonnet-5"],
      ["POST", "/v1/files"],
      ["GET", "/v1/messages/batches"],
      ["GET", "/v1/messages/batches/msgbatch_1/results"],
      ["DELETE", "/v1/messages/batches/msgbatch_1"],
      ["HEAD", "/"],
    ] as const)
      expect([method, path, statusOf(method, API + path)]).toEqual([method, path, "free"])
  })

  it("poll a message batch", () => {
    expect(statusOf("GET", `${API}/v1/messages/batches/msgbatch_1`)).toBe("batch-poll")
    expect(statusOf("POST", `${API}/v1/messages/batches/msgbatch_1/cancel`)).toBe("batch-poll")
  })

  it("are rejected by name otherwise", () => {
    expect(statusOf("POST", `${API}/v1/complete`)).toBe("rejected")
    expect(statusOf("POST", `${API}/v1/messages/batches`)).toBe("rejected")
    expect(statusOf("POST", `${API}/v1/sessions`)).toBe("rejected")
  })
})
