import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import { compileAnswer, findJson, parsePartialJson } from "../src/index"

describe("parsePartialJson", () => {
  it.each([
    ["", undefined],
    ["Here it is: ", undefined],
    ["{", {}],
    ['{"na', {}],
    ['{"name"', {}],
    ['{"name":', {}],
    ['{"name":"Da', { name: "Da" }],
    ['{"name":"Da\\', { name: "Da" }],
    ['{"name":"Da\\u00e', { name: "Da" }],
    ['{"name":"\\ud83d', { name: "" }],
    ['{"name":"a\\\\', { name: "a\\" }],
    ['{"name":"David","age":2', { name: "David" }],
    ['{"name":"David","age":27,', { name: "David", age: 27 }],
    ['{"a":[1,2', { a: [1] }],
    ['{"a":[1,2]', { a: [1, 2] }],
    ['{"a":tru', {}],
    ['{"a":true', { a: true }],
    ['{"a":[[],{"b":nu', { a: [[], {}] }],
    ['```json\n{"a":1}\n```', { a: 1 }],
    ['{"a":1} and {"b":2}', { a: 1 }],
    ['{"a":1,,"b":2}', { a: 1 }],
    ['{"a":"x","b":"\\x","c":1}', { a: "x" }],
    ['{"a":"x","b":"\\x', { a: "x" }],
    ['{"a":"x"\u00a0,"b":1}', { a: "x" }],
    ['{"a" 1, "b": 2}', {}],
    ['{"__proto__":{"x":1', JSON.parse('{"__proto__":{}}')],
  ])("reads %j", (text, value) => {
    expect(parsePartialJson(text)).toEqual(value)
  })

  it("reads a complete text as JSON.parse does, and never throws or retracts a value before", () => {
    fc.assert(
      fc.property(fc.oneof(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue())), (value) => {
        const text = JSON.stringify(value)
        expect(parsePartialJson(text)).toEqual(JSON.parse(text))
        for (let end = 0; end < text.length; end += Math.ceil(text.length / 20)) {
          const part = parsePartialJson(text.slice(0, end))
          if (end > 0) expect(isBeginningOf(part, JSON.parse(text))).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it("never throws, whatever the text", () => {
    const sign = fc.constantFrom("{", "}", "[", "]", '"', ":", ",", "\\", "1", "-", "e", "true", "nul", " ", "u00", "x")
    fc.assert(
      fc.property(
        fc.array(sign).map((signs) => signs.join("")),
        (text) => {
          parsePartialJson(text)
          findJson(text)
        },
      ),
      { numRuns: 5_000 },
    )
  })
})

/** Whether a part contains only what the whole contains, except for the end of its last string. */
function isBeginningOf(part: unknown, whole: unknown): boolean {
  if (typeof part === "string") return typeof whole === "string" && whole.startsWith(part)
  if (typeof part !== "object" || part === null) return Object.is(part, whole) || part === whole
  if (typeof whole !== "object" || whole === null || Array.isArray(part) !== Array.isArray(whole)) return false
  return Object.entries(part).every(
    ([key, value]) => Object.hasOwn(whole, key) && isBeginningOf(value, (whole as never)[key]),
  )
}

describe("parsePartial of an answer", () => {
  const compiledAnswer = compileAnswer(
    z.object({
      name: z.string(),
      color: z.enum(["red", "redder"]),
      at: z.date(),
      big: z.bigint().optional(),
      scores: z.record(z.string(), z.number()),
      pair: z.tuple([z.string(), z.number()]),
      length: z.string().transform((text) => text.length),
    }),
  )

  it("shows strings as they grow, and other values when they are complete", () => {
    const text = JSON.stringify({
      name: "David",
      color: "redder",
      at: "2024-07-18T00:00:00Z",
      big: null,
      scores: [{ key: "a", value: 1 }],
      pair: { item1: "x", item2: 2 },
      length: "abc",
    })
    const after = (piece: string) => compiledAnswer.parsePartial(text.slice(0, text.indexOf(piece) + piece.length))
    const at = new Date("2024-07-18")
    expect(after('"name":"Da')).toEqual({ name: "Da" })
    expect(after('"color":"red')).toEqual({ name: "David" })
    expect(after('"at":"2024-07-18')).toEqual({ name: "David", color: "redder" })
    expect(after('Z"')).toEqual({ name: "David", color: "redder", at })
    expect(after('"key":"a"')).toEqual({ name: "David", color: "redder", at, scores: {} })
    expect(after('"value":1}')).toEqual({ name: "David", color: "redder", at, scores: { a: 1 } })
    expect(after('"item1":"x"')).toEqual({ name: "David", color: "redder", at, scores: { a: 1 }, pair: ["x"] })
    expect(compiledAnswer.parsePartial(text)).toEqual({
      name: "David",
      color: "redder",
      at,
      scores: { a: 1 },
      pair: ["x", 2],
    })
  })

  it("unwraps roots that are not objects", () => {
    const list = compileAnswer(z.array(z.object({ a: z.string() })))
    expect(list.parsePartial("{")).toBeUndefined()
    expect(list.parsePartial('{"answer":[{"a":"x"},{"a":"y')).toEqual([{ a: "x" }, { a: "y" }])
  })

  it("shows the beginning of a string if an option of a union is a string", () => {
    const schema = z.object({
      a: z.union([z.date(), z.literal("none"), z.number(), z.string()]),
      b: z.union([z.number(), z.date()]),
    })
    expect(compileAnswer(schema).parsePartial('{"a":"2024-07-1')).toEqual({ a: "2024-07-1" })
    expect(compileAnswer(schema).parsePartial('{"b":"2024-07-18')).toEqual({})
    expect(compileAnswer(schema).parsePartial('{"b":"2024-07-18"')).toEqual({ b: new Date("2024-07-18") })
  })

  it("omits reasoning at the beginning", () => {
    expect(compiledAnswer.parsePartial('<think>{"name":"Charles"')).toBeUndefined()
    expect(compiledAnswer.parsePartial('<think>{"name":"Charles"}</think>{"name":"Da')).toEqual({ name: "Da" })
  })

  it("omits what does not fit", () => {
    expect(compiledAnswer.parsePartial('{"name":5,"color":"blue","other":1,"scores":"x"}')).toEqual({})
  })
})
