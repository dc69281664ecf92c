import { P2Error } from "@p2/core"
import type { CellState } from "./store"
import { StoreError } from "./store-error"

/** The last day that the calendar of JavaScript knows, a month before its end. */
export const MAX_TIME = 8_640_000_000_000_000 - 40 * 86_400_000

/**
 * Waits for the store no longer than it may take. Rejects with a StoreError or a mistake and nothing else, besides what
 * `accept` throws.
 */
export function withinTimeout<T>(
  call: () => Promise<T>,
  timeoutMs: number,
  store: string,
  accept?: (answer: T) => void,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let isOver = false
    const end = (error: unknown) => {
      isOver = true
      clearTimeout(timer)
      reject(asStoreError(error, store))
    }
    const answered = (answer: T) => {
      if (isOver) return
      isOver = true
      if (timer !== undefined) clearTimeout(timer)
      try {
        accept?.(answer)
        resolve(answer)
      } catch (error) {
        reject(error)
      }
    }
    const expire = () => {
      isOver = true
      reject(unanswered(store, timeoutMs))
    }
    const startTimer = () => {
      if (!isOver) timer = setTimeout(expire, timeoutMs)
    }
    try {
      call().then(answered, end)
    } catch (error) {
      return end(error)
    }
    // Only now: what is in memory has answered by then, and needs no timer.
    Promise.resolve().then(startTimer)
  })
}

function unanswered(store: string, timeoutMs: number): StoreError {
  return new StoreError(`The store "${store}" did not answer within ${timeoutMs} ms.`, {
    code: "unavailable",
    applied: "maybe",
  })
}

/** What a store answers is believed only as far as it makes sense: a time that is none would make windows without an end. */
export function checkNow(answer: unknown, store: string): void {
  const now = (answer as { now?: unknown } | null | undefined)?.now
  if (Number.isSafeInteger(now) && (now as number) >= 0 && (now as number) <= MAX_TIME) return
  throw nonsense(store, "without a time `now` in epoch milliseconds")
}

/** Throws unless there are so many cells, all in whole numbers. */
export function checkCells(cells: unknown, count: number, store: string): void {
  const isRight = Array.isArray(cells) && cells.length === count && cells.every(isCellState)
  if (!isRight) throw nonsense(store, `without the ${count} cells that it was asked about`)
}

function isCellState(cell: unknown): boolean {
  const { spent, reserved, granted } = (cell ?? {}) as Partial<CellState>
  return Number.isSafeInteger(spent) && Number.isSafeInteger(reserved) && Number.isSafeInteger(granted)
}

function nonsense(store: string, how: string): StoreError {
  return new StoreError(`The store "${store}" answered ${how}.`, { code: "corrupt", applied: "maybe" })
}

export function isStoreError(error: unknown): error is StoreError {
  return P2Error.isInstance(error) && error.name === "StoreError" && "applied" in error
}

export function asStoreError(error: unknown, store: string): unknown {
  if (isStoreError(error) || (P2Error.isInstance(error) && error.kind === "usage")) return error
  return new StoreError(`The store "${store}" failed.`, { code: "unavailable", applied: "maybe", cause: error })
}
