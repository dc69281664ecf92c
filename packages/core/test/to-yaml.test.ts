import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"
import { InvalidArgumentError, toYaml } from "../src/index"

/** Strings that YAML reads as something else, splits, or rejects. */
const HOSTILE = [
  "",
  " ",
  "-",
  "- a",
  "? a",
  ": a",
  "a: b",
  "a #b",
  "#",
  "true",
  "No",
  "NULL",
  "~",
  "0x1F",
  "1e3",
  "1_000",
  ".nan",
  "2024-07-18",
  "12:30:45",
  "&anchor",
  "*alias",
  "!tag",
  "|",
  ">-",
  "%YAML 1.2",
  "---",
  "...",
  "--- a",
  "{a}",
  "[a]",
  "'",
  '"',
  "`",
  "@",
  "\t",
  "a\tb",
  "a\n",
  "a\n\n",
  "\na",
  "a\n b",
  "a \nb",
  "a\n\n\nb\n\n",
  "---\na",
  "a\n---\nb",
  "a\n...\nb",
  "a\n# b",
  "a\r\nb",
  "a\u2028b\nc",
  "a\u0085b",
  "\uFEFFa\nb",
  "\uD800",
  "a\uD800\nb",
  "\u0000",
  "\u007F",
  "😀\n😀",
  "<<",
  "__proto__",
  "constructor",
]

const text = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom(...HOSTILE, "word", "\n", " ", "\t", ":", "-", "#"), { maxLength: 6 })
    .map((parts) => parts.join("")),
)
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(text, tie("value"), { maxKeys: 4 }),
  ),
})).value

describe("toYaml", () => {
  it("writes any JSON value so that a YAML reader reads the same", () => {
    fc.assert(
      fc.property(json, (value) => {
        const expected = JSON.parse(JSON.stringify(value))
        expect(parse(toYaml(value), { maxAliasCount: 0 })).toEqual(expected)
      }),
      { numRuns: 3_000 },
    )
  })

  it.each(HOSTILE)("keeps the string %j, alone, in an array, as a value and as a key", (value) => {
    const data = [value, { [value]: value, list: [[value], { deep: value }] }]
    expect(parse(toYaml(data))).toEqual(data)
    expect(parse(toYaml(value))).toEqual(value)
  })

  it("is readable", () => {
    const data = {
      name: "David Copperfield",
      born: 1820,
      story: "One line.\nAnother: line.",
      friends: [{ name: "Tommy" }],
      none: [],
    }
    expect(toYaml(data)).toBe(
      [
        "name: David Copperfield",
        "born: 1820",
        "story: |-",
        "  One line.",
        "  Another: line.",
        "friends:",
        "  - name: Tommy",
        "none: []",
      ].join("\n"),
    )
  })

  it("writes empty values after their key, even if all fields are omitted", () => {
    expect(toYaml({ none: {}, list: [], code: { run: () => 1, gone: undefined } })).toBe("none: {}\nlist: []\ncode: {}")
  })

  it("keeps keys of more than 1,024 characters", () => {
    const data = { ["k".repeat(5_000)]: { a: [1] }, ["é ".repeat(2_000)]: "x" }
    expect(parse(toYaml(data))).toEqual(data)
  })

  it("reads values as JSON.stringify does, and maps, sets and bigints", () => {
    const data = {
      at: new Date(0),
      gone: undefined,
      not: () => 1,
      map: new Map([["a", 1n]]),
      set: new Set([1]),
      nan: Number.NaN,
    }
    expect(parse(toYaml(data))).toEqual({ at: "1970-01-01T00:00:00.000Z", map: { a: 1 }, set: [1], nan: null })
  })

  it("rejects cycles", () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    expect(() => toYaml(cycle)).toThrow(InvalidArgumentError)
  })

  it("rejects data whose shared parts would grow exponentially", () => {
    let shared: unknown = { text: "x" }
    for (let level = 0; level < 90; level++) shared = [shared, shared]
    expect(() => toYaml(shared)).toThrow(/at most 100 levels and 10000000 characters, without cycles/)
    expect(() => toYaml({ ["k".repeat(5_000_001)]: "v".repeat(5_000_000) })).toThrow(InvalidArgumentError)
    const many = Array.from({ length: 1_000_000 }, () => 1)
    expect(toYaml(many)).toBe(many.map(() => "- 1").join("\n"))
  })

  it("calls toJSON once, as JSON.stringify does", () => {
    const itself = { a: 1, toJSON: () => itself }
    expect(parse(toYaml(itself))).toEqual(JSON.parse(JSON.stringify(itself)))
  })
})
