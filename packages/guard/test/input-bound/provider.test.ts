import { InvalidArgumentError } from "@p2/core"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { guardMiddleware } from "../../src/index"
import { withMargin } from "../../src/input-bound/provider/provider-bounds"
import { COUNT_TIMEOUT_MS } from "../../src/input-bound/provider/request-count"
import { balance, deferred, guardOver, json, type Sent } from "../fetch/guarded-server"

const URL_OF_CALL = "https://api.anthropic.com/v1/messages"
const URL_OF_COUNT = `${URL_OF_CALL}/count_tokens`
const PROMPT = "What is the capital of France? ".repeat(400)

const CALL = {
  model: "claude-sonnet-4-5",
  max_tokens: 100,
  messages: [{ role: "user", content: PROMPT }] as unknown[],
}

const message = (inputTokens: number) => ({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-5",
  content: [{ type: "text", text: "Paris" }],
  stop_reason: "end_turn",
  usage: { input_tokens: inputTokens, output_tokens: 2, service_tier: "standard" },
})

/** The input at $3 per million tokens, and 100 output tokens at $15. */
const reservedFor = (inputTokens: number) => inputTokens * 3_000 + 100 * 15_000

/** A guard over a provider that counts and bills the same number of tokens, unless a test says otherwise. */
function counting(count: (sent: Sent) => Response | Promise<Response>, billed = 3_000) {
  const isCount = ({ url }: Sent) => url.startsWith(URL_OF_COUNT)
  const guard = guardOver((sent) => (isCount(sent) ? count(sent) : json(message(billed))), {
    inputBound: "provider",
  })
  const call = async (body: object = CALL, init: RequestInit = {}) => {
    const headers = { "x-api-key": "sk-ant", "anthropic-version": "2023-06-01", ...(init.headers as object) }
    const response = await guard.fetch(URL_OF_CALL, { method: "POST", body: JSON.stringify(body), ...init, headers })
    return { response, reserved: guard.attempts.at(-1)?.reservedNanoUsd }
  }
  return { ...guard, call, counts: () => guard.sent.filter(isCount) }
}

const counted = (tokens: unknown) => () => json({ input_tokens: tokens })

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] }))
afterEach(() => void vi.useRealTimers())

describe("a count of the provider", () => {
  it("bounds the input with a margin of 5 % and 64 tokens", async () => {
    const { call, counts, attempts } = counting(counted(2_900))
    const { reserved } = await call()
    expect(reserved).toBe(reservedFor(2_900 * 1.05 + 64))
    expect(counts()).toHaveLength(1)
    expect(attempts).toMatchObject([{ status: "succeeded", inputTokens: 3_000, costNanoUsd: 3_000 * 3_000 + 30_000 }])
  })

  it("is requested with the key and the fields that decide the prompt, and not as the call itself", async () => {
    const { call, counts } = counting(counted(2_900))
    const system = [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }]
    const tools = [{ name: "f", description: "Does something.", input_schema: { type: "object" } }]
    const body = { ...CALL, system, tools, stream: true, temperature: 0, metadata: { user_id: "u" } }
    const own = { "anthropic-beta": "context-1m-2025-08-07", "idempotency-key": "k", "x-p2-user": "ada" }
    await call(body, { headers: own })
    const [{ url, headers, body: asked }] = counts() as [Sent]
    expect(url).toBe(URL_OF_COUNT)
    expect(asked).toEqual({ model: CALL.model, messages: CALL.messages, system, tools })
    expect(headers.get("x-api-key")).toBe("sk-ant")
    expect(headers.get("anthropic-beta")).toBe("context-1m-2025-08-07")
    expect([...headers.keys()].filter((name) => /idempotency|x-p2|content-length/.test(name))).toEqual([])
  })

  it("never raises the hard bound", async () => {
    const { call } = counting(counted(1_000_000))
    const hard = guardOver(() => json(message(3_000)))
    await hard.fetch(URL_OF_CALL, { method: "POST", body: JSON.stringify(CALL) })
    expect((await call()).reserved).toBe(hard.attempts[0]!.reservedNanoUsd)
  })

  it("is not requested for a call that it would bound little better", async () => {
    const { call, counts } = counting(counted(10))
    await call({ ...CALL, messages: [{ role: "user", content: "Hi" }] })
    expect(counts()).toEqual([])
  })

  it("bounds files, which only the context window bounds otherwise", async () => {
    const { call } = counting(counted(5_000))
    const source = { type: "base64", media_type: "application/pdf", data: "JVBERi0=" }
    const { reserved } = await call({ ...CALL, messages: [{ role: "user", content: [{ type: "document", source }] }] })
    expect(reserved).toBe(reservedFor(5_000 * 1.05 + 64))
  })

  it.each([
    { type: "web_search_20250305", name: "web_search", max_uses: 1 },
    { type: "tool_search_tool_regex_20251119", name: "tool_search" },
  ])("is not requested for tools that Anthropic runs: $type", async (tool) => {
    const { call, counts } = counting(counted(2_900))
    await call({ ...CALL, tools: [tool] })
    expect(counts()).toEqual([])
  })

  it("leaves an overrun charged in full", async () => {
    const { call, budget } = counting(counted(2_900), 4_000)
    const { reserved } = await call()
    expect(reserved).toBeLessThan(4_000 * 3_000)
    expect(await balance(budget)).toEqual({ spent: 4_000 * 3_000 + 30_000, reserved: 0 })
  })
})

