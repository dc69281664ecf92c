import { AbortedError, InvalidArgumentError } from "@p2/core"
import type { ReserveOutcome, WaitOptions } from "./budget"
import { checkOptions, checkSignal } from "./check-options"

const FIRST_DELAY_MS = 25
const MOST_DELAY_MS = 1_000
const NAMES: ReadonlySet<string> = new Set(["timeoutMs", "signal"])

/** @throws InvalidArgumentError */
export function checkWait(wait: WaitOptions): void {
  checkOptions(wait, NAMES, { argument: "wait", expected: "such as { timeoutMs: 5_000 }" })
  const { timeoutMs, signal } = wait
  checkSignal(signal, "wait.signal")
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 0 || timeoutMs >= 2 ** 31)
    throw new InvalidArgumentError("wait.timeoutMs", "milliseconds, a whole number from 0 to 2^31 − 1", timeoutMs)
}

/**
 * Asks again until there is room or the time is over. Refused at once when no waiting helps: the amount never fits, or the
 * window that is full ends too late. Callers are served in no order.
 */
export async function waitForRoom(
  reserveOnce: () => Promise<ReserveOutcome>,
  timeoutMs: number,
  signals: readonly AbortSignal[],
): Promise<ReserveOutcome> {
  const deadline = Date.now() + timeoutMs
  for (let attempt = 0; ; attempt++) {
    for (const one of signals) if (one.aborted) throw new AbortedError("waiting for room in the budget", one)
    const outcome = await reserveOnce()
    if (outcome.ok) return outcome
    const leftMs = deadline - Date.now()
    const delayMs = delayOf(outcome.error.all, attempt)
    if (delayMs === null || delayMs > leftMs) {
      // One last look just before the end, when only other calls are in the way.
      const isBusy = outcome.error.all.every((limit) => limit.requested <= limit.limit + limit.granted - limit.spent)
      if (!isBusy || leftMs <= 0) return outcome
      await sleep(leftMs, signals)
      continue
    }
    await sleep(delayMs, signals)
  }
}

/** Null: waiting is of no use. The limit that holds longest decides. */
function delayOf(refused: Extract<ReserveOutcome, { ok: false }>["error"]["all"], attempt: number): number | null {
  let longest = 0
  for (const { requested, limit, granted, spent, retryAfterMs } of refused) {
    if (retryAfterMs === null) return null
    // Room that others hold may come back at any moment; spent money only with the next window.
    const isBusy = requested <= limit + granted - spent
    longest = Math.max(longest, isBusy ? 0 : retryAfterMs)
  }
  const polling = Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(attempt, 10))
  // Jitter, so that waiters who were refused together do not come back together.
  return longest + polling * (0.5 + Math.random() / 2)
}

function sleep(ms: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer)
      for (const signal of signals) signal.removeEventListener("abort", abort)
    }
    const abort = () => {
      end()
      reject(
        new AbortedError(
          "waiting for room in the budget",
          signals.find((signal) => signal.aborted),
        ),
      )
    }
    const timer = setTimeout(() => {
      end()
      resolve()
    }, ms)
    for (const signal of signals) signal.addEventListener("abort", abort, { once: true })
  })
}
