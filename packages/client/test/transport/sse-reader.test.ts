import fc from "fast-check"
import { expect, test } from "vitest"
import { SseReader } from "../../src/transport/sse-reader"

function read(pieces: Uint8Array[]): string[] {
  const events: string[] = []
  const reader = new SseReader((data) => events.push(data))
  for (const piece of pieces) reader.push(piece)
  reader.end()
  return events
}

const bytes = (text: string) => new TextEncoder().encode(text)

test("hands out data, and nothing else", () => {
  const stream =
    ": keep-alive\n\nevent: ping\nid: 3\n\ndata: one\n\ndata:two\ndata: more\r\n\r\nretry: 5\ndata: [DONE]\n\n"
  expect(read([bytes(stream)])).toEqual(["one", "two\nmore", "[DONE]"])
})

test("an event without its last empty line counts", () => {
  expect(read([bytes("data: one\n\ndata: two")])).toEqual(["one", "two"])
})

test("any cut of the bytes, through a character or a pair of line ends, reads the same", () => {
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
