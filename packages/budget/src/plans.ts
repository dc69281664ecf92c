import { LeastRecent } from "./internal/least-recent"
import { type Plan, planFor, scopeValueOf } from "./plan"
import type { ReadLimit } from "./read-limits"
import type { Subject } from "./subject"

/** Sets of limits that are remembered, plans of each of them, and the longest texts that they are found by. */
const MAX_SETS = 16
const MAX_PLANS = 256
const MAX_TEXT = 1_024

/** Limits from several places that apply together. */
interface LimitSet {
  known: readonly ReadLimit[]
  extra: readonly ReadLimit[]
  limits: readonly ReadLimit[]
  plans: LeastRecent<string, Plan>
}

/** The plans of a budget's calls, made once for limits and values of scopes that come again. */
export class Plans {
  readonly #children: readonly ReadLimit[]
  readonly #sets: LimitSet[] = []

  constructor(children: readonly ReadLimit[]) {
    this.#children = children
  }

  /** @throws InvalidArgumentError when the subject lacks the scope of a limit that is not optional. */
  planFor(subject: Subject, known: readonly ReadLimit[], extra: readonly ReadLimit[]): Plan {
    const { limits, plans } = this.#setOf(known, extra)
    const text = textOf(subject, limits)
    if (text === undefined) return planFor(subject, limits, "mistake")
    return plans.getOrMake(text, () => planFor(subject, limits, "mistake"))
  }

  #setOf(known: readonly ReadLimit[], extra: readonly ReadLimit[]): LimitSet {
    for (const set of this.#sets) if (set.known === known && set.extra === extra) return set
    const limits = [...known, ...extra, ...this.#children]
    const set = { known, extra, limits, plans: new LeastRecent<string, Plan>(MAX_PLANS) }
    this.#sets.unshift(set)
    if (this.#sets.length > MAX_SETS) this.#sets.pop()
    return set
  }
}

/** The values of the scopes, each with its length before it; undefined for what is too long or does not come again. */
function textOf(subject: Subject, limits: readonly ReadLimit[]): string | undefined {
  let text = ""
  for (const { scope } of limits) {
    if (scope === "request") return undefined
    if (scope === "total" || (typeof scope === "object" && "child" in scope)) continue
    const value = scopeValueOf(subject, scope)
    // A value that is no text is a mistake, which the plan reports.
    if (value !== undefined && typeof value !== "string") return undefined
    text += value === undefined ? "-" : `${value.length}:${value}`
  }
  return text.length > MAX_TEXT ? undefined : text
}
