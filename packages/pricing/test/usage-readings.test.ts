import { USAGE_COUNTS, type Usage } from "@p2/core"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { createPriceTable, usageFromOpenAIChat } from "../src/index"
import {
  largerReading,
  readAnthropicUsage,
  readGeminiUsage,
  readOpenAIChatUsage,
  readOpenAIEmbeddingsUsage,
  readOpenAIImagesUsage,
  readOpenAIResponsesUsage,
  readOpenAITranscriptionUsage,
  type UsageReading,
} from "../src/usage"

const readers = {
  chat: readOpenAIChatUsage,
  "chat of xAI": (usage: unknown) => readOpenAIChatUsage(usage, "xai"),
  "chat of OpenRouter": (usage: unknown) => readOpenAIChatUsage(usage, "openrouter"),
  responses: (usage: unknown) => readOpenAIResponsesUsage(usage),
  embeddings: readOpenAIEmbeddingsUsage,
  images: readOpenAIImagesUsage,
  transcription: readOpenAITranscriptionUsage,
  anthropic: readAnthropicUsage,
  gemini: readGeminiUsage,
}

const table = createPriceTable({
  model: {
    input: "3",
    output: "15",
    cacheRead: "0.3",
    cacheWrite: "3.75",
    cacheWrite1h: "6",
    audioInput: "20",
    audioOutput: "40",
    imageOutput: "30",
    search: "0.01",
    codeSession: "0.03",
  },
})
const withoutRaw = (reading: UsageReading) => {
  if (reading.status === "none") return reading
  const { raw: _raw, ...usage } = reading.usage
  return { ...reading, usage }
}

describe("a usage that is understood is exact", () => {
  it.each<[keyof typeof readers, unknown, Usage]>([
    ["chat", { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 }, { inputTokens: 10, outputTokens: 5 }],
    [
      "chat",
      { prompt_tokens: 7, completion_tokens: 50, total_tokens: 12057, prompt_tokens_details: { cached_tokens: 12000 } },
      { inputTokens: 12007, outputTokens: 50, cacheReadTokens: 12000 },
    ],
    [
      "chat",
      { prompt_tokens: 10, completion_tokens: 5, input_tokens: 10, output_tokens: 5, input_tokens_details: null },
      { inputTokens: 10, outputTokens: 5 },
    ],
    [
      "chat of xAI",
      { prompt_tokens: 32, completion_tokens: 9, completion_tokens_details: { reasoning_tokens: 7 } },
      { inputTokens: 32, outputTokens: 16, reasoningTokens: 7 },
    ],
    ["responses", { input_tokens: 10, output_tokens: 5 }, { inputTokens: 10, outputTokens: 5 }],
    ["embeddings", { prompt_tokens: 8, total_tokens: 8 }, { inputTokens: 8, outputTokens: 0 }],
    [
      "images",
      { input_tokens: 50, output_tokens: 1056 },
      { inputTokens: 50, outputTokens: 1056, imageInputTokens: 50, imageOutputTokens: 1056 },
    ],
    [
      "images",
      { input_tokens: 50, input_tokens_details: { text_tokens: 20 }, output_tokens: 1056 },
      { inputTokens: 50, outputTokens: 1056, imageInputTokens: 30, imageOutputTokens: 1056 },
    ],
    ["transcription", { type: "duration", seconds: 8.2 }, { inputTokens: 0, outputTokens: 0, audioSeconds: 9 }],
    [
      "anthropic",
      { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 100 },
      { inputTokens: 110, outputTokens: 5, cacheReadTokens: 100 },
    ],
    ["gemini", { promptTokenCount: 10, candidatesTokenCount: 5 }, { inputTokens: 10, outputTokens: 5 }],
  ])("%s %j", (reader, raw, usage) => {
    expect(withoutRaw(readers[reader](raw))).toEqual({ status: "exact", usage, cost: undefined })
  })

  it("and an ambiguous shape takes the more expensive reading, which it names", () => {
    const reading = readGeminiUsage({ promptTokenCount: 10, candidatesTokenCount: 5, cachedContentTokenCount: 100 })
    expect(reading).toMatchObject({
      status: "exact",
      usage: {
        inputTokens: 110,
        assumptions: ["cached tokens exceed the input, so they were counted in addition to it"],
      },
    })
  })

  it("and hosted tool calls of the Responses API are counted by the meter", () => {
    expect(readOpenAIResponsesUsage({ input_tokens: 1, output_tokens: 1 }, { webSearches: 2 })).toMatchObject({
      status: "exact",
      usage: { webSearches: 2 },
    })
  })
})

