import type { Name } from "../store/name"

/** Names of the keys of one partition. All share the hash tag `{partition}`, so that one shard holds them. */
export class PartitionKeys {
  readonly leases: string
  readonly damaged: string
  readonly time: string
  readonly entries: string
  readonly #base: string

  constructor(namespace: string, partition: Name) {
    this.#base = `${namespace}:{${partition}}:`
    this.leases = `${this.#base}leases`
    this.damaged = `${this.#base}damaged`
    this.time = `${this.#base}time`
    this.entries = `${this.#base}entries`
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

  /** Never exists. */
  absent(): string {
    return `${this.#base}absent`
  }
}
