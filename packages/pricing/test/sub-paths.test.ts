import { describe, expect, it } from "vitest"
import { prices as anthropic } from "../src/anthropic"
import { prices as google } from "../src/google"
import { createPriceTable } from "../src/index"
import { prices as openai } from "../src/openai"
import { prices as openrouter } from "../src/openrouter"
import { publishedPrices as prices } from "../src/table/published-prices"

describe.each(Object.entries({ anthropic, google, openai, openrouter }))("@p2/pricing/%s", (provider, own) => {
  it("has the rows of its provider only, equal to those of the root entry", () => {
    expect(own.models()).toEqual(prices.models().filter((model) => model.startsWith(`${provider}/`)))
    expect(own.models().map((model) => own.findPrice(model))).toEqual(
      own.models().map((model) => prices.findPrice(model)),
    )
    expect(own.tableDate).toBe(prices.tableDate)
    expect(own.findPrice("ollama/llama3.2")).toBeUndefined()
  })
})

it("a table of your own extends one provider only", () => {
  const table = createPriceTable({ "own/a": { input: "1", output: "2" } }, { extends: anthropic })
  expect(table.findPrice("claude-opus-5-5")?.rates).toEqual(prices.priceOf("claude-opus-5-5").rates)
  expect(table.findPrice("gpt-4o-mini")).toBeUndefined()
  expect(table.models()).toEqual(["own/a", ...anthropic.models()])
})

it("a bare name works in the sub-path of its provider", () => {
  expect(anthropic.priceOf("claude-opus-5-5").model).toBe("anthropic/claude-opus-5-5")
  expect(openai.findPrice("claude-opus-5-5")).toBeUndefined()
})
