import type { Usage } from "@p2/core"
import { describe, expect, it } from "vitest"
import {
  costOf,
  createPriceTable,
  mergeAnthropicUsage,
  usageFromAISDK,
  usageFromAnthropic,
  usageFromGemini,
  usageFromLangChain,
  usageFromOpenAIAgents,
  usageFromOpenAIChat,
  usageFromOpenAIEmbeddings,
  usageFromOpenAIImages,
  usageFromOpenAIRealtime,
  usageFromOpenAIResponses,
  usageFromOpenAITranscription,
  usageFromOpenRouter,
  usageFromXAI,
} from "../src/index"

const table = createPriceTable({
  model: { input: "3", output: "15", cacheRead: "0.3", cacheWrite: "3.75", cacheWrite1h: "6" },
})
const nanoUsdOf = (usage: Usage) => table.costOf("model", usage).nanoUsd

describe("cached tokens that a gateway excludes from the prompt are charged once, and at the right rate", () => {
  it.each<[string, unknown, number]>([
    [
      "beside the prompt, inside the total",
      { prompt_tokens: 3, completion_tokens: 50, total_tokens: 12357, cache_read_input_tokens: 12304 },
      4_450_200,
    ],
    [
      "beside the prompt, inside the total, in the details",
      {
        prompt_tokens: 7,
        completion_tokens: 50,
        total_tokens: 12057,
        prompt_tokens_details: { cached_tokens: 12000 },
      },
      4_371_000,
    ],
    [
      "read, outside the prompt and the total",
      { prompt_tokens: 2079, completion_tokens: 50, total_tokens: 2129, cache_read_input_tokens: 12000 },
      2079 * 3_000 + 50 * 15_000 + 12000 * 300,
    ],
    [
      "written, outside the prompt and the total",
      { prompt_tokens: 7134, completion_tokens: 50, total_tokens: 7184, cache_creation_input_tokens: 1253 },
      7134 * 3_000 + 50 * 15_000 + 1253 * 3_750,
    ],
    [
      "written for one hour, inside the prompt, in LiteLLM's details",
      {
        prompt_tokens: 12307,
        completion_tokens: 50,
        total_tokens: 12357,
        cache_creation_input_tokens: 12300,
        prompt_tokens_details: {
          cached_tokens: 0,
          cache_creation_tokens: 12300,
          cache_creation_token_details: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 12300 },
        },
      },
      74_571_000,
    ],
    [
      "written for one hour, with LiteLLM's details at the top",
      {
        prompt_tokens: 12307,
        completion_tokens: 50,
        total_tokens: 12357,
        cache_creation_input_tokens: 12300,
        cache_creation_token_details: { ephemeral_1h_input_tokens: 12300 },
      },
      74_571_000,
    ],
    [
      "read and written, both beside the prompt and inside the total",
      {
        prompt_tokens: 10,
        completion_tokens: 50,
        total_tokens: 1360,
        cache_read_input_tokens: 1000,
        cache_creation_input_tokens: 300,
      },
      10 * 3_000 + 50 * 15_000 + 1000 * 300 + 300 * 3_750,
    ],
    [
      "read beside the prompt and inside the total, with reasoning beside the completion",
      {
        prompt_tokens: 10,
        completion_tokens: 50,
        total_tokens: 1160,
        cache_read_input_tokens: 1000,
        completion_tokens_details: { reasoning_tokens: 100 },
      },
      10 * 3_000 + 150 * 15_000 + 1000 * 300,
    ],
    [
      "inside the prompt, as OpenAI documents",
      {
        prompt_tokens: 1200,
        completion_tokens: 50,
        total_tokens: 1250,
        prompt_tokens_details: { cached_tokens: 1024 },
      },
      176 * 3_000 + 50 * 15_000 + 1024 * 300,
    ],
    [
      "inside the prompt, with the same count in both places",
      {
        prompt_tokens: 1200,
        completion_tokens: 50,
        total_tokens: 1250,
        cache_read_input_tokens: 1024,
        prompt_tokens_details: { cached_tokens: 1024 },
      },
      176 * 3_000 + 50 * 15_000 + 1024 * 300,
    ],
    [
      "DeepSeek's hits and misses",
      {
        prompt_tokens: 1200,
        completion_tokens: 50,
        total_tokens: 1250,
        prompt_cache_hit_tokens: 1024,
        prompt_cache_miss_tokens: 176,
      },
      176 * 3_000 + 50 * 15_000 + 1024 * 300,
    ],
    [
      "Moonshot's count at the top",
      { prompt_tokens: 1200, completion_tokens: 50, total_tokens: 1250, cached_tokens: 1024 },
      176 * 3_000 + 50 * 15_000 + 1024 * 300,
    ],
    [
      "tokens of the total that nothing else explains are reasoning",
      { prompt_tokens: 32, completion_tokens: 9, total_tokens: 141 },
      32 * 3_000 + 109 * 15_000,
    ],
    [
      "reasoning that exceeds the completion is in addition to it",
      { prompt_tokens: 32, completion_tokens: 9, completion_tokens_details: { reasoning_tokens: 100 } },
      32 * 3_000 + 109 * 15_000,
    ],
  ])("%s", (_title, usage, nanoUsd) => {
    expect(nanoUsdOf(usageFromOpenAIChat(usage))).toBe(nanoUsd)
  })

  it("says which reading it took where two were possible, and the cost repeats it", () => {
    const usage = usageFromOpenAIChat({
      prompt_tokens: 2079,
      completion_tokens: 50,
      total_tokens: 2129,
      cache_read_input_tokens: 1200,
    })
    expect(usage.assumptions).toEqual([expect.stringContaining("counted in addition to it")])
    expect(table.costOf("model", usage).assumptions).toEqual(usage.assumptions)
    const certain = usageFromOpenAIChat({ prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 })
    expect("assumptions" in certain || "assumptions" in table.costOf("model", certain)).toBe(false)
  })

  it("never charges less than any reading in which the parts fit their totals", () => {
    const counts = [0, 7, 300, 1000]
    for (const prompt of counts)
      for (const read of counts)
        for (const written of counts)
          for (const extra of [0, 7, 300, 1000, 1300, 1307]) {
            const usage = usageFromOpenAIChat({
              prompt_tokens: prompt,
              completion_tokens: 50,
              total_tokens: prompt + 50 + extra,
              cache_read_input_tokens: read,
              cache_creation_input_tokens: written,
            })
            const minimum = prompt + (extra === read + written ? read + written : 0)
            expect(usage.inputTokens).toBeGreaterThanOrEqual(Math.max(minimum, read + written))
            expect(usage.inputTokens + usage.outputTokens).toBeGreaterThanOrEqual(prompt + 50 + extra)
            expect(nanoUsdOf(usage)).toBeGreaterThan(0)
          }
  })
})

