import { readFileSync } from "node:fs"
import { InvalidArgumentError } from "@p2/core"
import { describe, expect, it } from "vitest"
import {
  affordableOutputTokens,
  checkTableAge,
  costOf,
  createPriceTable,
  findPrice,
  priceOf,
  upperBound,
} from "../src/index"
import { publishedPrices as prices } from "../src/table/published-prices"

const USAGE = { inputTokens: 1, outputTokens: 1 }
const MODEL = "gpt-4o-mini"

/** The message of the InvalidArgumentError that a call must throw. */
function messageOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidArgumentError)
    return (error as Error).message
  }
  throw new Error("The call did not throw.")
}

/** Calls as JavaScript makes them, without types. */
const untyped = { affordableOutputTokens, checkTableAge, costOf, createPriceTable, findPrice, priceOf, upperBound }
const js = untyped as unknown as Record<keyof typeof untyped, (...args: unknown[]) => unknown>

describe("an unknown name is a usage error that suggests a known one", () => {
  const rates = { input: "1", output: "2" }
  const entry = (more: object) => () => js.createPriceTable({ "a/b": { ...rates, ...more } })
  it.each([
    ["a rate", entry({ audioInputs: "40" }), /`entries\["a\/b"\]\.audioInputs`.*`audioInput`/],
    ["a rate of a tier", entry({ tiers: [{ fromInputTokens: 9, inputs: "9" }] }), /tiers\[0\]\.inputs`.*`input`/],
    [
      "a rate of a service tier",
      entry({ serviceTiers: { batch: { ...rates, ouput: "9" } } }),
      /batch\.ouput`.*`output`/,
    ],
    ["a field of a period", entry({ periods: [{ ...rates, untill: "2027-01-01" }] }), /periods\[0\]\.untill`.*`until`/],
    [
      "a field of a window",
      entry({ periods: [{ ...rates, window: { days: [1], startMinutes: 1, startMinute: 0, endMinute: 9 } }] }),
      /window\.startMinutes`.*`startMinute`/,
    ],
    ["an option of a table", () => js.createPriceTable({}, { extend: prices }), /`extend`.*`extends`/],
    ["an option of a bound", () => js.upperBound(MODEL, { inputTokens: 1, maxTokens: 10 }), /`maxTokens`/],
    [
      "an option of affordableOutputTokens",
      () => js.affordableOutputTokens(MODEL, { inputTokens: 1, budget: 1, choice: 2 }),
      /`choice`.*`choices`/,
    ],
    ["a budget of a bound", () => js.upperBound(MODEL, { inputTokens: 1, budget: 1 }), /`budget`/],
    [
      "a count of a usage",
      () => js.costOf(MODEL, { ...USAGE, cacheReadToken: 1 }),
      /`usage\.cacheReadToken`.*`cacheReadTokens`/,
    ],
    [
      "a count of a usage, undefined",
      () => js.costOf(MODEL, { ...USAGE, cachedTokens: undefined }),
      /`usage\.cachedTokens`/,
    ],
    ["a short name of a count", () => js.costOf(MODEL, { input: 9, output: 9 }), /`usage\.input`.*`inputTokens`/],
    ["the text of the input", () => js.upperBound(MODEL, { input: "Hello" }), /`input`.*`inputTokens`/],
    ["an option of a cost", () => js.costOf(MODEL, USAGE, { servicetier: "batch" }), /`servicetier`.*`serviceTier`/],
    [
      "a field of a reported cost, even of an unknown model",
      () => js.costOf("nobody/none", USAGE, { reported: { costUsd: 1, byok: true } }),
      /`reported\.byok`.*`isByok`/,
    ],
    ["an option of a price", () => js.priceOf(MODEL, { tier: "batch" }), /`tier`/],
    ["an option of findPrice", () => js.findPrice("nobody/none", { att: 1 }), /`att`.*`at`/],
    ["an option of the age", () => js.checkTableAge({ maxAge: 1 }), /`maxAge`.*`maxAgeDays`/],
  ])("%s", (_what, call, message) => {
    expect(messageOf(call)).toMatch(message)
  })

  it("`raw` of a usage may contain anything", () => {
    expect(costOf(MODEL, { ...USAGE, raw: { cached: 1 } }).nanoUsd).toBe(750)
  })
})

