import { describe, expect, it } from "vitest"
import { costOf, findPrice, models, upperBound } from "../src/index"

/** Ids of old bills and of services that still run, with USD per million tokens of input and output. */
const IDS: [id: string, input: number, output: number][] = [
  ["claude-3-7-sonnet-20250219", 3, 15],
  ["claude-3-5-haiku-20241022", 0.8, 4],
  ["claude-3-5-sonnet-20241022", 3, 15],
  ["claude-3-5-sonnet-20240620", 3, 15],
  ["claude-3-opus-20240229", 15, 75],
  ["claude-3-haiku-20240307", 0.25, 1.25],
  ["claude-sonnet-4-20250514", 3, 15],
  ["claude-opus-4-20250514", 15, 75],
  ["claude-2.1", 8, 24],
  ["gemini-2.0-flash-001", 0.1, 0.4],
  ["gemini-2.0-flash-lite-001", 0.075, 0.3],
  ["gemini-1.5-pro-002", 1.25, 5],
  ["gemini-1.5-flash-002", 0.075, 0.3],
  ["models/gemini-2.5-flash", 0.3, 2.5],
  ["azure/gpt-35-turbo", 0.5, 1.5],
  ["azure/gpt-35-turbo-16k", 3, 4],
  ["openrouter/anthropic/claude-sonnet-4", 3, 15],
  ["openrouter/anthropic/claude-opus-4", 15, 75],
  ["openrouter/anthropic/claude-3.7-sonnet", 3, 15],
  ["together/meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.88, 0.88],
  ["together/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", 0.18, 0.18],
  ["fireworks/accounts/fireworks/models/llama-v3p3-70b-instruct", 0.9, 0.9],
  ["vertex_ai/gemini-2.5-pro", 1.25, 10],
  ["vertex_ai/claude-sonnet-4-5@20250929", 3, 15],
  ["bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", 3.3, 16.5],
  ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", 3.3, 16.5],
  ["amazon.nova-lite-v1:0", 0.06, 0.24],
  ["accounts/fireworks/models/llama-v3p3-70b-instruct", 0.9, 0.9],
  ["together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.88, 0.88],
  ["fireworks_ai/accounts/fireworks/models/llama-v3p3-70b-instruct", 0.9, 0.9],
  ["cohere_chat/command-r-plus", 2.5, 10],
  ["gpt-4-0613", 30, 60],
  ["gpt-3.5-turbo-0613", 1.5, 2],
  ["gpt-4-32k", 60, 120],
  ["o1-2024-12-17", 15, 60],
  ["grok-2-vision-1212", 2, 10],
]

describe("an id that old bills have", () => {
  it.each(IDS)("%s costs %d and %d USD per million", (id, input, output) => {
    expect(findPrice(id)?.rates).toMatchObject({ input: input * 1e6, output: output * 1e6 })
    const usage = { inputTokens: 1_000, outputTokens: 1_000 }
    const bound = upperBound(id, { inputTokens: 1_000, maxOutputTokens: 1_000, serviceTier: "default" })
    expect(bound.nanoUsd).toBeGreaterThanOrEqual(costOf(id, usage).nanoUsd)
  })

  it("of a deployment of unknown version is bounded by the most expensive version", () => {
    const options = { inputTokens: 1_000_000, maxOutputTokens: 0 }
    expect(upperBound("azure/gpt-35-turbo", options).nanoUsd).toBe(1_500_000_000)
  })
})

it("every Claude with a cache has a price for writes above its input, whoever sells it", () => {
  const claudes = models().filter((model) => /claude-(3|[a-z]+-\d|opus|sonnet|haiku)/.test(model))
  expect(claudes.length).toBeGreaterThan(100)
  for (const model of claudes) {
    const { rates, free } = findPrice(model)!
    if (free || /claude-(1|2|v1|v2|instant)/.test(model)) continue
    expect(rates.cacheWrite, model).toBeGreaterThan(rates.input)
    expect(rates.cacheWrite1h, model).toBeGreaterThan(rates.cacheWrite!)
  }
})