describe("without a count", () => {
  const hardBound = async () => {
    const hard = guardOver(() => json(message(3_000)))
    await hard.fetch(URL_OF_CALL, { method: "POST", body: JSON.stringify(CALL) })
    return hard.attempts[0]!.reservedNanoUsd
  }

  it.each<[string, () => Response | Promise<Response>]>([
    ["an error", () => json({ type: "error" }, { status: 500 })],
    ["a rejection", () => json({ type: "error" }, { status: 400 })],
    ["a redirect", () => Response.redirect("https://example.com", 307)],
    ["no JSON", () => new Response("<html>")],
    ["another field", () => json({ tokens: 1 })],
    ["a count of zero", counted(0)],
    ["a negative count", counted(-1)],
    ["a fraction", counted(1.5)],
    ["a string", counted("2900")],
    ["a lost connection", () => Promise.reject(new TypeError("fetch failed"))],
  ])("the hard bound is reserved: %s", async (_name, count) => {
    const { call } = counting(count)
    const { reserved, response } = await call()
    expect(response.status).toBe(200)
    expect(reserved).toBe(await hardBound())
  })

  it("waits no longer than the time limit", async () => {
    const asked = deferred<void>()
    const { call } = counting(() => {
      asked.resolve()
      return new Promise(() => {})
    })
    const called = call()
    await asked.promise
    await vi.advanceTimersByTimeAsync(COUNT_TIMEOUT_MS)
    expect((await called).reserved).toBe(await hardBound())
  })

  it("stops waiting when the call is aborted, and sends nothing", async () => {
    const asked = deferred<void>()
    const { call, sent, counts, budget } = counting(() => {
      asked.resolve()
      return new Promise(() => {})
    })
    const controller = new AbortController()
    const called = call(CALL, { signal: controller.signal })
    await asked.promise
    controller.abort(new Error("left"))
    await expect(called).rejects.toThrow("left")
    expect(sent).toEqual(counts())
    expect(await balance(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it("sends no request to an endpoint for a minute after it failed", async () => {
    let status = 503
    const { call, counts } = counting(() => json({ input_tokens: 2_900 }, { status }))
    await call()
    await call({ ...CALL, system: "Be brief." })
    expect(counts()).toHaveLength(1)
    status = 200
    vi.advanceTimersByTime(60_000)
    const { reserved } = await call({ ...CALL, system: "Be polite." })
    expect(reserved).toBe(reservedFor(2_900 * 1.05 + 64))
    expect(counts()).toHaveLength(2)
  })

  it.each([400, 401, 403])("sends the next request after one was rejected with status %i", async (status) => {
    const { call, counts } = counting(({ body }) =>
      json({ input_tokens: 2_900 }, { status: "system" in body ? status : 200 }),
    )
    await call({ ...CALL, system: "Be brief." })
    expect((await call()).reserved).toBe(reservedFor(2_900 * 1.05 + 64))
    expect(counts()).toHaveLength(2)
  })
})

describe("an unchanged prefix", () => {
  const turn = (role: string, text: string) => ({ role, content: text })
  const first = turn("user", PROMPT)

  it("is not counted again: what the provider reported for it is its count", async () => {
    const { call, counts } = counting(counted(2_900), 2_950)
    await call()
    const longer = { ...CALL, messages: [first, turn("assistant", "Paris"), turn("user", "And of Spain?")] }
    const { reserved } = await call(longer)
    expect(counts()).toHaveLength(1)
    const known = reservedFor(Math.ceil(2_950 * 1.05) + 64)
    expect(reserved).toBeGreaterThan(known)
    expect(reserved).toBeLessThan(known + 250 * 3_000)
  })

  it("is found although marks for the cache have moved", async () => {
    const { call, counts } = counting(counted(2_900))
    const marked = (text: string) => ({ type: "text", text, cache_control: { type: "ephemeral" } })
    await call({ ...CALL, messages: [{ role: "user", content: [marked(PROMPT)] }] })
    const unmarked = { role: "user", content: [{ type: "text", text: PROMPT }] }
    const last = { role: "user", content: [marked("And of Spain?")] }
    await call({ ...CALL, messages: [unmarked, turn("assistant", "Paris"), last] })
    expect(counts()).toHaveLength(1)
  })

  it("is counted again if the new turns are long: their hard bound would exceed a quarter of the prompt", async () => {
    const { call, counts } = counting(counted(2_900))
    await call()
    await call({ ...CALL, messages: [first, turn("assistant", "Paris"), turn("user", PROMPT)] })
    expect(counts()).toHaveLength(2)
  })

  it("bounds long new turns too if they cannot be counted", async () => {
    let status = 200
    const { call, counts } = counting(() => json({ input_tokens: 2_900 }, { status }))
    await call()
    status = 503
    const longer = { ...CALL, messages: [first, turn("assistant", "Paris"), turn("user", PROMPT)] }
    const { reserved } = await call(longer)
    expect(counts()).toHaveLength(2)
    const hard = guardOver(() => json(message(3_000)))
    await hard.fetch(URL_OF_CALL, { method: "POST", body: JSON.stringify(longer) })
    expect(reserved).toBeLessThan(0.7 * hard.attempts[0]!.reservedNanoUsd)
    expect(reserved).toBeGreaterThan(reservedFor(withMargin(3_000) + new TextEncoder().encode(PROMPT).length))
  })

  it("is counted again if a new turn has a file", async () => {
    const { call, counts } = counting(counted(2_900))
    await call()
    const source = { type: "base64", media_type: "application/pdf", data: "JVBERi0=" }
    await call({ ...CALL, messages: [first, { role: "user", content: [{ type: "document", source }] }] })
    expect(counts()).toHaveLength(2)
  })

  it.each<[string, object]>([
    ["the system prompt", { system: "Be brief." }],
    ["a tool", { tools: [{ name: "f", input_schema: { type: "object" } }] }],
    ["the model", { model: "claude-opus-4-5" }],
    ["an earlier turn", { messages: [turn("user", `${PROMPT}!`), turn("assistant", "Paris"), turn("user", "Thanks")] }],
  ])("is a different one with a change of %s", async (_name, change) => {
    const { call, counts } = counting(counted(2_900))
    await call()
    await call({ ...CALL, ...change })
    expect(counts()).toHaveLength(2)
  })

  it("is not remembered if the provider clears earlier turns", async () => {
    const { call, counts } = counting(counted(2_900))
    const cleared = { ...CALL, context_management: { edits: [{ type: "clear_tool_uses_20250919" }] } }
    await call(cleared)
    await call({ ...cleared, messages: [first, turn("assistant", "Paris"), turn("user", "Thanks")] })
    expect(counts()).toHaveLength(2)
  })

  it("is forgotten after an hour", async () => {
    const { call, counts } = counting(counted(2_900))
    await call()
    vi.advanceTimersByTime(3_600_000)
    await call()
    expect(counts()).toHaveLength(2)
  })

  it.each<[string, object, object]>([
    [
      "a tool that is loaded later",
      { tools: [{ name: "f", description: "Does something.", input_schema: { type: "object" }, defer_loading: true }] },
      turn("user", "Thanks"),
    ],
    [
      "the addition of a tool",
      {},
      { role: "user", content: [{ type: "tool_addition", tool: { type: "tool_reference", name: "f" } }] },
    ],
  ])("is counted again with %s, whose definition no turn shows", async (_name, change, last) => {
    const { call, counts } = counting(counted(2_900))
    await call({ ...CALL, ...change })
    await call({ ...CALL, ...change, messages: [first, turn("assistant", "Paris"), last] })
    expect(counts()).toHaveLength(2)
  })
})

describe("other wire formats", () => {
  const ask = async (url: string, body: object, answer: object) => {
    const guard = guardOver(() => json(answer), { inputBound: "provider", serviceTier: "default", limit: "50" })
    await guard.fetch(url, { method: "POST", body: JSON.stringify(body) })
    return guard.sent
  }
  const responses = "https://api.openai.com/v1/responses"
  const gemini = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash"

  it("counts OpenAI's Responses, with earlier turns that OpenAI stores", async () => {
    const body = { model: "gpt-5", input: "Hi", previous_response_id: "resp_1", store: true, max_output_tokens: 100 }
    const [count] = await ask(responses, body, { input_tokens: 5_000 })
    expect(count).toMatchObject({
      url: `${responses}/input_tokens`,
      body: { model: "gpt-5", input: "Hi", previous_response_id: "resp_1" },
    })
    expect(Object.keys(count!.body)).not.toContain("max_output_tokens")
  })

  it.each<[string, object]>([
    ["hosted tools", { tools: [{ type: "file_search", vector_store_ids: ["vs"] }], max_tool_calls: 2 }],
    ["tools of MCP servers", { tools: [{ type: "mcp", server_label: "s", server_url: "https://mcp.example.com" }] }],
  ])("does not count %s", async (_name, tools) => {
    const sent = await ask(responses, { model: "gpt-5", input: PROMPT, max_output_tokens: 100, ...tools }, {})
    expect(sent.map(({ url }) => url)).toEqual([responses])
  })

  it("counts Gemini's contents as the whole request", async () => {
    const body = {
      contents: [{ role: "user", parts: [{ text: "你好世界".repeat(500) }] }],
      generationConfig: { maxOutputTokens: 9 },
    }
    const [count] = await ask(`${gemini}:streamGenerateContent?alt=sse`, body, { totalTokens: 1_000 })
    expect(count).toMatchObject({
      url: `${gemini}:countTokens`,
      body: { generateContentRequest: { ...body, model: "models/gemini-2.5-flash" } },
    })
  })

  it("does not count Gemini's media, which are billed with other numbers", async () => {
    const parts = [{ text: "你好世界".repeat(500) }, { inlineData: { mimeType: "image/png", data: "iVBORw0KGgo=" } }]
    const sent = await ask(`${gemini}:generateContent`, { contents: [{ parts }] }, {})
    expect(sent.map(({ url }) => url)).toEqual([`${gemini}:generateContent`])
  })

  it("counts no chat completions", async () => {
    const url = "https://api.openai.com/v1/chat/completions"
    const body = { model: "gpt-4o-mini", messages: [{ role: "user", content: PROMPT }], max_completion_tokens: 9 }
    expect((await ask(url, body, {})).map((sent) => sent.url)).toEqual([url])
  })
})

it("is not a mode of the middleware, which can send only the call itself", () => {
  const { budget } = counting(counted(1))
  expect(() => guardMiddleware({ budget, inputBound: "provider" })).toThrow(InvalidArgumentError)
  expect(() => guardMiddleware({ budget, inputBound: "calibrated" })).not.toThrow()
})
