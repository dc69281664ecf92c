import { expect, test } from "vitest"
import { parseUsage } from "../../src/transport/parse-usage"

test("OpenAI's details become the parts of the totals", () => {
  const raw = {
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 40, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 30 },
  }
  expect(parseUsage(raw)).toEqual({
    usage: { inputTokens: 100, outputTokens: 50, cacheReadTokens: 40, reasoningTokens: 30, raw },
    cost: undefined,
    doubtful: false,
  })
})

test("tokens of the total beyond input and output are reasoning (xAI, Gemini)", () => {
  const raw = {
    prompt_tokens: 10,
    completion_tokens: 5,
    total_tokens: 115,
    completion_tokens_details: { reasoning_tokens: 100 },
  }
  expect(parseUsage(raw)?.usage).toMatchObject({ inputTokens: 10, outputTokens: 105, reasoningTokens: 100 })
})

test("reads DeepSeek's cache hits and Anthropic's cache writes", () => {
  expect(
    parseUsage({ prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 8 })?.usage.cacheReadTokens,
  ).toBe(8)
  expect(
    parseUsage({ prompt_tokens: 10, completion_tokens: 1, cache_creation_input_tokens: 4 })?.usage.cacheWriteTokens,
  ).toBe(4)
})

test("reads OpenRouter's cost and whether the user's own key was used", () => {
  const raw = {
    prompt_tokens: 1,
    completion_tokens: 1,
    cost: 0.01,
    is_byok: true,
    cost_details: { upstream_inference_cost: 0.2 },
  }
  expect(parseUsage(raw)?.cost).toEqual({ costUsd: 0.01, isByok: true, upstreamInferenceCost: 0.2 })
})

test("keeps unknown token classes in `raw`, unless the usage is too large", () => {
  const counts = { prompt_tokens: 10, completion_tokens: 1 }
  const classes = { ...counts, quantum_tokens: 4, details: { a: { b: { c: 1 } } } }
  expect(parseUsage(classes)?.usage.raw).toBe(classes)
  const dropped = { inputTokens: 10, outputTokens: 1, raw: { dropped: true } }
  expect(parseUsage({ ...counts, essay: "x".repeat(16_384) })?.usage).toEqual(dropped)
  const deep = JSON.parse(`${"[".repeat(10_000)}${"]".repeat(10_000)}`)
  expect(parseUsage({ ...counts, deep })?.usage).toEqual(dropped)
})

test("an incomplete or malformed usage is undefined", () => {
  for (const raw of [
    undefined,
    null,
    [],
    {},
    { prompt_tokens: 3 },
    { prompt_tokens: -1, completion_tokens: 2 },
    { prompt_tokens: 1.5, completion_tokens: 2 },
    { prompt_tokens: "3", completion_tokens: 2 },
  ])
    expect(parseUsage(raw)).toBeUndefined()
})
