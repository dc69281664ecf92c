import { expect, it } from "vitest"
import { plural } from "../src/index"

it.each([
  [0, "field", undefined, "0 fields"],
  [1, "field", undefined, "1 field"],
  [2, "field", undefined, "2 fields"],
  [1, "entry", "entries", "1 entry"],
  [30, "entry", "entries", "30 entries"],
])("%i %s", (count, noun, many, text) => {
  expect(plural(count, noun, many)).toBe(text)
})
