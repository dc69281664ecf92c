/** Idempotency keys that this process is using. Keys here combine partition and idempotency key: see {@link activeKey}. */
export class ActiveKeys {
  readonly #reserved = new Map<string, number>()
  readonly #turns = new Map<string, Promise<void>>()

  /** Whether this process has a reservation under the key. If so, a reserve that got no reply must not release it. */
  isReserved(key: string): boolean {
    return this.#reserved.has(key)
  }

  add(key: string): void {
    this.#reserved.set(key, (this.#reserved.get(key) ?? 0) + 1)
  }

  remove(key: string): void {
    const count = this.#reserved.get(key) ?? 0
    if (count > 1) this.#reserved.set(key, count - 1)
    else this.#reserved.delete(key)
  }

  /** Runs the work after all earlier work on the key, so that this process never reserves a key twice at the same time. */
  async inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const earlier = this.#turns.get(key)
    const result = earlier === undefined ? work() : earlier.then(work)
    const end = result.then(ignore, ignore)
    this.#turns.set(key, end)
    try {
      return await result
    } finally {
      if (this.#turns.get(key) === end) this.#turns.delete(key)
    }
  }
}

export function activeKey(partition: string, idempotencyKey: string): string {
  return `${partition} ${idempotencyKey}`
}

function ignore(): void {}
