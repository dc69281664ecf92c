import { expect, test } from "vitest"
import { drawWorld } from "../fuzz/draw-world"
import { describeFuzz } from "./fuzz-cases"

describeFuzz(["memory"])

test("a seed always draws the same world", () => {
  expect(drawWorld(7)).toEqual(drawWorld(7))
  expect(drawWorld(7)).not.toEqual(drawWorld(8))
})
