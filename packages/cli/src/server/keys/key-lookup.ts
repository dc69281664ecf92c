import { LruMap } from "@p2/core"
import type { KeyStore } from "./key-store"
import { hashKey, isKeyForm, type KeyRecord, keyState } from "./virtual-key"

/** How long a look-up may take. With the cache, an instance sees a revocation within this time. */
export const LOOK_UP_TIMEOUT_MS = 2_000
/** How long an instance caches a key. */
const CACHE_MS = 1_000
/**
 * Maximum number of cached keys. Unknown keys are cached too, so that a program with a wrong key does not cause a
 * database read per call.
 */
const MAX_CACHED = 10_000

/** Finds active keys. Rejects if the database fails, so that no call is admitted. */
export class KeyLookup {
  readonly #keys: Pick<KeyStore, "find">
  readonly #configured: ReadonlyMap<string, KeyRecord>
  readonly #now: () => number
  readonly #cache = new LruMap<string, { readAt: number; record: Promise<KeyRecord | undefined> }>(MAX_CACHED)

  /** @param configured keys of the configuration, which come before those of the store */
  constructor(keys: Pick<KeyStore, "find">, configured: readonly KeyRecord[], now: () => number = Date.now) {
    this.#keys = keys
    this.#configured = new Map(configured.map((record) => [record.hash, record]))
    this.#now = now
  }

  /** The record of an active key; undefined: the token opens nothing. */
  async find(token: string): Promise<KeyRecord | undefined> {
    if (!isKeyForm(token)) return undefined
    const hash = hashKey(token)
    const record = this.#configured.get(hash) ?? (await this.#read(hash))
    return record !== undefined && keyState(record, this.#now()) === "active" ? record : undefined
  }

  #read(hash: string): Promise<KeyRecord | undefined> {
    const cached = this.#cache.get(hash)
    const now = this.#now()
    if (cached !== undefined && now >= cached.readAt && now - cached.readAt < CACHE_MS) return cached.record
    const record = this.#keys.find(hash)
    const entry = { readAt: now, record }
    this.#cache.set(hash, entry)
    // Failures are not cached.
    record.catch(() => {
      if (this.#cache.get(hash) === entry) this.#cache.delete(hash)
    })
    return record
  }
}
