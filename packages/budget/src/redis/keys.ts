import type { Name } from "../store/shape"

/** Names of the keys of one partition. All share the hash tag `{partition}`, so that they are on one shard. */
export class PartitionKeys {
  readonly #base: string

  constructor(namespace: string, partition: Name) {
    this.#base = `${namespace}:{${partition}}:`
  }

  get leases(): string {
    return `${this.#base}leases`
  }

  get damaged(): string {
    return `${this.#base}damaged`
  }

  get time(): string {
    return `${this.#base}time`
  }

  get entries(): string {
    return `${this.#base}entries`
  }

  counter(name: Name): string {
    return `${this.#base}c:${name}`
  }

  reservation(key: Name): string {
    return `${this.#base}r:${key}`
  }

  pendingEntry(key: Name): string {
    return `${this.#base}p:${key}`
  }

  entry(key: Name): string {
    return `${this.#base}e:${key}`
  }

  adjustment(key: Name): string {
    return `${this.#base}a:${key}`
  }

  /** A key that never exists, for scan-counters.lua. */
  get absent(): string {
    return `${this.#base}absent`
  }
}
