import { checkOptions, InvalidArgumentError, USAGE_COUNTS, type Usage } from "@p2/core"
import type { ReportedCost } from "../cost/cost-options"
import { UnknownUsageError } from "../errors"
import { UsageFields, type UsageReadOptions } from "./usage-fields"
import { usageOf } from "./usage-parts"

/** Reads the counts of one wire format. Problems are collected in the fields. */
type ReadCounts = (fields: UsageFields) => Usage

/** The usage of a call, as the provider reported it. */
export interface ReportedUsage {
  usage: Usage
  /** The charge that the provider reports; undefined: there is none, or it is implausible. */
  cost: ReportedCost | undefined
}

/**
 * What a meter reads from a provider's usage. Reading never throws.
 *
 * - `exact`: every field is understood. An ambiguous shape took the more expensive reading, named in `usage.assumptions`.
 * - `lower-bound`: a field is unknown or invalid, as `problem` says. The call used at least `usage`, which has every other count.
 * - `none`: the value has no count above 0 and no cost. A server that does not know a usage reports zeros: no call uses nothing.
 */
export type UsageReading =
  | ({ status: "exact" } & ReportedUsage)
  | ({ status: "lower-bound"; problem: string } & ReportedUsage)
  | { status: "none" }

const OPTION_NAMES: ReadonlySet<string> = /* @__PURE__ */ new Set(["ignoreFields"])

/** Reads a usage for a caller. @throws InvalidArgumentError, UnknownUsageError for the first problem */
export function readStrictly(
  value: unknown,
  options: UsageReadOptions,
  read: ReadCounts,
  { path = "usage", names = OPTION_NAMES }: { path?: string; names?: ReadonlySet<string> } = {},
): Usage {
  checkOptions(options, names)
  const { ignoreFields } = options
  if (ignoreFields !== undefined && !Array.isArray(ignoreFields))
    throw new InvalidArgumentError("ignoreFields", 'an array of names, such as ["draft_tokens"]', ignoreFields)
  const fields = new UsageFields(value, path)
  const usage = read(fields)
  fields.finish(ignoreFields)
  const [problem] = fields.problems
  if (problem !== undefined) throw problem
  return { ...usage, raw: value }
}

/** Reads a usage for a meter. A reported cost includes unknown fields, so they are ignored then. */
export function readForMeter(value: unknown, cost: ReportedCost | undefined, read: ReadCounts): UsageReading {
  const fields = new UsageFields(value)
  const usage: Usage = { raw: boundedRaw(value), ...read(fields) }
  fields.finish()
  const problem = fields.problems.find((each) => cost === undefined || !UnknownUsageError.isInstance(each))
  const hasCounts = USAGE_COUNTS.some((count) => (usage[count] ?? 0) > 0)
  if (problem === undefined && (hasCounts || cost !== undefined)) return { status: "exact", usage, cost }
  return problem !== undefined && hasCounts
    ? { status: "lower-bound", usage, cost, problem: problem.message }
    : { status: "none" }
}

/**
 * Merges two readings of one call, such as the running usage of a stream. A running usage only grows, so each count is the
 * larger one.
 */
export function largerReading(first: UsageReading, second: UsageReading): UsageReading {
  if (first.status === "none") return second
  if (second.status === "none") return first
  const merged = { ...second.usage }
  for (const count of USAGE_COUNTS) {
    const [before, after] = [first.usage[count] ?? 0, second.usage[count] ?? 0]
    if (before > after) merged[count] = before
  }
  const { inputTokens, outputTokens, raw, serviceTier, region, ...parts } = merged
  const usage: Usage = { ...merged, ...usageOf(inputTokens, outputTokens, parts) }
  const cost = largerCost(first.cost, second.cost)
  const uncertain = [second, first].find((each) => each.status === "lower-bound")
  return uncertain === undefined
    ? { status: "exact", usage, cost }
    : { status: "lower-bound", usage, cost, problem: uncertain.problem }
}

function largerCost(first: ReportedCost | undefined, second: ReportedCost | undefined): ReportedCost | undefined {
  if (first === undefined || second === undefined) return second ?? first
  return Number(first.costUsd) > Number(second.costUsd) ? first : second
}

/** The longest `usage.raw`, in characters of JSON. Real ones have a few hundred. */
const MAX_RAW_LENGTH = 16_384

/** The provider's usage object, or a marker if it is larger than {@link MAX_RAW_LENGTH}. */
export function boundedRaw(raw: unknown): unknown {
  try {
    if (JSON.stringify(raw).length <= MAX_RAW_LENGTH) return raw
  } catch {
    // The nesting exceeds the stack.
  }
  return { dropped: true }
}
