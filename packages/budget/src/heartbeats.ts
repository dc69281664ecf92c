/** Something whose lease must be extended again and again. */
export interface Heart {
  /** Extends it; false: no more. Never rejects. */
  beat(): Promise<boolean>
  stopHeartbeat(): void
}

/** A heart's place in the order of beats. */
export interface Beat {
  readonly heart: Heart
  /** By the clock that nobody sets. */
  dueAt: number
  state: "waiting" | "beating" | "over"
  before: Beat
  after: Beat
}

/**
 * Heartbeats of everything that is held, all at the same interval, and so with one timer: the oldest is the next. A ring of
 * beats, because one comes and goes with every call.
 */
export class Heartbeats {
  readonly #intervalMs: number
  /** Before the first and after the last of those that wait. */
  readonly #ring = alone({ beat: async () => false, stopHeartbeat: () => {} })
  readonly #beating = new Set<Beat>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  add(heart: Heart): Beat {
    const beat = alone(heart)
    this.#append(beat)
    return beat
  }

  remove(beat: Beat): void {
    if (beat.state === "waiting") takeOut(beat)
    else this.#beating.delete(beat)
    beat.state = "over"
  }

  stopAll(): void {
    while (this.#ring.after !== this.#ring) this.#ring.after.heart.stopHeartbeat()
    for (const { heart } of this.#beating) heart.stopHeartbeat()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #append(beat: Beat): void {
    const ring = this.#ring
    beat.dueAt = performance.now() + this.#intervalMs
    beat.state = "waiting"
    beat.before = ring.before
    beat.after = ring
    ring.before.after = beat
    ring.before = beat
    if (this.#timer === undefined) this.#wait(this.#intervalMs)
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#beatDue(), ms)
    // A reservation must not keep a process alive: if it ends, the lease decides.
    this.#timer.unref?.()
  }

  #beatDue(): void {
    this.#timer = undefined
    const now = performance.now()
    const ring = this.#ring
    while (ring.after !== ring) {
      const beat = ring.after
      if (beat.dueAt > now) {
        this.#wait(beat.dueAt - now)
        break
      }
      takeOut(beat)
      void this.#beat(beat)
    }
  }

  async #beat(beat: Beat): Promise<void> {
    beat.state = "beating"
    this.#beating.add(beat)
    const goesOn = await beat.heart.beat()
    // Unless it was removed meanwhile.
    if (this.#beating.delete(beat) && goesOn) this.#append(beat)
  }
}

function alone(heart: Heart): Beat {
  const beat = { heart, dueAt: 0, state: "over", before: undefined, after: undefined } as unknown as Beat
  beat.before = beat
  beat.after = beat
  return beat
}

function takeOut({ before, after }: Beat): void {
  before.after = after
  after.before = before
}