describe("a usage of a gateway is charged as its adapter reads it", () => {
  const write = { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 12300 }
  it.each<[unknown, number]>([
    [{ prompt_tokens: 3, completion_tokens: 50, total_tokens: 12357, cache_read_input_tokens: 12304 }, 4_450_200],
    [
      { prompt_tokens: 7, completion_tokens: 50, total_tokens: 12057, prompt_tokens_details: { cached_tokens: 12000 } },
      4_371_000,
    ],
    [
      { prompt_tokens: 2079, completion_tokens: 50, total_tokens: 2129, cache_read_input_tokens: 12000 },
      2079 * 3_000 + 50 * 15_000 + 12000 * 300,
    ],
    [
      { prompt_tokens: 7134, completion_tokens: 50, total_tokens: 7184, cache_creation_input_tokens: 1253 },
      7134 * 3_000 + 50 * 15_000 + 1253 * 3_750,
    ],
    [
      {
        prompt_tokens: 12307,
        completion_tokens: 50,
        total_tokens: 12357,
        prompt_tokens_details: { cache_creation_token_details: write },
      },
      74_571_000,
    ],
  ])("%j costs %d nano-USD", (raw, nanoUsd) => {
    const reading = readOpenAIChatUsage(raw, "openai")
    expect(reading.status === "exact" && table.costOf("model", reading.usage).nanoUsd).toBe(nanoUsd)
  })
})

describe("a usage that is not understood is a lower bound", () => {
  it.each<[keyof typeof readers, unknown, Usage, string]>([
    [
      "chat",
      { prompt_tokens: 10, completion_tokens: 5, sketch_tokens: 9 },
      { inputTokens: 10, outputTokens: 5 },
      "`usage.sketch_tokens`",
    ],
    ["chat", { prompt_tokens: 10 }, { inputTokens: 10, outputTokens: 0 }, "`usage.completion_tokens`"],
    [
      "chat",
      { prompt_tokens: 10, completion_tokens: 5, completion_tokens_details: { reasoning_tokens: -1 } },
      { inputTokens: 10, outputTokens: 5 },
      "`usage.completion_tokens_details.reasoning_tokens`",
    ],
    [
      "chat",
      { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: 7 },
      { inputTokens: 10, outputTokens: 5 },
      "`usage.prompt_tokens_details`",
    ],
    [
      "chat",
      { prompt_tokens: "10", completion_tokens: 5 },
      { inputTokens: 0, outputTokens: 5 },
      "`usage.prompt_tokens`",
    ],
    ["chat", { prompt_tokens: 1e13, completion_tokens: 5 }, { inputTokens: 0, outputTokens: 5 }, "at most 10^12"],
    [
      "responses",
      { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 100 },
      { inputTokens: 10, outputTokens: 5 },
      "This is Anthropic's usage",
    ],
    [
      "anthropic",
      { input_tokens: 10, output_tokens: 5, iterations: [{ type: "advisor", input_tokens: 90, output_tokens: 1 }] },
      { inputTokens: 90, outputTokens: 5 },
      "`usage.iterations[0].input_tokens`",
    ],
    [
      "gemini",
      { promptTokenCount: 10, candidatesTokenCount: 5, promptTokensDetails: [{ modality: "SMELL", tokenCount: 3 }] },
      { inputTokens: 10, outputTokens: 5 },
      "Its modality is unknown",
    ],
  ])("%s %j", (reader, raw, usage, problem) => {
    expect(withoutRaw(readers[reader](raw))).toEqual({
      status: "lower-bound",
      usage,
      cost: undefined,
      problem: expect.stringContaining(problem),
    })
  })

  it.each(Object.entries(readers))("%s of no counts is none", (_name, read) => {
    for (const value of [undefined, null, [], "12", 7, {}, { prompt_tokens: -1 }, { usage: {} }])
      expect(read(value)).toEqual({ status: "none" })
  })
})

