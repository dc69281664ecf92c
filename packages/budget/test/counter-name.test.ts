import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { counterName, readCounterName, scopeName } from "../src/limits/counters"
import { toName } from "../src/limits/names"
import type { Scope, Unit } from "../src/limits/subject"
import { readWindow, windowAt } from "../src/limits/window"

const HOSTILE = [
  "a",
  "A",
  "a}",
  "{a}",
  "a:b",
  "a=b",
  "a|b",
  "=a",
  ":a",
  "a\0",
  "a\n",
  "\ud800",
  "\udfff",
  "\ufffd",
  "\\ud800",
  '"',
  "é",
  "e\u0301",
  "ﬁ",
  "fi",
  "__proto__",
  "constructor",
  "sha256:x",
  "total",
  toName("a}", "key"),
  scopeName("user", "a}").slice(1),
  "x".repeat(38),
  "x".repeat(39),
  "x".repeat(1_000_000),
]
const text = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ minLength: 1, unit: "binary" }),
  fc.string({ minLength: 1, unit: "grapheme-ascii" }),
  // Lone surrogates too.
  fc
    .array(fc.integer({ min: 0, max: 65_535 }), { minLength: 1, maxLength: 6 })
    .map((units) => String.fromCharCode(...units)),
)
const scope: fc.Arbitrary<Scope> = fc.oneof(
  fc.constantFrom<Scope>("request", "user", "client", "model", "total"),
  text.map((tag) => ({ tag })),
  text.map((child) => ({ child })),
)
const unit = fc.constantFrom<Unit>("nanoUsd", "tokens", "requests")
const NOW = Date.UTC(2026, 4, 5, 6)
const window = fc
  .constantFrom(
    ["total"],
    ["1h"],
    ["day", "UTC"],
    ["day", "Europe/Paris"],
    ["month", "Etc/GMT+1"],
    ["hour", "Etc/GMT-1"],
  )
  .map(([per, zone]) => windowAt(readWindow({ per, timeZone: zone }, "limit"), NOW))

const identity = (one: Scope, value: string) =>
  JSON.stringify([one, one === "total" || (typeof one === "object" && "child" in one) ? null : value])

describe("counter names", () => {
  it("are names of at most 64 bytes, and different for different counters", () => {
    const counter = fc.tuple(scope, text, unit, window)
    fc.assert(
      fc.property(counter, counter, (a, b) => {
        const [nameA, nameB] = [a, b].map(([one, value, counted, at]) =>
          counterName({ scope: one, value, unit: counted, ...at }),
        )
        expect(nameA).toMatch(/^[A-Za-z0-9_.:|=-]{1,64}$/)
        const isSame =
          identity(a[0], a[1]) === identity(b[0], b[1]) &&
          a[2] === b[2] &&
          JSON.stringify(a[3]) === JSON.stringify(b[3])
        expect(nameA === nameB).toBe(isSame)
      }),
      { numRuns: 3_000 },
    )
  })

  it("stay within 64 bytes for the longest plain value until the year 5138", () => {
    const at = { startsAt: 99_999_999_000_000, endsAt: 100_000_000_000_000 }
    const name = counterName({ scope: { tag: "t".repeat(18) }, value: "v".repeat(19), unit: "requests", ...at })
    expect(name).toContain(`${"t".repeat(18)}=${"v".repeat(19)}`)
    expect(name.length).toBeLessThanOrEqual(64)
  })

  it("of hostile values differ in any two scopes", () => {
    const scopes: Scope[] = ["user", "client", "request", "model", { tag: "a" }, { tag: "a=b" }, { tag: "a}" }]
    const names = scopes.flatMap((one) => HOSTILE.map((value) => scopeName(one, value)))
    expect(new Set(names).size).toBe(scopes.length * HOSTILE.length)
    // The name and the value of a tag stay apart.
    expect(scopeName({ tag: "a" }, "b=c")).not.toBe(scopeName({ tag: "a=b" }, "c"))
  })

  it("are equal for the same window written two ways, and different for another", () => {
    const nameOf = (per: string, zone?: string) =>
      counterName({
        scope: "user",
        value: "ada",
        unit: "nanoUsd",
        ...windowAt(readWindow({ per, timeZone: zone }, "limit"), NOW),
      })
    expect(nameOf("1d")).toBe(nameOf("day"))
    expect(nameOf("day", "Asia/Kolkata")).toBe(nameOf("day", "Asia/Calcutta"))
    expect(nameOf("day", "Asia/Kolkata")).not.toBe(nameOf("day"))
    expect(nameOf("total")).toBe("u=ada|usd|total")
  })

  it("are read back, except for what is hashed", () => {
    fc.assert(
      fc.property(scope, text, unit, window, (one, value, counted, at) => {
        const parts = readCounterName(counterName({ scope: one, value, unit: counted, ...at }))!
        expect(parts).toMatchObject({ unit: counted, startsAt: at?.startsAt ?? null, endsAt: at?.endsAt ?? null })
        if (typeof one === "string") expect(parts.scope).toBe(one)
        if (one === "total") expect(parts.value).toBeNull()
        else if (parts.value !== undefined) {
          expect(parts.value).toBe(typeof one === "object" && "child" in one ? one.child : value)
          if (typeof one === "object" && "tag" in one) expect(parts.tag).toBe(one.tag)
        }
      }),
      { numRuns: 1_000 },
    )
    for (const name of [
      "",
      "a",
      "u=a",
      "u=a|usd",
      "u=a|euro|total",
      "u=a|tok|day.UTC.5",
      "u=a|tok|5",
      "u=a|tok|9-5",
      `u=a|tok|0-${(2 ** 53 - 1).toString(36)}`,
      "u|tok|total",
      "u=a=b|tok|total",
      "t=a|tok|total",
      "total=a|tok|total",
      "a|b|c|d",
    ])
      expect([name, readCounterName(name)]).toEqual([name, undefined])
  })
})

describe("partitions and idempotency keys", () => {
  it("stay unchanged if they are names, and otherwise have distinct hashes", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(toName(a, "key")).toMatch(/^[A-Za-z0-9_.:|=-]{1,64}$/)
        expect(toName(a, "key") === toName(b, "key")).toBe(a === b)
      }),
      { numRuns: 2_000 },
    )
    expect(new Set(HOSTILE.map((value) => toName(value, "key"))).size).toBe(HOSTILE.length)
    expect(toName("req-1.2", "key")).toBe("req-1.2")
    for (const bad of ["", 5, null, undefined, "x".repeat(1_048_577)])
      expect(() => toName(bad, "key")).toThrowError(/`key`/)
  })
})
