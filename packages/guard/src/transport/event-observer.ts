import { parseJson } from "@p2/core"
import type { Meter } from "../protocols/meter"
import { joinBytes } from "./bytes"
import type { BodyObserver } from "./read-ahead"
import { CARRIAGE_RETURN, LINE_FEED, type SseBlock, SseReader } from "./sse-reader"

/**
 * Passes the events of a stream to a meter, and hides usage-only events from a reader who did not request usage. The
 * reader gets every other byte unchanged. With `hidesUsage` it gets each event once it is complete.
 */
export class EventObserver implements BodyObserver {
  readonly #meter: Meter
  readonly #hidesUsage: boolean
  /** Undefined after an event that is too large: the rest is passed on without being read. */
  #reader: SseReader | undefined = new SseReader()
  /** The beginning of an event, which may have to be hidden. */
  #kept: Uint8Array[] = []
  /** The last piece ended with an event and a carriage return: a line feed now belongs to that event. */
  #ended: { isHidden: boolean } | undefined

  constructor(meter: Meter, options: { hidesUsage: boolean }) {
    this.#meter = meter
    this.#hidesUsage = options.hidesUsage
  }

  add(chunk: Uint8Array): Uint8Array {
    const blocks = this.#read(chunk)
    if (!this.#hidesUsage || this.#reader === undefined) {
      for (const block of blocks) this.#show(block)
      return this.#release(chunk)
    }
    const passed: Uint8Array[] = []
    let start = 0
    if (this.#ended !== undefined && chunk[0] === LINE_FEED) {
      if (!this.#ended.isHidden) passed.push(chunk.subarray(0, 1))
      start = 1
    }
    if (chunk.byteLength > 0) this.#ended = undefined
    for (const block of blocks) {
      this.#kept.push(chunk.subarray(start, block.end))
      const isHidden = this.#show(block)
      if (!isHidden) passed.push(...this.#kept)
      this.#kept = []
      start = block.end
      if (start === chunk.byteLength && chunk[start - 1] === CARRIAGE_RETURN) this.#ended = { isHidden }
    }
    if (start < chunk.byteLength) this.#kept.push(chunk.subarray(start))
    return joinBytes(passed)
  }

  end(): Uint8Array {
    const isHidden = (this.#reader?.end() ?? []).map((block) => this.#show(block)).some(Boolean)
    this.#meter.end()
    return isHidden ? new Uint8Array(0) : this.#release()
  }

  #read(chunk: Uint8Array): SseBlock[] {
    try {
      return this.#reader?.push(chunk) ?? []
    } catch {
      this.#reader = undefined
      // A stream that cannot be read has no answer: the meter gets an event that is not JSON.
      this.#meter.add({ event: "message", data: undefined, text: "An event is too large." })
      return []
    }
  }

  /** Whether the block is hidden from the reader. */
  #show({ kind, event, data }: SseBlock): boolean {
    if (kind === "other") return false
    return this.#meter.add({ event, data: parseJson(data), text: data }).usageOnly && this.#hidesUsage
  }

  #release(...more: Uint8Array[]): Uint8Array {
    const [first, ...others] = [...this.#kept, ...more]
    this.#kept = []
    if (first === undefined) return new Uint8Array(0)
    return others.length === 0 ? first : joinBytes([first, ...others])
  }
}
