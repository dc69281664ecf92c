import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { EventObserver } from "../../src/fetch/event-observer"
import type { Meter, WireEvent } from "../../src/protocols/meter"

/** Records the events, and hides those whose data is `{"usage":…}`. */
class RecordingMeter implements Meter {
  readonly events: WireEvent[] = []
  ended = 0
  add(event: WireEvent) {
    this.events.push(event)
    return { usageOnly: event.text.startsWith('{"usage"') }
  }
  end() {
    this.ended++
  }
  read(): never {
    throw new Error("Not read here.")
  }
}

function observe(chunks: readonly Uint8Array[], hidesUsage = true) {
  const meter = new RecordingMeter()
  const observer = new EventObserver(meter, { hidesUsage })
  const passed = [...chunks.map((chunk) => observer.add(chunk)), observer.end()]
  return { meter, text: Buffer.concat(passed).toString("utf8"), passed }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const textsOf = (meter: RecordingMeter) => meter.events.map(({ event, text }) => [event, text])

describe("EventObserver", () => {
  it("shows events to the meter, and passes on what came", () => {
    const stream = ': hello\n\nevent: a\ndata: {"x":1}\n\ndata: one\ndata:two\nid: 3\n\ndata: [DONE]\n\n'
    const { meter, text } = observe([bytes(stream)])
    expect(text).toBe(stream)
    expect(meter.events).toEqual([
      { event: "a", data: { x: 1 }, text: '{"x":1}' },
      { event: "message", data: undefined, text: "one\ntwo" },
      { event: "message", data: undefined, text: "[DONE]" },
    ])
    expect(meter.ended).toBe(1)
  })

  it("hides events that have nothing but usage, if asked", () => {
    const stream = 'data: {"a":1}\n\ndata: {"usage":1}\n\ndata: [DONE]\n\n'
    expect(observe([bytes(stream)]).text).toBe('data: {"a":1}\n\ndata: [DONE]\n\n')
    expect(observe([bytes(stream)], false).text).toBe(stream)
    expect(observe([bytes(stream)]).meter.events).toHaveLength(3)
  })

  it("reads the same events from any chunks and line ends", () => {
    const event = fc.constantFrom('{"a":"ü€😀"}', '{"usage":1}', "[DONE]", "x\ny", "")
    const lineEnd = fc.constantFrom("\n", "\r\n", "\r")
    fc.assert(
      fc.property(fc.array(event), lineEnd, fc.array(fc.nat(12)), fc.boolean(), (events, eol, sizes, isOpen) => {
        const written = events.map(
          (text) =>
            text
              .split("\n")
              .map((line) => `data: ${line}${eol}`)
              .join("") + eol,
        )
        const whole = bytes(written.join("") + (isOpen ? `data: last${eol}` : ""))
        const chunks: Uint8Array[] = []
        for (let at = 0, turn = 0; at < whole.length; turn++) {
          const size = (sizes[turn % (sizes.length || 1)] ?? 5) + 1
          chunks.push(whole.subarray(at, at + size))
          at += size
        }
        const { meter, text } = observe(chunks)
        expect(textsOf(meter)).toEqual([...events, ...(isOpen ? ["last"] : [])].map((each) => ["message", each]))
        const shown = written.filter((_, index) => !events[index]!.startsWith('{"usage"')).join("")
        expect(text.replaceAll(/[\r\n]/g, "")).toBe((shown + (isOpen ? "data: last" : "")).replaceAll(/[\r\n]/g, ""))
        if (eol !== "\r\n") expect(text).toBe(shown + (isOpen ? `data: last${eol}` : ""))
      }),
    )
  })

  it("passes on an event that is too long, unread", () => {
    const chunk = new Uint8Array(1024 * 1024).fill(120)
    const { meter, passed } = observe([bytes("data: "), ...Array.from({ length: 9 }, () => chunk)])
    expect(passed.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(6 + 9 * chunk.length)
    expect(meter.events).toEqual([])
  })
})
