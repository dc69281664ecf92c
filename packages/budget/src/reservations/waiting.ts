import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { ReserveWait, WaitedLimit, WaitOptions } from "../api/budget"
import type { BudgetExceededError } from "../api/errors"
import { MAX_TIMER_MS, type Name } from "../store/shape"
import { abortable, backoffMs, checkSignal, throwIfAborted } from "./delays"

const FIRST_DELAY_MS = 25
const MAX_DELAY_MS = 1_000
const WAITING = "The wait of `reserve`"
const WAIT_NAMES: ReadonlySet<string> = new Set(["timeoutMs", "signal"])

/** A denial, and how long the call would have to wait until it fits. */
export interface Denial {
  error: BudgetExceededError
  /** Milliseconds until only the reservations of other calls prevent the call; null: waiting does not help. */
  blockedMs: number | null
  /** The counters that denied it. */
  partition: Name
  counters: readonly Name[]
}

/** @throws InvalidArgumentError */
export function checkWait(wait: WaitOptions): void {
  if (typeof wait !== "object") throw new InvalidArgumentError("wait", "an object such as { timeoutMs: 5000 }", wait)
  checkOptions(wait, WAIT_NAMES, "wait")
  const { timeoutMs, signal } = wait
  checkSignal(signal, "wait.signal")
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 0 || timeoutMs > MAX_TIMER_MS)
    throw new InvalidArgumentError("wait.timeoutMs", "milliseconds, an integer from 0 to 2^31 − 1", timeoutMs)
}

/**
 * Reserves repeatedly until the call fits or the time is up. Returns the denial immediately if waiting does not help:
 * the amount never fits, or the full window ends too late. Waiting calls of this process are served in order of
 * arrival; a call that comes while others wait for one of its counters waits behind them.
 */
export async function reserveWithWait<Outcome extends { status: "admitted" } | ({ status: "denied" } & Denial)>(
  reserveOnce: () => Promise<Outcome>,
  options: {
    timeoutMs: number
    signals: readonly AbortSignal[]
    waiting: WaitingCalls
    counterKeys: readonly string[]
  },
): Promise<Outcome & { wait?: ReserveWait }> {
  const { timeoutMs, signals, waiting, counterKeys } = options
  const start = performance.now()
  const remainingMs = () => start + timeoutMs - performance.now()
  const older = waiting.before(undefined, counterKeys)
  const call = new WaitingCall(counterKeys, older?.limits ?? [])
  if (older !== undefined) waiting.add(call)
  try {
    for (let polls = 0; ; ) {
      throwIfAborted(signals, WAITING)
      if (remainingMs() > 0 && waiting.has(call) && waiting.before(call, call.counterKeys) !== undefined) {
        await call.sleep(remainingMs(), signals)
        continue
      }
      call.isWoken = false
      const outcome = await reserveOnce()
      const wait = call.limits.length === 0 ? undefined : { durationMs: performance.now() - start, limits: call.limits }
      if (outcome.status === "admitted" || remainingMs() <= 0) return { ...outcome, ...(wait && { wait }) }
      call.limits = outcome.error.all.map(({ scope, window, unit }) => ({ scope, window, unit }))
      if (outcome.error.busy) {
        call.counterKeys = waiting.keysOf(outcome.partition, outcome.counters)
        waiting.add(call)
        await call.sleep(Math.min(remainingMs(), backoffMs(polls++, FIRST_DELAY_MS, MAX_DELAY_MS)), signals)
        continue
      }
      // It may wait for a window to end; calls that fit do not wait behind it.
      waiting.delete(call)
      const { blockedMs } = outcome
      if (blockedMs === null || blockedMs > remainingMs()) return { ...outcome, ...(wait && { wait }) }
      await call.sleep(blockedMs + backoffMs(polls++, FIRST_DELAY_MS, MAX_DELAY_MS), signals)
    }
  } finally {
    waiting.delete(call)
  }
}

/** A call that waits until the reservations of other calls end. */
export class WaitingCall {
  /** Of the counters in which it does not fit; before its first reserve, of all its counters. */
  counterKeys: readonly string[]
  /** The limits that denied it, or those that denied the call before it. */
  limits: readonly WaitedLimit[]
  /** Whether it was woken since its last reserve. */
  isWoken = false
  #wake: (() => void) | undefined

  constructor(counterKeys: readonly string[], limits: readonly WaitedLimit[]) {
    this.counterKeys = counterKeys
    this.limits = limits
  }

  wake(): void {
    this.isWoken = true
    this.#wake?.()
  }

  /** Waits until a change wakes this call or the time is up. @throws AbortedError */
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
      await abortable(elapsed, signals, WAITING)
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

  /** Names with their partition, because the calls of all partitions wait in one queue. */
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
    if (this.#calls.delete(call)) this.#wake(call.counterKeys)
  }

  /** A call that came before `call` (undefined: before a new one) and waits for one of these counters. */
  before(call: WaitingCall | undefined, counterKeys: readonly string[]): WaitingCall | undefined {
    for (const other of this.#calls) {
      if (other === call) return undefined
      if (overlap(other.counterKeys, counterKeys)) return other
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

  #wake(counterKeys: readonly string[]): void {
    const passed = new Set<string>()
    for (const call of this.#calls) {
      const isAtHead = !call.counterKeys.some((key) => passed.has(key))
      if (isAtHead && overlap(call.counterKeys, counterKeys)) call.wake()
      for (const key of call.counterKeys) passed.add(key)
    }
  }
}

function overlap(a: readonly string[], b: readonly string[]): boolean {
  return a.some((key) => b.includes(key))
}
