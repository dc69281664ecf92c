import { describe, expect, it } from "vitest"
import {
  costOf,
  createPriceTable,
  findPrice,
  models,
  upperBound,
  usageFromOpenAIEmbeddings,
  usageFromOpenAIImages,
  usageFromOpenAITranscription,
} from "../src/index"

const NO_TOKENS = { inputTokens: 0, outputTokens: 0 }

describe("what is billed per unit", () => {
  it.each<[string, object, number]>([
    ["whisper-1", { audioSeconds: 60 }, 6_000_000],
    ["gpt-transcribe", { audioSeconds: 60 }, 4_500_000],
    ["tts-1", { inputCharacters: 1_000_000 }, 15_000_000_000],
    ["tts-1-hd", { inputCharacters: 1_000 }, 30_000_000],
    ["dall-e-3", { outputImages: 2 }, 240_000_000],
    ["openai/standard/1024-x-1024/dall-e-3", { outputImages: 2 }, 80_000_000],
    ["openai/hd/1024-x-1792/dall-e-3", { outputImages: 1 }, 120_000_000],
    ["dall-e-2", { outputImages: 1 }, 20_000_000],
    ["omni-moderation-latest", {}, 0],
    ["gpt-4o-mini", { fileSearches: 4 }, 10_000_000],
    ["gpt-4.1", { codeInterpreterSessions: 2 }, 60_000_000],
    ["gpt-5.5", { webSearches: 3 }, 30_000_000],
  ])("%s %j", (model, pieces, nanoUsd) => {
    const cost = costOf(model, { ...NO_TOKENS, ...pieces })
    expect([cost.nanoUsd, cost.tokens]).toEqual([nanoUsd, 0])
    const bound = upperBound(model, { inputTokens: 0, maxOutputTokens: 0, serviceTier: "default", ...pieces })
    expect(bound.nanoUsd).toBe(nanoUsd)
  })

  it("needs its count: a missing one is an error and never 0", () => {
    for (const [model, option] of [
      ["whisper-1", "audioSeconds"],
      ["tts-1", "inputCharacters"],
    ] as const) {
      expect(() => upperBound(model, { inputTokens: 0 })).toThrow(
        expect.objectContaining({ code: "unbounded-cost", reason: "pieces" }),
      )
      expect(() => upperBound(model, { inputTokens: 0 })).toThrow(`billed by \`${option}\``)
      expect(() => costOf(model, NO_TOKENS)).toThrow(`usage.${option}`)
    }
    expect(() => costOf("dall-e-3", NO_TOKENS)).toThrow("usage.outputImages")
    expect(upperBound("dall-e-3", { inputTokens: 0, choices: 4 }).nanoUsd).toBe(480_000_000)
  })

  it("gives the model's tokens no price of 0", () => {
    const usage = { inputTokens: 14, outputTokens: 101, audioSeconds: 2 }
    expect(() => costOf("whisper-1", usage)).toThrow(expect.objectContaining({ code: "unpriced-usage" }))
  })

  it("has a price of your own by name", () => {
    const table = createPriceTable({
      speech: { input: "0", output: "0", second: "0.0001", character: "0.00001" },
      tools: { input: "1", output: "1", fileSearch: "0.0025", codeSession: "0.03", image: "0.04" },
    })
    expect(table.costOf("speech", { ...NO_TOKENS, audioSeconds: 10, inputCharacters: 100 }).nanoUsd).toBe(2_000_000)
    const usage = { ...NO_TOKENS, fileSearches: 1, codeInterpreterSessions: 1, outputImages: 1 }
    expect(table.costOf("tools", usage).nanoUsd).toBe(72_500_000)
  })

  it("without a rate is an error", () => {
    for (const pieces of [
      { fileSearches: 1 },
      { codeInterpreterSessions: 1 },
      { outputImages: 1 },
      { audioSeconds: 1 },
    ])
      expect(() => costOf("xai/grok-4.7", { ...NO_TOKENS, ...pieces })).toThrow(
        expect.objectContaining({ code: "unpriced-usage", usage: Object.keys(pieces)[0] }),
      )
  })
})

