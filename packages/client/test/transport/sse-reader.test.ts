import fc from "fast-check"
import { expect, test } from "vitest"
import { MAX_LINE_LENGTH, SseReader } from "../../src/transport/sse-reader"

function read(pieces: Uint8Array[]): string[] {
  const events: string[] = []
  const reader = new SseReader((data) => events.push(data))
  for (const piece of pieces) reader.push(piece)
  reader.end()
  return events
}

const bytes = (text: string) => new TextEncoder().encode(text)

test("calls back with data only, without comments and other fields", () => {
  const stream =
    ": keep-alive\n\nevent: ping\nid: 3\n\ndata: one\n\ndata:two\ndata: more\r\n\r\nretry: 5\ndata: [DONE]\n\n"
  expect(read([bytes(stream)])).toEqual(["one", "two\nmore", "[DONE]"])
})

test("an event without its final empty line counts", () => {
  expect(read([bytes("data: one\n\ndata: two")])).toEqual(["one", "two"])
})

test("bytes cut anywhere, also inside a character or a line end, give the same events", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 12 }).map((text) => text.replace(/[\r\n]/g, "ü"))
  const end = fc.constantFrom("\n", "\r\n", "\r")
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 6 }),
      end,
      fc.array(fc.nat(), { maxLength: 8 }),
      (lines, eol, cuts) => {
        const all = bytes(lines.map((text) => `data: ${text}${eol}${eol}`).join(""))
        const places = [...new Set(cuts.map((cut) => cut % (all.length + 1)))].sort((a, b) => a - b)
        const pieces = [0, ...places].map((start, index) => all.subarray(start, places[index] ?? all.length))
        expect(read(pieces)).toEqual(lines)
      },
    ),
  )
})

test("a line has a limit, however small its pieces are", () => {
  const reader = new SseReader(() => {})
  const piece = bytes("x".repeat(1_024))
  const pieces = MAX_LINE_LENGTH / piece.length
  for (let count = 0; count < pieces; count++) reader.push(piece)
  expect(() => reader.push(piece)).toThrow(RangeError)
})
