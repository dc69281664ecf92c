import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type LocalProvider, startLocalProvider } from "../src/index"

const messages = [{ role: "user", content: "Describe who is David Copperfield" }]

interface Body {
  type: string
  content: { type: string; id: string }[]
  usage: {
    input_tokens: number
    output_tokens: number
    cache_creation: { ephemeral_1h_input_tokens: number }
    server_tool_use: { web_search_requests: number }
  }
  message: Body
  error: { type: string }
}

let provider: LocalProvider

beforeEach(async () => {
  provider = await startLocalProvider()
})
afterEach(() => provider.close())

function post(body: object, path = "/v1/messages"): Promise<Response> {
  return fetch(`${provider.anthropicBaseURL}${path}`, {
    method: "POST",
    headers: { "x-api-key": "local", "content-type": "application/json" },
    body: JSON.stringify({ model: "claude-sonnet-4-5", max_tokens: 300, messages, ...body }),
  })
}

async function jsonOf(response: Promise<Response>): Promise<Body> {
  return (await response).json() as Promise<Body>
}

async function eventsOf(response: Response): Promise<Body[]> {
  const lines = (await response.text()).split("\n").filter((line) => line.startsWith("data: "))
  return lines.map((line) => JSON.parse(line.slice(6)))
}

describe("answers", () => {
  it("report the usage that is billed by hand-written rates", async () => {
    const message = await jsonOf(post({}))
    const { input_tokens: input, output_tokens: output } = message.usage
    expect(message).toMatchObject({ type: "message", stop_reason: "end_turn", content: [{ type: "text" }] })
    expect(provider.ledger.calls).toMatchObject([
      { api: "anthropic", promptTokens: input, completionTokens: output, reported: true, status: 200 },
    ])
    expect(provider.ledger.totalNanoUsd).toBe(input * 3_000 + output * 15_000)
  })

  it("stream the same usage in message_start and message_delta", async () => {
    const events = await eventsOf(await post({ stream: true }))
    expect(events.map(({ type }) => type)).toEqual(
      expect.arrayContaining(["message_start", "ping", "content_block_delta", "message_delta", "message_stop"]),
    )
    const { message } = events[0]!
    const { usage } = events.find(({ type }) => type === "message_delta")!
    expect(message.usage).toMatchObject({ input_tokens: usage.input_tokens, output_tokens: 1 })
    expect(provider.ledger.calls[0]).toMatchObject({ completionTokens: usage.output_tokens, reported: true })
  })

  it("call the tools of a fault", async () => {
    const toolCalls = ["a.txt", "b.txt"].map((path) => ({ name: "write", arguments: { path } }))
    provider.faults.next({ toolCalls })
    expect(await jsonOf(post({}))).toMatchObject({
      stop_reason: "tool_use",
      content: [
        { type: "tool_use", id: "toolu_local_1", name: "write", input: { path: "a.txt" } },
        { type: "tool_use", id: "toolu_local_2", name: "write", input: { path: "b.txt" } },
      ],
    })
  })

  it("call a tool until its result is sent", async () => {
    const tools = [{ name: "person", input_schema: { type: "object", properties: { age: { type: "integer" } } } }]
    const first = await jsonOf(post({ tools }))
    expect(first).toMatchObject({ stop_reason: "tool_use", content: [{ type: "tool_use", name: "person" }] })
    const result = { type: "tool_result", tool_use_id: first.content[0]!.id, content: "42" }
    const turns = [...messages, { role: "assistant", content: first.content }, { role: "user", content: [result] }]
    const second = await jsonOf(post({ tools, messages: turns }))
    expect(second).toMatchObject({ stop_reason: "end_turn", content: [{ type: "text" }] })
    expect(first.usage.input_tokens).toBeGreaterThan(496)
  })

  it("think within max_tokens", async () => {
    const body = { max_tokens: 2000, thinking: { type: "enabled", budget_tokens: 1024 } }
    provider.faults.next({ reasoningTokens: 700 })
    const message = await jsonOf(post(body))
    expect(message.content[0]!.type).toBe("thinking")
    expect(message.usage.output_tokens).toBeGreaterThan(700)
    expect((await post({ ...body, max_tokens: 1024 })).status).toBe(400)
  })

  it("write a prefix to the cache once and read it later", async () => {
    const system = [{ type: "text", text: "word ".repeat(1500), cache_control: { type: "ephemeral", ttl: "1h" } }]
    const first = await jsonOf(post({ system }))
    const second = await jsonOf(post({ system }))
    const written = first.usage.cache_creation.ephemeral_1h_input_tokens
    expect(written).toBeGreaterThan(1500)
    expect(second.usage).toMatchObject({ cache_read_input_tokens: written, cache_creation_input_tokens: 0 })
    const { input_tokens: input, output_tokens: output } = first.usage
    expect(provider.ledger.calls[0]!.nanoUsd).toBe(input * 3_000 + written * 6_000 + output * 15_000)
  })

  it("search as often as max_uses allows, and bill the searches and their results", async () => {
    const tools = [{ type: "web_search_20250305", name: "web_search", max_uses: 2 }]
    provider.faults.next({ searches: 9 })
    const message = await jsonOf(post({ tools }))
    expect(message.usage.server_tool_use.web_search_requests).toBe(2)
    const { input_tokens: input, output_tokens: output } = message.usage
    expect(input).toBeGreaterThan(3 * 1500)
    expect(provider.ledger.totalNanoUsd).toBe(input * 3_000 + output * 15_000 + 2 * 10_000_000)
  })

  it("raise the rates of long inputs, of the fast mode and of a region", async () => {
    const long = "word ".repeat(100_000)
    await post({ model: "claude-haiku-5-5", messages: [{ role: "user", content: long }] })
    await post({ model: "claude-opus-5", speed: "fast", inference_geo: "us" })
    const [first, second] = provider.ledger.calls
    expect(first!.nanoUsd).toBe(first!.promptTokens * 500 + first!.completionTokens * 2_500)
    expect(second!.nanoUsd).toBe(second!.promptTokens * 11_000 + second!.completionTokens * 55_000)
  })

  it("count tokens without a bill, and reject keys, paths and models that do not exist", async () => {
    expect(await jsonOf(post({}, "/v1/messages/count_tokens"))).toEqual({ input_tokens: expect.any(Number) })
    expect((await post({ model: "claude-none" })).status).toBe(404)
    expect((await post({}, "/v1/nothing")).status).toBe(404)
    expect((await fetch(`${provider.anthropicBaseURL}/v1/models`)).status).toBe(401)
    expect((await fetch(provider.anthropicBaseURL, { method: "HEAD" })).status).toBe(200)
    expect(provider.ledger.calls).toEqual([])
  })
})

