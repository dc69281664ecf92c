import { describe, expect, test } from "vitest"
import { encodingNameOf } from "../src/encodings/encoding-name"
import { getModelLimits, modelLimitsAsOf } from "../src/index"

describe("getModelLimits", () => {
  test.each([
    "gpt-4o-mini",
    "openai/gpt-4o-mini",
    "gpt-4o-mini-2024-07-18",
    "openrouter/openai/gpt-4o-mini",
    "openrouter/openai/gpt-4o-mini-2024-07-18",
    "openrouter/openai/gpt-4o-mini:online",
    "azure/gpt-4o-mini",
    "ft:gpt-4o-mini-2024-07-18:my-org::abc123",
    "openai/ft:gpt-4o-mini:my-org::abc123",
  ])("finds %s", (model) => {
    expect(getModelLimits(model)).toMatchObject({ contextWindow: 128_000, maxOutputTokens: 16_384 })
  })

  test.each(["gpt-4o-min", "gpt-4o-mini-2024-13-18", "gpt-4o-mini-x", "mini", "openai/gpt-4o-minimum"])(
    "finds no similar model for %s",
    (model) => {
      expect(() => getModelLimits(model)).toThrow(expect.objectContaining({ code: "unknown-model", model }))
    },
  )

  test("finds a model by the name of its resource and by another name of its provider", () => {
    for (const model of ["models/gemini-2.5-pro", "gemini/gemini-2.5-pro", "gemini/models/gemini-2.5-pro"])
      expect(getModelLimits(model)).toEqual(getModelLimits("google/gemini-2.5-pro"))
  })

  test("does not state an output limit that only repeats the context window", () => {
    expect(getModelLimits("chatgpt-4o-latest")).toEqual({ contextWindow: 128_000 })
  })

  test("names the nearest ids", () => {
    expect(() => getModelLimits("gpt-4o-min")).toThrow(/gpt-4o-mini/)
  })

  test("is dated", () => {
    expect(modelLimitsAsOf()).toMatch(/^20\d\d-\d\d-\d\d$/)
  })
})

test.each([
  ["gpt-4o", "o200k_base"],
  ["openrouter/openai/gpt-4.1-mini:online", "o200k_base"],
  ["gpt-5-mini-2025-08-07", "o200k_base"],
  ["gpt-5", "o200k_base"],
  ["gpt-5.4-mini", "o200k_base"],
  ["openrouter/openai/gpt-5.3-codex", "o200k_base"],
  ["openai/gpt-5-2-chat-latest", "o200k_base"],
  ["gpt-50", undefined],
  ["gpt-6-sol", undefined],
  ["azure/gpt-4o", "o200k_base"],
  ["o3", "o200k_base"],
  ["gpt-4-0613", "cl100k_base"],
  ["gpt-3.5-turbo-0125", "cl100k_base"],
  ["text-embedding-3-small", "cl100k_base"],
  ["gpt-oss-120b", "o200k_harmony"],
  ["openrouter/openai/gpt-oss-20b:free", "o200k_harmony"],
  ["anthropic/claude-sonnet-4-5", undefined],
  ["google/gemini-2.5-pro", undefined],
  ["somebody/gpt-4o", undefined],
  ["gpt-4oh", undefined],
  ["ft:gpt-4o-2024-08-06:my-org::abc123", "o200k_base"],
  ["openai/ft:gpt-4o-mini:my-org:name:abc123", "o200k_base"],
  ["ft:gpt-3.5-turbo-0613:my-org::abc123", "cl100k_base"],
  ["ft:somebodys-model:my-org::abc123", undefined],
  ["somebody/ft:gpt-4o:my-org::abc123", "o200k_base"],
  ["gpt-3.5-turbo-instruct", "cl100k_base"],
  ["gpt-3.5-turbo-instruct-0914", "cl100k_base"],
  ["davinci-002", "cl100k_base"],
  ["babbage-002", "cl100k_base"],
])("encoding of %s is %s", (model, encoding) => {
  expect(encodingNameOf(model)).toBe(encoding)
})
