import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { InvalidArgumentError, isModelId, nearestIds, parseModelId } from "../src/index"

describe("parseModelId", () => {
  it.each([
    ["gpt-4o-mini", undefined, "gpt-4o-mini", undefined, "gpt-4o-mini"],
    ["gpt-4o-mini-2024-07-18", undefined, "gpt-4o-mini-2024-07-18", undefined, "gpt-4o-mini"],
    [
      "openrouter/openai/gpt-4o-mini-2024-07-18",
      "openrouter",
      "openai/gpt-4o-mini-2024-07-18",
      undefined,
      "gpt-4o-mini",
    ],
    ["openrouter/openai/gpt-4o:online", "openrouter", "openai/gpt-4o", "online", "gpt-4o"],
    ["anthropic/claude-sonnet-4-20250514", "anthropic", "claude-sonnet-4-20250514", undefined, "claude-sonnet-4"],
    ["vertex/claude-sonnet-4@20250514", "vertex", "claude-sonnet-4@20250514", undefined, "claude-sonnet-4"],
    ["ollama/llama3.2:3b", "ollama", "llama3.2:3b", undefined, "llama3.2:3b"],
    ["bedrock/anthropic.claude-v2:1", "bedrock", "anthropic.claude-v2:1", undefined, "anthropic.claude-v2:1"],
    ["~openai/gpt-latest", "~openai", "gpt-latest", undefined, "gpt-latest"],
    ["models/gemini-2.5-pro", undefined, "models/gemini-2.5-pro", undefined, "gemini-2.5-pro"],
    ["gemini/models/gemini-2.5-pro", "gemini", "models/gemini-2.5-pro", undefined, "gemini-2.5-pro"],
  ])("parses %s", (id, provider, name, variant, baseName) => {
    expect(parseModelId(id)).toMatchObject({ id, provider, name, variant, baseName, fineTunedFrom: undefined })
  })

  it.each([
    ["ft:gpt-4o-mini:org::id", undefined, "ft:gpt-4o-mini:org::id", "gpt-4o-mini", "gpt-4o-mini"],
    [
      "openai/ft:gpt-4o-mini-2024-07-18:org:name:id",
      "openai",
      "ft:gpt-4o-mini-2024-07-18:org:name:id",
      "gpt-4o-mini-2024-07-18",
      "gpt-4o-mini",
    ],
  ])("parses the fine-tuned %s", (id, provider, name, fineTunedFrom, baseName) => {
    expect(parseModelId(id)).toMatchObject({ provider, name, fineTunedFrom, baseName, variant: undefined })
  })

  it.each([
    ["gpt-4o", ["gpt-4o"], []],
    ["gpt-4o-2024-05-13", ["gpt-4o-2024-05-13", "gpt-4o"], []],
    ["x-ai/grok-4", ["xai/grok-4"], []],
    ["bedrock/us.anthropic.claude-opus-5-5", ["amazon-bedrock/us.anthropic.claude-opus-5-5"], []],
    ["google/gemini-3.8-flash@20260901", ["google/gemini-3.8-flash@20260901", "google/gemini-3.8-flash"], []],
    ["models/gemini-2.5-pro", ["google/gemini-2.5-pro"], []],
    ["amazon.nova-lite-v1:0", ["amazon.nova-lite-v1:0", "amazon-bedrock/amazon.nova-lite-v1:0"], []],
    [
      "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
      ["us.anthropic.claude-sonnet-4-5-20250929-v1:0", "amazon-bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"],
      [],
    ],
    ["meta.ai", ["meta.ai", "amazon-bedrock/meta.ai"], []],
    ["accounts/fireworks/models/x", ["accounts/fireworks/models/x", "fireworks/accounts/fireworks/models/x"], []],
    ["gemini/models/gemini-2.5-pro", ["google/gemini-2.5-pro"], []],
    ["fireworks/accounts/fireworks/models/llama", ["fireworks/accounts/fireworks/models/llama"], []],
    ["m-20240718-20240718", ["m-20240718-20240718"], []],
    ["azure/gpt-4o", ["azure/gpt-4o"], ["openai/gpt-4o"]],
    ["azure/openai/gpt-4o", ["azure/openai/gpt-4o"], ["openai/gpt-4o"]],
    [
      "ft:gpt-4o-mini-2024-07-18:org::id",
      ["openai/ft:gpt-4o-mini-2024-07-18", "openai/ft:gpt-4o-mini"],
      ["openai/gpt-4o-mini-2024-07-18", "openai/gpt-4o-mini"],
    ],
    ["openrouter/x-ai/grok-4:online", ["openrouter/x-ai/grok-4:online"], ["openrouter/x-ai/grok-4", "xai/grok-4"]],
    [
      "openrouter/openai/gpt-4o-2024-05-13:free",
      ["openrouter/openai/gpt-4o-2024-05-13:free"],
      ["openrouter/openai/gpt-4o-2024-05-13", "openrouter/openai/gpt-4o", "openai/gpt-4o-2024-05-13", "openai/gpt-4o"],
    ],
  ])("names the keys of %s, and those of the same model elsewhere", (id, keys, others) => {
    expect(parseModelId(id).keys).toEqual(keys)
    expect(parseModelId(id).modelKeys).toEqual([...keys, ...others])
  })

  it.each([
    ["m-2024-02-29", "m"],
    ["m-20240229", "m"],
    ["m@20240229", "m"],
    ["m-2023-02-29", "m-2023-02-29"],
    ["m-2024-13-01", "m-2024-13-01"],
    ["m-2024-00-10", "m-2024-00-10"],
    ["m-1999-01-01", "m-1999-01-01"],
    ["m-0613", "m-0613"],
    ["2024-07-18", "2024-07-18"],
    ["m-2024-07-18-preview", "m-2024-07-18-preview"],
  ])("removes only real dates from the end: the base name of %s is %s", (id, baseName) => {
    expect(parseModelId(id).baseName).toBe(baseName)
  })

  const invalid = ["", " ", "a b", "a/", "/a", "a//b", "-a", "a\n", "é", "a".repeat(201), "a\u0000", null, 5, {}]
  it.each([...invalid, "openrouter/:online", "openrouter/openai/gpt-4o:"])("rejects %j", (id) => {
    expect(isModelId(id)).toBe(false)
    expect(() => parseModelId(id as string)).toThrow(InvalidArgumentError)
  })

  it("shows no prompt and no key in the message", () => {
    expect(() => parseModelId("Tell me about my illness, which nobody may know of")).toThrow('got "Tell m…".')
    expect(() => parseModelId("sk-proj-0123456789 ")).toThrow("got a string that looks like an API key.")
  })

  it("loses nothing of an id", () => {
    const segment = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}$/).filter((text) => !/^(sk|xai|pplx)-/.test(text))
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.option(segment), (segments, variant) => {
        const id = segments.join("/") + (variant === null ? "" : `:${variant}`)
        const { provider, name, variant: parsed } = parseModelId(id)
        expect([...(provider ? [`${provider}/`] : []), name, ...(parsed ? [`:${parsed}`] : [])].join("")).toBe(id)
      }),
    )
  })

  it("names each key once, those of the id itself first", () => {
    const part = fc.stringMatching(/^[a-z0-9][a-z0-9.:@-]{0,20}$/)
    const prefix = fc.constantFrom("", "openrouter/", "azure/", "models/", "ft:", "openrouter/models/", "openai/ft:")
    fc.assert(
      fc.property(prefix, fc.array(part, { minLength: 1, maxLength: 4 }), (start, segments) => {
        const id = start + segments.join("/")
        fc.pre(isModelId(id))
        const { keys, modelKeys } = parseModelId(id)
        expect(new Set(modelKeys).size).toBe(modelKeys.length)
        expect(modelKeys.slice(0, keys.length)).toEqual(keys)
      }),
    )
  })
})

