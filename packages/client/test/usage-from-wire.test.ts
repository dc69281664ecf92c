import { expect, test } from "vitest"
import { usageFromWire } from "../src/internal/usage-from-wire"

test("OpenAI's details become the parts of the totals", () => {
  const raw = {
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 40, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 30 },
  }
  expect(usageFromWire(raw)).toEqual({
    usage: { inputTokens: 100, outputTokens: 50, cacheReadTokens: 40, reasoningTokens: 30, raw },
    cost: undefined,
    doubtful: false,
  })
})

test("what a total has beyond its parts was thought, and is output (xAI, Gemini)", () => {
  const raw = {
    prompt_tokens: 10,
    completion_tokens: 5,
    total_tokens: 115,
    completion_tokens_details: { reasoning_tokens: 100 },
  }
  expect(usageFromWire(raw)?.usage).toMatchObject({ inputTokens: 10, outputTokens: 105, reasoningTokens: 100 })
})

test("DeepSeek's cache hits and Anthropic's cache writes have their place", () => {
  expect(
    usageFromWire({ prompt_tokens: 10, completion_tokens: 1, prompt_cache_hit_tokens: 8 })?.usage.cacheReadTokens,
  ).toBe(8)
  expect(
    usageFromWire({ prompt_tokens: 10, completion_tokens: 1, cache_creation_input_tokens: 4 })?.usage.cacheWriteTokens,
  ).toBe(4)
})

test("OpenRouter's cost is kept with the rule for one's own key", () => {
  const raw = {
    prompt_tokens: 1,
    completion_tokens: 1,
    cost: 0.01,
    is_byok: true,
    cost_details: { upstream_inference_cost: 0.2 },
  }
  expect(usageFromWire(raw)?.cost).toEqual({ costUsd: 0.01, isByok: true, upstreamInferenceCost: 0.2 })
})

test("of what a provider sent, an unknown class is kept, and what is too large or too deep is counted only", () => {
  const counts = { prompt_tokens: 10, completion_tokens: 1 }
  const classes = { ...counts, quantum_tokens: 4, details: { a: { b: { c: 1 } } } }
  expect(usageFromWire(classes)?.usage.raw).toBe(classes)
  let deep: object = {}
  for (let level = 0; level < 9; level++) deep = { deep }
  const hostile = { essay: "x".repeat(20_000), ...counts, list: Array(5_000).fill(1), deep, ...classes }
  const { raw, ...usage } = usageFromWire(hostile)!.usage
  expect(usage).toEqual({ inputTokens: 10, outputTokens: 1 })
  expect(raw).toEqual({ ...classes, dropped: 3 })
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`class_${index}`, index]))
  const kept = usageFromWire({ ...counts, ...many })?.usage.raw as { dropped: number }
  expect(JSON.stringify(kept).length).toBeLessThan(16_384)
  expect(kept.dropped + Object.keys(kept).length - 1).toBe(10_002)
})

test("half a usage, or nonsense, is none: the bound is charged then", () => {
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
    expect(usageFromWire(raw)).toBeUndefined()
})
