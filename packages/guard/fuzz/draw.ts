/** A small seeded generator (Mulberry32, a public-domain design by Tommy Ettinger). */
export class Draw {
  #state: number

  constructor(seed: string) {
    let hash = 2166136261
    for (let index = 0; index < seed.length; index++) hash = Math.imul(hash ^ seed.charCodeAt(index), 16777619)
    this.#state = hash >>> 0
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }

  /** An integer in [low, high]. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!
  }

  /** The value with this probability, else nothing: for optional fields. */
  maybe<T extends object>(probability: number, value: () => T): T | Record<string, never> {
    return this.chance(probability) ? value() : {}
  }

  list<T>(low: number, high: number, item: () => T): T[] {
    return Array.from({ length: this.between(low, high) }, item)
  }

  /**
   * Text that vocabularies split badly: one repeated character, combining marks, emoji, digits, several scripts, long
   * words.
   */
  text(maxPieces = 12): string {
    return this.list(0, maxPieces, () => this.#piece()).join(this.pick(["", " ", "\n", "\r\n\t"]))
  }

  #piece(): string {
    const repeats = this.chance(0.1) ? 400 : this.between(1, 20)
    return this.pick([
      () => this.pick(["the", "David", "Copperfield", "supercalifragilistic", "naïve"]),
      () => this.pick("-=#*/[{(.~\0\u200b".split("")).repeat(repeats),
      () => String(this.next()).slice(2),
      () =>
        this.pick(["😀", "👩‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "é", "ﷺ", "שּׁ", "한국어", "日本語", "ქართული", "\ud83d"]).repeat(
          this.between(1, 12),
        ),
      () => Buffer.from(this.list(1, 40, () => this.between(0, 255))).toString("base64"),
      () => `<|${this.pick(["endoftext", "im_start", "fim_prefix"])}|>`,
    ])()
  }

  /** A JSON Schema of an object. */
  schema(): Record<string, unknown> {
    const names = this.list(1, 4, () => this.pick(["name", "age", "email", "isActive", "tags", "äöü"]))
    const properties = Object.fromEntries(
      names.map((name) => [name, { type: this.pick(["string", "integer", "boolean"]), description: this.text(3) }]),
    )
    return { type: "object", properties, required: Object.keys(properties), additionalProperties: false }
  }
}