describe("nearestIds", () => {
  const known = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4", "o3"]
  it("returns the nearest first, whatever the case, and nothing that is far", () => {
    expect(nearestIds("GPT-4o-minni", known)).toEqual(["gpt-4o-mini", "gpt-4o"])
    expect(nearestIds("gpt4o", known, 1)).toEqual(["gpt-4o"])
    expect(nearestIds("something-else-entirely", known)).toEqual([])
  })

  it("returns ids that continue the other after a hyphen before those with several edits", () => {
    const ids = ["gpt-4-turbo", "gpt-5", "gpt-5-mini", "gpt-5-chat-latest", "glm-5-turbo"]
    expect(nearestIds("gpt-5-turbo", ids)).toEqual(["gpt-4-turbo", "gpt-5", "glm-5-turbo"])
    expect(nearestIds("gpt-5-mini-latest", ids, 1)).toEqual(["gpt-5-mini"])
    expect(nearestIds("claude-haiku", ["claude-4", "claude-haiku-4-5", "claude-haiku-4-5-20251001"])).toEqual([
      "claude-haiku-4-5",
      "claude-haiku-4-5-20251001",
      "claude-4",
    ])
  })

  it("finds the same ids as a comparison with every known id", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 7 })
    fc.assert(
      fc.property(word, fc.uniqueArray(word, { maxLength: 12 }), (id, ids) => {
        const ranked = ids
          .map((known) => ({ known, distance: alignmentDistance(id, known) }))
          .filter(({ known, distance }) => distance <= Math.ceil(Math.max(id.length, known.length) / 2))
          .sort((a, b) => a.distance - b.distance || (a.known < b.known ? -1 : 1))
        expect(nearestIds(id, ids)).toEqual(ranked.slice(0, 3).map(({ known }) => known))
      }),
    )
  })

  it("accepts ids of any length", () => {
    expect(nearestIds("x".repeat(1_000_000), ["y".repeat(1_000_000), ...known])).toEqual([])
  })
})

/** The definition of optimal string alignment, written recursively. */
function alignmentDistance(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length
  const swapped = a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1)
  return Math.min(
    alignmentDistance(a.slice(0, -1), b) + 1,
    alignmentDistance(a, b.slice(0, -1)) + 1,
    alignmentDistance(a.slice(0, -1), b.slice(0, -1)) + Number(a.at(-1) !== b.at(-1)),
    swapped ? alignmentDistance(a.slice(0, -2), b.slice(0, -2)) + 1 : Number.POSITIVE_INFINITY,
  )
}
