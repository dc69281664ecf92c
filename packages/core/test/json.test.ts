import { expect, it } from "vitest"
import { isRecord, parseJson } from "../src/index"

it.each([
  ['{"a":[1]}', { a: [1] }],
  ["null", null],
  [" 5 ", 5],
  ["", undefined],
  ['{"a":', undefined],
  ["undefined", undefined],
])("reads %j as %j", (text, value) => {
  expect(parseJson(text)).toEqual(value)
})

it("rejects JSON that is nested too deeply", () => {
  const nested = (levels: number) => `${"[".repeat(levels)}"[\\"[["${"]".repeat(levels)}`
  expect(parseJson(nested(5_000))).toBeDefined()
  expect(parseJson(nested(5_001))).toBeUndefined()
  expect(parseJson(`["${"[".repeat(10_000)}\\"${"{".repeat(10_000)}"]`)).toHaveLength(1)
  expect(parseJson(`[${"[],{},".repeat(10_000)}1]`)).toHaveLength(20_001)
  expect(parseJson("[".repeat(32_000_000))).toBeUndefined()
})

it.each([
  [{}, true],
  [Object.create(null), true],
  [[], false],
  [null, false],
  ["a", false],
  [undefined, false],
])("tells whether %j is an object", (value, expected) => {
  expect(isRecord(value)).toBe(expected)
})
