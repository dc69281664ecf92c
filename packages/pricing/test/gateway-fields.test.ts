import type { Usage } from "@p2/core"
import { describe, expect, it } from "vitest"
import {
  createPriceTable,
  UnknownUsageError,
  usageFromAISDK,
  usageFromAnthropic,
  usageFromOpenAIChat,
  usageFromOpenAIImages,
  usageFromOpenAIRealtime,
  usageFromOpenAIResponses,
  usageFromOpenAITranscription,
  usageFromXAI,
} from "../src/index"
import { readOpenAIChatUsage } from "../src/usage"

const table = createPriceTable({
  model: { input: "3", output: "15", cacheRead: "0.3", cacheWrite: "3.75", cacheWrite1h: "6" },
})
const nanoUsdOf = (usage: Usage) => table.costOf("model", usage).nanoUsd

/** What a call costs, part by part. */
function costOfParts(fresh: number, output: number, read = 0, write = 0, writeHour = 0): number {
  return fresh * 3_000 + output * 15_000 + read * 300 + write * 3_750 + writeHour * 6_000
}

const prompt = { prompt_tokens: 1010, completion_tokens: 50, total_tokens: 1060 }
const written = { prompt_tokens: 310, completion_tokens: 50, total_tokens: 360 }

describe("fields of gateways in a chat usage", () => {
  it.each<[string, object, number]>([
    [
      "DeepSeek's hits beside the details",
      {
        ...prompt,
        prompt_tokens_details: { cached_tokens: 1000 },
        prompt_cache_hit_tokens: 1000,
        prompt_cache_miss_tokens: 10,
      },
      costOfParts(10, 50, 1000),
    ],
    [
      "DeepSeek's hits and misses that exceed the prompt",
      { prompt_tokens: 1010, completion_tokens: 50, prompt_cache_hit_tokens: 1000, prompt_cache_miss_tokens: 1010 },
      costOfParts(1010, 50, 1000),
    ],
    [
      "the details of the Responses API",
      { ...prompt, input_tokens_details: { cached_tokens: 1000 } },
      costOfParts(10, 50, 1000),
    ],
    [
      "both names of the details",
      {
        ...prompt,
        prompt_tokens_details: { cached_tokens: 1000 },
        input_tokens: 1010,
        output_tokens: 50,
        input_tokens_details: { cached_tokens: 1000 },
      },
      costOfParts(10, 50, 1000),
    ],
    [
      "details in the singular",
      { ...prompt, prompt_token_details: { cached_tokens: 1000 } },
      costOfParts(10, 50, 1000),
    ],
    [
      "new-api's written tokens",
      { ...written, prompt_tokens_details: { cached_creation_tokens: 300 } },
      costOfParts(10, 50, 0, 300),
    ],
    [
      "new-api's prompt without cached tokens",
      {
        ...{ prompt_tokens: 2000, completion_tokens: 50, total_tokens: 2050, usage_semantic: "anthropic" },
        prompt_tokens_details: { cached_tokens: 1000, cached_creation_tokens: 300 },
        claude_cache_creation_5_m_tokens: 100,
        claude_cache_creation_1_h_tokens: 200,
      },
      costOfParts(2000, 50, 1000, 100, 200),
    ],
    [
      "thinking tokens in the details, inside the total",
      {
        ...{ prompt_tokens: 100, completion_tokens: 10, total_tokens: 610 },
        completion_tokens_details: { thinking_tokens: 500 },
      },
      costOfParts(100, 510),
    ],
    [
      "reasoning at the top and in the details",
      {
        ...{ prompt_tokens: 100, completion_tokens: 600, total_tokens: 700, reasoning_tokens: 500 },
        completion_tokens_details: { reasoning_tokens: 500 },
      },
      costOfParts(100, 600),
    ],
  ])("%s", (_title, usage, nanoUsd) => {
    expect(nanoUsdOf(usageFromOpenAIChat(usage))).toBe(nanoUsd)
    expect(readOpenAIChatUsage(usage).status).toBe("exact")
  })
})

