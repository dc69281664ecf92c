import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { MAX_EVENT_BYTES, SseReader } from "../../src/transport/sse-reader"

const bytes = (text: string) => new TextEncoder().encode(text)

function readEvents(pieces: Uint8Array[]): { event: string; data: string }[] {
  const reader = new SseReader()
  const blocks = [...pieces.flatMap((piece) => reader.push(piece)), ...reader.end()]
  return blocks.filter(({ kind }) => kind === "event").map(({ event, data }) => ({ event, data }))
}

const readData = (text: string) => readEvents([bytes(text)]).map(({ data }) => data)

test("returns names and data, without comments and other fields", () => {
  const stream =
    "\uFEFF: keep-alive\n\nevent: ping\nid: 3\n\ndata: one\n\nevent: delta\ndata:two\ndata: more\r\n\r\nretry: 5\ndata: [DONE]\n\n"
  expect(readEvents([bytes(stream)])).toEqual([
    { event: "message", data: "one" },
    { event: "delta", data: "two\nmore" },
    { event: "message", data: "[DONE]" },
  ])
})

test("a byte order mark before the first event is dropped", () => {
  expect(readData("\uFEFFdata: one\n\n")).toEqual(["one"])
})

test("an event without its final empty line counts", () => {
  expect(readData("data: one\n\ndata: two")).toEqual(["one", "two"])
})

test("an error event is reported without data, an empty data line as an empty event", () => {
  expect(readEvents([bytes("event: error\n\ndata\n\n")])).toEqual([
    { event: "error", data: "" },
    { event: "message", data: "" },
  ])
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
        expect(readEvents(pieces).map(({ data }) => data)).toEqual(lines)
      },
    ),
  )
})

describe("an event that lost bytes is reported as an event that is not JSON, never skipped", () => {
  const content = (text: string) => JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] })
  const [first, second, third] = ["One", "Two", "Three"].map((text) => `data: ${content(text)}\n\n`) as [
    string,
    string,
    string,
  ]
  const isJson = (text: string) => {
    try {
      JSON.parse(text)
      return true
    } catch {
      return false
    }
  }

  /** The second event without the characters from `from` to `to`. */
  const damaged = (from: number, to: number) => readData(first + second.slice(0, from) + second.slice(to) + third)

  test("for every cut inside the event", () => {
    // The last two characters end the event.
    const lineLength = second.length - 2
    for (let from = 0; from < lineLength; from++)
      for (let to = from + 1; to <= lineLength; to++) {
        if (to - from === lineLength) continue
        const events = damaged(from, to)
        // A cut may remove a whole member of the JSON, or leave equivalent JSON.
        const isIntact = events.length === 3 && isJson(events[1]!)
        const isBroken = events.length === 3 && !isJson(events[1]!)
        expect(isIntact || isBroken, second.slice(0, from) + second.slice(to)).toBe(true)
      }
  })

  test("for every end of the second event that is missing", () => {
    for (let from = 7; from < second.length - 2; from++) {
      const events = readData(first + second.slice(0, from) + third)
      expect(events.some((data) => !isJson(data))).toBe(true)
    }
  })
})

test("JSON in a line without a field name is reported as data", () => {
  expect(readData('data: {"a":1}\n\n{"detail":"Not found"}\n\n')).toEqual(['{"a":1}', '{"detail":"Not found"}'])
})

test("comments are not damage", () => {
  expect(readData(": OPENROUTER PROCESSING\n\n:\n\n: ping - 2026-11-30 08:00:00+00:00\n\ndata: 1\n\n")).toEqual(["1"])
})

test("an event has a limit, however small its pieces are", () => {
  const reader = new SseReader()
  const piece = bytes("x".repeat(64 * 1_024))
  for (let size = 0; size < MAX_EVENT_BYTES; size += piece.length) reader.push(piece)
  expect(() => reader.push(piece)).toThrow(RangeError)
  const lines = new SseReader()
  const line = bytes(`data: ${"x".repeat(64 * 1_024)}\n`)
  expect(() => {
    for (let size = 0; size <= MAX_EVENT_BYTES; size += line.length) lines.push(line)
  }).toThrow(RangeError)
})
