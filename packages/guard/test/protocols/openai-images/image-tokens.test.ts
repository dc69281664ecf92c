import { describe, expect, it } from "vitest"
import { type ImageSettings, imageTokens } from "../../../src/protocols/openai-images/image-tokens"

const settings: ImageSettings = {
  model: "gpt-image-1",
  size: undefined,
  quality: undefined,
  partialImages: 0,
  unlisted: undefined,
  maxImageTokens: undefined,
}
const tokensOf = (changes: Partial<ImageSettings>) => imageTokens({ ...settings, ...changes })

/** The figures in OpenAI's guide, and those that users were billed. */
describe("imageTokens", () => {
  it.each([
    ["gpt-image-1", "1024x1024", "low", 272],
    ["gpt-image-1", "1024x1536", "low", 408],
    ["gpt-image-1", "1536x1024", "low", 400],
    ["gpt-image-1", "1024x1024", "medium", 1056],
    ["gpt-image-1-mini", "1024x1536", "medium", 1584],
    ["gpt-image-1-mini", "1536x1024", "medium", 1568],
    ["gpt-image-1", "1024x1024", "high", 4160],
    ["gpt-image-1", "1024x1536", "high", 6240],
    ["gpt-image-1", "1536x1024", "high", 6208],
    ["gpt-image-1", "auto", "medium", 1584],
    ["gpt-image-1", "1024x1024", "auto", 4160],
    ["gpt-image-1", undefined, undefined, 6240],
    ["gpt-image-2", "1024x1024", "high", 7024],
    ["gpt-image-2", "1536x1024", "high", 5488],
    ["gpt-image-2", "1024x1536", "high", 5488],
    ["gpt-image-2", "1792x1024", "high", 5063],
    ["gpt-image-2", "3584x2048", "high", 12329],
    ["gpt-image-2", "1024x1024", "auto", 7024],
  ])("%s, size %s, quality %s: %i tokens", (model, size, quality, tokens) => {
    expect(tokensOf({ model, size, quality })).toEqual({ status: "bounded", tokens })
  })

  it("adds 100 tokens for each partial image", () => {
    expect(tokensOf({ size: "1024x1024", quality: "low", partialImages: 3 })).toMatchObject({ tokens: 572 })
  })

  it("bounds the size `auto` of gpt-image-2 by every size", () => {
    const auto = tokensOf({ model: "gpt-image-2", size: "auto", quality: "high" })
    if (auto.status !== "bounded") throw new Error(auto.message)
    for (let width = 256; width <= 3840; width += 16)
      for (let height = 256; height <= 3840 && width * height <= 8_294_400; height += 16) {
        const each = tokensOf({ model: "gpt-image-2", size: `${width}x${height}`, quality: "high" })
        if (each.status !== "bounded" || each.tokens > auto.tokens) throw new Error(`${width}x${height}`)
      }
  })

  it.each([
    { model: "gpt-image-1.5", size: "1024x1024", quality: "low" },
    { model: "gpt-image-2.5-flare", size: "1024x1024", quality: "max" },
    { model: "gpt-image-2", size: "1024x1024", quality: "xhigh" },
    { model: "gpt-image-2", unlisted: "complexity" },
  ])("has no table for $model, quality $quality, so the caller states the maximum", (changes) => {
    expect(tokensOf(changes)).toMatchObject({
      status: "rejected",
      reason: "unbounded-cost",
      message: expect.stringContaining("`maxImageTokens`"),
    })
    expect(tokensOf({ ...changes, maxImageTokens: 9_000, partialImages: 1 })).toMatchObject({ tokens: 9_100 })
  })

  it.each(["1024x1025", "huge", "1024X1024"])("rejects the size %s of gpt-image-1", (size) => {
    expect(tokensOf({ size })).toMatchObject({ status: "rejected", reason: "invalid-body" })
  })

  it.each(["99999x99999", "0x16", "1e3x16"])("rejects the size %s of gpt-image-2", (size) => {
    expect(tokensOf({ model: "gpt-image-2", size })).toMatchObject({ status: "rejected", reason: "invalid-body" })
  })
})