it("keeps the tier and the region of Anthropic that a gateway passes on", () => {
  const usage = { prompt_tokens: 1010, completion_tokens: 50, total_tokens: 1060 }
  expect(usageFromOpenAIChat({ ...usage, speed: "fast", inference_geo: "us" })).toMatchObject({
    serviceTier: "fast",
    region: "us",
  })
  expect(usageFromOpenAIChat({ ...usage, service_tier: "priority" }).serviceTier).toBe("priority")
  expect("serviceTier" in usageFromOpenAIChat({ ...usage, speed: "standard", service_tier: null })).toBe(false)
})

it.each([usageFromOpenAIImages, usageFromOpenAITranscription, usageFromOpenAIRealtime])(
  "counts tokens that only the total contains as output: %o",
  (read) => {
    expect(read({ input_tokens: 10, output_tokens: 50, total_tokens: 160 }).outputTokens).toBe(150)
    expect(read({ input_tokens: 10, output_tokens: 50, total_tokens: 60 }).outputTokens).toBe(50)
  },
)

it("counts one-hour writes in the details of the Responses API", () => {
  const details = { cached_tokens: 0, cache_creation_tokens: 300, cache_creation: { ephemeral_1h_input_tokens: 300 } }
  const usage = { input_tokens: 310, output_tokens: 50, total_tokens: 360, input_tokens_details: details }
  expect(nanoUsdOf(usageFromOpenAIResponses(usage))).toBe(costOfParts(10, 50, 0, 0, 300))
})

it("reads Anthropic's format with a total, and with the fields of new-api", () => {
  const usage = { input_tokens: 10, output_tokens: 50, cache_creation_input_tokens: 300 }
  expect(nanoUsdOf(usageFromAnthropic({ ...usage, total_tokens: 60 }))).toBe(costOfParts(10, 50, 0, 300))
  expect(nanoUsdOf(usageFromAnthropic({ ...usage, total_tokens: 460 }))).toBe(costOfParts(10, 150, 0, 300))
  expect(nanoUsdOf(usageFromAnthropic({ ...usage, claude_cache_creation_1_h_tokens: 300 }))).toBe(
    costOfParts(10, 50, 0, 0, 300),
  )
})

describe("the AI SDK's one-hour cache writes are in the raw usage", () => {
  const raw = { input_tokens: 10, output_tokens: 50, cache_creation: { ephemeral_1h_input_tokens: 300 } }
  it.each<[string, object]>([
    [
      "nested",
      {
        inputTokens: { total: 310, noCache: 10, cacheRead: 0, cacheWrite: 300 },
        outputTokens: { total: 50, text: 50, reasoning: 0 },
      },
    ],
    ["flat", { inputTokens: 310, outputTokens: 50, inputTokenDetails: { noCacheTokens: 10, cacheWriteTokens: 300 } }],
  ])("%s", (_title, usage) => {
    expect(nanoUsdOf(usageFromAISDK(usage))).toBe(costOfParts(10, 50, 0, 300))
    expect(nanoUsdOf(usageFromAISDK({ ...usage, raw }))).toBe(costOfParts(10, 50, 0, 0, 300))
    const hundred = { cache_creation: { ephemeral_1h_input_tokens: 100, ephemeral_5m_input_tokens: 200 } }
    expect(nanoUsdOf(usageFromAISDK({ ...usage, raw: hundred }))).toBe(costOfParts(10, 50, 0, 200, 100))
  })
})

describe("what xAI's tools cost is not dropped", () => {
  it("counts server-side tools as searches, and says so", () => {
    const usage = usageFromXAI({ prompt_tokens: 7, completion_tokens: 50, num_server_side_tools_used: 3 })
    expect(usage).toMatchObject({ webSearches: 3, assumptions: ["server-side tools were counted as searches"] })
  })

  it.each(["num_sources_used", "num_server_side_tools_used", "tool_calls", "sessions", "real_time_tokens"])(
    "the Responses API rejects %s",
    (field) => {
      const usage = { input_tokens: 7, output_tokens: 50, total_tokens: 57, [field]: 2 }
      expect(() => usageFromOpenAIResponses(usage)).toThrow(UnknownUsageError)
    },
  )
})
