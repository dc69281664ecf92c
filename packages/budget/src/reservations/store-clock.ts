import { LruMap } from "@p2/core"
import type { Millis } from "../store/budget-store"
import { StoreError } from "../store/store-error"

const MAX_PARTITIONS = 1_000
/**
 * How many times a request is sent when the reply asks to send it again, for example in the windows of the store's time.
 * Windows change at most once during a call, so a third such reply is an error of the store.
 */
export const MAX_ROUNDS = 3

export function repeatedReplyError(store: string, status: string): StoreError {
  return new StoreError(`The store "${store}" replied "${status}" ${MAX_ROUNDS} times in a row.`, {
    code: "store-corrupt",
    applied: "no",
  })
}

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
