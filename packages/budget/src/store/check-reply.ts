import type {
  AdjustReply,
  AdjustRequest,
  CounterChange,
  CounterState,
  ExpireReply,
  ExpireRequest,
  ExtendReply,
  ListCountersReply,
  ListDueReply,
  Name,
  ReadReply,
  ReserveReply,
  ReserveRequest,
  SettleReply,
  SettleRequest,
  StoreCheck,
} from "./budget-store"
import { isNatural } from "./check-value"
import { MAX_TIME } from "./max-time"

/**
 * Each function describes the defect of a reply, or returns undefined. An invalid time would make every window unbounded,
 * and an invalid counter every remaining amount.
 */
export type Defect = string | undefined

export function reserveDefect(reply: ReserveReply, request: ReserveRequest): Defect {
  const { counters } = request
  return (
    timeDefect(reply) ??
    statesDefect(reply.counters, counters.length, (index) => counters[index]!.name) ??
    booleansDefect(reply, "due") ??
    reserveOutcomeDefect(reply, counters.length)
  )
}

function reserveOutcomeDefect(reply: ReserveReply, count: number): Defect {
  switch (reply.status) {
    case "ok":
      return booleansDefect(reply, "replayed") ?? (isNatural(reply.expiresAt) ? undefined : "`expiresAt` is not a time")
    case "exceeded":
    case "stale-window":
      return isIndexes(reply.which, count) ? undefined : "`which` is not a list of indexes of the request's counters"
    case "resolved":
      return isFinalState(reply.state) ? undefined : "`state` is not a final state"
    case "lease-ended":
      return namesDefect(reply.storedCounters)
    case "mismatch":
      return undefined
    default:
      return statusDefect(reply)
  }
}

export function settleDefect(reply: SettleReply, request: SettleRequest): Defect {
  const time = timeDefect(reply)
  if (time !== undefined) return time
  switch (reply.status) {
    case "settled":
    case "released":
      if (reply.status !== request.outcome) return `\`status\` is not ${request.outcome}`
      if (!isNatural(reply.forgottenCounters)) return "`forgottenCounters` is not a count"
      return (
        changesDefect(reply.counters, request.counters.length, (index) => request.counters[index]!.name) ??
        booleansDefect(reply, "replayed", "late", "recovered")
      )
    case "other-counters":
      return namesDefect(reply.storedCounters)
    case "mismatch":
    case "forgotten":
      return undefined
    default:
      return statusDefect(reply)
  }
}

export function extendDefect(reply: ExtendReply): Defect {
  const time = timeDefect(reply)
  if (time !== undefined) return time
  if (reply.status === "unknown" || isFinalState(reply.status)) return undefined
  if (reply.status !== "held") return statusDefect(reply)
  if (!isNatural(reply.expiresAt)) return "`expiresAt` is not a time"
  if (typeof reply.fingerprint !== "string") return "`fingerprint` is not a string"
  const isRight = (counter: unknown) => {
    const { name, amount, onExpire } = (counter ?? {}) as Record<string, unknown>
    return typeof name === "string" && isNatural(amount) && isNatural(onExpire)
  }
  return Array.isArray(reply.counters) && reply.counters.every(isRight) ? undefined : "`counters` are invalid"
}

export function expireDefect(reply: ExpireReply, request: ExpireRequest): Defect {
  const time = timeDefect(reply)
  if (time !== undefined) return time
  switch (reply.status) {
    case "expired": {
      const { charged } = reply
      const isRight = Array.isArray(charged) && charged.length === request.counters.length && charged.every(isNatural)
      const changes = changesDefect(reply.counters, request.counters.length, (index) => request.counters[index]!)
      return changes ?? (isRight ? undefined : "`charged` is invalid")
    }
    case "other-counters":
      return namesDefect(reply.storedCounters)
    case "not-due":
    case "damaged":
      return undefined
    default:
      return statusDefect(reply)
  }
}

export function listDueDefect(reply: ListDueReply, { limit }: { limit: number }): Defect {
  const time = timeDefect(reply)
  if (time !== undefined) return time
  const { due } = reply
  if (!Array.isArray(due) || due.length > limit) return `\`due\` is not a list of at most ${limit}`
  if (!due.every((lease) => typeof lease?.key === "string")) return "a `key` in `due` is not a string"
  return due.map(({ counters }) => namesDefect(counters)).find((defect) => defect !== undefined)
}