describe("images, transcription and embeddings by the token", () => {
  it.each<[string, number]>([
    ["gpt-image-1", 50 * 5_000 + 300 * 10_000 + 4160 * 40_000],
    ["gpt-image-1-mini", 50 * 2_000 + 300 * 2_500 + 4160 * 8_000],
    ["gpt-image-1.5", 50 * 5_000 + 300 * 8_000 + 4160 * 32_000],
    ["gpt-image-2", 50 * 5_000 + 300 * 8_000 + 4160 * 30_000],
  ])("%s", (model, nanoUsd) => {
    const usage = usageFromOpenAIImages({
      input_tokens: 350,
      output_tokens: 4160,
      total_tokens: 4510,
      input_tokens_details: { text_tokens: 50, image_tokens: 300 },
    })
    expect(costOf(model, usage).nanoUsd).toBe(nanoUsd)
  })

  it("of gpt-4o-transcribe have the rate of audio", () => {
    const usage = usageFromOpenAITranscription({
      type: "tokens",
      input_tokens: 14,
      input_token_details: { text_tokens: 4, audio_tokens: 10 },
      output_tokens: 101,
      total_tokens: 115,
    })
    expect(costOf("gpt-4o-transcribe", usage).nanoUsd).toBe(4 * 2_500 + 10 * 6_000 + 101 * 10_000)
  })

  it("in a batch cost half", () => {
    const usage = usageFromOpenAIEmbeddings({ prompt_tokens: 1_000_000, total_tokens: 1_000_000 })
    for (const model of ["text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"]) {
      const cost = costOf(model, usage).nanoUsd
      expect(costOf(model, usage, { serviceTier: "batch" }).nanoUsd * 2).toBe(cost)
    }
  })
})

describe("a fine-tuned model", () => {
  const usage = { inputTokens: 1_000_000, outputTokens: 1_000_000 }
  it.each<[string, number]>([
    ["ft:gpt-4o-2024-08-06:my-org::abc123", 18.75],
    ["ft:gpt-4o-2024-11-20:my-org:suffix:abc123", 18.75],
    ["ft:gpt-4o-mini-2024-07-18:my-org:suffix:abc123", 1.5],
    ["openai/ft:gpt-4o-mini-2024-07-18:my-org::abc123", 1.5],
    ["ft:gpt-4.1-2025-04-14:my-org::abc123", 15],
    ["ft:gpt-4.1-mini-2025-04-14:my-org::abc123:ckpt-step-90", 4],
    ["ft:gpt-4.1-nano-2025-04-14:my-org::abc123", 1],
    ["ft:o4-mini-2025-04-16:my-org::abc123", 20],
    ["ft:gpt-3.5-turbo-0125:my-org::abc123", 9],
    ["ft:davinci-002:my-org::abc123", 24],
    ["ft:babbage-002:my-org::abc123", 3.2],
  ])("%s has its own price, %d USD per million of both", (model, usd) => {
    expect(costOf(model, usage, { at: "2026-11-30" }).nanoUsd).toBe(usd * 1e9)
  })

  it.each(["ft:gpt-5:my-org::abc123", "ft:gpt-9-2030-01-01:my-org::x", "openai/ft:o3:my-org::abc123"])(
    "%s without a listed price is an error that says what to write",
    (model) => {
      const [, base] = /ft:([^:]+)/.exec(model)!
      expect(findPrice(model)).toBeUndefined()
      expect(() => costOf(model, usage)).toThrow(`createPriceTable({ "ft:${base}": { input, output } })`)
      const table = createPriceTable({ [`ft:${base}`]: { input: "1", output: "2" } }, { extends: "published" })
      expect(table.costOf(model.replace("openai/", ""), usage).nanoUsd).toBe(3_000_000_000)
    },
  )
})

it("no row bills a token, second, character or image at 0 unless it is free or lists another unit", () => {
  for (const model of models()) {
    const { rates, free } = findPrice(model, { at: "2026-11-30" })!
    const unit = rates.second ?? rates.character ?? rates.image
    if (rates.input === 0 && rates.output === 0) expect(free || unit !== undefined, model).toBe(true)
  }
})
