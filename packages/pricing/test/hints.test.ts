import { describe, expect, it } from "vitest"
import {
  affordableOutputTokens,
  checkTableAge,
  costOf,
  createPriceTable,
  upperBound,
  usageFromAISDK,
  usageFromAnthropic,
  usageFromGemini,
  usageFromOpenAIChat,
  usageFromOpenAIResponses,
} from "../src/index"

const MODEL = "gpt-4o-mini"
const USAGE = { inputTokens: 1, outputTokens: 1 }
const untyped = {
  affordableOutputTokens,
  checkTableAge,
  costOf,
  createPriceTable,
  upperBound,
  usageFromAISDK,
  usageFromAnthropic,
  usageFromGemini,
  usageFromOpenAIChat,
  usageFromOpenAIResponses,
}
/** Calls as JavaScript makes them, without types. */
const js = untyped as unknown as Record<keyof typeof untyped, (...args: unknown[]) => unknown>

describe("the message of a deliberate error says what to do", () => {
  it.each<[string, () => unknown, string]>([
    [
      "another name of an option",
      () => js.upperBound(MODEL, { inputTokens: 10, maxTokens: 5 }),
      "Unknown option `maxTokens`. Did you mean `maxOutputTokens`?",
    ],
    [
      "raw usage",
      () => js.costOf(MODEL, { prompt_tokens: 5, completion_tokens: 7 }),
      "pass `usageFromOpenAIChat(response.usage)`",
    ],
    ["a whole response", () => js.costOf(MODEL, { id: "x", choices: [], usage: {} }), "Pass `response.usage`"],
    ["a forgotten await", () => js.costOf(MODEL, Promise.resolve(USAGE)), "`await`"],
    [
      "a response as the model",
      () => js.costOf({ model: MODEL, usage: USAGE }),
      "Invalid `model`: expected a model id such",
    ],
    [
      "a model without await",
      () => js.upperBound(Promise.resolve(MODEL), { inputTokens: 1 }),
      "(is an `await` missing?)",
    ],
    [
      "a usage without await",
      () => js.usageFromOpenAIChat(Promise.resolve({})),
      "got a promise (is an `await` missing?)",
    ],
    ["usage of the AI SDK", () => js.costOf(MODEL, { ...USAGE, totalTokens: 2 }), "usageFromAISDK"],
    [
      "a rate as a number",
      () => js.createPriceTable({ a: { input: 0.15, output: "0.6" } }),
      'got the number 0.15. Write it as "0.15".',
    ],
    [
      "a rate with a trailing sign",
      () => js.createPriceTable({ a: { input: "0.15$", output: "1" } }),
      'such as "0.15"',
    ],
    [
      "a rate under another name",
      () => js.createPriceTable({ a: { inputPrice: "1", output: "1" } }),
      "Did you mean `input`",
    ],
    [
      "a rate per thousand tokens",
      () => js.createPriceTable({ a: { inputPer1K: "1", output: "1" } }),
      "Did you mean `input`, in USD per million tokens?",
    ],
    ["only rates of 0", () => js.createPriceTable({ a: { input: "0", output: "0" } }), "Add `free: true`"],
    [
      "a fraction for percent",
      () => js.createPriceTable({ a: { input: "1", output: "1", regionUpliftPercent: { eu: 0.1 } } }),
      "an integer percentage",
    ],
    ["a misspelled table", () => js.createPriceTable({}, { extends: "publish" }), 'expected "published"'],
    [
      "dollars with a trailing sign",
      () => js.affordableOutputTokens(MODEL, { inputTokens: 1, budget: "5$" }),
      '"5.00"',
    ],
    [
      "nano-USD as dollars",
      () => js.affordableOutputTokens(MODEL, { inputTokens: 1, budget: 50_000_000 }),
      "For nano-USD use `budgetNanoUsd`.",
    ],
    ["no budget", () => js.affordableOutputTokens(MODEL, { inputTokens: 1 }), "pass `budget` in dollars"],
    [
      "two budgets",
      () => js.affordableOutputTokens(MODEL, { inputTokens: 1, budget: 1, budgetNanoUsd: 1 }),
      "Pass `budget` or `budgetNanoUsd`, not both.",
    ],
    [
      "a budget of another function",
      () => js.upperBound(MODEL, { inputTokens: 1, budget: 1 }),
      "Use `affordableOutputTokens`",
    ],
    ["seconds as milliseconds", () => js.costOf(MODEL, USAGE, { at: 1_795_000_000 }), "milliseconds (not seconds)"],
    ["a time without a zone", () => js.costOf(MODEL, USAGE, { at: "2026-11-22T12:00:00" }), "`Z` or an offset"],
    ["a misspelled model", () => js.costOf("gpt-4o-minni", USAGE), 'Similar ids: "gpt-4o-mini"'],
    [
      "a long unknown id, which is shown in full",
      () => js.costOf("azure/my-company-production-deployment-of-gpt-4o-mini-in-sweden-central-blue", USAGE),
      '"azure/my-company-production-deployment-of-gpt-4o-mini-in-sweden-central-blue"',
    ],
    [
      "a tier in another case",
      () => js.upperBound(MODEL, { inputTokens: 1, serviceTier: "Priority" }),
      'did you mean "priority"?',
    ],
    ["a reported cost as a number", () => js.costOf(MODEL, USAGE, { reported: 0.01 }), "{ costUsd: 0.01 }"],
    [
      "a reported cost under its provider's name",
      () => js.costOf(MODEL, USAGE, { reported: { cost: 1 } }),
      "`costUsd`",
    ],
    ["an age under another name", () => js.checkTableAge({ maxAge: 30 }), "`maxAgeDays`"],
    [
      "a response instead of its usage",
      () => js.usageFromOpenAIChat({ id: "x", usage: { prompt_tokens: 1, completion_tokens: 1 } }),
      "Pass the `usage` of the response, not the response.",
    ],
    [
      "Anthropic's usage as OpenAI's",
      () => js.usageFromOpenAIChat({ input_tokens: 1, output_tokens: 1, cache_read_input_tokens: 5 }),
      "use `usageFromAnthropic` or `usageFromOpenAIResponses`.",
    ],
    ["OpenAI's usage as Anthropic's", () => js.usageFromAnthropic({ prompt_tokens: 1 }), "use `usageFromOpenAIChat`"],
    ["a Gemini response", () => js.usageFromGemini({ usageMetadata: {} }), "Pass the `usageMetadata` of the response"],
    [
      "searches as a number",
      () => js.usageFromOpenAIResponses({ input_tokens: 1, output_tokens: 1 }, 2),
      "Invalid `options`: expected an object, got 2.",
    ],
    [
      "a misspelled position",
      () => js.usageFromAISDK({ inputTokens: 1, outputTokens: 1 }, { cachedInputTokens: "within" }),
      'expected "included" or "separate"',
    ],
    [
      "ignored fields as a string",
      () => js.usageFromOpenAIChat({ prompt_tokens: 1, completion_tokens: 1 }, { ignoreFields: "x_tokens" }),
      'such as ["draft_tokens"]',
    ],
  ])("%s", (_title, call, advice) => {
    expect(call).toThrow(advice)
    expect(call).toThrow(expect.objectContaining({ kind: "usage" }))
  })

  it("has no hint about the shape that the function reads itself", () => {
    expect(() => usageFromOpenAIChat({ prompt_tokens: 1 })).toThrow(/completion_tokens.*got undefined\.$/)
    expect(() => usageFromOpenAIChat({ prompt_tokens: null, completion_tokens: 1 })).toThrow(
      /prompt_tokens.*got null\.$/,
    )
    expect(() => usageFromAnthropic({ cache_read_input_tokens: 1 })).toThrow(/input_tokens.*got undefined\.$/)
    expect(() => usageFromGemini({ candidatesTokenCount: 1 })).toThrow(/promptTokenCount.*got undefined\.$/)
  })
})

describe("errors", () => {
  it("never show a key that was passed in the wrong place", () => {
    const key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
    const calls = [
      () => js.costOf(key, USAGE),
      () => js.costOf(MODEL, key),
      () => js.costOf(MODEL, USAGE, { [key]: 1 }),
      () => js.costOf(MODEL, USAGE, { serviceTier: key }),
      () => js.costOf("xai/grok-4.7", USAGE, { region: key }),
      () => js.upperBound(MODEL, { inputTokens: 1, serviceTier: key }),
      () => js.upperBound("xai/grok-4.7", { inputTokens: 1, region: key }),
      () => js.affordableOutputTokens(MODEL, { inputTokens: 1, budget: key }),
      () => js.usageFromOpenAIChat({ prompt_tokens: key, completion_tokens: 1 }),
      () => js.createPriceTable({ a: { input: key, output: "1" } }),
    ]
    for (const call of calls) {
      let shown = ""
      try {
        call()
      } catch (error) {
        shown = `${(error as Error).message} ${JSON.stringify(error)}`
      }
      expect(shown).not.toBe("")
      if (!shown.startsWith("Unknown option")) expect(shown).not.toContain(key)
    }
  })
})
