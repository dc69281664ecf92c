import { describe, expect, it } from "vitest"
import { EmbeddingsMeter } from "../../src/protocols/openai-embeddings/embeddings-meter"
import { ResponseMeter, type ResponseMeterOptions } from "../../src/protocols/openai-responses/response-meter"

const USAGE = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 40 },
  output_tokens: 20,
  output_tokens_details: { reasoning_tokens: 5 },
  total_tokens: 120,
}

function response(fields: Record<string, unknown> = {}) {
  return {
    id: "resp_1",
    object: "response",
    status: "completed",
    model: "gpt-5-2025-08-07",
    service_tier: "default",
    output: [],
    usage: USAGE,
    ...fields,
  }
}

function readJson(body: unknown, options: Partial<ResponseMeterOptions> = {}) {
  const meter = new ResponseMeter({ provider: "openai", ...options })
  meter.add({ event: undefined, data: body, text: JSON.stringify(body) })
  meter.end()
  return meter.read()
}

function readEvents(...events: Record<string, unknown>[]) {
  const meter = new ResponseMeter({ provider: "openai" })
  for (const data of events) {
    const added = meter.add({ event: String(data.type), data, text: JSON.stringify(data) })
    expect(added.usageOnly).toBe(false)
  }
  meter.end()
  return meter.read()
}

const CREATED = {
  type: "response.created",
  response: response({ status: "in_progress", usage: null, service_tier: "auto" }),
}
const DELTA = { type: "response.output_text.delta", delta: "Grüße" }

describe("a response", () => {
  it("has its usage, model, tier and id", () => {
    expect(readJson(response())).toMatchObject({
      state: "complete",
      usage: { usage: { inputTokens: 100, outputTokens: 20, cacheReadTokens: 40, reasoningTokens: 5 } },
      model: "gpt-5-2025-08-07",
      serviceTier: "default",
      generationId: "resp_1",
      error: undefined,
      continues: undefined,
    })
  })

  it("is complete at its limit, and broken if it failed", () => {
    expect(readJson(response({ status: "incomplete" })).state).toBe("complete")
    const failed = readJson(
      response({ status: "failed", error: { code: "server_error", message: "Sorry." }, usage: null }),
    )
    expect(failed).toMatchObject({
      state: "broken",
      usage: undefined,
      error: { code: "server_error", message: "Sorry." },
    })
    expect(readJson(response({ status: "failed" })).usage?.usage.inputTokens).toBe(100)
  })

  it.each([[{ error: { code: "invalid_api_key", message: "No." } }], ["<html>"], [{ detail: "Not found" }], [[]]])(
    "is broken if the body is %j",
    (body) => {
      expect(readJson(body)).toMatchObject({ state: "broken", usage: undefined })
    },
  )

  it.each([
    [{ input_tokens: 0, output_tokens: 0, total_tokens: 0 }],
    [{ input_tokens: 100, output_tokens: 0, total_tokens: 100 }],
    [{ input_tokens: 0, output_tokens: 20, total_tokens: 20 }],
  ])("has only a lower bound if its usage is %j although there is output", (usage) => {
    const output = [{ type: "message", content: [{ type: "output_text", text: "Hello" }] }]
    const reading = readJson(response({ output, usage, status: "completed" }))
    expect(reading).toMatchObject({ state: "complete", usage: undefined })
    expect(readJson(response({ output, usage, background: true })).usage).toBeUndefined()
    expect(readEvents(CREATED, DELTA, { type: "response.completed", response: response({ usage }) })).toMatchObject({
      state: "complete",
      usage: undefined,
    })
    const item = { type: "response.output_item.added", item: { type: "function_call" } }
    expect(readEvents(CREATED, item, { type: "response.completed", response: response({ usage }) }).usage).toBe(
      undefined,
    )
  })

  it("has only a lower bound if the input is zero before the fixed block of searches is added", () => {
    const output = [{ type: "web_search_call", action: { type: "search" } }]
    const usage = { input_tokens: 0, output_tokens: 20, total_tokens: 20 }
    const reading = readJson(response({ output, usage, model: "gpt-4o-mini" }))
    expect(reading).toMatchObject({ usage: undefined, usageLowerBound: { usage: { inputTokens: 8_000 } } })
  })

  it("has received nothing if it failed without output", () => {
    const error = { code: "server_error", message: "Sorry." }
    expect(readJson(response({ status: "failed", error, usage: null })).receivedOutputTokens).toBe(0)
  })

  it("has the cache writes for 12 hours separately", () => {
    const details = {
      cached_tokens: 0,
      cache_write_tokens: 90,
      cache_write_tokens_details: { ttl_12h_tokens: 60, ttl_30m_tokens: 30 },
    }
    const reading = readJson(response({ usage: { ...USAGE, input_tokens_details: details } }))
    expect(reading.usage?.usage).toMatchObject({ cacheWriteTokens: 30, cacheWrite1hTokens: 60 })
  })

  it("has only a lower bound of its usage if a field is not understood", () => {
    const reading = readJson(response({ usage: { ...USAGE, video_tokens: 9 } }))
    expect(reading.usage).toBeUndefined()
    expect(reading.usageLowerBound?.usage.inputTokens).toBe(100)
  })
})

