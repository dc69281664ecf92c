import { describe, expect, it } from "vitest"
import { parseModelId } from "../src/index"
import { googleLimits, ModelTable, modelLimits, modelLimitsDate, openaiLimits } from "../src/model-limits"

const table = new ModelTable([
  "openai 1\n\tbig\t1000\t800\t200\n\tshared\t1000\t\t~100\tX\n\tunstated\t1000\t\t=\n\tunlisted",
  "reseller\n\tbig\t900\n\tunlisted\nopenrouter\n\topenai/big:free\t500",
])

describe("ModelTable", () => {
  it("reads limits and how they are known", () => {
    expect(table.find("openai/big")?.model).toEqual({
      key: "openai/big",
      provider: "openai",
      contextWindow: 1000,
      maxInputTokens: 800,
      maxOutputTokens: 200,
      maxOutputBasis: "listed",
    })
    expect(table.find("openai/shared")?.model).toMatchObject({ maxOutputTokens: 100, maxOutputBasis: "same model" })
    expect(table.find("openai/unstated")?.model).toMatchObject({
      maxOutputTokens: 1000,
      maxOutputBasis: "context window",
    })
    expect(table.find("reseller/unlisted")?.model).toEqual({ key: "reseller/unlisted", provider: "reseller" })
  })

  it("lists names without a provider where one provider alone serves them", () => {
    expect(table.ids()).toEqual([
      "openai/big",
      "openai/shared",
      "openai/unstated",
      "openai/unlisted",
      "reseller/big",
      "reseller/unlisted",
      "openrouter/openai/big:free",
      "big",
      "unstated",
      "unlisted",
    ])
    expect(table.find("big")?.model.key).toBe("openai/big")
    expect(table.find("shared")).toBeUndefined()
  })

  it("distinguishes a variant from a model that is listed with one", () => {
    expect(table.find("openrouter/openai/big:free")).toMatchObject({
      model: { contextWindow: 500 },
      variant: undefined,
    })
    expect(table.find("openrouter/openai/big:free:online")).toMatchObject({
      model: { key: "openrouter/openai/big:free" },
      variant: "online",
    })
    expect(table.find("openrouter/openai/big:free:nitro:online")).toBeUndefined()
    expect(table.find("openrouter/openai/big:online")).toBeUndefined()
  })

  it("finds limits behind routers, clouds and fine-tunes, and only where a window is listed", () => {
    for (const id of ["openrouter/openai/big:online", "azure/big", "ft:big:org::id", "big-2026-01-01"]) {
      expect(table.findLimits(id)?.key).toBe("openai/big")
      expect(table.find(id)?.model.key).toBe(id === "big-2026-01-01" ? "openai/big" : undefined)
    }
    expect(table.findLimits("reseller/big")?.contextWindow).toBe(900)
    expect(table.findLimits("reseller/unlisted")).toBeUndefined()
    expect(table.findLimits("somebody/big")).toBeUndefined()
  })

  it("finds nothing for what is not an id", () => {
    for (const value of [undefined, null, 7, {}, "", "big ", "x".repeat(100_000), "__proto__", "constructor"]) {
      expect(table.find(value as string)).toBeUndefined()
      expect(table.findLimits(value as string)).toBeUndefined()
    }
  })
})

describe("the published limits", () => {
  it("are dated", () => {
    expect(modelLimitsDate).toMatch(/^20\d\d-\d\d-\d\d$/)
  })

  it("have ids that resolve to themselves", () => {
    const ids = modelLimits.ids()
    expect(ids.length).toBeGreaterThan(3_000)
    const wrong = ids.filter((id) => {
      const match = modelLimits.find(id)
      return match === undefined || match.variant !== undefined || (id.includes("/") && match.model.key !== id)
    })
    expect(wrong).toEqual([])
  })

  it("use one name for each provider", () => {
    const renamed = modelLimits.ids().filter((id) => id.includes("/") && parseModelId(id).keys[0] !== id)
    expect(renamed).toEqual([])
  })

  it("are plausible", () => {
    const wrong = modelLimits.ids().filter((id) => {
      const { contextWindow, maxInputTokens, maxOutputTokens, maxOutputBasis } = modelLimits.find(id)!.model
      const counts = [contextWindow, maxInputTokens, maxOutputTokens].filter((count) => count !== undefined)
      const areCounts = counts.every((count) => Number.isSafeInteger(count) && count > 0 && count <= 100_000_000)
      return !areCounts || (maxOutputTokens === undefined) !== (maxOutputBasis === undefined)
    })
    expect(wrong).toEqual([])
  })

  it.each([
    ["gpt-4o-mini", 128_000, 16_384],
    ["ft:gpt-4o-mini-2024-07-18:my-org::abc123", 128_000, 16_384],
    ["azure/gpt-4o-mini", 128_000, 16_384],
    ["openrouter/openai/gpt-4o-mini:online", 128_000, 16_384],
    ["models/gemini-2.5-pro", 1_048_576, 65_536],
    ["gemini/gemini-2.5-pro", 1_048_576, 65_536],
  ])("of %s are %i and %i", (id, contextWindow, maxOutputTokens) => {
    expect(modelLimits.findLimits(id)).toMatchObject({ contextWindow, maxOutputTokens })
  })

  it("can be read by provider", () => {
    const some = new ModelTable([openaiLimits, googleLimits])
    expect(some.find("gpt-4o-mini")).toEqual(modelLimits.find("gpt-4o-mini"))
    expect(some.find("anthropic/claude-opus-5-5")).toBeUndefined()
  })
})
