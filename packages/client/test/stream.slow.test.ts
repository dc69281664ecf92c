import { isDeepStrictEqual } from "node:util"
import { expect, test } from "vitest"
import { Person } from "./open-client"
import { readPieces } from "./read-pieces"

test("a stream of 80,000 chunks is read, as an object and as text", async () => {
  const items = Array.from({ length: 40_000 }, (_, index) => `"word ${index}"`)
  const pieces = [
    '{"interests":[',
    ...items.flatMap((item, index) => [index === 0 ? "" : ",", item]),
    '],"name":"Ada","age":36}',
  ]
  const object = await readPieces(pieces, { answerModel: Person })
  expect(object.partials.length).toBeGreaterThan(100)
  expect(isDeepStrictEqual(object.partials.at(-1), object.answer)).toBe(true)
  const text = await readPieces(pieces)
  expect(text.partials.at(-1) === pieces.join("")).toBe(true)
  const reasoned = await readPieces(["<think>", ...pieces, "</think>", "Ada"])
  expect(reasoned.partials.length).toBeGreaterThan(0)
  expect(reasoned.partials.every((partial) => partial === "Ada")).toBe(true)
})
