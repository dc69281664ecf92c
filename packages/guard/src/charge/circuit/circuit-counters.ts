import type { Limit, LimitStatus, Subject } from "@p2/budget"
import type { NanoUsd } from "@p2/core"
import { countedWindows, type GuardedLimit, PROBE_WINDOWS, type ProbeWindow } from "./guarded-limit"

/**
 * How much of a limit may be in doubt without a success: up to the first share without restriction, then one call in each
 * window. A share is at least the upper bounds of `calls` calls, because a retry must be possible in a small budget, but those
 * are at most half of the limit. The windows grow, and with them the cool-down.
 */
const STEPS = [
  { percent: 4, calls: 2, every: undefined },
  { percent: 6, calls: 3, every: "1m" },
  { percent: 8, calls: 4, every: "10m" },
  { percent: 10, calls: 5, every: "1h" },
] as const

/** The counters of a guarded limit: what is in doubt in its window and in each probe window, and its failed probes. */
const COUNTERS_OF_LIMIT = PROBE_WINDOWS.length + 2

/** Two counters of the provider and model, and those of each guarded limit. */
export function maxGuardedLimits(maxCounters: number): number {
  return Math.floor((maxCounters - 2) / COUNTERS_OF_LIMIT)
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

/**
 * The counters of a circuit, as limits that deny nothing: answers, what is in doubt, and for each limit what is in doubt and
 * the number of failed probes.
 */
export function counterLimits({ tags = {} }: Subject): Limit[] {
  const guarded = Object.keys(tags).filter((tag) => tag.startsWith("["))
  return [ANSWERS, DOUBT, ...guarded.flatMap(countersOfLimit)]
}

/** The counters in the limit's own window come first. `tokens` is the unit that counts failed probes. */
function countersOfLimit(tag: string): Limit[] {
  const [own, ...probes] = countedWindows(tag)
  const failedProbes: Limit = { scope: { tag }, limit: { tokens: NO_LIMIT }, ...own }
  return [limitOf(tag, own, NO_LIMIT), failedProbes, ...probes.map((window) => limitOf(tag, window, NO_LIMIT))]
}

/** What the counters of a circuit contain. */
export interface CircuitStatus {
  /** The provider answered in this minute, and nothing is in doubt. */
  isHealthy: boolean
  /** What is in doubt of each guarded limit, in its own window. */
  inDoubtNanoUsd: NanoUsd[]
  /** The failed probes of each guarded limit, in its own window. */
  failedProbes: number[]
  /** The counters that a success clears: the amounts in doubt of all limits, and the counters in each limit's own window. */
  doubts: readonly LimitStatus[]
}

/** Reads the statuses of {@link counterLimits}. */
export function circuitStatus(guarded: readonly GuardedLimit[], counters: readonly LimitStatus[]): CircuitStatus {
  const [answers, doubtOfAll, ...ofLimits] = counters
  let index = 0
  const ownCounters = guarded.map(({ tag }) => {
    const [money, failedProbes] = ofLimits.slice(index)
    index += countersOfLimit(tag).length
    return [money!, failedProbes!] as const
  })
  const doubts = [doubtOfAll!, ...ownCounters.flat()]
  return {
    isHealthy: (answers?.spent ?? 0) > 0 && doubts.every((counter) => inDoubt(counter) <= 0),
    inDoubtNanoUsd: ownCounters.map(([money]) => Math.max(0, inDoubt(money))),
    failedProbes: ownCounters.map(([, failedProbes]) => Math.max(0, inDoubt(failedProbes))),
    doubts,
  }
}

/**
 * What was spent minus what was granted. A success grants the amount that was in doubt when its call was sent; amounts
 * that became doubtful later remain.
 */
export function inDoubt({ unit, spent, granted, spentNanoUsd, grantedNanoUsd }: LimitStatus): number {
  return unit === "usd" ? (spentNanoUsd ?? 0) - (grantedNanoUsd ?? 0) : spent - granted
}

/** The limits that decide whether a call may be sent while the provider is not proven to answer. */
export function allowedInDoubt(
  guarded: readonly GuardedLimit[],
  status: CircuitStatus,
  boundNanoUsd: NanoUsd,
): Limit[] {
  return guarded.flatMap((limit, index) => {
    const { tag, nanoUsd } = limit
    const [own, ...probes] = countedWindows(tag)
    const doubtful = status.inDoubtNanoUsd[index]!
    const steps = STEPS.slice(0, probes.length + 1)
    const step = steps.find((each) => doubtful + boundNanoUsd <= allowedNanoUsd(each, nanoUsd, boundNanoUsd))
    if (step !== undefined) {
      const share = limitOf(tag, own, allowedNanoUsd(step, nanoUsd, boundNanoUsd))
      return step.every === undefined ? [share] : [share, limitOf(tag, { per: step.every }, boundNanoUsd)]
    }
    const every = beyondShares(limit, { doubtful, failedProbes: status.failedProbes[index]!, boundNanoUsd })
    // Denies until the end of the limit's window.
    if (every === undefined) return [limitOf(tag, own, Math.min(doubtful, nanoUsd - boundNanoUsd))]
    return [limitOf(tag, { per: every }, boundNanoUsd)]
  })
}

/**
 * The window in which one more call may be sent although the shares are used: a minute until one probe has failed, ten minutes
 * after the second, an hour after the third, and for a limit that is longer than a day one day once half of it is in doubt.
 * Undefined: none, because an outage must not take the last call of a limit. The first probe may take it.
 */
function beyondShares(
  { tag, nanoUsd, spentNanoUsd }: GuardedLimit,
  { doubtful, failedProbes, boundNanoUsd }: { doubtful: NanoUsd; failedProbes: number; boundNanoUsd: NanoUsd },
): ProbeWindow | undefined {
  if (failedProbes > 1 && spentNanoUsd + 2 * boundNanoUsd > nanoUsd) return undefined
  const windows = countedWindows(tag)
    .slice(1)
    .map(({ per }) => per as ProbeWindow)
  const isLong = windows.includes("1d")
  if (isLong && doubtful + boundNanoUsd > nanoUsd / 2 && failedProbes > 3) return "1d"
  const hourly = isLong ? windows.slice(0, -1) : windows
  return hourly[Math.min(Math.max(0, failedProbes - 1), hourly.length - 1)]
}

function allowedNanoUsd(
  { percent, calls }: (typeof STEPS)[number],
  limitNanoUsd: NanoUsd,
  boundNanoUsd: NanoUsd,
): NanoUsd {
  const share = Math.floor((limitNanoUsd / 100) * percent)
  return Math.max(share, boundNanoUsd, Math.min(calls * boundNanoUsd, Math.floor(limitNanoUsd / 2)))
}

function limitOf(tag: string, window: Pick<Limit, "per" | "timeZone">, nanoUsd: NanoUsd): Limit {
  return { scope: { tag }, limit: { nanoUsd }, ...window }
}
