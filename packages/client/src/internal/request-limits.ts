import type { Limit } from "@p2/budget"
import type { Request, RequestBudget } from "@p2/core"

const CALENDAR = /^(hour|day|week|month)$/

/**
 * The limits that a request brings along. A user or client without a budget is counted without being limited, so that a
 * budget that comes later knows what was spent.
 */
export function requestLimits(request: Request<unknown>): Limit[] {
  const limits: Limit[] = []
  if (request.userId !== undefined) limits.push(limitOf("user", request.userBudget))
  if (request.clientId !== undefined) limits.push(limitOf("client", request.clientBudget))
  return limits
}

function limitOf(scope: "user" | "client", budget: RequestBudget | undefined): Limit {
  if (budget === undefined) return { scope, limit: null }
  const { limitNanoUsd, per, timeZone } = budget
  return { scope, limit: { nanoUsd: limitNanoUsd }, per, ...(CALENDAR.test(per) ? { timeZone } : {}) }
}
