import type { Millis } from "../store"
import type { Forgettable } from "./memory-root"

/**
 * What leaves the memory, in slots of time: adding is O(1), and each operation of the store takes a few items out of the
 * slots that are over. An item that must stay longer goes back into a later slot.
 */
export class ForgetQueue {
  readonly #slots = new Map<number, Forgettable[]>()
  readonly #slotMs: number
  #firstSlot = Number.POSITIVE_INFINITY
  #draining: Forgettable[] = []

  constructor(
    readonly retentionMs: number,
    readonly forget: (item: Forgettable) => void,
  ) {
    this.#slotMs = Math.max(1, Math.ceil(retentionMs / 64))
  }

  /** An item is in the queue at most once: add it when it can first be forgotten. */
  add(item: Forgettable, at: Millis): void {
    const slot = Math.floor(at / this.#slotMs)
    const items = this.#slots.get(slot)
    if (items !== undefined) items.push(item)
    else this.#slots.set(slot, [item])
    if (slot < this.#firstSlot) this.#firstSlot = slot
  }

  /** Forgets what is over, looking at no more than `max` items. */
  drain(now: Millis, max: number): void {
    for (let looked = 0; looked < max; looked++) {
      const item = this.#draining.pop() ?? this.#nextSlot(now)?.pop()
      if (item === undefined) return
      const at = item.forgetAt(this.retentionMs)
      if (at !== null && at <= now) this.forget(item)
      // Null: in use. It is looked at again after another retention.
      else this.add(item, at ?? now + this.retentionMs)
    }
  }

  /** Takes a slot whose time is over, or the present one. */
  #nextSlot(now: Millis): Forgettable[] | undefined {
    const last = Math.floor(now / this.#slotMs)
    if (this.#firstSlot >= last) return undefined
    const items = this.#slots.get(this.#firstSlot)!
    this.#slots.delete(this.#firstSlot)
    this.#firstSlot = Number.POSITIVE_INFINITY
    for (const slot of this.#slots.keys()) if (slot < this.#firstSlot) this.#firstSlot = slot
    this.#draining = items
    return items
  }
}
