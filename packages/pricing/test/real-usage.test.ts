import { describe, expect, it } from "vitest"
import {
  costOf,
  reportedByOpenRouter,
  reportedByPerplexity,
  reportedByXAI,
  usageFromAnthropic,
  usageFromGemini,
  usageFromOpenAIChat,
  usageFromOpenAIResponses,
  usageFromOpenRouter,
  usageFromXAI,
} from "../src/index"

/** Usage objects as sent by servers with OpenAI's chat API, with fields that OpenAI does not have. */
const CHAT: [server: string, usage: object, inputTokens: number, outputTokens: number][] = [
  [
    "OpenAI",
    {
      prompt_tokens: 1117,
      completion_tokens: 46,
      total_tokens: 1163,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: 0,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    },
    1117,
    46,
  ],
  [
    "Azure",
    {
      prompt_tokens: 9,
      completion_tokens: 5,
      total_tokens: 14,
      latency_checkpoint: { engine_ttft_ms: 58, engine_ttlt_ms: 430, pre_inference_ms: 82, total_duration_ms: 372 },
    },
    9,
    5,
  ],
  [
    "Groq",
    {
      queue_time: 0.05,
      prompt_tokens: 18,
      prompt_time: 0.0006,
      completion_tokens: 556,
      completion_time: 0.46,
      total_tokens: 574,
      total_time: 0.463,
    },
    18,
    556,
  ],
  ["Mistral", { prompt_tokens: 16, completion_tokens: 34, total_tokens: 50, prompt_audio_seconds: {} }, 16, 34],
  ["Mistral, cached", { prompt_tokens: 16, completion_tokens: 34, total_tokens: 50, num_cached_tokens: 12 }, 16, 34],
  [
    "DeepSeek",
    {
      prompt_tokens: 16,
      completion_tokens: 10,
      total_tokens: 26,
      prompt_tokens_details: { cached_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 4 },
      prompt_cache_hit_tokens: 0,
      prompt_cache_miss_tokens: 16,
    },
    16,
    10,
  ],
  [
    "DashScope",
    {
      prompt_tokens: 3019,
      completion_tokens: 104,
      total_tokens: 3123,
      prompt_tokens_details: {
        cached_tokens: 0,
        cache_creation: { ephemeral_5m_input_tokens: 2048 },
        cache_creation_input_tokens: 2048,
        cache_type: "ephemeral",
        text_tokens: 3019,
      },
    },
    3019,
    104,
  ],
  [
    "MiniMax",
    {
      total_tokens: 48,
      total_characters: 0,
      prompt_tokens: 26,
      completion_tokens: 22,
      completion_tokens_details: { reasoning_tokens: 20 },
    },
    26,
    22,
  ],
  [
    "SambaNova",
    {
      acceptance_rate: 3.4,
      completion_tokens: 350,
      completion_tokens_after_first_per_sec: 248,
      completion_tokens_after_first_per_sec_first_ten: 249,
      completion_tokens_per_sec: 238,
      end_time: 1731023284,
      is_last_response: true,
      prompt_tokens: 43,
      start_time: 1731023283,
      time_to_first_token: 0.06,
      total_latency: 1.47,
      total_tokens: 393,
      total_tokens_per_sec: 267,
    },
    43,
    350,
  ],
  ["vLLM", { prompt_tokens: 5, total_tokens: 12, completion_tokens: 7, prompt_tokens_details: null }, 5, 7],
  ["NVIDIA", { prompt_tokens: 5, total_tokens: 12, completion_tokens: 7, reasoning_tokens: 3 }, 5, 7],
  ["Together", { prompt_tokens: 5, total_tokens: 12, completion_tokens: 7, cached_tokens: 0 }, 5, 7],
  [
    "Perplexity",
    {
      prompt_tokens: 14,
      completion_tokens: 275,
      total_tokens: 289,
      search_context_size: "low",
      cost: { input_tokens_cost: 0.00001, output_tokens_cost: 0.0003, request_cost: 0.005, total_cost: 0.00531 },
    },
    14,
    275,
  ],
  [
    "Gemini's chat API: thoughts are in the total alone",
    { prompt_tokens: 10, completion_tokens: 20, total_tokens: 130 },
    10,
    120,
  ],
  [
    "LiteLLM",
    {
      prompt_tokens: 4012,
      completion_tokens: 100,
      total_tokens: 4112,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 3000,
      prompt_tokens_details: {
        audio_tokens: null,
        cached_tokens: 3000,
        text_tokens: null,
        image_tokens: null,
        cache_creation_tokens: 0,
        cache_creation_token_details: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      },
      completion_tokens_details: null,
    },
    4012,
    100,
  ],
]

