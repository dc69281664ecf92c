import { BudgetExceededError } from "@p2/budget"
import { type NanoUsd, type Request, toUsdNumber } from "@p2/core"

/** The denial by `maxBudget`. This process counts `maxBudget`; no store does. */
export function requestBudgetExceeded(
  request: Request<unknown>,
  remainingNanoUsd: NanoUsd,
  requestedNanoUsd: NanoUsd,
): BudgetExceededError {
  const limitNanoUsd = request.maxBudgetNanoUsd ?? 0
  const spentNanoUsd = limitNanoUsd - remainingNanoUsd
  return new BudgetExceededError([
    {
      scope: "request",
      window: "total",
      timeZone: null,
      unit: "usd",
      limit: toUsdNumber(limitNanoUsd),
      limitNanoUsd,
      granted: 0,
      grantedNanoUsd: 0,
      spent: toUsdNumber(spentNanoUsd),
      spentNanoUsd,
      reserved: 0,
      reservedNanoUsd: 0,
      remaining: toUsdNumber(remainingNanoUsd),
      remainingNanoUsd,
      requested: toUsdNumber(requestedNanoUsd),
      requestedNanoUsd,
      startsAt: null,
      resetsAt: null,
      retryAfterMs: null,
    },
  ])
}
