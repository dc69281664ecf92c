import { checkOptions, InvalidArgumentError } from "@p2/core"
import type { RoomWait, WaitOptions } from "../api/budget"
import { checkSignal, throwIfAborted } from "./abort"
import type { Denial } from "./denial"
import { WaitingCall, type WaitingCalls } from "./waiting-calls"

const FIRST_DELAY_MS = 25
const MAX_DELAY_MS = 1_000
const WAITING = "The wait of `reserve`"
const WAIT_NAMES: ReadonlySet<string> = new Set(["timeoutMs", "signal"])

/** @throws InvalidArgumentError */
export function checkWait(wait: WaitOptions): void {
  if (typeof wait !== "object") throw new InvalidArgumentError("wait", "an object such as { timeoutMs: 5000 }", wait)
  checkOptions(wait, WAIT_NAMES, "wait")
  const { timeoutMs, signal } = wait
  checkSignal(signal, "wait.signal")
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 0 || timeoutMs >= 2 ** 31)
    throw new InvalidArgumentError("wait.timeoutMs", "milliseconds, an integer from 0 to 2^31 − 1", timeoutMs)
}

/**
 * Reserves repeatedly until the call fits or the time is over. Returns the denial at once if waiting does not help: the
 * amount never fits, or the full window ends too late. Waiting calls of this process are served in order of arrival; a call
 * that comes while others wait for one of its counters waits behind them.
 */
export async function waitForRoom<Outcome extends { status: "admitted" } | ({ status: "denied" } & Denial)>(
  reserveOnce: () => Promise<Outcome>,
  options: { timeoutMs: number; signals: readonly AbortSignal[]; waiting: WaitingCalls; counters: readonly string[] },
): Promise<Outcome & { wait?: RoomWait }> {
  const { timeoutMs, signals, waiting, counters } = options
  const start = performance.now()
  const remainingMs = () => start + timeoutMs - performance.now()
  const older = waiting.before(undefined, counters)
  const call = new WaitingCall(counters, older?.limits ?? [])
  if (older !== undefined) waiting.add(call)
  try {
    for (let polls = 0; ; ) {
      throwIfAborted(signals, WAITING)
      if (remainingMs() > 0 && waiting.has(call) && waiting.before(call, call.counters) !== undefined) {
        await call.sleep(remainingMs(), signals)
        continue
      }
      call.isWoken = false
      const outcome = await reserveOnce()
      const wait = call.limits.length === 0 ? undefined : { durationMs: performance.now() - start, limits: call.limits }
      if (outcome.status === "admitted" || remainingMs() <= 0) return { ...outcome, ...(wait && { wait }) }
      call.limits = outcome.error.all.map(({ scope, window, unit }) => ({ scope, window, unit }))
      if (outcome.isBusy) {
        call.counters = waiting.keysOf(outcome.partition, outcome.counters)
        waiting.add(call)
        await call.sleep(Math.min(remainingMs(), pollingDelayMs(polls++)), signals)
        continue
      }
      // It may wait for a window to end; calls that fit do not wait behind it.
      waiting.delete(call)
      const { blockedMs } = outcome
      if (blockedMs === null || blockedMs > remainingMs()) return { ...outcome, ...(wait && { wait }) }
      await call.sleep(blockedMs + pollingDelayMs(polls++), signals)
    }
  } finally {
    waiting.delete(call)
  }
}

/** Jitter, so that the processes that were denied together do not retry together. */
function pollingDelayMs(polls: number): number {
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(polls, 10)) * (0.5 + Math.random() / 2)
}