describe("a reported cost", () => {
  const counts = { prompt_tokens: 10, completion_tokens: 5 }
  it.each([
    ["openrouter", { cost: 0.01 }, { costUsd: 0.01, isByok: false, upstreamInferenceCost: undefined }],
    ["xai", { cost_in_usd_ticks: 5_000 }, { costUsd: "5000e-10" }],
    ["perplexity", { cost: { total_cost: 0.006, request_cost: 0.005 } }, { costUsd: 0.006 }],
    ["openai", { cost: 0.01 }, undefined],
    ["openrouter", { cost: -1 }, undefined],
    ["openrouter", { cost: 1e9 }, undefined],
    ["openrouter", { cost: "9".repeat(100_000) }, undefined],
  ])("of %s %j", (provider, more, cost) => {
    expect(readOpenAIChatUsage({ ...counts, ...more }, provider)).toMatchObject({ status: "exact", cost })
  })

  it("includes what unknown fields count, but does not correct an invalid count", () => {
    const unknown = { ...counts, video_tokens: 4, cost: 0.01 }
    expect(readOpenAIChatUsage(unknown, "openrouter").status).toBe("exact")
    expect(readOpenAIChatUsage(unknown, "openai").status).toBe("lower-bound")
    expect(readOpenAIChatUsage({ ...counts, completion_tokens: 1.5, cost: 0.01 }, "openrouter").status).toBe(
      "lower-bound",
    )
  })
})

describe("two readings of one call", () => {
  const read = (usage: object) => readOpenAIChatUsage(usage, "openrouter")
  it("merge to the larger of each count and cost", () => {
    const merged = largerReading(
      read({ prompt_tokens: 10, completion_tokens: 9, cost: 0.2 }),
      read({ prompt_tokens: 12, completion_tokens: 5, cost: 0.1 }),
    )
    expect(merged).toMatchObject({
      status: "exact",
      usage: { inputTokens: 12, outputTokens: 9 },
      cost: { costUsd: 0.2 },
    })
  })

  it("are a lower bound if one of them is", () => {
    const unknown = read({ prompt_tokens: 10, completion_tokens: 9, sketch_tokens: 1 })
    const known = read({ prompt_tokens: 10, completion_tokens: 12 })
    for (const merged of [largerReading(unknown, known), largerReading(known, unknown)])
      expect(merged).toMatchObject({ status: "lower-bound", usage: { outputTokens: 12 } })
  })

  it("are unchanged if the other has no counts", () => {
    const known = read({ prompt_tokens: 10, completion_tokens: 12 })
    expect(largerReading({ status: "none" }, known)).toBe(known)
    expect(largerReading(known, { status: "none" })).toBe(known)
  })

  it("never have parts above their totals", () => {
    const merged = largerReading(
      read({ prompt_tokens: 1000, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 900 } }),
      read({ prompt_tokens: 1000, completion_tokens: 5, prompt_tokens_details: { cache_write_tokens: 900 } }),
    )
    expect(merged).toMatchObject({ usage: { cacheReadTokens: 900, cacheWriteTokens: 900, inputTokens: 2800 } })
  })
})

describe("raw", () => {
  const counts = { prompt_tokens: 10, completion_tokens: 1 }
  it("is the provider's object up to 16 KiB", () => {
    const small = { ...counts, note: "x" }
    expect(readOpenAIChatUsage(small)).toMatchObject({ usage: { raw: small } })
    const dropped = { usage: { inputTokens: 10, outputTokens: 1, raw: { dropped: true } } }
    expect(readOpenAIChatUsage({ ...counts, essay: "x".repeat(16_384) })).toMatchObject(dropped)
    const deep = JSON.parse(`${"[".repeat(10_000)}${"]".repeat(10_000)}`)
    expect(readOpenAIChatUsage({ ...counts, deep })).toMatchObject(dropped)
  })
})