describe("hosted tools", () => {
  const search = (action?: unknown) => ({ type: "web_search_call", id: "ws", status: "completed", action })

  it("counts searches, and not the pages that the model opens", () => {
    const output = [
      search({ type: "search", query: "a" }),
      search({ type: "open_page", url: "b" }),
      search({ type: "find_in_page" }),
      search(),
    ]
    expect(readJson(response({ output })).usage?.usage.webSearches).toBe(2)
  })

  it("does not count the attempts beyond the maximum, which OpenAI ignores", () => {
    const output = Array.from({ length: 5 }, () => search({ type: "search" }))
    expect(readJson(response({ output }), { maxToolCalls: 2 }).usage?.usage.webSearches).toBe(2)
  })

  it("takes the number of billable searches that the response reports", () => {
    const output = [search({ type: "search" }), search({ type: "search" })]
    const tool_usage = { web_search: { num_requests: 1 }, image_gen: { total_tokens: 0 } }
    expect(readJson(response({ output, tool_usage })).usage?.usage.webSearches).toBe(1)
  })

  it("adds the fixed block of the mini models", () => {
    const output = [search({ type: "search" }), search({ type: "search" })]
    const reading = readJson(response({ output, model: "gpt-4o-mini-2024-07-18" }))
    expect(reading.usage?.usage).toMatchObject({ inputTokens: 16_100, webSearches: 2 })
    expect(reading.usage?.usage.assumptions).toHaveLength(1)
  })

  it("counts each container once, by its gigabytes", () => {
    const call = (id: string) => ({ type: "code_interpreter_call", id: "ci", container_id: id })
    const output = [call("cntr_1"), call("cntr_1"), call("cntr_2"), { type: "file_search_call" }]
    const tools = [{ type: "code_interpreter", container: { type: "auto", memory_limit: "4g" } }]
    expect(readJson(response({ output, tools })).usage?.usage).toMatchObject({
      codeInterpreterSessions: 8,
      fileSearches: 1,
    })
    expect(readJson(response({ output }), { containerGB: 16 }).usage?.usage.codeInterpreterSessions).toBe(32)
  })
})

describe("a stream", () => {
  it("has the usage of its last event", () => {
    const reading = readEvents(CREATED, DELTA, { type: "response.completed", response: response() })
    expect(reading).toMatchObject({
      state: "complete",
      usage: { usage: { outputTokens: 20 } },
      receivedOutputTokens: 7,
    })
  })

  it("has only a lower bound if content arrives after its usage", () => {
    const reading = readEvents(CREATED, DELTA, { type: "response.completed", response: response() }, DELTA)
    expect(reading).toMatchObject({ usage: undefined, usageLowerBound: { usage: { outputTokens: 20 } } })
  })

  it("is open without an end, and counts the bytes that arrived", () => {
    expect(readEvents(CREATED, DELTA, DELTA)).toMatchObject({
      state: "open",
      usage: undefined,
      usageLowerBound: undefined,
      receivedOutputTokens: 14,
      serviceTier: undefined,
    })
  })

  it.each([
    [{ type: "error", code: "rate_limit_exceeded", message: "Slow down.", param: null }],
    [{ type: "error", error: { type: "rate_limit_exceeded", code: "rate_limit_exceeded", message: "Slow down." } }],
    [
      {
        type: "response.failed",
        response: response({
          status: "failed",
          usage: null,
          error: { code: "rate_limit_exceeded", message: "Slow down." },
        }),
      },
    ],
  ])("is broken by %j", (event) => {
    const reading = readEvents(CREATED, DELTA, event)
    expect(reading).toMatchObject({ state: "broken", error: { code: "rate_limit_exceeded", message: "Slow down." } })
  })

  it("is broken by an event that cannot be parsed", () => {
    const meter = new ResponseMeter({ provider: "openai" })
    meter.add({ event: "response.output_text.delta", data: undefined, text: '{"type":"respon' })
    expect(meter.read().state).toBe("broken")
  })
})

describe("a background response", () => {
  const queued = response({ status: "queued", background: true, usage: null, service_tier: "auto" })

  it("continues until it has ended", () => {
    expect(readJson(queued)).toMatchObject({ state: "open", continues: { idempotencyKey: "response:resp_1" } })
    expect(readJson({ ...queued, status: "in_progress" }).continues).toBeDefined()
    expect(readJson(response({ background: true })).continues).toBeUndefined()
    expect(readJson(response({ background: true, status: "cancelled", usage: null }))).toMatchObject({
      state: "complete",
      usage: undefined,
      continues: undefined,
    })
  })

  it("continues if its stream is cut", () => {
    expect(readEvents({ type: "response.created", response: queued }, DELTA).continues).toEqual({
      idempotencyKey: "response:resp_1",
    })
  })
})

describe("embeddings", () => {
  function read(body: unknown) {
    const meter = new EmbeddingsMeter()
    meter.add({ event: undefined, data: body, text: JSON.stringify(body) })
    meter.end()
    return meter.read()
  }

  it("have input only", () => {
    const usage = { prompt_tokens: 8, total_tokens: 8 }
    expect(read({ object: "list", data: [], model: "text-embedding-3-small", usage })).toMatchObject({
      state: "complete",
      usage: { usage: { inputTokens: 8, outputTokens: 0 } },
      model: "text-embedding-3-small",
    })
  })

  it("have only a lower bound if the input is zero", () => {
    const usage = { prompt_tokens: 0, total_tokens: 0 }
    expect(read({ object: "list", data: [{ embedding: [0.1] }], usage })).toMatchObject({
      state: "complete",
      usage: undefined,
    })
  })

  it("are broken without data", () => {
    expect(read({ error: { message: "No.", code: "x" } })).toMatchObject({ state: "broken", error: { code: "x" } })
    expect(read({ object: "list", data: [] })).toMatchObject({ state: "complete", usage: undefined })
  })
})
