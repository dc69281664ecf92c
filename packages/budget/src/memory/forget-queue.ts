import type { Millis } from "../store"

export interface Forgetting<Item> {
  /** When it may leave; null while it must stay. */
  forgetAt: (item: Item) => Millis | null
  forget: (item: Item) => void
}

/**
 * What leaves the memory, in slots of time: adding is O(1), and each operation of the store takes a few items out of the
 * slots that are over. An item that must stay longer goes back into a later slot.
 */
export class ForgetQueue<Item> {
  readonly #slots = new Map<number, Item[]>()
  readonly #retentionMs: number
  readonly #slotMs: number
  readonly #forgetting: Forgetting<Item>
  #firstSlot = Number.POSITIVE_INFINITY
  #draining: Item[] = []
  /** The slot that was added to last: most items fall into it. */
  #lastSlot = Number.NaN
  #lastItems: Item[] = []

  constructor(retentionMs: number, forgetting: Forgetting<Item>) {
    this.#retentionMs = retentionMs
    this.#slotMs = Math.max(1, Math.ceil(retentionMs / 64))
    this.#forgetting = forgetting
  }

  /** An item is in the queue at most once: add it when it can first be forgotten. */
  add(item: Item, at: Millis): void {
    const slot = Math.floor(at / this.#slotMs)
    if (slot !== this.#lastSlot) this.#turnTo(slot)
    this.#lastItems.push(item)
  }

  /** Forgets what is over, looking at no more than `max` items. */
  drain(now: Millis, max: number): void {
    for (let looked = 0; looked < max; looked++) {
      if (this.#draining.length === 0 && !this.#nextSlot(now)) return
      const item = this.#draining.pop()!
      const at = this.#forgetting.forgetAt(item)
      if (at !== null && at <= now) this.#forgetting.forget(item)
      // Null: in use. It is looked at again after another retention.
      else this.add(item, at ?? now + this.#retentionMs)
    }
  }

  #turnTo(slot: number): void {
    let items = this.#slots.get(slot)
    if (items === undefined) {
      items = []
      this.#slots.set(slot, items)
      if (slot < this.#firstSlot) this.#firstSlot = slot
    }
    this.#lastSlot = slot
    this.#lastItems = items
  }

  /** Takes a slot whose time is over. */
  #nextSlot(now: Millis): boolean {
    if (this.#firstSlot >= Math.floor(now / this.#slotMs)) return false
    this.#draining = this.#slots.get(this.#firstSlot)!
    this.#slots.delete(this.#firstSlot)
    if (this.#firstSlot === this.#lastSlot) this.#lastSlot = Number.NaN
    this.#firstSlot = Number.POSITIVE_INFINITY
    for (const slot of this.#slots.keys()) if (slot < this.#firstSlot) this.#firstSlot = slot
    return this.#draining.length > 0
  }
}