describe("faults", () => {
  it("answer with a status, billed or not", async () => {
    provider.faults.next({ status: 529 })
    const overloaded = await post({})
    expect([overloaded.status, ((await overloaded.json()) as Body).error.type]).toEqual([529, "overloaded_error"])
    provider.faults.next({ status: 500, billed: true })
    expect((await post({})).status).toBe(500)
    expect(provider.ledger.calls).toMatchObject([{ status: 500, reported: false }])
    expect(provider.ledger.totalNanoUsd).toBeGreaterThan(0)
  })

  it("cut a stream, and send an error event", async () => {
    provider.faults.next({ cut: "stream" })
    await expect(post({ stream: true }).then((response) => response.text())).rejects.toThrow()
    provider.faults.next({ errorInBody: { code: "overloaded_error", message: "Overloaded" } })
    expect((await eventsOf(await post({ stream: true }))).at(-1)).toMatchObject({
      type: "error",
      error: { type: "overloaded_error" },
    })
    expect(provider.ledger.calls).toMatchObject([{ reported: false }, { nanoUsd: 0 }])
  })

  it("never end a body", async () => {
    provider.faults.next({ stall: "body" })
    const response = await post({})
    const cancelled = response.body!.cancel()
    await cancelled
    expect(provider.ledger.calls[0]!.reported).toBe(false)
  })
})
