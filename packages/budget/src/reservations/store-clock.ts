import { LruMap } from "@p2/core"
import type { Millis } from "../store/name"

const MAX_PARTITIONS = 1_000

/**
 * An estimate of the store's time, by partition. Every reply corrects it, so that a wrong local clock does not matter.
 */
export class StoreClock {
  readonly #offsets = new LruMap<string, number>(MAX_PARTITIONS)

  now(partition: string): Millis {
    return Date.now() + (this.#offsets.get(partition) ?? 0)
  }

  /** Takes over the time of a reply. */
  update(partition: string, storeNow: Millis): void {
    this.#offsets.set(partition, storeNow - Date.now())
  }
}
