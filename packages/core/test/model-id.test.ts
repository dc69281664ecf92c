import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { InvalidArgumentError, nearestIds, parseModelId, withoutDate } from "../src/index"

describe("parseModelId", () => {
  it.each([
    ["gpt-4o-mini", undefined, "gpt-4o-mini", undefined, undefined],
    ["gpt-4o-mini-2024-07-18", undefined, "gpt-4o-mini-2024-07-18", "gpt-4o-mini", undefined],
    [
      "openrouter/openai/gpt-4o-mini-2024-07-18",
      "openrouter",
      "openai/gpt-4o-mini-2024-07-18",
      "openai/gpt-4o-mini",
      undefined,
    ],
    ["openrouter/openai/gpt-4o:online", "openrouter", "openai/gpt-4o", undefined, "online"],
    ["anthropic/claude-sonnet-4-20250514", "anthropic", "claude-sonnet-4-20250514", "claude-sonnet-4", undefined],
    ["vertex/claude-sonnet-4@20250514", "vertex", "claude-sonnet-4@20250514", "claude-sonnet-4", undefined],
    ["ollama/llama3.2:3b", "ollama", "llama3.2:3b", undefined, undefined],
    ["bedrock/anthropic.claude-v2:1", "bedrock", "anthropic.claude-v2:1", undefined, undefined],
    ["~openai/gpt-latest", "~openai", "gpt-latest", undefined, undefined],
    ["ft:gpt-4o-mini:org::id", undefined, "ft:gpt-4o-mini:org::id", undefined, undefined],
  ])("takes %s apart", (id, provider, name, undated, suffix) => {
    expect(parseModelId(id)).toEqual({ id, provider, name, undated, suffix })
  })

  it.each(["", " ", "a b", "a/", "/a", "a//b", "-a", "a\n", "é", "a".repeat(201), "a\u0000", null, 5, {}])(
    "refuses %j",
    (id) => {
      expect(() => parseModelId(id as string)).toThrow(InvalidArgumentError)
    },
  )

  it("refuses what names no model", () => {
    expect(() => parseModelId("openrouter/:online")).toThrow(InvalidArgumentError)
    expect(() => parseModelId("openrouter/openai/gpt-4o:")).toThrow(InvalidArgumentError)
  })

  it("loses nothing of an id", () => {
    const segment = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}$/)
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.option(segment), (segments, variant) => {
        const id = segments.join("/") + (variant === null ? "" : `:${variant}`)
        const { provider, name, suffix } = parseModelId(id)
        expect([...(provider ? [`${provider}/`] : []), name, ...(suffix ? [`:${suffix}`] : [])].join("")).toBe(id)
      }),
    )
  })
})

describe("withoutDate", () => {
  it.each([
    ["m-2024-02-29", "m"],
    ["m-20240229", "m"],
    ["m@20240229", "m"],
    ["m-2023-02-29", undefined],
    ["m-2024-13-01", undefined],
    ["m-2024-00-10", undefined],
    ["m-1999-01-01", undefined],
    ["m-0613", undefined],
    ["2024-07-18", undefined],
    ["m-2024-07-18-preview", undefined],
  ])("%s", (name, undated) => {
    expect(withoutDate(name)).toBe(undated)
  })
})

describe("nearestIds", () => {
  const known = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4", "o3"]
  it("finds the nearest first, whatever the case, and nothing that is far", () => {
    expect(nearestIds("GPT-4o-minni", known)).toEqual(["gpt-4o-mini", "gpt-4o"])
    expect(nearestIds("gpt4o", known, 1)).toEqual(["gpt-4o"])
    expect(nearestIds("something-else-entirely", known)).toEqual([])
  })

  it("ends on ids of any length", () => {
    expect(nearestIds("x".repeat(1_000_000), ["y".repeat(1_000_000), ...known])).toEqual([])
  })
})