describe("a missing value, or one of a wrong type, is a usage error", () => {
  it.each([
    ["upperBound(model)", () => js.upperBound(MODEL), "`options`"],
    ["upperBound(model, null)", () => js.upperBound(MODEL, null), "`options`"],
    ["affordableOutputTokens(model)", () => js.affordableOutputTokens(MODEL), "`options`"],
    ["costOf(model)", () => js.costOf(MODEL), "`usage`"],
    ["costOf(model, usage, string)", () => js.costOf(MODEL, USAGE, "batch"), "`options`"],
    ["costOf with a number for reported", () => js.costOf(MODEL, USAGE, { reported: 1 }), "`reported`"],
    ["priceOf(model, null)", () => js.priceOf(MODEL, null), "`options`"],
    ["createPriceTable()", () => js.createPriceTable(), "`entries`"],
    ["createPriceTable([])", () => js.createPriceTable([]), "`entries`"],
    ["createPriceTable({}, null)", () => js.createPriceTable({}, null), "`options`"],
    [
      "a service tier of null",
      () => js.createPriceTable({ a: { input: "1", output: "1", serviceTiers: { batch: null } } }),
      "serviceTiers.batch",
    ],
    ["tiers that are not an array", () => js.createPriceTable({ a: { input: "1", output: "1", tiers: {} } }), ".tiers"],
    [
      "a window without days",
      () => js.createPriceTable({ a: { input: "1", output: "1", periods: [{ input: "1", output: "1", window: {} }] } }),
      ".window",
    ],
    ["checkTableAge(null)", () => js.checkTableAge(null), "`options`"],
    [
      "an invalid modality",
      () => js.upperBound(MODEL, { inputTokens: 1, inputModalities: ["audi"] }),
      "`inputModalities`",
    ],
    [
      "a modality that is a string",
      () => js.upperBound(MODEL, { inputTokens: 1, outputModalities: "text" }),
      "`outputModalities`",
    ],
    ["an invalid cache write", () => js.upperBound(MODEL, { inputTokens: 1, cacheWrites: "1h" }), "`cacheWrites`"],
    ["a service tier of 5", () => js.costOf(MODEL, USAGE, { serviceTier: 5 }), "`serviceTier`"],
    [
      "a service tier of null in a bound",
      () => js.upperBound(MODEL, { inputTokens: 1, serviceTier: null }),
      "`serviceTier`",
    ],
    ["a time of null", () => js.costOf(MODEL, USAGE, { at: null }), "`at`"],
    ["a time of null in a bound", () => js.upperBound(MODEL, { inputTokens: 1, at: null }), "`at`"],
    ["a value to extend that is not a table", () => js.createPriceTable({}, { extends: {} }), "`extends`"],
    ["an invalid day", () => js.createPriceTable({ a: { input: "1", output: "1", asOf: "2026-02-30" } }), ".asOf"],
    ["a source of 5", () => js.createPriceTable({ a: { input: "1", output: "1", source: 5 } }), ".source"],
  ])("%s", (_what, call, argument) => {
    expect(messageOf(call)).toContain(argument)
  })
})

