import fc from "fast-check"
import { expect, test } from "vitest"
import type { Meter, WireEvent } from "../../src/protocols/meter"
import { EventObserver } from "../../src/transport/event-observer"
import { MAX_EVENT_BYTES } from "../../src/transport/sse-reader"

/** A meter that records what it sees; an event with `usage` alone can be hidden. */
function recordingMeter() {
  const events: WireEvent[] = []
  let isEnded = false
  const meter = {
    add(event: WireEvent) {
      events.push(event)
      return { usageOnly: event.text.startsWith('{"usage"') }
    },
    end() {
      isEnded = true
    },
  } as unknown as Meter
  return { meter, events, isEnded: () => isEnded }
}

const encode = (text: string) => new TextEncoder().encode(text)

function pass(stream: Uint8Array, cuts: number[], hidesUsage: boolean) {
  const recorded = recordingMeter()
  const observer = new EventObserver(recorded.meter, { hidesUsage })
  const places = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b)
  const pieces = [0, ...places].map((start, index) => stream.subarray(start, places[index] ?? stream.length))
  const passed = Buffer.concat([...pieces.map((piece) => observer.add(piece)), observer.end()])
  return { passed, ...recorded }
}

const part = fc.constantFrom(
  ": keep-alive\n\n",
  'data: {"a":"ü"}\n\n',
  'event: ping\r\ndata: {"type":"ping"}\r\n\r\n',
  "data: [DONE]\n\n",
  "data: [ERROR] overloaded\n\n",
  'data: {"cut\n\n',
)
const USAGE = 'data: {"usage":{"total_tokens":3}}\n\n'
const usage = fc.constantFrom(USAGE, USAGE.replaceAll("\n", "\r\n"), USAGE.replaceAll("\n", "\r"))

test("the reader gets the same bytes, however they are cut", () => {
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      fc.boolean(),
      (parts, cuts, hides) => {
        const stream = encode(parts.join(""))
        const { passed, isEnded } = pass(stream, cuts, hides)
        expect(passed).toEqual(Buffer.from(stream))
        expect(isEnded()).toBe(true)
      },
    ),
  )
})

test("only events with nothing but usage are hidden, and the meter sees them", () => {
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 4 }),
      fc.array(part, { maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      usage,
      (before, after, cuts, usage) => {
        const stream = encode([...before, usage, ...after].join(""))
        const { passed, events } = pass(stream, cuts, true)
        expect(passed.toString()).toBe([...before, ...after].join(""))
        expect(events.filter(({ text }) => text.includes("usage"))).toHaveLength(1)
        expect(pass(stream, cuts, false).passed).toEqual(Buffer.from(stream))
      },
    ),
    { numRuns: 1000 },
  )
})

test("a line end that is split stays with its event", () => {
  const ping = 'data: {"type":"ping"}\r\n\r\n'
  expect(pass(encode(ping + USAGE), [ping.length - 1], true).passed.toString()).toBe(ping)
  const hidden = USAGE.replaceAll("\n", "\r\n")
  expect(pass(encode(hidden + ping), [hidden.length - 1], true).passed.toString()).toBe(ping)
})

test("the last event is hidden without its empty line", () => {
  expect(pass(encode(`data: 1\n\n${USAGE.trimEnd()}`), [], true).passed.toString()).toBe("data: 1\n\n")
})

test("the meter gets names, JSON and text unchanged", () => {
  const { events } = pass(
    encode('event: error\ndata: {"type":"error"}\n\ndata: [ERROR] x\n\ndata: [DONE]\n\ndata: {"cut\n\n'),
    [],
    false,
  )
  expect(events).toEqual([
    { event: "error", data: { type: "error" }, text: '{"type":"error"}' },
    { event: "message", data: undefined, text: "[ERROR] x" },
    { event: "message", data: undefined, text: "[DONE]" },
    { event: "message", data: undefined, text: '{"cut' },
  ])
})

test("a keep-alive comment is passed on immediately", () => {
  const observer = new EventObserver(recordingMeter().meter, { hidesUsage: true })
  expect(Buffer.from(observer.add(encode(": wait\n\n"))).toString()).toBe(": wait\n\n")
})

test("an event that is too large is passed on, and the meter gets an event that is not JSON", () => {
  const { meter, events } = recordingMeter()
  const observer = new EventObserver(meter, { hidesUsage: true })
  const piece = new Uint8Array(1024 * 1024).fill(120)
  let passed = 0
  for (let size = 0; size <= MAX_EVENT_BYTES; size += piece.length) passed += observer.add(piece).length
  passed += observer.add(encode("\n\ndata: 1\n\n")).length + observer.end().length
  expect(passed).toBe(MAX_EVENT_BYTES + piece.length + 11)
  expect(events).toEqual([{ event: "message", data: undefined, text: "An event is too large." }])
})