describe("the tokens of a prediction", () => {
  const read = (details: object, total?: number) =>
    usageFromOpenAIChat({
      prompt_tokens: 14,
      completion_tokens: 50,
      ...(total && { total_tokens: total }),
      completion_tokens_details: details,
    })

  it("are inside the output, unless they exceed it", () => {
    const inside = { accepted_prediction_tokens: 20, rejected_prediction_tokens: 30 }
    expect(read(inside)).toMatchObject({ outputTokens: 50 })
    expect(read(inside).assumptions).toBeUndefined()
    const beside = { accepted_prediction_tokens: 0, rejected_prediction_tokens: 300 }
    for (const total of [undefined, 364, 64])
      expect(read(beside, total)).toMatchObject({
        outputTokens: 350,
        assumptions: ["tokens of a prediction exceed the output, so they were counted in addition to it"],
      })
    expect(() => read({ rejected_prediction_tokens: -1 })).toThrow(/at least 0/)
  })
})

describe("shapes that had no adapter", () => {
  it.each<[string, Usage, Omit<Usage, "raw">]>([
    [
      "images",
      usageFromOpenAIImages({
        input_tokens: 350,
        output_tokens: 4160,
        total_tokens: 4510,
        input_tokens_details: { text_tokens: 50, image_tokens: 300 },
      }),
      { inputTokens: 350, outputTokens: 4160, imageInputTokens: 300, imageOutputTokens: 4160 },
    ],
    [
      "images with details of the output",
      usageFromOpenAIImages({
        input_tokens: 50,
        output_tokens: 1100,
        total_tokens: 1150,
        input_tokens_details: { text_tokens: 50, image_tokens: 0 },
        output_tokens_details: { image_tokens: 1056, text_tokens: 44 },
      }),
      { inputTokens: 50, outputTokens: 1100, imageOutputTokens: 1056 },
    ],
    [
      "transcription by tokens",
      usageFromOpenAITranscription({
        type: "tokens",
        input_tokens: 14,
        input_token_details: { text_tokens: 4, audio_tokens: 10 },
        output_tokens: 101,
        total_tokens: 115,
      }),
      { inputTokens: 14, outputTokens: 101, audioInputTokens: 10 },
    ],
    [
      "transcription by the second, rounded up",
      usageFromOpenAITranscription({ type: "duration", seconds: 8.2 }),
      { inputTokens: 0, outputTokens: 0, audioSeconds: 9 },
    ],
    [
      "transcription whose input has no details is audio",
      usageFromOpenAITranscription({ type: "tokens", input_tokens: 14, output_tokens: 1, total_tokens: 15 }),
      { inputTokens: 14, outputTokens: 1, audioInputTokens: 14 },
    ],
    [
      "embeddings",
      usageFromOpenAIEmbeddings({ prompt_tokens: 8, total_tokens: 8 }),
      { inputTokens: 8, outputTokens: 0 },
    ],
    [
      "embeddings with a total alone",
      usageFromOpenAIEmbeddings({ total_tokens: 8 }),
      { inputTokens: 8, outputTokens: 0 },
    ],
    [
      "realtime",
      usageFromOpenAIRealtime({
        total_tokens: 253,
        input_tokens: 132,
        output_tokens: 121,
        input_token_details: {
          text_tokens: 119,
          audio_tokens: 13,
          image_tokens: 0,
          cached_tokens: 64,
          cached_tokens_details: { text_tokens: 64, audio_tokens: 0, image_tokens: 0 },
        },
        output_token_details: { text_tokens: 30, audio_tokens: 91 },
      }),
      { inputTokens: 132, outputTokens: 121, cacheReadTokens: 64, audioInputTokens: 13, audioOutputTokens: 91 },
    ],
    [
      "AI SDK 4",
      usageFromAISDK({ promptTokens: 10, completionTokens: 5, totalTokens: 15 }),
      { inputTokens: 10, outputTokens: 5 },
    ],
    [
      "AI SDK 5, flat: cached tokens may be beside the input",
      usageFromAISDK({
        inputTokens: 100,
        outputTokens: 20,
        totalTokens: 120,
        reasoningTokens: 8,
        cachedInputTokens: 80,
      }),
      {
        inputTokens: 180,
        outputTokens: 20,
        cacheReadTokens: 80,
        reasoningTokens: 8,
        assumptions: [expect.stringContaining("in addition to it")] as never,
      },
    ],
    [
      "AI SDK 5, flat, with the position stated",
      usageFromAISDK(
        { inputTokens: 100, outputTokens: 20, totalTokens: 120, reasoningTokens: 8, cachedInputTokens: 80 },
        { cachedInputTokens: "included" },
      ),
      { inputTokens: 100, outputTokens: 20, cacheReadTokens: 80, reasoningTokens: 8 },
    ],
    [
      "AI SDK 5, of Google: thoughts are in the total alone",
      usageFromAISDK({ inputTokens: 100, outputTokens: 20, totalTokens: 220, reasoningTokens: 100 }),
      { inputTokens: 100, outputTokens: 120, reasoningTokens: 100 },
    ],
    [
      "AI SDK 6, flat with details",
      usageFromAISDK({
        inputTokens: 100,
        outputTokens: 20,
        totalTokens: 120,
        inputTokenDetails: { noCacheTokens: 10, cacheReadTokens: 80, cacheWriteTokens: 10 },
        outputTokenDetails: { textTokens: 12, reasoningTokens: 8 },
        reasoningTokens: 8,
        cachedInputTokens: 80,
        raw: { any_tokens: 5 },
      }),
      { inputTokens: 100, outputTokens: 20, cacheReadTokens: 80, cacheWriteTokens: 10, reasoningTokens: 8 },
    ],
    [
      "AI SDK provider specification v3 and v4, nested",
      usageFromAISDK({
        inputTokens: { total: 100, noCache: 10, cacheRead: 80, cacheWrite: 10 },
        outputTokens: { total: 20, text: 12, reasoning: 8 },
        raw: { any_tokens: 5 },
      }),
      { inputTokens: 100, outputTokens: 20, cacheReadTokens: 80, cacheWriteTokens: 10, reasoningTokens: 8 },
    ],
    [
      "AI SDK provider specification, nested, without totals",
      usageFromAISDK({
        inputTokens: { total: undefined, noCache: 10, cacheRead: 80, cacheWrite: 10 },
        outputTokens: { total: undefined, text: 12, reasoning: 8 },
      }),
      { inputTokens: 100, outputTokens: 20, cacheReadTokens: 80, cacheWriteTokens: 10, reasoningTokens: 8 },
    ],
    ["AI SDK embeddings", usageFromAISDK({ tokens: 12 }), { inputTokens: 12, outputTokens: 0 }],
    [
      "LangChain",
      usageFromLangChain({
        input_tokens: 350,
        output_tokens: 240,
        total_tokens: 590,
        input_token_details: { audio: 10, cache_creation: 200, cache_read: 100 },
        output_token_details: { audio: 10, reasoning: 200 },
      }),
      {
        inputTokens: 350,
        outputTokens: 240,
        cacheReadTokens: 100,
        cacheWriteTokens: 200,
        audioInputTokens: 10,
        reasoningTokens: 200,
        audioOutputTokens: 10,
      },
    ],
    [
      "LangChain with Anthropic's cache times",
      usageFromLangChain({
        input_tokens: 350,
        output_tokens: 40,
        total_tokens: 390,
        input_token_details: { cache_creation: 0, ephemeral_5m_input_tokens: 50, ephemeral_1h_input_tokens: 150 },
      }),
      { inputTokens: 350, outputTokens: 40, cacheWriteTokens: 50, cacheWrite1hTokens: 150 },
    ],
    [
      "Agents SDK",
      usageFromOpenAIAgents({
        requests: 3,
        inputTokens: 900,
        outputTokens: 90,
        totalTokens: 990,
        inputTokensDetails: [{ cached_tokens: 100 }, { cached_tokens: 200 }, {}],
        outputTokensDetails: [{ reasoning_tokens: 10 }, { reasoning_tokens: 20 }],
        requestUsageEntries: [{ inputTokens: 300 }],
      }),
      { inputTokens: 900, outputTokens: 90, cacheReadTokens: 300, reasoningTokens: 30, calls: 3 },
    ],
    [
      "Agents SDK in Python",
      usageFromOpenAIAgents({
        requests: 2,
        input_tokens: 900,
        output_tokens: 90,
        total_tokens: 990,
        input_tokens_details: { cached_tokens: 300 },
        output_tokens_details: { reasoning_tokens: 30 },
      }),
      { inputTokens: 900, outputTokens: 90, cacheReadTokens: 300, reasoningTokens: 30, calls: 2 },
    ],
    [
      "Anthropic stream",
      usageFromAnthropic(
        mergeAnthropicUsage([
          {
            input_tokens: 25,
            cache_read_input_tokens: 1000,
            cache_creation_input_tokens: 300,
            cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
            output_tokens: 1,
          },
          undefined,
          { output_tokens: 15 },
          { output_tokens: 120, cache_read_input_tokens: null, server_tool_use: { web_search_requests: 2 } },
        ]),
      ),
      {
        inputTokens: 1325,
        outputTokens: 120,
        cacheReadTokens: 1000,
        cacheWriteTokens: 100,
        cacheWrite1hTokens: 200,
        webSearches: 2,
      },
    ],
    [
      "Anthropic with several passes, which the top does not contain",
      usageFromAnthropic({
        input_tokens: 100,
        output_tokens: 10,
        iterations: [
          { type: "compaction", input_tokens: 5000, output_tokens: 800 },
          { type: "message", input_tokens: 100, output_tokens: 10, cache_read_input_tokens: 50 },
        ],
      }),
      { inputTokens: 5150, outputTokens: 810, cacheReadTokens: 50 },
    ],
    [
      "Gemini's total with tokens that no part has",
      usageFromGemini({ promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 40 }),
      {
        inputTokens: 10,
        outputTokens: 30,
        reasoningTokens: 25,
        assumptions: [expect.stringContaining("reasoning")] as never,
      },
    ],
    [
      "Gemini's prompt before continuations is part of the prompt",
      usageFromGemini({ promptTokenCount: 30, initialPromptTokenCount: 10, candidatesTokenCount: 5 }),
      { inputTokens: 30, outputTokens: 5 },
    ],
    [
      "Gemini video is billed as images are, documents as text",
      usageFromGemini({
        promptTokenCount: 30,
        candidatesTokenCount: 5,
        promptTokensDetails: [
          { modality: "VIDEO", tokenCount: 20 },
          { modality: "DOCUMENT", tokenCount: 10 },
        ],
      }),
      { inputTokens: 30, outputTokens: 5, imageInputTokens: 20 },
    ],
  ])("%s", (_title, { raw, ...usage }, expected) => {
    expect(usage).toEqual(expected)
    expect(raw).toBeTypeOf("object")
  })
})

