import { InvalidArgumentError } from "@p2/core"
import { type FullRates, rateOf, type UnsharedKind } from "../cost/bill"
import { BilledCost } from "../cost/compute-cost"
import type { Bound, CostLine } from "../cost/cost"
import { exactPico, safePico } from "../cost/exact-sum"
import { UnboundedCostError } from "../errors"
import { holdsBetween, instantMs } from "../table/instant"
import { noPriceYet } from "../table/no-price"
import type { PriceRow } from "../table/price-row"
import type { AffordOptions, BoundOptions, Modality } from "../table/price-table"
import { isAlways, type PricedRow, type PricedSheet, type PricedTier, tierInRow } from "../table/priced-row"
import type { RateKind } from "../table/rates"

/** The dearest thing that a token can be billed as. */
interface WorstRate {
  kind: RateKind
  picoUsdPerUnit: number
}

/** Everything of a bound but the number of output tokens. */
interface BoundCase {
  tier: PricedTier
  /** Lines that do not depend on the answer's length. */
  fixed: CostLine[]
  output: WorstRate
}

/** A bound with its bill. */
class WorstCost extends BilledCost implements Bound {
  declare readonly maxPrice?: NonNullable<Bound["maxPrice"]>

  constructor(row: PriceRow, worst: BoundCase, lines: CostLine[], cases: readonly BoundCase[]) {
    super(row, worst.tier.tier, lines)
    if (row.provider === "openrouter") this.maxPrice = maxPriceOf(cases)
  }
}

/** The most that a call can cost by the row. */
export function boundOfRow(priced: PricedRow, options: BoundOptions): Bound {
  const { row } = priced
  const cases = boundCases(priced, options)
  const choices = positive(options.choices ?? 1, "choices")
  const maxOutputTokens = outputMaximum(row, options.maxOutputTokens, cases)
  // Beyond 2^53 − 1 the product itself would be rounded, perhaps down.
  const outputTokens = count(maxOutputTokens * choices, "maxOutputTokens × choices")
  let worst: { each: BoundCase; lines: CostLine[] } | undefined
  for (const each of cases) {
    const lines = withOutput(each, outputTokens)
    if (worst === undefined || isMore(lines, worst.lines)) worst = { each, lines }
  }
  return new WorstCost(row, worst!.each, worst!.lines, cases)
}

/** The largest number of output tokens whose bound fits into `options.budget`. */
export function affordableOutput(priced: PricedRow, options: AffordOptions): number {
  const { row } = priced
  const budget = options.budget
  if (!Number.isSafeInteger(budget) || budget < 0)
    throw new InvalidArgumentError("budget", "an integer of at least 0, in nano-USD", budget)
  const choices = BigInt(positive(options.choices ?? 1, "choices"))
  const most =
    options.maxOutputTokens === undefined ? certainMaximum(row) : count(options.maxOutputTokens, "maxOutputTokens")
  // What `upperBound` can count, for all answers together.
  let tokens = BigInt(Number.MAX_SAFE_INTEGER) / choices
  if (most !== undefined && BigInt(most) < tokens) tokens = BigInt(most)
  for (const { fixed, output } of boundCases(priced, options)) {
    // ceil(pico / 1000) ≤ budget exactly when pico ≤ 1000 × budget.
    const left = BigInt(budget) * 1000n - exactPico(fixed)
    if (left < 0n) return 0
    const rate = BigInt(output.picoUsdPerUnit) * choices
    if (rate > 0n && left / rate < tokens) tokens = left / rate
  }
  return Number(tokens)
}

/** One case for each sheet and tier that the call can reach. */
function boundCases(priced: PricedRow, options: BoundOptions | AffordOptions): BoundCase[] {
  const { row } = priced
  if (row.unbounded !== undefined)
    throw new UnboundedCostError(
      row.model,
      row.unbounded.reason,
      `No upper bound is known for "${row.model}": ${row.unbounded.why}`,
    )
  const inputTokens = count(options.inputTokens, "inputTokens")
  const webSearches = count(options.webSearches ?? 0, "webSearches")
  const cases: BoundCase[] = []
  const sheets = reachableSheets(priced, options)
  if (sheets.length === 0) throw noPriceYet(row.model)
  for (const sheet of sheets) {
    for (const tier of sheet.tiers) {
      if (tier.fromInputTokens > inputTokens && tier.fromInputTokens > 0) break
      cases.push(boundCase(row, tier, inputTokens, webSearches, options))
    }
  }
  return cases
}

function boundCase(
  row: PriceRow,
  tier: PricedTier,
  inputTokens: number,
  webSearches: number,
  options: BoundOptions | AffordOptions,
): BoundCase {
  const { rates } = tier
  const input = worstRate(row, rates, inputKinds(row, options), options.inputModalities)
  const fixed: CostLine[] = []
  if (inputTokens > 0) fixed.push({ kind: input.kind, count: inputTokens, picoUsdPerUnit: input.picoUsdPerUnit })
  if (rates.request > 0) fixed.push({ kind: "request", count: 1, picoUsdPerUnit: rates.request })
  if (webSearches > 0)
    fixed.push({ kind: "search", count: webSearches, picoUsdPerUnit: rateOf(row.model, rates, "search") })
  return { tier, fixed, output: worstRate(row, rates, outputKinds(options), options.outputModalities) }
}

