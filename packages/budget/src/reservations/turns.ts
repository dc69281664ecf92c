/** Runs work on the same key one after another: this process never reserves a key twice at the same time. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const earlier = this.#last.get(key)
    const result = earlier === undefined ? work() : earlier.then(work)
    const end = result.then(ignore, ignore)
    this.#last.set(key, end)
    try {
      return await result
    } finally {
      if (this.#last.get(key) === end) this.#last.delete(key)
    }
  }
}

function ignore(): void {}
