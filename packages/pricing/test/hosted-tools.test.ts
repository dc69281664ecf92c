import { describe, expect, it } from "vitest"
import { costOf, upperBound, usageFromAnthropic, usageFromGemini, usageFromOpenAIResponses } from "../src/index"
import { readGeminiUsage } from "../src/usage"

const NO_TOKENS = { inputTokens: 0, outputTokens: 0 }

describe("a hosted tool costs what its provider lists, in every model that can use it", () => {
  it.each([
    ["gpt-4.1", { webSearches: 1 }, 10_000_000],
    ["gpt-4.1-nano", { fileSearches: 1 }, 2_500_000],
    ["gpt-4o", { codeInterpreterSessions: 1 }, 30_000_000],
    ["gpt-6.2-sol", { webSearches: 1, fileSearches: 2, codeInterpreterSessions: 1 }, 45_000_000],
    ["gpt-5.3-codex", { webSearches: 2 }, 20_000_000],
    ["o3-pro", { fileSearches: 4 }, 10_000_000],
    ["claude-haiku-5-5", { webSearches: 3 }, 30_000_000],
    ["claude-sonnet-4-5-20250929", { webSearches: 1 }, 10_000_000],
    ["claude-opus-5-5", { codeInterpreterSessions: 1 }, 50_000_000],
    ["gemini-2.5-pro", { webSearches: 1 }, 35_000_000],
    ["gemini-2.5-flash-lite", { webSearches: 1 }, 35_000_000],
    ["gemini-3.1-pro-preview", { webSearches: 4 }, 56_000_000],
    ["gemini-3.8-flash", { webSearches: 1 }, 14_000_000],
    ["openrouter/openai/gpt-4o-mini", { webSearches: 1 }, 20_000_000],
  ])("%s %j costs %d nano-USD", (model, tools, nanoUsd) => {
    expect(costOf(model, { ...NO_TOKENS, ...tools }).nanoUsd).toBe(nanoUsd)
    const options = { inputTokens: 0, maxOutputTokens: 0, serviceTier: "default", region: "global", byok: false }
    expect(upperBound(model, { ...options, ...tools }).nanoUsd).toBe(nanoUsd)
  })

  it("and is an error in a model that lists no price for it", () => {
    for (const model of ["xai/grok-4.7", "azure/gpt-4.1", "gpt-4", "mistral-large-latest"])
      expect(() => costOf(model, { ...NO_TOKENS, fileSearches: 1 }), model).toThrow("`fileSearches`")
  })
})

it.each([
  [1, 30_000_000],
  [4, 120_000_000],
  [16, 480_000_000],
  [64, 1_920_000_000],
])("a container of %d GB counts as that many sessions and costs %d nano-USD", (codeInterpreterSessions, nanoUsd) => {
  const usage = usageFromOpenAIResponses({ input_tokens: 0, output_tokens: 0 }, { codeInterpreterSessions })
  expect(costOf("gpt-4.1", usage).nanoUsd).toBe(nanoUsd)
})

it("a preview search in a model without reasoning is charged at least its price of $25 per thousand", () => {
  const usage = usageFromOpenAIResponses({ input_tokens: 0, output_tokens: 0 }, { webSearches: 3 })
  expect(costOf("gpt-4.1", usage).nanoUsd).toBeGreaterThanOrEqual(25_000_000)
})

it("a request to Anthropic that ran code has one container, however often it ran", () => {
  const usage = { input_tokens: 0, output_tokens: 0, server_tool_use: { code_execution_requests: 7 } }
  expect(costOf("claude-opus-5-5", usageFromAnthropic(usage)).nanoUsd).toBe(50_000_000)
})

it("Gemini's searches are passed by the caller, because its usage does not count them", () => {
  const usage = { promptTokenCount: 0, candidatesTokenCount: 0 }
  expect(costOf("gemini-3.1-pro-preview", usageFromGemini(usage, { webSearches: 2 })).nanoUsd).toBe(28_000_000)
  expect(readGeminiUsage(usage, { webSearches: 2 })).toMatchObject({ status: "exact", usage: { webSearches: 2 } })
})