/** JSON values that a hostile or broken provider may send as a usage. */
const names = [
  ...["prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "seconds", "type"],
  ...["prompt_tokens_details", "completion_tokens_details", "input_tokens_details", "output_tokens_details"],
  ...["cached_tokens", "reasoning_tokens", "audio_tokens", "image_tokens", "cache_read_input_tokens", "cost"],
  ...["cache_creation_input_tokens", "cache_creation", "ephemeral_1h_input_tokens", "server_tool_use", "iterations"],
  ...["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount", "promptTokensDetails"],
  ...["cachedContentTokenCount", "modality", "tokenCount", "is_byok", "__proto__", "constructor", "x_tokens"],
] as const
const leaf = fc.oneof(
  { weight: 6, arbitrary: fc.nat(100_000) },
  fc.constantFrom<unknown>(null, "TEXT", "AUDIO", "12", -1, 1.5, 2 ** 53, 1e300, true, []),
)
const usage = fc.letrec<{ object: unknown; value: unknown }>((tie) => ({
  value: fc.oneof({ weight: 5, arbitrary: leaf }, tie("object"), fc.array(tie("object"), { maxLength: 2 })),
  object: fc
    .uniqueArray(fc.tuple(fc.constantFrom(...names), tie("value")), { selector: ([name]) => name, maxLength: 9 })
    .map(
      // Like JSON.parse, this makes an own property of `__proto__`.
      (entries) => Object.fromEntries(entries),
    ),
})).object

describe.each(Object.entries(readers))("%s of anything", (_name, read) => {
  it("never throws, has a price, and contains its parts", () => {
    fc.assert(
      fc.property(usage, (raw) => {
        const reading = read(raw)
        if (reading.status === "none") return
        for (const count of USAGE_COUNTS) expect(reading.usage[count] ?? 0).toBeGreaterThanOrEqual(0)
        // The test's model has no tiers and is not billed by the second.
        const { serviceTier: _tier, region: _region, audioSeconds: _seconds, ...counts } = reading.usage
        expect(table.costOf("model", counts).nanoUsd).toBeGreaterThanOrEqual(0)
        const merged = largerReading(reading, readOpenAIChatUsage({ prompt_tokens: 5, completion_tokens: 5 }))
        if (merged.status === "none") return
        const sum = { ...merged.usage, serviceTier: undefined, region: undefined, audioSeconds: undefined }
        expect(table.costOf("model", sum).tokens).toBeGreaterThanOrEqual(10)
      }),
      { numRuns: 1_000, seed: 17 },
    )
  })
})

describe("a chat usage of totals and zeros", () => {
  const zeros = [
    {},
    { prompt_tokens_details: null, completion_tokens_details: null },
    {
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: null, accepted_prediction_tokens: 0 },
    },
    { cache_read_input_tokens: 0, cache_creation: { ephemeral_1h_input_tokens: 0 } },
  ]
  const others = [
    { prompt_tokens_details: { cached_tokens: 7 } },
    { reasoning_tokens: 3 },
    { sketch_tokens: 9 },
    { service_tier: "priority" },
    { completion_tokens: "5" },
    { total_tokens: undefined },
    { total_tokens: 40 },
  ]
  const counts = { prompt_tokens: 30, completion_tokens: 5, total_tokens: 35 }

  it.each([...zeros, ...others])("%j is read as `usageFromOpenAIChat` reads it", (more) => {
    const usage = { ...counts, ...more }
    const reading = readOpenAIChatUsage(usage, "openai")
    const strict = strictly(() => usageFromOpenAIChat(usage))
    if (strict === undefined) expect(reading.status).toBe("lower-bound")
    else expect(reading).toEqual({ status: "exact", usage: strict, cost: undefined })
  })

  function strictly(read: () => unknown): unknown {
    try {
      return read()
    } catch {
      return undefined
    }
  }
})

describe("a usage of zeros", () => {
  const chat = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }
  const parts = { input_tokens: 0, output_tokens: 0, total_tokens: 0 }
  const zeros: Record<keyof typeof readers, object> = {
    chat,
    "chat of xAI": chat,
    "chat of OpenRouter": chat,
    responses: parts,
    embeddings: { prompt_tokens: 0, total_tokens: 0 },
    images: parts,
    transcription: { type: "tokens", ...parts },
    anthropic: { input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 0 },
    gemini: { promptTokenCount: 0, totalTokenCount: 0 },
  }

  it.each(Object.keys(readers) as (keyof typeof readers)[])("is none: %s", (name) => {
    expect(readers[name](zeros[name])).toEqual({ status: "none" })
  })

  it("is exact if the provider states its cost", () => {
    expect(readers["chat of OpenRouter"]({ ...chat, cost: 0 })).toMatchObject({ status: "exact", cost: { costUsd: 0 } })
  })

  it("is exact for a caller, who knows what was reported", () => {
    expect(usageFromOpenAIChat(chat)).toMatchObject({ inputTokens: 0, outputTokens: 0 })
  })
})
