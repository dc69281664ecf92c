import { BudgetExceededError } from "@p2/budget"
import type { NanoUsd, Request } from "@p2/core"

/** `maxBudget` said no. It is counted in this process: no store knows of it. */
export function requestBudgetExceeded(
  request: Request<unknown>,
  leftNanoUsd: NanoUsd,
  requested: NanoUsd,
): BudgetExceededError {
  const limit = request.maxBudgetNanoUsd ?? 0
  return new BudgetExceededError([
    {
      scope: "request",
      window: "total",
      timeZone: null,
      unit: "nanoUsd",
      limit,
      granted: 0,
      spent: limit - leftNanoUsd,
      reserved: 0,
      remaining: leftNanoUsd,
      requested,
      startsAt: null,
      resetsAt: null,
      retryAfterMs: null,
    },
  ])
}
