import type { BudgetAlert } from "@p2/budget"

/**
 * The body of a webhook: a threshold that was crossed. Amounts in nano-USD are exact; `limit` and the other amounts are
 * dollars, tokens or requests.
 */
export function alertEvent(alert: BudgetAlert, now: number): Record<string, unknown> {
  const { startsAt, resetsAt, value, ...status } = alert
  return {
    type: "budget.threshold",
    createdAt: new Date(now).toISOString(),
    ...status,
    value: value ?? null,
    startsAt: startsAt === null ? null : new Date(startsAt).toISOString(),
    resetsAt: resetsAt === null ? null : new Date(resetsAt).toISOString(),
  }
}
