import type { Name } from "../store"
import { checkName, MAX_ID_BYTES } from "../store-checks"
import type { MemoryRoot } from "./memory-root"

/** No slot, no line. */
export const NONE = -1
const LEAST_SLOTS = 256
const MIX = 0x9e3779b1
const FINISH = 0x85ebca6b

/**
 * Ids of all roots, each with the number of its slot: a hash table in arrays of numbers. A `Map` of strings costs four times
 * as much here, because ids come and go at the rate of calls, and its collector carries every one of them along.
 */
export class IdTable {
  /** Ids come from strangers: without a seed they could choose ids that all fall into one place. */
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0]!
  /** 1 for every code of a character that a name may have. */
  readonly #plain = plainCodes()
  /** Open addressing, at most half full; {@link NONE} is a free place. */
  #places = new Int32Array(2 * LEAST_SLOTS).fill(NONE)
  #bytes = new Uint8Array(MAX_ID_BYTES * LEAST_SLOTS)
  #lengths = new Uint8Array(LEAST_SLOTS)
  #hashes = new Int32Array(LEAST_SLOTS)
  #roots: (MemoryRoot | undefined)[] = []
  #free: number[] = []
  #used = 0

  /** How many slots there are room for. */
  get capacity(): number {
    return this.#lengths.length
  }

  /** What `find` and `add` want to know of an id. @throws InvalidArgumentError unless it is a name. */
  hashOf(id: Name): number {
    if (typeof id !== "string" || id.length === 0 || id.length > MAX_ID_BYTES) checkName("id", id, MAX_ID_BYTES)
    const plain = this.#plain
    let hash = this.#seed
    for (let index = 0; index < id.length; index++) {
      const code = id.charCodeAt(index)
      if (plain[code] !== 1) checkName("id", id, MAX_ID_BYTES)
      hash = Math.imul(hash ^ code, MIX)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash ^ (hash >>> 16), FINISH)
    return hash ^ (hash >>> 13)
  }

  /** The slot of an id, or {@link NONE}. */
  find(root: MemoryRoot, id: Name, idHash: number): number {
    const hash = idHash ^ root.seed
    const places = this.#places
    const mask = places.length - 1
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const slot = places[place]!
      if (slot === NONE || (this.#hashes[slot] === hash && this.#isAt(slot, root, id))) return slot
    }
  }

  /** A new slot for an id that is not there. */
  add(root: MemoryRoot, id: Name, idHash: number): number {
    const slot = this.#free.pop() ?? this.#used++
    if (slot === this.capacity) this.#grow()
    const start = slot * MAX_ID_BYTES
    for (let index = 0; index < id.length; index++) this.#bytes[start + index] = id.charCodeAt(index)
    this.#lengths[slot] = id.length
    this.#hashes[slot] = idHash ^ root.seed
    this.#roots[slot] = root
    this.#put(slot)
    return slot
  }

  /** The id is no longer found; its slot stays taken. */
  hide(slot: number): void {
    const places = this.#places
    const mask = places.length - 1
    let hole = this.#hashes[slot]! & mask
    while (places[hole] !== slot) hole = (hole + 1) & mask
    // What stands behind moves up, or it would not be found across the hole.
    for (let place = (hole + 1) & mask; places[place] !== NONE; place = (place + 1) & mask) {
      const moving = places[place]!
      const home = this.#hashes[moving]! & mask
      if (((place - home) & mask) < ((place - hole) & mask)) continue
      places[hole] = moving
      hole = place
    }
    places[hole] = NONE
  }

  /** After `hide`: the slot may be taken again. */
  free(slot: number): void {
    this.#roots[slot] = undefined
    this.#free.push(slot)
  }

  rootOf(slot: number): MemoryRoot {
    return this.#roots[slot]!
  }

  idOf(slot: number): Name {
    const start = slot * MAX_ID_BYTES
    return String.fromCharCode(...this.#bytes.subarray(start, start + this.#lengths[slot]!))
  }

  /** The order of ids by their characters, which are bytes. */
  compare(a: number, b: number): number {
    const [startA, startB] = [a * MAX_ID_BYTES, b * MAX_ID_BYTES]
    const [lengthA, lengthB] = [this.#lengths[a]!, this.#lengths[b]!]
    const shorter = Math.min(lengthA, lengthB)
    for (let index = 0; index < shorter; index++) {
      const difference = this.#bytes[startA + index]! - this.#bytes[startB + index]!
      if (difference !== 0) return difference
    }
    return lengthA - lengthB
  }

  #isAt(slot: number, root: MemoryRoot, id: Name): boolean {
    if (this.#roots[slot] !== root || this.#lengths[slot] !== id.length) return false
    const start = slot * MAX_ID_BYTES
    for (let index = 0; index < id.length; index++)
      if (this.#bytes[start + index] !== id.charCodeAt(index)) return false
    return true
  }

  #put(slot: number): void {
    const places = this.#places
    const mask = places.length - 1
    let place = this.#hashes[slot]! & mask
    while (places[place] !== NONE) place = (place + 1) & mask
    places[place] = slot
  }

  #grow(): void {
    const size = 2 * this.capacity
    this.#bytes = grown(this.#bytes, new Uint8Array(MAX_ID_BYTES * size))
    this.#lengths = grown(this.#lengths, new Uint8Array(size))
    this.#hashes = grown(this.#hashes, new Int32Array(size))
    const old = this.#places
    this.#places = new Int32Array(2 * size).fill(NONE)
    for (const slot of old) if (slot !== NONE) this.#put(slot)
  }
}

function plainCodes(): Uint8Array {
  const codes = new Uint8Array(128)
  const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:|=-"
  for (let index = 0; index < characters.length; index++) codes[characters.charCodeAt(index)] = 1
  return codes
}

/** A larger array with the same beginning. */
export function grown<Numbers extends { set(from: ArrayLike<number>): void }>(
  from: Numbers & ArrayLike<number>,
  to: Numbers,
): Numbers {
  to.set(from)
  return to
}
