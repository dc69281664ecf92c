import type { Limit } from "./limit"
import { LIMIT_NAMES, type ReadLimit, readLimits } from "./read-limits"

/** Lists that are remembered. */
const MAX_LISTS = 16
const TAG = ["tag"]
const AMOUNTS = ["usd", "nanoUsd", "tokens", "requests"]

/** Limits that are handed in with every call, read once as long as they are the same. */
export class RecentLimits {
  readonly #lists: { given: readonly Limit[]; read: readonly ReadLimit[] }[] = []

  /** @throws InvalidArgumentError */
  read(limits: readonly Limit[], argument: string): readonly ReadLimit[] {
    for (const known of this.#lists) if (isSameList(limits, known.given)) return known.read
    const read = readLimits(limits, argument)
    // A copy: the caller may change its list, and then it is another.
    this.#lists.unshift({ given: limits.map(copyOf), read })
    if (this.#lists.length > MAX_LISTS) this.#lists.pop()
    return read
  }
}

function copyOf(limit: Limit): Limit {
  const copy = { ...limit }
  if (typeof limit.scope === "object") copy.scope = { ...limit.scope }
  if (typeof limit.limit === "object" && limit.limit !== null) copy.limit = { ...limit.limit }
  if (limit.alertAt !== undefined) copy.alertAt = [...limit.alertAt]
  return copy
}

function isSameList(limits: readonly Limit[], known: readonly Limit[]): boolean {
  if (!Array.isArray(limits) || limits.length !== known.length) return false
  for (let index = 0; index < known.length; index++) if (!isSame(limits[index], known[index]!)) return false
  return true
}

function isSame(limit: Limit | null | undefined, known: Limit): boolean {
  if (typeof limit !== "object" || limit === null) return false
  // A name that is not known must not pass, also where it was added since.
  for (const name in limit) if (!LIMIT_NAMES.has(name)) return false
  return (
    isSameValue(limit.limit, known.limit, AMOUNTS) &&
    isSameValue(limit.scope, known.scope, TAG) &&
    limit.per === known.per &&
    limit.timeZone === known.timeZone &&
    limit.optional === known.optional &&
    limit.forgetAfterMs === known.forgetAfterMs &&
    isSameAlerts(limit.alertAt, known.alertAt)
  )
}

/** The same primitive, or objects with the same primitives under these names. */
function isSameValue(value: unknown, known: unknown, names: readonly string[]): boolean {
  if (value === known) return true
  if (typeof value !== "object" || value === null || typeof known !== "object" || known === null) return false
  // A name that is not known must not pass here either.
  for (const name in value) if (!names.includes(name)) return false
  return names.every((name) => (value as Record<string, unknown>)[name] === (known as Record<string, unknown>)[name])
}

function isSameAlerts(alertAt: Limit["alertAt"], known: Limit["alertAt"]): boolean {
  if (alertAt === undefined || known === undefined) return alertAt === known
  return Array.isArray(alertAt) && alertAt.length === known.length && known.every((each, at) => each === alertAt[at])
}