function reachableSheets(priced: PricedRow, options: BoundOptions | AffordOptions): readonly PricedSheet[] {
  const start = instantMs(options.at === undefined ? Date.now() : options.at, "at")
  const end = options.deadline === undefined ? Number.POSITIVE_INFINITY : instantMs(options.deadline, "deadline")
  if (end < start) throw new InvalidArgumentError("deadline", "not before `at`", options.deadline)
  // Nearly every call: what is asked for is the standard tier, and its price does not depend on the time.
  if (options.serviceTier === "default" && priced.standards !== undefined) return priced.standards
  const inTime = priced.sheets.filter(({ sheet }) => holdsBetween(sheet, start, end))
  if (options.serviceTier === undefined || options.serviceTier === "auto") return inTime
  const name = tierInRow(priced.row, options.serviceTier)
  if (name === undefined) return inTime
  const own = inTime.filter(({ sheet }) => sheet.serviceTier === name)
  // A tier that does not hold at every moment falls back to standard rates at the others.
  const always = own.some(({ sheet }) => sheet.boundOnly !== true && isAlways(sheet))
  if (always || name === "default") return own
  return inTime.filter(({ sheet }) => sheet.serviceTier === name || sheet.serviceTier === "default")
}

function inputKinds(row: PriceRow, options: BoundOptions | AffordOptions): RateKind[] {
  const asked = oneOf(options.cacheWrites ?? "any", CACHE_WRITES, "cacheWrites")
  const writes = row.cacheWriteOnRequest === true ? asked : "any"
  const kinds: RateKind[] = ["input", "cacheRead"]
  if (writes !== "none") kinds.push("cacheWrite")
  if (writes === "any") kinds.push("cacheWrite1h")
  return withModalities(kinds, modalitiesOf(options, "inputModalities"), "audioInput", "imageInput")
}

function outputKinds(options: BoundOptions | AffordOptions): RateKind[] {
  const modalities = modalitiesOf(options, "outputModalities")
  return withModalities(["output", "reasoning"], modalities, "audioOutput", "imageOutput")
}

const CACHE_WRITES = ["any", "5m", "none"] as const
const MODALITIES = ["text", "audio", "image"] as const

/** A misspelt modality would leave out its rates, so it is a mistake. */
function modalitiesOf(
  options: BoundOptions | AffordOptions,
  argument: "inputModalities" | "outputModalities",
): readonly Modality[] | undefined {
  const modalities = options[argument]
  if (modalities === undefined) return undefined
  if (!Array.isArray(modalities))
    throw new InvalidArgumentError(argument, 'a list of "text", "audio" and "image"', modalities)
  for (let index = 0; index < modalities.length; index++) oneOf(modalities[index]!, MODALITIES, argument)
  return modalities
}

function oneOf<Name extends string>(value: Name, names: readonly Name[], argument: string): Name {
  if (names.includes(value)) return value
  throw new InvalidArgumentError(argument, `one of ${names.map((name) => `"${name}"`).join(", ")}`, value)
}

function withModalities(
  kinds: RateKind[],
  modalities: readonly Modality[] | undefined,
  audio: RateKind,
  image: RateKind,
): RateKind[] {
  if (modalities === undefined || modalities.includes("audio")) kinds.push(audio)
  if (modalities === undefined || modalities.includes("image")) kinds.push(image)
  return kinds
}

/**
 * The dearest of some kinds. One without a rate is an error where the caller named its modality; where nobody did, the model is taken
 * not to have it, and a cost with it is an error too.
 */
function worstRate(
  row: PriceRow,
  rates: FullRates,
  kinds: readonly RateKind[],
  named: readonly Modality[] | undefined,
): WorstRate {
  let worst: WorstRate = { kind: kinds[0]!, picoUsdPerUnit: rates[kinds[0]!]! }
  for (const kind of kinds) {
    const rate = rates[kind] ?? (named === undefined ? 0 : rateOf(row.model, rates, kind as UnsharedKind))
    if (rate > worst.picoUsdPerUnit) worst = { kind, picoUsdPerUnit: rate }
  }
  return worst
}

function withOutput(each: BoundCase, tokens: number): CostLine[] {
  if (tokens === 0) return each.fixed
  const { kind, picoUsdPerUnit } = each.output
  return [...each.fixed, { kind, count: tokens, picoUsdPerUnit }]
}

function isMore(a: readonly CostLine[], b: readonly CostLine[]): boolean {
  const [left, right] = [safePico(a), safePico(b)]
  return left === undefined || right === undefined ? exactPico(a) > exactPico(b) : left > right
}

/** What no answer can pass. What the same model may say at another seller is not certain, the context window is. */
function certainMaximum(row: PriceRow): number | undefined {
  return row.maxOutputBasis === "same model" ? row.contextWindow : row.maxOutputTokens
}

/** The requested or the known maximum. Where the answer costs nothing its length does not matter. */
function outputMaximum(row: PriceRow, requested: number | undefined, cases: readonly BoundCase[]): number {
  if (requested !== undefined) return count(requested, "maxOutputTokens")
  const most = certainMaximum(row)
  if (most !== undefined) return most
  if (cases.every(({ output }) => output.picoUsdPerUnit === 0)) return 0
  throw new UnboundedCostError(
    row.model,
    "output",
    `No certain maximum of output tokens is known for "${row.model}", so its cost has no upper bound. Pass \`maxOutputTokens\`.`,
  )
}

/** OpenRouter compares with an endpoint's base rates, so these are the dearest base rates that the bound assumed. */
function maxPriceOf(cases: readonly BoundCase[]): NonNullable<Bound["maxPrice"]> {
  const base = cases.filter(({ tier }) => tier.fromInputTokens === 0).map(({ tier }) => tier.rates)
  const request = Math.max(...base.map((rates) => rates.request))
  return {
    prompt: Math.max(...base.map((rates) => rates.input)) / 1e6,
    completion: Math.max(...base.map((rates) => rates.output)) / 1e6,
    ...(request > 0 ? { request: request / 1e12 } : {}),
  }
}

function count(value: number, argument: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError(argument, "an integer of at least 0", value)
}

function positive(value: number, argument: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError(argument, "an integer of at least 1", value)
}
