import { BudgetExceededError, type RefusedLimit } from "./budget-exceeded-error"
import { type PlannedCell, statusOf } from "./plan"
import type { CellState, Millis } from "./store"

/** When other calls hold the room, they may end at any moment: a guess for callers who want to come back. */
const BUSY_RETRY_MS = 1_000

/** The refusal of the cells that said no. */
export function refusalOf(
  cells: readonly PlannedCell[],
  states: readonly CellState[],
  which: readonly number[],
  requested: (cell: PlannedCell) => number,
  now: Millis,
): BudgetExceededError {
  const refused = which.map((index): RefusedLimit => {
    const cell = cells[index]!
    const status = statusOf(cell, states[index]!)
    // A cell without a limit refuses only what does not fit into a safe integer.
    const limit = status.limit ?? Number.MAX_SAFE_INTEGER
    const remaining = status.remaining ?? limit - status.spent - status.reserved
    const asked = requested(cell)
    const refusal: RefusedLimit = Object.assign(status, { limit, remaining, requested: asked, retryAfterMs: null })
    refusal.retryAfterMs = retryAfterMs(refusal, now)
    return refusal
  })
  refused.sort((a, b) => (b.retryAfterMs ?? Number.POSITIVE_INFINITY) - (a.retryAfterMs ?? Number.POSITIVE_INFINITY))
  return new BudgetExceededError(refused as [RefusedLimit, ...RefusedLimit[]])
}

/** Null: not before somebody tops it up. */
function retryAfterMs({ limit, granted, spent, requested, resetsAt }: RefusedLimit, now: Millis): number | null {
  const untilReset = resetsAt === null ? null : Math.max(0, resetsAt - now)
  const isOnlyReserved = requested <= limit + granted - spent
  if (isOnlyReserved) return untilReset === null ? BUSY_RETRY_MS : Math.min(BUSY_RETRY_MS, untilReset)
  // What was granted ends with the window.
  return requested > limit ? null : untilReset
}