describe("usage of servers with OpenAI's chat API", () => {
  it.each(CHAT)("%s", (_server, usage, inputTokens, outputTokens) => {
    expect(usageFromOpenAIChat(usage)).toMatchObject({ inputTokens, outputTokens })
  })
})

describe("usage with everything that its API documents", () => {
  it("of Anthropic", () => {
    const usage = {
      input_tokens: 2095,
      cache_creation_input_tokens: 2051,
      cache_read_input_tokens: 2051,
      cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 2051 },
      output_tokens: 503,
      server_tool_use: { web_search_requests: 0, web_fetch_requests: 2 },
      service_tier: "standard",
      inference_geo: "global",
    }
    expect(usageFromAnthropic(usage)).toMatchObject({ inputTokens: 6197, outputTokens: 503, cacheWriteTokens: 2051 })
  })

  it("of Gemini", () => {
    const usage = {
      promptTokenCount: 1000,
      cachedContentTokenCount: 800,
      candidatesTokenCount: 30,
      thoughtsTokenCount: 70,
      totalTokenCount: 1100,
      trafficType: "ON_DEMAND",
      promptTokensDetails: [{ modality: "TEXT", tokenCount: 1000 }],
      cacheTokensDetails: [{ modality: "TEXT", tokenCount: 800 }],
      candidatesTokensDetails: [{ modality: "TEXT", tokenCount: 30 }],
    }
    expect(usageFromGemini(usage)).toMatchObject({ inputTokens: 1000, outputTokens: 100, cacheReadTokens: 800 })
  })

  it("of Perplexity's Responses API", () => {
    const usage = {
      input_tokens: 1000,
      output_tokens: 100,
      total_tokens: 1100,
      input_tokens_details: { cache_creation_input_tokens: 200, cache_read_input_tokens: 300 },
      cost: { total_cost: 0.01 },
    }
    expect(usageFromOpenAIResponses(usage)).toMatchObject({
      inputTokens: 1000,
      cacheReadTokens: 300,
      cacheWriteTokens: 200,
    })
  })
})

describe("a cost that a provider reports", () => {
  it("wins over the table, by its digits", () => {
    const xai = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, cost_in_usd_ticks: 37_756_000 }
    const cost = costOf("xai/grok-4.7", usageFromXAI(xai), { reported: reportedByXAI(xai) })
    expect([cost.nanoUsd, cost.basis]).toEqual([3_775_600, "provider"])
    const perplexity = { prompt_tokens: 10, completion_tokens: 5, cost: { total_cost: 0.00531 } }
    const reported = reportedByPerplexity(perplexity)
    expect(costOf("perplexity/sonar", usageFromOpenAIChat(perplexity), { reported }).nanoUsd).toBe(5_310_000)
    const openrouter = { prompt_tokens: 10, completion_tokens: 5, cost: "0.00025" }
    const read = usageFromOpenRouter(openrouter)
    expect(costOf("openrouter/a/b", read, { reported: reportedByOpenRouter(openrouter) }).nanoUsd).toBe(250_000)
  })

  it.each([undefined, null, 5, {}, { cost: null }, { cost: -1 }, { cost: "free" }, { cost_in_usd_ticks: 1.5 }])(
    "is undefined for %j",
    (usage) => {
      expect(reportedByOpenRouter(usage)).toBeUndefined()
      expect(reportedByXAI(usage)).toBeUndefined()
      expect(reportedByPerplexity(usage)).toBeUndefined()
    },
  )
})
