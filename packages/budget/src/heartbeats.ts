/** Something whose lease must be extended again and again. */
export interface Heart {
  /** Extends it; false: no more. Never rejects. */
  beat(): Promise<boolean>
  stopHeartbeat(): void
}

/** Heartbeats of everything that is held, all at the same interval, and so with one timer: the oldest is the next. */
export class Heartbeats {
  readonly #intervalMs: number
  /** When each is due, by the clock that nobody sets; in this order. */
  readonly #due = new Map<Heart, number>()
  /** Beats that are under way. */
  readonly #beating = new Set<Heart>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  add(heart: Heart): void {
    this.#due.set(heart, performance.now() + this.#intervalMs)
    if (this.#timer === undefined) this.#wait(this.#intervalMs)
  }

  remove(heart: Heart): void {
    if (!this.#due.delete(heart)) this.#beating.delete(heart)
  }

  stopAll(): void {
    for (const heart of [...this.#due.keys(), ...this.#beating]) heart.stopHeartbeat()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #wait(ms: number): void {
    this.#timer = setTimeout(() => this.#beatDue(), ms)
    // A reservation must not keep a process alive: if it ends, the lease decides.
    this.#timer.unref?.()
  }

  #beatDue(): void {
    this.#timer = undefined
    const now = performance.now()
    for (const [heart, dueAt] of this.#due) {
      if (dueAt > now) {
        this.#wait(dueAt - now)
        break
      }
      this.#due.delete(heart)
      void this.#beat(heart)
    }
  }

  async #beat(heart: Heart): Promise<void> {
    this.#beating.add(heart)
    const goesOn = await heart.beat()
    // Unless it was removed meanwhile.
    if (this.#beating.delete(heart) && goesOn) this.add(heart)
  }
}
