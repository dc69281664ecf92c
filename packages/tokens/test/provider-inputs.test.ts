import { InvalidArgumentError } from "@p2/core"
import { expect, test } from "vitest"
import { claudeToolPromptTokens, claudeToolTokens, countImageTokens } from "../src/provider-inputs"

test.each([
  ["claude-opus-5", 286, 406],
  ["claude-opus-4-8", 290, 410],
  ["claude-opus-4.8", 290, 410],
  ["claude-opus-4-7", 675, 804],
  ["claude-opus-4-20250514", 313, 315],
  ["claude-sonnet-5", 354, 474],
  ["claude-sonnet-4-6", 497, 589],
  ["claude-haiku-4-5-20251001", 496, 588],
  ["claude-3-haiku", 264, 340],
  ["claude-3-opus-20240229", 530, 281],
  // No page lists these models: the highest documented numbers.
  ["claude-opus-5-5", 675, 804],
  ["claude-fable-6", 675, 804],
])("%s adds %d tokens to a request with tools, or %d with a forced tool", (name, auto, any) => {
  expect(claudeToolPromptTokens(name, "auto")).toEqual({ tokens: auto, upperBound: 1005 })
  expect(claudeToolPromptTokens(name, "any")).toEqual({ tokens: any, upperBound: 1005 })
})

test.each([
  ["bash_20250124", 325],
  ["text_editor_20250728", 700],
  ["computer_20251124", 1234],
])("the tool %s has a definition of %d tokens", (type, tokens) => {
  expect(claudeToolTokens(type)).toEqual({ tokens, upperBound: Math.ceil(tokens * 1.5) })
})

test("a tool without a documented number is undefined", () => {
  expect(claudeToolTokens("web_search_20260209")).toBeUndefined()
})

test("counts an image by its size, its data, or as the largest", () => {
  const png = Buffer.alloc(33)
  png.write("89504e470d0a1a0a0000000d49484452", "hex")
  png.writeUInt32BE(800, 16)
  png.writeUInt32BE(600, 20)
  const expected = { tokens: 638, upperBound: 5263 }
  expect(countImageTokens("claude-opus-4-8", { width: 800, height: 600 })).toEqual(expected)
  expect(countImageTokens("anthropic/claude-opus-4-8", png.toString("base64"))).toEqual(expected)
  expect(countImageTokens("claude-opus-4-8", undefined)).toEqual({ tokens: 4784, upperBound: 5263 })
  expect(countImageTokens("gemini-3-pro-preview", undefined)).toEqual({ tokens: 1120, upperBound: 2464 })
  expect(countImageTokens("gemini-2.5-pro", undefined).upperBound).toBeUndefined()
  expect(countImageTokens("no-such-model", undefined).upperBound).toBeUndefined()
  expect(() => countImageTokens("", undefined)).toThrow(InvalidArgumentError)
})
