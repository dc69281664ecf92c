import { describe, expect, it } from "vitest"
import { affordableOutputTokens, costOf, findPrice, priceOf, upperBound } from "../src/index"

describe("the public shape", () => {
  it("prices a call and bounds it", () => {
    expect(priceOf("gpt-4o-mini").rates).toMatchObject({ input: 150_000, output: 600_000, cacheRead: 75_000 })
    expect(costOf("gpt-4o-mini", { inputTokens: 1000, outputTokens: 100 }).nanoUsd).toBe(210_000)
    const bound = upperBound("gpt-4o-mini", { inputTokens: 1000, maxOutputTokens: 100, serviceTier: "default" })
    expect(bound.nanoUsd).toBe(210_000)
    expect(
      affordableOutputTokens("gpt-4o-mini", { inputTokens: 1000, budget: bound.nanoUsd, serviceTier: "default" }),
    ).toBe(100)
    expect(findPrice("gpt-4o-mini-x")).toBeUndefined()
    expect(() => priceOf("gpt-4o-mini-x")).toThrow(/gpt-4o-mini/)
    expect(costOf("ollama/llama3.2", { inputTokens: 1000, outputTokens: 100 }).nanoUsd).toBe(0)
  })
})
