import { InvalidArgumentError } from "./errors"

/**
 * A map of at most `capacity` entries. When it is full, the least recently used entry is evicted.
 * `get`, `set` and `getOrCreate` count as use; `has` does not.
 *
 * @example
 * const clients = new LruMap<string, Client>(100)
 * const client = clients.getOrCreate(baseUrl, () => new Client({ baseUrl }))
 */
export class LruMap<Key, Value> {
  readonly #capacity: number
  /** The insertion order is the order of use, the least recently used entry first. */
  readonly #entries = new Map<Key, Value>()
  /** The key that was used last: using it again moves nothing. */
  #newest: Key | undefined

  /** @throws InvalidArgumentError if `capacity` is not an integer of at least 1. */
  constructor(capacity: number) {
    if (!Number.isSafeInteger(capacity) || capacity < 1)
      throw new InvalidArgumentError("capacity", "an integer of at least 1", capacity)
    this.#capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  has(key: Key): boolean {
    return this.#entries.has(key)
  }

  /** Returns the value and marks it as the most recently used; undefined if the key is absent. */
  get(key: Key): Value | undefined {
    const value = this.#entries.get(key)
    const isMoved = key !== this.#newest && (value !== undefined || this.#entries.has(key))
    if (isMoved) this.set(key, value as Value)
    return value
  }

  set(key: Key, value: Value): this {
    if (key !== this.#newest) this.#entries.delete(key)
    this.#entries.set(key, value)
    this.#newest = key
    if (this.#entries.size > this.#capacity) this.#entries.delete(this.#entries.keys().next().value as Key)
    return this
  }

  /** Removes an entry; returns whether there was one. */
  delete(key: Key): boolean {
    return this.#entries.delete(key)
  }

  /** Returns the value of the key. If the key is absent, stores the result of `create`, or nothing if `create` throws. */
  getOrCreate(key: Key, create: (key: Key) => Value): Value {
    if (this.#entries.has(key)) return this.get(key) as Value
    const value = create(key)
    this.set(key, value)
    return value
  }
}
