import { describe, expect, it } from "vitest"
import {
  reportedByOpenRouter,
  usageFromAnthropic,
  usageFromGemini,
  usageFromOpenAIChat,
  usageFromOpenAIResponses,
  usageFromOpenRouter,
  usageFromXAI,
} from "../src/index"

describe("each provider's usage becomes inclusive totals, and stays in raw", () => {
  it("OpenAI chat: parts are inside the totals", () => {
    const raw = {
      prompt_tokens: 1200,
      completion_tokens: 300,
      total_tokens: 1500,
      prompt_tokens_details: { cached_tokens: 1024, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: 128,
        audio_tokens: 0,
        accepted_prediction_tokens: 7,
        rejected_prediction_tokens: 0,
      },
    }
    const usage = usageFromOpenAIChat(raw)
    expect(usage).toEqual({ inputTokens: 1200, outputTokens: 300, cacheReadTokens: 1024, reasoningTokens: 128, raw })
    expect(usage.raw).toBe(raw)
  })

  it("OpenAI chat: null counts as 0, and DeepSeek's cache hits are reads", () => {
    const raw = {
      prompt_tokens: 10,
      completion_tokens: 2,
      prompt_tokens_details: null,
      completion_tokens_details: { reasoning_tokens: null },
    }
    expect(usageFromOpenAIChat(raw)).toEqual({ inputTokens: 10, outputTokens: 2, raw })
    expect(
      usageFromOpenAIChat({ prompt_tokens: 10, completion_tokens: 2, prompt_cache_hit_tokens: 8 }).cacheReadTokens,
    ).toBe(8)
  })

  it("OpenAI responses, with hosted tool calls counted by the caller", () => {
    const raw = {
      input_tokens: 50,
      output_tokens: 60,
      input_tokens_details: { cached_tokens: 20 },
      output_tokens_details: { reasoning_tokens: 40 },
    }
    expect(usageFromOpenAIResponses(raw, { webSearches: 2 })).toEqual({
      inputTokens: 50,
      outputTokens: 60,
      cacheReadTokens: 20,
      reasoningTokens: 40,
      webSearches: 2,
      raw,
    })
  })

  it("Anthropic: the input excludes the cache, and one-hour writes are separate", () => {
    const raw = {
      input_tokens: 10,
      output_tokens: 5,
      cache_read_input_tokens: 1000,
      cache_creation_input_tokens: 300,
      cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
      server_tool_use: { web_search_requests: 3 },
    }
    expect(usageFromAnthropic(raw)).toEqual({
      inputTokens: 1310,
      outputTokens: 5,
      cacheReadTokens: 1000,
      cacheWriteTokens: 100,
      cacheWrite1hTokens: 200,
      webSearches: 3,
      raw,
    })
    const old = { input_tokens: 10, output_tokens: 5, cache_creation_input_tokens: 300, cache_read_input_tokens: null }
    expect(usageFromAnthropic(old)).toEqual({ inputTokens: 310, outputTokens: 5, cacheWriteTokens: 300, raw: old })
  })

  it("Gemini: the candidates exclude thoughts, the prompt excludes tool results, modalities are listed", () => {
    const raw = {
      promptTokenCount: 1000,
      toolUsePromptTokenCount: 50,
      candidatesTokenCount: 200,
      thoughtsTokenCount: 300,
      cachedContentTokenCount: 400,
      totalTokenCount: 1550,
      promptTokensDetails: [
        { modality: "TEXT", tokenCount: 700 },
        { modality: "AUDIO", tokenCount: 200 },
        { modality: "IMAGE", tokenCount: 100 },
      ],
      candidatesTokensDetails: [{ modality: "IMAGE", tokenCount: 20 }],
    }
    expect(usageFromGemini(raw)).toEqual({
      inputTokens: 1050,
      outputTokens: 500,
      cacheReadTokens: 400,
      audioInputTokens: 200,
      imageInputTokens: 100,
      reasoningTokens: 300,
      imageOutputTokens: 20,
      raw,
    })
    expect(usageFromGemini({ promptTokenCount: 7 })).toMatchObject({ inputTokens: 7, outputTokens: 0 })
  })

  it("xAI: the completion excludes reasoning, unless the total shows that it includes it", () => {
    const beside = {
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 141,
      completion_tokens_details: { reasoning_tokens: 100 },
      num_sources_used: 2,
    }
    expect(usageFromXAI(beside)).toEqual({
      inputTokens: 32,
      outputTokens: 109,
      reasoningTokens: 100,
      webSearches: 2,
      raw: beside,
    })
    const inside = {
      prompt_tokens: 32,
      completion_tokens: 109,
      total_tokens: 141,
      completion_tokens_details: { reasoning_tokens: 100 },
    }
    expect(usageFromXAI(inside)).toMatchObject({ outputTokens: 109, reasoningTokens: 100 })
    const withoutTotal = {
      prompt_tokens: 32,
      completion_tokens: 9,
      completion_tokens_details: { reasoning_tokens: 100 },
    }
    expect(usageFromXAI(withoutTotal).outputTokens).toBe(109)
  })

  it("OpenRouter: OpenAI's usage with searches, and the reported charge", () => {
    const raw = {
      prompt_tokens: 100,
      completion_tokens: 20,
      prompt_tokens_details: { cached_tokens: 50, cache_write_tokens: 10 },
      server_tool_use: { web_search_requests: 1 },
      cost: 0.0012,
      is_byok: true,
      cost_details: { upstream_inference_cost: 0.02 },
    }
    expect(usageFromOpenRouter(raw)).toEqual({
      inputTokens: 100,
      outputTokens: 20,
      cacheReadTokens: 50,
      cacheWriteTokens: 10,
      webSearches: 1,
      raw,
    })
    expect(reportedByOpenRouter(raw)).toEqual({ costUsd: 0.0012, isByok: true, upstreamInferenceCost: 0.02 })
    expect(reportedByOpenRouter({ cost: null })).toBeUndefined()
    expect(reportedByOpenRouter(undefined)).toBeUndefined()
  })
})

describe("a value that is not a usage is a usage error", () => {
  const adapters = {
    usageFromOpenAIChat,
    usageFromOpenAIResponses,
    usageFromAnthropic,
    usageFromGemini,
    usageFromXAI,
    usageFromOpenRouter,
  }

  it.each(Object.entries(adapters))("%s rejects undefined, arrays and missing totals", (_name, adapter) => {
    for (const nonsense of [undefined, null, [], "12", {}]) expect(() => adapter(nonsense)).toThrow(/Invalid `usage/)
  })

  it.each([-1, 1.5, "7", Number.NaN, 2 ** 53])("a count of %s", (count) => {
    expect(() => usageFromOpenAIChat({ prompt_tokens: count, completion_tokens: 1 })).toThrow(/usage.prompt_tokens/)
    const details = { prompt_tokens: 1, completion_tokens: 1, prompt_tokens_details: { cached_tokens: count } }
    expect(() => usageFromOpenAIChat(details)).toThrow(/usage.prompt_tokens_details.cached_tokens/)
  })
})
