import { describe, expect, it } from "vitest"
import { MessageMeter } from "../../../src/protocols/anthropic/meter"

const start = {
  type: "message_start",
  message: {
    id: "msg_1",
    type: "message",
    model: "claude-sonnet-5",
    usage: { input_tokens: 100, cache_read_input_tokens: 20, output_tokens: 1, service_tier: "standard" },
  },
}
const delta = {
  type: "message_delta",
  delta: { stop_reason: "end_turn", stop_sequence: null },
  usage: { input_tokens: 100, cache_read_input_tokens: 20, output_tokens: 55 },
}
const stop = { type: "message_stop" }

function text(value: string) {
  return { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: value } }
}

/** Reads events, or one body. */
function read(...events: unknown[]) {
  return readAs({ cacheWrites: "5m" }, ...events)
}

function readAs(options: { cacheWrites: "any" | "5m" | "none" }, ...events: unknown[]) {
  const meter = new MessageMeter({ model: "claude-sonnet-5", ...options })
  for (const data of events) expect(meter.add({ event: undefined, data, text: "" })).toEqual({ usageOnly: false })
  meter.end()
  return meter.read()
}

describe("the meter of a stream", () => {
  it("reads the cumulative usage of the last message_delta", () => {
    expect(read(start, { type: "ping" }, text("Hello"), delta, stop)).toMatchObject({
      state: "complete",
      usage: { usage: { inputTokens: 120, cacheReadTokens: 20, outputTokens: 55 } },
      model: "claude-sonnet-5",
      generationId: "msg_1",
      serviceTier: "default",
      error: undefined,
    })
  })

  it("has only a lower bound before the end", () => {
    const reading = read(start, text("Hello"))
    expect(reading).toMatchObject({ state: "open", usage: undefined })
    expect(reading.usageLowerBound?.usage).toMatchObject({ inputTokens: 120, outputTokens: 1 })
    expect(reading.receivedOutputTokens).toBeGreaterThanOrEqual(5)
    expect(reading.receivedOutputTokens).toBeLessThan(30)
  })

  it("has the whole usage once the stop reason has arrived", () => {
    expect(read(start, text("Hello"), delta)).toMatchObject({ state: "open", usage: { usage: { outputTokens: 55 } } })
  })

  it("keeps the larger counts if a later event omits some", () => {
    const late = { ...delta, usage: { output_tokens: 55, input_tokens: null } }
    expect(read(start, late, stop).usage?.usage).toMatchObject({ inputTokens: 120, outputTokens: 55 })
  })

  it.each([[undefined], [null], [{}], [{ input_tokens: 100 }], [{ output_tokens: 0 }]])(
    "has only a lower bound if the usage of the message_delta is %j",
    (usage) => {
      const reading = read(start, text("Hello"), { ...delta, usage }, stop)
      expect(reading).toMatchObject({ state: "complete", usage: undefined })
      expect(reading.usageLowerBound?.usage).toMatchObject({ inputTokens: 120, outputTokens: 1 })
    },
  )

  it("has only a lower bound if no message_delta arrived, or if content arrived after it", () => {
    const tool = { type: "content_block_start", index: 1, content_block: { type: "tool_use", name: "f", input: {} } }
    for (const events of [[text("Hello")], [delta, text("more")], [delta, tool], [text("Hello"), delta, stop, tool]]) {
      const reading = read(start, ...events, stop)
      expect(reading).toMatchObject({ state: "complete", usage: undefined })
      expect(reading.usageLowerBound?.usage.inputTokens).toBe(120)
    }
    expect(read(start, delta, text("more"), delta, stop).usage?.usage.outputTokens).toBe(55)
  })

  it("has only a lower bound if the input is zero although there is content", () => {
    const empty = { ...start, message: { ...start.message, usage: { input_tokens: 0, output_tokens: 0 } } }
    const usage = { output_tokens: 55 }
    expect(read(empty, text("Hello"), { ...delta, usage }, stop)).toMatchObject({
      state: "complete",
      usage: undefined,
      usageLowerBound: { usage: { inputTokens: 0, outputTokens: 55 } },
    })
  })

  it("is broken by an error event, which it reports", () => {
    const error = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
    expect(read(start, text("Hel"), error)).toMatchObject({
      state: "broken",
      usage: undefined,
      error: { code: "overloaded_error", message: "Overloaded" },
    })
    // An error after the end of the answer does not invalidate the usage.
    expect(read(start, delta, error).usage?.usage.outputTokens).toBe(55)
  })

  it("is broken by an event that is not JSON, or of another format", () => {
    expect(read(start, undefined).state).toBe("broken")
    expect(read({ choices: [] }).state).toBe("broken")
    expect(read({ error: { message: "no" } })).toMatchObject({ state: "broken", error: { message: "no" } })
  })

  it("ignores events of unknown types", () => {
    expect(read(start, { type: "progress", done: 1 }, delta, stop).state).toBe("complete")
  })

  it("does not know how much thinking has arrived", () => {
    const thinking = { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } }
    expect(read(start, thinking).receivedOutputTokens).toBeGreaterThan(1_000_000)
  })

  it("sums the passes of compaction and of tools that Anthropic ran, and counts searches", () => {
    const usage = {
      ...delta.usage,
      server_tool_use: { web_search_requests: 2, web_fetch_requests: 1 },
      iterations: [
        { type: "compaction", input_tokens: 900, output_tokens: 40 },
        { type: "message", input_tokens: 100, output_tokens: 55, cache_read_input_tokens: 20 },
      ],
    }
    expect(read(start, { ...delta, usage }, stop).usage?.usage).toMatchObject({
      inputTokens: 1020,
      outputTokens: 95,
      webSearches: 2,
    })
  })

  it("reads an unknown count as a lower bound", () => {
    const reading = read(start, { ...delta, usage: { ...delta.usage, sketch_tokens: 9 } }, stop)
    expect(reading).toMatchObject({ state: "complete", usage: undefined })
    expect(reading.usageLowerBound?.usage.outputTokens).toBe(55)
  })
})

