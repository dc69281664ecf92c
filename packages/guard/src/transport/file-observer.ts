import type { Meter } from "../protocols/meter"
import type { BodyObserver } from "./read-ahead"

/** Passes a file on, and tells a meter whether it arrived as a whole: one event without data. */
export class FileObserver implements BodyObserver {
  readonly #meter: Meter
  #isEmpty = true

  constructor(meter: Meter) {
    this.#meter = meter
  }

  add(chunk: Uint8Array): Uint8Array {
    if (chunk.byteLength > 0) this.#isEmpty = false
    return chunk
  }

  end(): Uint8Array {
    if (!this.#isEmpty) this.#meter.add({ event: undefined, data: undefined, text: "" })
    this.#meter.end()
    return new Uint8Array(0)
  }
}
