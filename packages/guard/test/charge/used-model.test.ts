import type { Usage } from "@p2/core"
import { createPriceTable } from "@p2/pricing"
import { expect, it } from "vitest"
import type { AttemptCost } from "../../src/charge/charge"
import { dearerCharge } from "../../src/charge/used-model"

const prices = createPriceTable({}, { extends: "published" })
const STANDARD = { serviceTier: "default" } as const
const USAGE: Usage = { inputTokens: 1_000_000, outputTokens: 100_000 }

/** The cost in USD of the usage, for a call of one model whose answer names another. */
function costUsd(priceKey: string, modelUsed: string | undefined, table = prices) {
  const charge = dearerCharge({ ...STANDARD, prices: table, priceKey, modelUsed }, (key): AttemptCost => {
    const { nanoUsd, tokens, basis } = table.costOf(key, USAGE)
    return { costNanoUsd: nanoUsd, tokens, costSource: basis, tableCostNanoUsd: undefined }
  })
  expect(charge?.tokens).toBe(1_100_000)
  expect(charge?.tableCostNanoUsd).toBeUndefined()
  return Number(charge?.costNanoUsd) / 1e9
}

it("charges the model that the answer names if it costs more", () => {
  const mini = costUsd("openai/gpt-4o-mini", undefined)
  const large = costUsd("openai/gpt-4o", undefined)
  expect(mini).toBeCloseTo(0.21)
  expect(large).toBeCloseTo(3.5)
  expect(costUsd("openai/gpt-4o-mini", "gpt-4o-2024-08-06")).toBe(large)
  expect(costUsd("openai/gpt-4o", "gpt-4o-mini")).toBe(large)
  // A gateway that bills like OpenAI may name the model of another vendor.
  expect(costUsd("openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5")).toBeCloseTo(4.5)
})

it.each([
  ["openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18"],
  ["azure/gpt-4o-mini", "gpt-4o-mini-2024-07-18"],
  ["openrouter/openai/gpt-4o-mini", "openai/gpt-4o-mini"],
  ["anthropic/claude-sonnet-4-5", "claude-sonnet-4-5-20250929"],
  ["openai/gpt-4o-mini", "a-model-without-a-price"],
  ["openai/gpt-4o-mini", ""],
  ["openai/gpt-4o-mini", "../\u0000 no id"],
])("keeps the price of %s if the answer names %j", (priceKey, modelUsed) => {
  expect(costUsd(priceKey, modelUsed)).toBe(costUsd(priceKey, undefined))
})

it("keeps a price of the caller's own, unless the other model has one too", () => {
  const own = createPriceTable(
    { "azure/eu-mini": { input: "0.10", output: "0.40" }, "azure/eu-large": { input: "1", output: "4" } },
    { extends: "published" },
  )
  expect(costUsd("azure/eu-mini", "gpt-4o-mini-2024-07-18", own)).toBeCloseTo(0.14)
  expect(costUsd("azure/eu-mini", "eu-large", own)).toBeCloseTo(1.4)
})

it("keeps the cost that the provider reported", () => {
  const reported = { costNanoUsd: 5, tokens: 1, costSource: "provider", tableCostNanoUsd: 9 } as const
  const call = { ...STANDARD, prices, priceKey: "openrouter/openai/gpt-4o-mini", modelUsed: "openai/gpt-4o" }
  expect(dearerCharge(call, () => reported)).toBe(reported)
})

/** The cost in USD of a call whose service tier is the reported or stated one. */
function costAtTier(priceKey: string, serviceTier: string | undefined) {
  const charge = dearerCharge({ prices, priceKey, modelUsed: undefined, serviceTier }, (key, tier): AttemptCost => {
    const { nanoUsd, tokens, basis } = prices.costOf(key, USAGE, { serviceTier: tier })
    return { costNanoUsd: nanoUsd, tokens, costSource: basis, tableCostNanoUsd: undefined }
  })
  return Number(charge?.costNanoUsd) / 1e9
}

it.each([undefined, "auto"])("charges the highest tier of OpenAI if none is named: %s", (serviceTier) => {
  for (const model of ["openai/gpt-5-mini", "openai/gpt-4o-mini"]) {
    expect(costAtTier(model, serviceTier)).toBe(costAtTier(model, "priority"))
    expect(costAtTier(model, serviceTier)).toBeGreaterThan(costAtTier(model, "default"))
  }
})

it.each(["google/gemini-3.5-flash", "anthropic/claude-sonnet-4-5", "azure/gpt-4.1", "openrouter/openai/gpt-5-mini"])(
  "charges the standard tier of %s if none is named, which no setting changes",
  (priceKey) => {
    expect(costAtTier(priceKey, undefined)).toBe(costAtTier(priceKey, "default"))
  },
)
