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
