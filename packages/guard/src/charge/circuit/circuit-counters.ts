import type { Limit, LimitStatus, Subject } from "@p2/budget"
import type { NanoUsd } from "@p2/core"
import { countedWindows, type GuardedLimit } from "./guarded-limit"

/**
 * How much of a limit may be in doubt without a success: up to the first share freely, then one call in each window. A share
 * is at least the upper bounds of `calls` calls, because a retry must be possible in a small budget, but those are at most
 * half of the limit. The windows grow, and with them the cool-down.
 */
const STEPS = [
  { percent: 4, calls: 2, every: undefined },
  { percent: 6, calls: 3, every: "1m" },
  { percent: 8, calls: 4, every: "10m" },
  { percent: 10, calls: 5, every: "1h" },
  { percent: 25, calls: 6, every: "1d" },
] as const

/** Two counters of the provider and model, and up to five of each guarded limit. */
export function maxGuardedLimits(maxCounters: number): number {
  return Math.floor((maxCounters - 2) / STEPS.length)
}

/** Half of the largest amount, because a top-up is added to it. */
const NO_LIMIT = 2 ** 52
/** The number of answers in this minute, and what is in doubt of all limits. */
const ANSWERS: Limit = { scope: { tag: "answers" }, limit: { requests: NO_LIMIT }, per: "1m" }
const DOUBT: Limit = { scope: { tag: "doubt" }, limit: { nanoUsd: NO_LIMIT }, per: "1m" }

/** The subject of a circuit's counters. Its tags decide the counters: see {@link counterLimits}. */
export function counterSubject(
  partition: string,
  circuit: string,
  guarded: readonly GuardedLimit[],
): Subject & { tags: { partition: string } } {
  const tags = Object.fromEntries(guarded.map(({ tag }) => [tag, circuit]))
  return { model: circuit, tags: { ...tags, partition, answers: circuit, doubt: circuit } }
}

/** The counters of a circuit, as limits that deny nothing: answers, what is in doubt, and what is in doubt of each limit. */
export function counterLimits({ tags = {} }: Subject): Limit[] {
  const guarded = Object.keys(tags).filter((tag) => tag.startsWith("["))
  return [
    ANSWERS,
    DOUBT,
    ...guarded.flatMap((tag) => countedWindows(tag).map((window) => limitOf(tag, window, NO_LIMIT))),
  ]
}

/** What the counters of a circuit contain. */
export interface CircuitStatus {
  /** The provider answered in this minute, and nothing is in doubt. */
  isHealthy: boolean
  /** What is in doubt of each guarded limit, in its own window. */
  inDoubtNanoUsd: NanoUsd[]
  /** The counters that a success clears: what is in doubt of all limits, and of each guarded limit in its own window. */
  doubts: readonly LimitStatus[]
}

/** Reads the statuses of {@link counterLimits}. */
export function circuitStatus(guarded: readonly GuardedLimit[], counters: readonly LimitStatus[]): CircuitStatus {
  const [answers, doubtOfAll, ...ofLimits] = counters
  let index = 0
  const ownCounters = guarded.map(({ tag }) => {
    const own = ofLimits[index]!
    index += countedWindows(tag).length
    return own
  })
  const doubts = [doubtOfAll!, ...ownCounters]
  return {
    isHealthy: (answers?.spent ?? 0) > 0 && doubts.every((counter) => inDoubt(counter) <= 0),
    inDoubtNanoUsd: ownCounters.map((counter) => Math.max(0, inDoubt(counter))),
    doubts,
  }
}

/** What a success clears is granted, so that what became doubtful after its call was sent stays. */
export function inDoubt({ spentNanoUsd, grantedNanoUsd }: LimitStatus): NanoUsd {
  return (spentNanoUsd ?? 0) - (grantedNanoUsd ?? 0)
}

/** The limits that decide whether a call may be sent while the provider is not proven to answer. */
export function allowedInDoubt(
  guarded: readonly GuardedLimit[],
  status: CircuitStatus,
  boundNanoUsd: NanoUsd,
): Limit[] {
  return guarded.flatMap(({ tag, nanoUsd }, index) => {
    const [own, ...probes] = countedWindows(tag)
    const steps = STEPS.slice(0, probes.length + 1).map((step) => ({
      ...step,
      nanoUsd: allowed(step, nanoUsd, boundNanoUsd),
    }))
    const doubtful = status.inDoubtNanoUsd[index]!
    const step = steps.find((each) => doubtful + boundNanoUsd <= each.nanoUsd) ?? steps.at(-1)!
    const whole = limitOf(tag, own, step.nanoUsd)
    return step.every === undefined ? [whole] : [whole, limitOf(tag, { per: step.every }, boundNanoUsd)]
  })
}

function allowed({ percent, calls }: (typeof STEPS)[number], limitNanoUsd: NanoUsd, boundNanoUsd: NanoUsd): NanoUsd {
  const share = Math.floor((limitNanoUsd / 100) * percent)
  return Math.max(share, boundNanoUsd, Math.min(calls * boundNanoUsd, Math.floor(limitNanoUsd / 2)))
}

function limitOf(tag: string, window: Pick<Limit, "per" | "timeZone">, nanoUsd: NanoUsd): Limit {
  return { scope: { tag }, limit: { nanoUsd }, ...window }
}