export function readDefect(reply: ReadReply, { counters }: { counters: readonly Name[] }): Defect {
  return (
    timeDefect(reply) ??
    statesDefect(reply.counters, counters.length, (index) => counters[index]!) ??
    booleansDefect(reply, "due")
  )
}

export function adjustDefect(reply: AdjustReply, { counter }: AdjustRequest): Defect {
  const time = timeDefect(reply)
  if (time !== undefined || reply.status === "mismatch" || reply.status === "stale-window") return time
  if (reply.status !== "ok") return statusDefect(reply)
  if (!Number.isSafeInteger(reply.applied)) return "`applied` is not an integer"
  return changesDefect([reply.counter], 1, () => counter.name) ?? booleansDefect(reply, "replayed")
}

export function listCountersDefect(reply: ListCountersReply): Defect {
  const time = timeDefect(reply)
  if (time !== undefined) return time
  const { counters, cursor } = reply
  if (!Array.isArray(counters) || !counters.every((counter) => isState(counter, counter?.name)))
    return "`counters` are invalid"
  if (cursor !== null && typeof cursor !== "string") return "`cursor` is neither a string nor null"
  return namesDefect(reply.damaged)
}

export function acceptClockDefect(reply: { now: number; before: number }): Defect {
  return timeDefect(reply) ?? (isTime(reply.before) ? undefined : "`before` is not a time")
}

export function checkDefect(reply: StoreCheck): Defect {
  if (typeof reply !== "object" || reply === null) return "it is not an object"
  return Array.isArray(reply.warnings) ? booleansDefect(reply, "ok") : "`warnings` is not a list"
}

export function arrayDefect(reply: unknown): Defect {
  return Array.isArray(reply) ? undefined : "it is not a list"
}

export function pruneDefect(reply: { removed: number }): Defect {
  return isNatural(reply?.removed) ? undefined : "`removed` is not a count"
}

export function timeDefect(reply: { now: unknown } | null | undefined): Defect {
  return isTime(reply?.now) ? undefined : "`now` is not a time in epoch milliseconds"
}

function isTime(value: unknown): boolean {
  return isNatural(value) && value <= MAX_TIME
}

function statesDefect(states: readonly CounterState[], count: number, nameAt: (index: number) => Name): Defect {
  const isRight =
    Array.isArray(states) && states.length === count && states.every((state, index) => isState(state, nameAt(index)))
  return isRight ? undefined : `\`counters\` are not the states of the ${count} requested counters`
}

function changesDefect(changes: readonly CounterChange[], count: number, nameAt: (index: number) => Name): Defect {
  const isRight = ({ peakBefore, peak }: CounterChange) =>
    Number.isSafeInteger(peakBefore) && Number.isSafeInteger(peak)
  return statesDefect(changes, count, nameAt) ?? (changes.every(isRight) ? undefined : "a `peak` is not an integer")
}

function isState(state: CounterState | null | undefined, name: Name): boolean {
  return (
    typeof state === "object" &&
    state !== null &&
    typeof name === "string" &&
    state.name === name &&
    Number.isSafeInteger(state.spent) &&
    Number.isSafeInteger(state.reserved) &&
    Number.isSafeInteger(state.granted)
  )
}

function namesDefect(names: unknown): Defect {
  const isRight = Array.isArray(names) && names.every((name) => typeof name === "string")
  return isRight ? undefined : "a list of names is invalid"
}

function isIndexes(which: unknown, count: number): boolean {
  return Array.isArray(which) && which.length > 0 && which.every((index) => isNatural(index) && index < count)
}

function isFinalState(state: unknown): boolean {
  return state === "settled" || state === "released" || state === "expired"
}

function booleansDefect(reply: object, ...fields: string[]): Defect {
  const field = fields.find((name) => typeof (reply as Record<string, unknown>)[name] !== "boolean")
  return field && `\`${field}\` is neither true nor false`
}

function statusDefect(_reply: unknown): Defect {
  return "`status` is unknown"
}