it("Anthropic's service tier, speed and region decide the price", () => {
  const usage = { input_tokens: 1_000, output_tokens: 0 }
  const cost = (more: object) => costOf("claude-opus-5-5", usageFromAnthropic({ ...usage, ...more })).nanoUsd
  expect(cost({})).toBe(4_000_000)
  expect(cost({ service_tier: "standard", inference_geo: "global", speed: "standard" })).toBe(4_000_000)
  expect(cost({ service_tier: "batch" })).toBe(2_000_000)
  expect(cost({ speed: "fast", service_tier: "standard" })).toBe(8_000_000)
  expect(cost({ inference_geo: "us" })).toBe(4_400_000)
  expect(() => cost({ service_tier: "priority-commitment" })).toThrow(/no price|No price/)
  const read = usageFromAnthropic({ ...usage, service_tier: "batch" })
  expect(costOf("claude-opus-5-5", read, { serviceTier: "default" }).nanoUsd).toBe(4_000_000)
})

describe("an unknown field that seems to carry billed units", () => {
  const chat = { prompt_tokens: 10, completion_tokens: 5 }
  const responses = { input_tokens: 10, output_tokens: 5 }
  const gemini = { promptTokenCount: 10, candidatesTokenCount: 5 }
  const adapters = {
    chat: [usageFromOpenAIChat, chat],
    openrouter: [usageFromOpenRouter, chat],
    xai: [usageFromXAI, chat],
    responses: [usageFromOpenAIResponses, responses],
    anthropic: [usageFromAnthropic, responses],
    gemini: [usageFromGemini, gemini],
    images: [usageFromOpenAIImages, responses],
    transcription: [usageFromOpenAITranscription, responses],
    realtime: [usageFromOpenAIRealtime, responses],
    embeddings: [usageFromOpenAIEmbeddings, { prompt_tokens: 10 }],
    langchain: [usageFromLangChain, responses],
    agents: [usageFromOpenAIAgents, responses],
    "AI SDK": [usageFromAISDK, { inputTokens: 10, outputTokens: 5 }],
  } as const
  const fields: [string, unknown][] = [
    ["a_new_kind_of_tokens", 9],
    ["sketch_tokens", 1],
    ["video_seconds", 4],
    ["input_characters", 12],
    ["tool_tokens_details", { planner_tokens: 7 }],
    ["image_count", 3],
    ["audioMinutes", 2],
    ["thinking", 8],
    ["rerank_search_units", 2],
    ["moderation_tokens", "15"],
  ]
  const cases = Object.entries(adapters).flatMap(([name, [adapter, base]]) =>
    fields.map(([field, value]) => ({ name, field, value, adapter, base })),
  )

  it.each(cases)("$name: $field is an error, or is ignored on request", ({ field, value, adapter, base }) => {
    const usage = { ...base, [field]: value }
    expect(() => adapter(usage)).toThrow(expect.objectContaining({ code: "unknown-usage" }))
    const read = adapter(usage, { ignoreFields: [field] })
    expect(read.inputTokens).toBe(10)
  })

  it.each(cases.filter(({ field }) => field.endsWith("tokens")))("$name: $field of 0 or null is not", (each) => {
    for (const value of [0, null]) expect(each.adapter({ ...each.base, [each.field]: value }).inputTokens).toBe(10)
  })

  it.each([
    ["cost", 0.5],
    ["total_time", 3],
    ["prompt_time", 0.2],
    ["service_tier", "priority"],
    ["tokens_per_second_rate", 90],
    ["inference_geo", "us"],
  ])("%s is not billed and may be there", (field, value) => {
    expect(usageFromOpenAIChat({ ...chat, [field]: value }).inputTokens).toBe(10)
  })

  it("names the field and what to do", () => {
    const call = () => usageFromOpenAIChat({ ...chat, prompt_tokens_details: { sketch_tokens: 9 } })
    expect(call).toThrow(
      "Unknown usage field `usage.prompt_tokens_details.sketch_tokens` with value 9: it may be billed.",
    )
    expect(call).toThrow('pass `{ ignoreFields: ["sketch_tokens"] }`')
  })

  it("says whose usage it is where Anthropic's is given to the Responses adapter", () => {
    const usage = { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 1000 }
    expect(() => usageFromOpenAIResponses(usage)).toThrow("This is Anthropic's usage: use `usageFromAnthropic`")
  })
})
