import { LruMap } from "@p2/core"
import type { Millis } from "../store/name"

const MAX_PARTITIONS = 1_000

/**
 * The store's time as far as this process knows it, by partition. Every reply corrects it, so that a wrong clock here
 * decides nothing.
 */
export class StoreClock {
  readonly #offsets = new LruMap<string, number>(MAX_PARTITIONS)

  now(partition: string): Millis {
    return Date.now() + (this.#offsets.get(partition) ?? 0)
  }

  /** Passes a reply on after reading its time. */
  learn<Reply extends { now: Millis }>(partition: string, reply: Reply): Reply {
    this.#offsets.set(partition, reply.now - Date.now())
    return reply
  }
}
