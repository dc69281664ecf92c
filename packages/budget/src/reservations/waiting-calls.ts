import type { WaitedLimit } from "../api/budget"
import type { Name } from "../store/shape"
import { abortable } from "./abort"

/** A call that waits until the reservations of other calls end. */
export class WaitingCall {
  /** Keys of the counters in which it does not fit; before its first reserve, of all its counters. */
  counters: readonly string[]
  /** The limits that denied it, or those that denied the call before it. */
  limits: readonly WaitedLimit[]
  /** Whether it was woken since its last reserve. */
  isWoken = false
  #wake: (() => void) | undefined

  constructor(counters: readonly string[], limits: readonly WaitedLimit[]) {
    this.counters = counters
    this.limits = limits
  }

  wake(): void {
    this.isWoken = true
    this.#wake?.()
  }

  /** Waits until a change wakes this call or the time is over. @throws AbortedError */
  async sleep(ms: number, signals: readonly AbortSignal[]): Promise<void> {
    if (this.isWoken) {
      this.isWoken = false
      return
    }
    let timer: ReturnType<typeof setTimeout> | undefined
    const elapsed = new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = setTimeout(resolve, ms)
    })
    try {
      await abortable(elapsed, signals, "The wait of `reserve`")
    } finally {
      clearTimeout(timer)
      this.#wake = undefined
    }
  }
}

/**
 * The waiting calls of this process, oldest first. A call is at the head if no older one waits for one of its counters. Only
 * the calls at the head reserve; each change of their counters in this process wakes them.
 */
export class WaitingCalls {
  readonly #calls = new Set<WaitingCall>()

  /** Counters of all partitions wait in one queue. */
  keysOf(partition: Name, counters: readonly Name[]): string[] {
    return counters.map((name) => `${partition} ${name}`)
  }

  has(call: WaitingCall): boolean {
    return this.#calls.has(call)
  }

  add(call: WaitingCall): void {
    this.#calls.add(call)
  }

  /** Wakes the next call: what this one did not need may be enough for it. */
  delete(call: WaitingCall): void {
    if (this.#calls.delete(call)) this.#wake(call.counters)
  }

  /** A call that came before `call` (undefined: before a new one) and waits for one of these counters. */
  before(call: WaitingCall | undefined, counters: readonly string[]): WaitingCall | undefined {
    for (const other of this.#calls) {
      if (other === call) return undefined
      if (overlap(other.counters, counters)) return other
    }
    return undefined
  }

  /** Wakes the calls at the head that wait for one of these counters. */
  changed(partition: Name, changes: readonly { readonly name: Name }[]): void {
    if (this.#calls.size === 0) return
    this.#wake(
      this.keysOf(
        partition,
        changes.map(({ name }) => name),
      ),
    )
  }

  #wake(counters: readonly string[]): void {
    const passed = new Set<string>()
    for (const call of this.#calls) {
      const isAtHead = !call.counters.some((counter) => passed.has(counter))
      if (isAtHead && overlap(call.counters, counters)) call.wake()
      for (const counter of call.counters) passed.add(counter)
    }
  }
}

function overlap(a: readonly string[], b: readonly string[]): boolean {
  return a.some((counter) => b.includes(counter))
}
