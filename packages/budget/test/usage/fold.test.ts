import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { matchesFilter, type StoredEntry, UsageFold, type UsageGroup, type UsageTotals } from "../../src/store"
import { entryOf as usageEntryOf } from "../store/entry-of"

const MAX = Number.MAX_SAFE_INTEGER
const entryOf = (more: Partial<StoredEntry> = {}): StoredEntry => ({
  ...usageEntryOf({ tokens: { inputTokens: 3 } }),
  ...{ idempotencyKey: "k", at: 100, revision: 0, state: "settled", charges: {} },
  ...more,
})

function totalsOf(entries: StoredEntry[], groupBy: UsageGroup[] = [], buckets: number[] | null = null): UsageTotals[] {
  const fold = new UsageFold({ groupBy, buckets })
  for (const entry of entries) fold.add(entry)
  return fold.totals()
}

describe("UsageFold", () => {
  it("adds up every field", () => {
    const [row] = totalsOf([
      entryOf({ tableCostNanoUsd: 5 }),
      entryOf({ requestId: "s", status: "failed", costNanoUsd: 2, tokens: { inputTokens: 1, outputTokens: 4 } }),
      entryOf({ requestId: "s", status: "expired", costNanoUsd: 10, costSource: "bound", inDoubt: true }),
      entryOf({ requestId: "t", status: "released", costNanoUsd: 0, tokens: {} }),
    ])
    expect(row).toEqual({
      group: [],
      requests: 3,
      attempts: 4,
      succeeded: 1,
      failed: 1,
      denied: 0,
      expired: 1,
      released: 1,
      tokens: { inputTokens: 7, outputTokens: 4 },
      costNanoUsd: 19,
      failedCostNanoUsd: 12,
      inDoubt: 1,
      inDoubtNanoUsd: 10,
      reservedNanoUsd: 40,
      differenceNanoUsd: 2,
    })
  })

  it("counts denials as often as their entry says", () => {
    const denied = entryOf({ status: "denied", costNanoUsd: 0, tokens: {}, count: 5 })
    expect(totalsOf([denied, entryOf({ requestId: "s" })])[0]).toMatchObject({ requests: 6, attempts: 6, denied: 5 })
    expect(totalsOf([{ ...denied, count: undefined }])[0]).toMatchObject({ requests: 1, attempts: 1, denied: 1 })
  })

  it("omits audit entries", () => {
    expect(totalsOf([entryOf({ status: "audit" })])).toEqual([])
  })

  it("is exact beyond 2^53 − 1 while adding, and limits only the final sum", () => {
    const reserved = (values: number[]) => totalsOf(values.map((reservedNanoUsd) => entryOf({ reservedNanoUsd })))[0]!
    expect(reserved([MAX, MAX]).reservedNanoUsd).toBe(MAX)
    const difference = totalsOf([
      entryOf({ costNanoUsd: MAX, tableCostNanoUsd: 0 }),
      entryOf({ costNanoUsd: MAX, tableCostNanoUsd: 0 }),
      entryOf({ costNanoUsd: 0, tableCostNanoUsd: MAX }),
      entryOf({ costNanoUsd: 1, tableCostNanoUsd: MAX }),
    ])
    expect(difference[0]!.differenceNanoUsd).toBe(1)
    const below = totalsOf([MAX, MAX].map((tableCostNanoUsd) => entryOf({ costNanoUsd: 0, tableCostNanoUsd })))
    expect(below[0]!.differenceNanoUsd).toBe(-MAX)
  })

  it("adds what a bigint adds", () => {
    const amount = fc.integer({ min: 0, max: MAX })
    const run = (costs: { cost: number; table: number }[]) => {
      const entries = costs.map(({ cost, table }) => entryOf({ costNanoUsd: cost, tableCostNanoUsd: table }))
      const exact = costs.reduce((sum, { cost, table }) => sum + BigInt(cost) - BigInt(table), 0n)
      const limited = exact > BigInt(MAX) ? MAX : exact < BigInt(-MAX) ? -MAX : Number(exact)
      expect(totalsOf(entries)[0]!.differenceNanoUsd).toBe(limited)
    }
    fc.assert(fc.property(fc.array(fc.record({ cost: amount, table: amount }), { minLength: 1, maxLength: 20 }), run))
  })

  it("groups by fields and tags; null where an entry has none", () => {
    const entries = [
      entryOf({ userId: "ada", tags: { team: "x" } }),
      entryOf({ userId: "ada" }),
      entryOf({ tags: { ["__proto__"]: "p" } }),
    ]
    expect(totalsOf(entries, ["userId", { tag: "team" }]).map(({ group }) => group)).toEqual([
      ["ada", "x"],
      ["ada", null],
      [null, null],
    ])
    expect(totalsOf(entries, [{ tag: "__proto__" }]).map(({ group }) => group)).toEqual([[null], ["p"]])
    expect(totalsOf(entries, [{ tag: "toString" }]).map(({ group }) => group)).toEqual([[null]])
    expect(totalsOf([entryOf({ userId: "null" }), entryOf()], ["userId"])).toHaveLength(2)
  })

  it("includes the start of a bucket, excludes its end, and omits entries outside", () => {
    const at = (time: number) => entryOf({ at: time })
    const rows = totalsOf([9, 10, 19, 20, 34, 35].map(at), ["bucket"], [10, 20, 35])
    expect(rows.map(({ group, attempts }) => [group[0], attempts])).toEqual([
      [10, 2],
      [20, 2],
    ])
    expect(totalsOf([9, 10, 35].map(at), [], [10, 20, 35])[0]).toMatchObject({ attempts: 1 })
  })
})

describe("matchesFilter", () => {
  it("takes `from` inclusive and `to` exclusive", () => {
    expect(matchesFilter(entryOf(), { from: 100, to: 101 })).toBe(true)
    expect(matchesFilter(entryOf(), { from: 101 })).toBe(false)
    expect(matchesFilter(entryOf(), { to: 100 })).toBe(false)
  })

  it("compares exactly, every field that is given", () => {
    const entry = entryOf({ userId: "ada", clientId: "web", provider: "openai", tags: { team: "x" } })
    expect(matchesFilter(entry, {})).toBe(true)
    const { requestId, userId, clientId, model, provider, status } = entry
    expect(matchesFilter(entry, { requestId, userId, clientId, model, provider, status })).toBe(true)
    for (const field of ["requestId", "userId", "clientId", "model", "provider"] as const) {
      expect(matchesFilter(entry, { [field]: entry[field]!.toUpperCase() })).toBe(false)
      expect(matchesFilter(entry, { [field]: `${entry[field]} ` })).toBe(false)
      expect(matchesFilter(entry, { [field]: "" })).toBe(false)
    }
    expect(matchesFilter(entry, { status: "failed" })).toBe(false)
    expect(matchesFilter(entry, { tag: { name: "team", value: "x" } })).toBe(true)
    expect(matchesFilter(entry, { tag: { name: "team", value: "X" } })).toBe(false)
    expect(matchesFilter(entry, { tag: { name: "toString", value: "x" } })).toBe(false)
    expect(matchesFilter(entryOf(), { userId: "ada" })).toBe(false)
  })
})