describe("the meter of one body", () => {
  const message = { ...start.message, role: "assistant", content: [{ type: "text", text: "Hello" }] }

  it("reads the usage", () => {
    const usage = {
      input_tokens: 5,
      output_tokens: 7,
      cache_creation_input_tokens: 3,
      cache_creation: { ephemeral_1h_input_tokens: 3 },
    }
    expect(read({ ...message, usage })).toMatchObject({
      state: "complete",
      usage: { usage: { inputTokens: 8, cacheWrite1hTokens: 3, outputTokens: 7 } },
    })
  })

  it("has none if the body has none", () => {
    expect(read({ ...message, usage: undefined })).toMatchObject({ state: "complete", usage: undefined })
  })

  it.each([
    [{ input_tokens: 0, output_tokens: 0 }],
    [{ input_tokens: 5, output_tokens: 0 }],
    [{ input_tokens: 0, output_tokens: 7 }],
  ])("has only a lower bound if the usage is %j although there is content", (usage) => {
    expect(read({ ...message, usage })).toMatchObject({ state: "complete", usage: undefined })
    const hasTokens = usage.input_tokens + usage.output_tokens > 0
    expect(read({ ...message, usage }).usageLowerBound !== undefined).toBe(hasTokens)
    expect(read({ ...message, content: [], usage: { input_tokens: 5, output_tokens: 0 } }).usage).toBeDefined()
  })

  it("reads cache writes without their times as those for the longest time that the call may have", () => {
    const usage = { input_tokens: 5, output_tokens: 7, cache_creation_input_tokens: 1000 }
    const timed = { ...usage, cache_creation: { ephemeral_5m_input_tokens: 600, ephemeral_1h_input_tokens: 300 } }
    const writes = (cacheWrites: "any" | "5m" | "none", reported: object) =>
      readAs({ cacheWrites }, { ...message, usage: reported }).usage?.usage
    expect(writes("any", usage)).toMatchObject({ inputTokens: 1005, cacheWrite1hTokens: 1000 })
    expect(writes("any", usage)).not.toHaveProperty("cacheWriteTokens")
    expect(writes("any", timed)).toMatchObject({ cacheWriteTokens: 600, cacheWrite1hTokens: 400 })
    expect(writes("5m", usage)).toMatchObject({ inputTokens: 1005, cacheWriteTokens: 1000 })
    expect(writes("none", usage)).toMatchObject({ inputTokens: 1005, cacheWriteTokens: 1000 })
    const iterations = [
      { type: "message", ...usage },
      { type: "message", ...usage },
    ]
    expect(writes("any", { ...usage, iterations })).toMatchObject({ inputTokens: 2010, cacheWrite1hTokens: 2000 })
  })

  it("prices the fast mode if it ran, and reserved capacity at the standard price", () => {
    const tierOf = (fields: object) =>
      read({ ...message, usage: { input_tokens: 1, output_tokens: 1, ...fields } }).serviceTier
    expect(tierOf({ speed: "fast" })).toBe("fast")
    expect(tierOf({ speed: "standard" })).toBe("default")
    expect(tierOf({ service_tier: "priority" })).toBe("default")
  })

  it("charges no fee for code that ran together with a web tool", () => {
    const server_tool_use = { web_search_requests: 1, code_execution_requests: 3 }
    const { usage } = read({ ...message, usage: { input_tokens: 1, output_tokens: 1, server_tool_use } })
    expect(usage?.usage).toMatchObject({ webSearches: 1 })
    expect(usage?.usage).not.toHaveProperty("codeInterpreterSessions")
  })

  it("reports an error", () => {
    expect(read({ type: "error", error: { type: "rate_limit_error", message: "slow" } })).toMatchObject({
      state: "broken",
      error: { code: "rate_limit_error" },
      receivedOutputTokens: 0,
    })
  })
})
