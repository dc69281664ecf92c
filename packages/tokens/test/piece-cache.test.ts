import { expect, test } from "vitest"
// @ts-expect-error plain JavaScript, shared with scripts/fuzz.mjs
import { randomOf } from "../scripts/fuzz-strings.mjs"
import { PieceCache } from "../src/tokenizer/piece-cache"

/** A count that depends on every byte of a piece. */
function countOf(view: DataView, start: number, end: number): number {
  let hash = end - start
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + view.getUint8(at)) >>> 0
  return 1 + (hash % (end - start))
}

test("never returns the count of another piece, however often its ring buffer wraps around", () => {
  const cache = new PieceCache()
  const random = randomOf(11)
  const bytes = new Uint8Array(300 + 16)
  const view = new DataView(bytes.buffer)
  const pieces: Uint8Array[] = []
  let computed = 0
  for (let round = 0; round < 60_000; round++) {
    // Few different beginnings, so that slots, first bytes and lengths often coincide; a third of the pieces are
    // repeated.
    const repeated = round % 3 === 0 ? pieces[random() % Math.max(1, pieces.length)] : undefined
    const piece =
      repeated ?? Uint8Array.from({ length: 3 + (random() % 253) }, (_, at) => (at < 8 ? 97 : 97 + (random() % 3)))
    if (pieces.length < 500) pieces.push(piece)
    bytes.fill(0).set(piece)
    const count = cache.count(view, 0, piece.length, (...range) => {
      computed++
      return countOf(...range)
    })
    if (count !== countOf(view, 0, piece.length)) expect({ round, count }).toBe("the count of the piece")
  }
  expect(computed).toBeLessThan(60_000)
  expect(computed).toBeGreaterThan(40_000)
})

test("computes a piece again after it was cleared, and any piece that is too long to keep", () => {
  const cache = new PieceCache()
  const view = new DataView(new ArrayBuffer(400))
  let computed = 0
  const compute = () => ++computed
  cache.count(view, 0, 20, compute)
  expect(cache.count(view, 0, 20, compute)).toBe(1)
  cache.clear()
  expect(cache.count(view, 0, 20, compute)).toBe(2)
  cache.count(view, 0, 300, compute)
  expect(cache.count(view, 0, 300, compute)).toBe(4)
})
