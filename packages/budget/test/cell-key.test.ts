import { createHash } from "node:crypto"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { cellKey, familyOf, nameOf, readCellKey, scopeKey } from "../src/cell-key"
import { hashText, sha256 } from "../src/internal/sha256"
import type { Scope, Unit } from "../src/subject"
import { readWindowing, windowAt } from "../src/window"

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
  "é",
  "e\u0301",
  "ﬁ",
  "fi",
  "__proto__",
  "constructor",
  "sha256:x",
  hashText("a}"),
  `:${hashText("a}")}`,
  "x".repeat(40),
  "x".repeat(41),
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
const windowing = fc
  .constantFrom(
    ["total"],
    ["1h"],
    ["day", "UTC"],
    ["day", "Europe/Paris"],
    ["month", "Etc/GMT+1"],
    ["hour", "Etc/GMT-1"],
  )
  .map(([per, zone]) => readWindowing(per, zone, "limit"))
const NOW = Date.UTC(2026, 4, 5, 6)

const identity = (one: Scope, value: string) =>
  JSON.stringify([one, one === "total" || (typeof one === "object" && "child" in one) ? null : value])

describe("cell keys", () => {
  it("are names of at most 200 bytes, and different for different cells", () => {
    const cell = fc.tuple(scope, text, unit, windowing)
    fc.assert(
      fc.property(cell, cell, (a, b) => {
        const [keyA, keyB] = [a, b].map(([one, value, counted, window]) =>
          cellKey(scopeKey(one, value), counted, window, windowAt(window, NOW)),
        )
        expect(keyA).toMatch(/^[A-Za-z0-9_.:|=-]{1,200}$/)
        const same = identity(a[0], a[1]) === identity(b[0], b[1]) && a[2] === b[2] && a[3].kind === b[3].kind
        expect(keyA === keyB).toBe(same)
      }),
      { numRuns: 3_000 },
    )
  })

  it("of hostile values never meet, in any two scopes", () => {
    const scopes: Scope[] = ["user", "client", "request", "model", { tag: "a" }, { tag: "a=b" }, { tag: "a}" }]
    const keys = scopes.flatMap((one) => HOSTILE.map((value) => scopeKey(one, value)))
    expect(new Set(keys).size).toBe(scopes.length * HOSTILE.length)
    // A tag's name and value cannot trade characters.
    expect(scopeKey({ tag: "a" }, "b=c")).not.toBe(scopeKey({ tag: "a=b" }, "c"))
  })

  it("read back what was not hashed", () => {
    fc.assert(
      fc.property(scope, text, unit, windowing, (one, value, counted, window) => {
        const at = windowAt(window, NOW)
        const name = readCellKey(cellKey(scopeKey(one, value), counted, window, at))!
        expect(name).toMatchObject({ unit: counted, startsAt: at?.startsAt ?? null, endsAt: at?.endsAt ?? null })
        expect(name.family === familyOf(one, counted, window) || (typeof one === "object" && "child" in one)).toBe(true)
        if (one === "user" && name.value !== undefined) expect(name.value).toBe(value)
      }),
      { numRuns: 1_000 },
    )
    for (const key of [
      "",
      "a",
      "u=a",
      "u=a|nanoUsd",
      "u=a|euro|total",
      "u=a|tokens|day.Mars.5",
      "u|tokens|total",
      "a|b|c|d",
    ])
      expect(readCellKey(key)).toBeUndefined()
  })
})

describe("roots and ids", () => {
  it("stay what they are when they are names, and never meet otherwise", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(nameOf(a, "id")).toMatch(/^[A-Za-z0-9_.:|=-]{1,64}$/)
        expect(nameOf(a, "id") === nameOf(b, "id")).toBe(a === b)
      }),
      { numRuns: 2_000 },
    )
    expect(new Set(HOSTILE.map((value) => nameOf(value, "id"))).size).toBe(HOSTILE.length)
    expect(nameOf("req-1.2", "id")).toBe("req-1.2")
    for (const bad of ["", 5, null, undefined, "x".repeat(1_048_577)])
      expect(() => nameOf(bad, "id")).toThrowError(/^Expected `id`/)
  })
})

describe("sha256", () => {
  it("equals that of Node, at every length around its blocks", () => {
    for (let length = 0; length < 200; length++) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 31 + length) & 255)
      expect(Buffer.from(sha256(bytes)).toString("hex")).toBe(createHash("sha256").update(bytes).digest("hex"))
    }
  })

  it("of a text is that of its UTF-16 units", () => {
    fc.assert(
      fc.property(text, (value) => {
        const bytes = Buffer.from(value, "utf16le").swap16()
        expect(hashText(value)).toBe(createHash("sha256").update(bytes).digest("base64url"))
      }),
      { numRuns: 300 },
    )
  })
})