describe("rates that can never hold are a usage error", () => {
  const rates = { input: "1", output: "1" }
  it.each(["default", "standard", "auto", "on_demand", "standard_only"])("a second standard tier, %s", (tier) => {
    expect(messageOf(() => createPriceTable({ a: { ...rates, serviceTiers: { [tier]: rates } } }))).toContain(
      `serviceTiers.${tier}`,
    )
    const period = () => createPriceTable({ a: { ...rates, periods: [{ ...rates, serviceTier: tier }] } })
    if (tier === "default") expect(period().priceOf("a").rates.input).toBe(1_000_000)
    else expect(messageOf(period)).toContain("periods[0].serviceTier")
  })

  it.each([
    ["2027-01-01", "2027-01-01"],
    ["2027-01-01", "2026-12-31"],
  ])("a period from %s until %s", (from, until) => {
    expect(messageOf(() => createPriceTable({ a: { ...rates, periods: [{ ...rates, from, until }] } }))).toContain(
      "periods[0].until",
    )
  })
})

describe("a time", () => {
  it.each([
    "2026-11-22T12:00:00",
    "2026-11-22 12:00:00Z",
    "Nov 22, 2026",
    "2026-02-30",
    "2026-13-01",
    "2026-11-22T25:00:00Z",
    "2026-11",
    1_795_000_000,
    new Date(1_795_000_000),
    "1970-01-21T18:36:40Z",
  ])("is not %s", (at) => {
    expect(messageOf(() => costOf(MODEL, USAGE, { at }))).toMatch(
      /`at`.*milliseconds \(not seconds\).*`Z` or an offset/,
    )
    expect(messageOf(() => upperBound(MODEL, { inputTokens: 1, deadline: at }))).toContain("`deadline`")
  })

  it("without a time is midnight in UTC, and an offset counts", () => {
    const rates = (input: string) => ({ input, output: input })
    const table = createPriceTable({ a: { ...rates("1"), periods: [{ ...rates("2"), from: "2026-11-22" }] } })
    const input = (at: string) => table.priceOf("a", { at }).rates.input
    expect(input("2026-11-21T23:59:59.999Z")).toBe(1_000_000)
    expect(input("2026-11-22")).toBe(2_000_000)
    expect(input("2026-11-22T00:30:00+01:00")).toBe(1_000_000)
    expect(input("2026-11-21T23:30-01:00")).toBe(2_000_000)
  })

  it("of a period names its zone too", () => {
    const periods = [{ input: "1", output: "1", from: "2026-11-22T12:00:00" }]
    expect(messageOf(() => createPriceTable({ a: { input: "1", output: "1", periods } }))).toContain("periods[0].from")
  })
})

describe("what messages and the README suggest is right", () => {
  it("a rate is requested as a decimal string, never as a number", () => {
    for (const input of [0.15, "-1", "a", ""]) {
      const message = messageOf(() => js.createPriceTable({ a: { input, output: "1" } }))
      expect(message).toContain("a decimal string of at least 0 USD per million tokens")
      if (typeof input === "number") expect(message).toContain('Write it as "0.15"')
    }
  })

  it("an old table: the message first says what a user can do", () => {
    const at = Date.parse(prices.tableDate) + 50 * 86_400_000
    expect(() => checkTableAge({ at })).toThrow(/Update @p2\/pricing.*prices:update/)
  })

  it.each([
    ["gpt-4o-minni", "gpt-4o-mini"],
    ["openai/gpt-4o-minni", "openai/gpt-4o-mini"],
    ["azure/gpt-4o-minni", "azure/gpt-4o-mini"],
    ["gpt-4o-minni-2024-07-18", "gpt-4o-mini-2024-07-18"],
    ["GPT-4o-mini", "gpt-4o-mini"],
  ])("%s is most similar to %s", (id, nearest) => {
    expect(() => costOf(id, USAGE)).toThrow(
      expect.objectContaining({ model: id, nearest: [nearest, ...Array(2).fill(expect.any(String))] }),
    )
  })

  it("the install line of the README installs every package that its code imports", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
    const installed = /npm install (.+)/.exec(readme)![1]!.split(" ")
    const imported = [...readme.matchAll(/from "(@p2\/[a-z-]+)/g)].map((match) => match[1])
    expect(imported.length).toBeGreaterThan(0)
    expect(installed).toEqual(expect.arrayContaining(imported))
  })
})
