import { AbortedError, InvalidArgumentError } from "@p2/core"
import { MAX_TIMER_MS } from "../store/shape"

/** @throws InvalidArgumentError */
export function checkSignal(signal: unknown, argument: string): void {
  if (signal === undefined || signal instanceof AbortSignal) return
  const { aborted, addEventListener, removeEventListener } = (signal ?? {}) as Partial<AbortSignal>
  const isSignal =
    typeof aborted === "boolean" && typeof addEventListener === "function" && typeof removeEventListener === "function"
  if (!isSignal) throw new InvalidArgumentError(argument, "an AbortSignal", signal)
}

/** @throws AbortedError */
export function throwIfAborted(signals: readonly AbortSignal[], what: string): void {
  for (const signal of signals) if (signal.aborted) throw new AbortedError(what, signal)
}

/**
 * Resolves like `promise`, or rejects with an AbortedError as soon as a signal fires, after calling `onAbort`. Does not stop
 * the work of `promise`.
 */
export function abortable<T>(
  promise: Promise<T>,
  signals: readonly AbortSignal[],
  what: string,
  onAbort?: () => void,
): Promise<T> {
  if (signals.length === 0) return promise
  return new Promise((resolve, reject) => {
    // Runs before the caller sees the result, so that a later signal does not abort it.
    const stopListening = () => {
      for (const signal of signals) signal.removeEventListener("abort", abort)
    }
    const abort = () => {
      stopListening()
      onAbort?.()
      reject(
        new AbortedError(
          what,
          signals.find((signal) => signal.aborted),
        ),
      )
    }
    for (const signal of signals) signal.addEventListener("abort", abort)
    promise.finally(stopListening).then(resolve, reject)
    if (signals.some((signal) => signal.aborted)) abort()
  })
}

/** Waits until the promise resolves or the time is up. */
export async function atMost(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, MAX_TIMER_MS))
  })
  await Promise.race([promise, timeout])
  clearTimeout(timer)
}

/** How long to wait before another attempt. With jitter: processes that failed together do not retry together. */
export function backoffMs(attempts: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** Math.min(attempts, 10)) * (0.5 + Math.random() / 2)
}
