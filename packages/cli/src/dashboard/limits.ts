import type { Budget, LimitStatus, Scope, StoredEntry, Subject } from "@p2/budget"
import { P2Error } from "@p2/core"
import type { LimitsView, LimitView } from "./view"

/** The most subjects whose limits are read each time. */
const MAX_SUBJECTS = 64
const MAX_LIMITS = 100
/** The ledger stores a value that is too long as its hash, from which no counter can be found. */
const HASHED = "long:sha256:"

/** Reads the limits of all subjects, those closest to their limit first. */
export async function readLimits(budget: Budget, subjects: readonly Subject[]): Promise<LimitsView> {
  const limits = new Map<string, LimitView>()
  const read = await Promise.all(subjects.slice(0, MAX_SUBJECTS).map((subject) => limitsOf(budget, subject)))
  for (const limit of read.flat()) limits.set(limit.id, limit)
  const sorted = [...limits.values()].sort((a, b) => usedShare(b) - usedShare(a) || (a.id < b.id ? -1 : 1))
  return { limits: sorted.slice(0, MAX_LIMITS), more: Math.max(0, sorted.length - MAX_LIMITS) }
}

/** The subjects of entries, without duplicates. */
export function subjectsOf(entries: readonly StoredEntry[]): Subject[] {
  const subjects = new Map<string, Subject>()
  for (const { userId, clientId, tags, model, status } of entries) {
    if (status === "audit") continue
    const values = [userId, clientId, model, ...Object.entries(tags ?? {}).flat()]
    if (!values.every((value) => value === undefined || isReadable(value))) continue
    subjects.set(JSON.stringify([userId, clientId, model, tags]), { userId, clientId, tags, model })
  }
  return [...subjects.values()]
}

/** Whether a counter can be found by a value of the ledger. */
export function isReadable(value: string | null): value is string {
  return value !== null && value !== "" && !value.startsWith(HASHED)
}

/** The share of a limit that is spent or reserved; a limit that only counts is last. */
function usedShare({ limit, granted, spent, reserved }: LimitView): number {
  if (limit === null) return -1
  const allowed = limit + granted
  return allowed <= 0 ? Number.MAX_SAFE_INTEGER : (spent + reserved) / allowed
}

/** Empty if the budget's `limits` function rejects the subject; a failure of the store is thrown. */
async function limitsOf(budget: Budget, subject: Subject): Promise<LimitView[]> {
  try {
    return (await budget.status(subject)).map((status) => limitView(status, subject))
  } catch (error) {
    if (P2Error.isInstance(error) && error.kind === "failed") throw error
    return []
  }
}

function limitView(status: LimitStatus, subject: Subject): LimitView {
  const { window, timeZone, unit, resetsAt } = status
  const scope = scopeOf(status.scope, subject)
  const amounts =
    unit === "usd"
      ? {
          limit: status.limitNanoUsd,
          granted: status.grantedNanoUsd ?? 0,
          spent: status.spentNanoUsd ?? 0,
          reserved: status.reservedNanoUsd ?? 0,
          remaining: status.remainingNanoUsd,
        }
      : {
          limit: status.limit,
          granted: status.granted,
          spent: status.spent,
          reserved: status.reserved,
          remaining: status.remaining,
        }
  const id = JSON.stringify([status.scope, scope.value, unit, window, timeZone, amounts.limit])
  return { id, ...scope, window, timeZone, unit, ...amounts, resetsAt }
}

function scopeOf(scope: Scope, subject: Subject): Pick<LimitView, "scope" | "tag" | "value"> {
  if (typeof scope === "object")
    return "tag" in scope
      ? { scope: "tag", tag: scope.tag, value: subject.tags?.[scope.tag] ?? null }
      : { scope: "run", tag: null, value: null }
  const values = { user: subject.userId, client: subject.clientId, model: subject.model, total: null, request: null }
  return { scope, tag: null, value: values[scope] ?? null }
}
