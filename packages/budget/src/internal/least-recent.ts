/** A map of bounded size: what was not asked for the longest time leaves first. */
export class LeastRecent<Key, Value> {
  readonly #values = new Map<Key, Value>()

  constructor(readonly max: number) {}

  get(key: Key): Value | undefined {
    const value = this.#values.get(key)
    if (value === undefined) return undefined
    this.#values.delete(key)
    this.#values.set(key, value)
    return value
  }

  set(key: Key, value: Value): void {
    this.#values.delete(key)
    this.#values.set(key, value)
    if (this.#values.size > this.max) this.#values.delete(this.#values.keys().next().value as Key)
  }

  getOrMake(key: Key, make: () => Value): Value {
    const known = this.get(key)
    if (known !== undefined) return known
    const made = make()
    this.set(key, made)
    return made
  }
}
