import { LruMap } from "@p2/core"
import type { BudgetAlert } from "../api/budget"
import { type CallCounter, type CounterNameParts, readCounterName } from "../limits/counters"
import type { PlannedLimit } from "../limits/limit"
import { statusOf } from "../limits/limit-status"
import { windowAt } from "../limits/window"
import type { CounterChange } from "../store/budget-store"

/** How many counters this process remembers, to send alerts for limits that are not in the budget's own list. */
const MAX_REMEMBERED = 10_000

/** The fields of a counter that an alert needs. */
type AlertCounter = Pick<CallCounter, "startsAt" | "endsAt" | "limits"> & { value: string | null | undefined }

type OnAlert = (alert: BudgetAlert) => void

/** A counter that was reserved here, with the callback of the last call that has one. */
interface RememberedCounter {
  counter: AlertCounter
  onAlert: OnAlert | undefined
}

/** Finds the thresholds that a change crosses. Only the process that makes the change does this, so each crossing is found once. */
export class Alerts {
  readonly #deliver: OnAlert | undefined
  readonly #warn: (message: string, cause?: unknown) => void
  readonly #limits: readonly PlannedLimit[]
  readonly #remembered = new LruMap<string, RememberedCounter>(MAX_REMEMBERED)

  /** @param limits the budget's own list; empty when it is a function */
  constructor(
    deliver: OnAlert | undefined,
    warn: (message: string, cause?: unknown) => void,
    limits: readonly PlannedLimit[],
  ) {
    this.#deliver = deliver
    this.#warn = warn
    this.#limits = limits.filter(({ alerts }) => alerts.length > 0)
  }

  /** Remembers counters that were reserved here: their limits may belong to one call, and their names may be hashed. */
  remember(partition: string, counters: readonly CallCounter[], onAlert: OnAlert | undefined): void {
    if (this.#deliver === undefined && onAlert === undefined) return
    for (const counter of counters) {
      if (!counter.limits.some(({ alerts }) => alerts.length > 0)) continue
      const key = `${partition} ${counter.name}`
      this.#remembered.set(key, { counter, onAlert: onAlert ?? this.#remembered.get(key)?.onAlert })
    }
  }

  /**
   * Delivers an alert for each threshold that these changes crossed, for counters of any subject.
   * @param own of the call that made the changes; without a call, the last one for the counter
   */
  changed(partition: string, changes: readonly CounterChange[], own?: OnAlert): void {
    if (this.#deliver === undefined && this.#remembered.size === 0) return
    for (const change of changes) {
      const { counter, onAlert } = this.#remembered.get(`${partition} ${change.name}`) ?? {}
      const listeners = new Set([this.#deliver, own ?? onAlert].filter((listener) => listener !== undefined))
      if (listeners.size > 0) this.#alert(partition, counter ?? this.#counterByName(change.name), change, listeners)
    }
  }

  #counterByName(name: string): AlertCounter | undefined {
    const parts = readCounterName(name)
    if (parts === undefined) return undefined
    const limits = this.#limits.filter((limit) => isCounterOf(limit, parts))
    return { startsAt: parts.startsAt, endsAt: parts.endsAt, value: parts.value, limits }
  }

  #alert(
    partition: string,
    counter: AlertCounter | undefined,
    change: CounterChange,
    listeners: Iterable<OnAlert>,
  ): void {
    if (counter === undefined) return
    for (const limit of counter.limits)
      for (const { fraction, spent } of limit.alerts)
        if (change.peakBefore < spent && spent <= change.peak)
          for (const listener of listeners)
            this.#call(listener, {
              ...statusOf(limit, counter, change),
              threshold: fraction,
              value: counter.value,
              partition,
            })
  }

  #call(listener: OnAlert, alert: BudgetAlert): void {
    const warn = (error: unknown) => this.#warn("onAlert threw an error; the alert is not delivered again.", error)
    try {
      const result: unknown = listener(alert)
      if (result instanceof Promise) result.catch(warn)
    } catch (error) {
      warn(error)
    }
  }
}

function isCounterOf({ scope, unit, window }: PlannedLimit, parts: CounterNameParts): boolean {
  const isScope =
    typeof scope === "string"
      ? scope === parts.scope
      : "tag" in scope && parts.scope === "tag" && parts.tag === scope.tag
  if (!isScope || unit !== parts.unit) return false
  if (parts.startsAt === null) return window.kind === "total"
  const own = windowAt(window, parts.startsAt)
  return own !== null && own.startsAt === parts.startsAt && own.endsAt === parts.endsAt
}
