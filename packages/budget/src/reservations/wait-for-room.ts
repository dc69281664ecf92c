import { AbortedError, checkOptions, InvalidArgumentError } from "@p2/core"
import type { WaitOptions } from "../api/budget"
import type { Denial } from "./denial"

const FIRST_DELAY_MS = 25
const MAX_DELAY_MS = 1_000
const WAIT_NAMES: ReadonlySet<string> = new Set(["timeoutMs", "signal"])

/** @throws InvalidArgumentError */
export function checkWait(wait: WaitOptions): void {
  checkOptions(wait, WAIT_NAMES, "wait")
  const { timeoutMs, signal } = wait
  checkSignal(signal, "wait.signal")
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 0 || timeoutMs >= 2 ** 31)
    throw new InvalidArgumentError("wait.timeoutMs", "milliseconds, an integer from 0 to 2^31 − 1", timeoutMs)
}

/** @throws InvalidArgumentError */
export function checkSignal(signal: unknown, argument: string): void {
  if (signal === undefined) return
  const { aborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>
  const isSignal =
    typeof aborted === "boolean" && typeof addEventListener === "function" && typeof removeEventListener === "function"
  if (!isSignal) throw new InvalidArgumentError(argument, "an AbortSignal", signal)
}

/** @throws AbortedError */
export function throwIfAborted(signals: readonly AbortSignal[], what: string): void {
  for (const signal of signals) if (signal.aborted) throw new AbortedError(what, signal)
}

/** Resolves like `promise`, or rejects with an AbortedError as soon as a signal fires. Does not stop the work of `promise`. */
export function abortable<T>(promise: Promise<T>, signals: readonly AbortSignal[], what: string): Promise<T> {
  if (signals.length === 0) return promise
  return new Promise((resolve, reject) => {
    // Runs before the caller sees the result, so that a later signal does not abort it.
    const stopListening = () => {
      for (const signal of signals) signal.removeEventListener("abort", abort)
    }
    const abort = () => {
      stopListening()
      reject(
        new AbortedError(
          what,
          signals.find((signal) => signal.aborted),
        ),
      )
    }
    for (const signal of signals) signal.addEventListener("abort", abort, { once: true })
    promise.then(
      (value) => {
        stopListening()
        resolve(value)
      },
      (error) => {
        stopListening()
        reject(error)
      },
    )
  })
}

/**
 * Reserves repeatedly until there is room or the time is over. Returns the denial at once if waiting does not help: the
 * amount never fits, or the full window ends too late. Waiting callers are served in no particular order.
 */
export async function waitForRoom<Outcome extends { status: "admitted" } | ({ status: "denied" } & Denial)>(
  reserveOnce: () => Promise<Outcome>,
  timeoutMs: number,
  signals: readonly AbortSignal[],
): Promise<Outcome> {
  const deadline = performance.now() + timeoutMs
  for (let attempt = 0; ; attempt++) {
    throwIfAborted(signals, "waiting for room in the budget")
    const outcome = await reserveOnce()
    if (outcome.status === "admitted") return outcome
    const remainingMs = deadline - performance.now()
    const delayMs = delayOf(outcome, attempt)
    if (delayMs === null || delayMs > remainingMs) {
      // If only other calls' reservations are in the way, try once more at the deadline.
      if (!outcome.isBusy || remainingMs <= 0) return outcome
      await sleep(remainingMs, signals)
      continue
    }
    await sleep(delayMs, signals)
  }
}

/** Null: waiting does not help. */
function delayOf({ blockedMs }: Denial, attempt: number): number | null {
  if (blockedMs === null) return null
  const pollingMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10))
  // Jitter, so that callers who were denied together do not retry together.
  return blockedMs + pollingMs * (0.5 + Math.random() / 2)
}

async function sleep(ms: number, signals: readonly AbortSignal[]): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  try {
    await abortable(elapsed, signals, "waiting for room in the budget")
  } finally {
    clearTimeout(timer)
  }
}
