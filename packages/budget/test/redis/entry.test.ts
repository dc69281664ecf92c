import { USAGE_COUNTS } from "@p2/core"
import { describe, expect, it } from "vitest"
import type { UsageEntry } from "../../src/ledger"
import { attemptTexts, readEntry } from "../../src/redis/entry"

const WHOLE: Required<Omit<UsageEntry, "expireCostNanoUsd">> = {
  requestId: 'a "quoted" one',
  attempt: 2,
  clientId: "web",
  userId: "alice",
  tags: { team: "red" },
  model: "openai/gpt-4o-mini",
  provider: "openai",
  mode: "text",
  reservedNanoUsd: 1_000,
  fingerprint: "f",
  status: "failed",
  modelUsed: "gpt-4o-mini-2024-07-18",
  errorCode: "api",
  tokens: { inputTokens: 0, outputTokens: 3 },
  costs: { input: 0, output: 7 },
  costNanoUsd: 7,
  costSource: "table",
  tableCostNanoUsd: 8,
  durationMs: 0,
  generationId: "g",
  prompt: "",
  answer: "line\nline",
}

function readBack(entry: UsageEntry, first = "12", head = "id 3 a 4 b 5") {
  const [attempt] = attemptTexts(entry)
  return readEntry(first, `${head}\n${attempt}`)
}

describe("an entry in Redis", () => {
  it("comes back with every field, zeros and empty texts among them", () => {
    expect(readBack(WHOLE)).toEqual({
      entry: { ...WHOLE, id: "id", at: 12, revision: 3, charges: { a: 4, b: 5 } },
      shortened: false,
    })
  })

  it("comes back without each field that may be absent, and with all others in their places", () => {
    const needed = ["requestId", "attempt", "model", "reservedNanoUsd", "status", "tokens", "costNanoUsd", "costSource"]
    const others = Object.keys(WHOLE).filter((field) => !needed.includes(field))
    expect(others).toHaveLength(14)
    for (const field of others) {
      const entry = Object.fromEntries(Object.entries(WHOLE).filter(([name]) => name !== field))
      expect(readBack(entry as unknown as UsageEntry).entry).toEqual({
        ...entry,
        id: "id",
        at: 12,
        revision: 3,
        charges: { a: 4, b: 5 },
      })
    }
  })

  it("is told as released once an expiry was taken back", () => {
    const { entry } = readBack(WHOLE, "12 r", "id 1 a 0 b 0")
    expect(entry).toMatchObject({ status: "released", costSource: "none", revision: 1, charges: { a: 0, b: 0 } })
  })

  it("keeps the number of every kind, those that it does not know by their names", () => {
    const tokens = Object.fromEntries([...USAGE_COUNTS, "0", "newTokens"].map((kind, index) => [kind, index]))
    const costs = JSON.parse('{ "input": 3, "__proto__": 4, "newRate": 5 }') as Record<string, number>
    const { entry } = readBack({ ...WHOLE, tokens, costs })
    expect(entry.tokens).toEqual(tokens)
    expect(Object.entries(entry.costs!)).toEqual(Object.entries(costs))
    const [attempt] = attemptTexts({ ...WHOLE, tokens, costs })
    // None of core's counts is sent by its name.
    expect(USAGE_COUNTS.filter((kind) => attempt.includes(kind))).toEqual([])
    expect(() => readEntry("12", 'id 0\n["q",1,null,null,"m",null,null,5,"failed",3,"table",[99,1]]')).toThrow(
      expect.objectContaining({ code: "corrupt" }),
    )
  })

  it("is corrupt where it is none", () => {
    expect(() => readEntry("12", "id 0 a 1\n[")).toThrow(expect.objectContaining({ code: "corrupt", applied: "no" }))
  })
})
