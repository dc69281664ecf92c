import { LruMap } from "@p2/core"

/** Classes that are remembered. */
const MAX_CLASSES = 1_000

/** A class has no bound below this number of reports, and remembers the latest ones. */
export const MIN_REPORTS = 200
const MAX_REPORTS = 500

/** The margin on the largest ratio, for drift: 10 % and 16 tokens. */
const MARGIN = 1.1
const MARGIN_TOKENS = 16

/**
 * Remembers, for each class of calls, the ratio of what the provider reported to what was expected.
 *
 * The bound is the largest of the latest ratios and a margin. If the calls of a class come in random order, the ratio of the next call
 * is the largest of n + 1 with a probability of 1 / (n + 1): one call in 201 with 200 reports, one in 501 with 500. That holds for every
 * distribution (split conformal prediction: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005, §4.2).
 *
 * Change over time breaks the assumption. The margin is for slow change. A ratio above the margin shows an abrupt one: the class forgets
 * its reports, so that its calls have no bound until there are enough new ones.
 */
export class RatioClasses {
  readonly #classes = new LruMap<string, number[]>(MAX_CLASSES)

  /** The bound for a call with this expected number. Undefined: the class has too few reports. */
  bound(kind: string, expected: number): number | undefined {
    const ratios = this.#classes.get(kind)
    if (ratios === undefined || ratios.length < MIN_REPORTS) return undefined
    return Math.ceil(expected * Math.max(...ratios) * MARGIN) + MARGIN_TOKENS
  }

  /** @param ratio reported / expected */
  add(kind: string, ratio: number): void {
    if (!(ratio > 0)) return
    const ratios = this.#classes.getOrCreate(kind, () => [])
    if (ratios.length >= MIN_REPORTS && ratio > MARGIN * Math.max(...ratios)) ratios.length = 0
    ratios.push(ratio)
    if (ratios.length > MAX_REPORTS) ratios.shift()
  }
}
