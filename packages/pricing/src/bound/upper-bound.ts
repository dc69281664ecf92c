import { describeValue, InvalidArgumentError, usd } from "@p2/core"
import { rateOf } from "../cost/bill"
import type { Bound, CostLine } from "../cost/cost"
import { ExactCost } from "../cost/exact-cost"
import { sumLines } from "../cost/exact-sum"
import { unlistedRegion } from "../cost/price-usage"
import { UnboundedCostError } from "../errors"
import { holdsBetween, instantMs } from "../table/instant"
import { noPriceYet } from "../table/no-price"
import type { PriceRow } from "../table/price-row"
import {
  describeListed,
  isAlways,
  type PricedRow,
  type PricedSheet,
  type PricedTier,
  selectTier,
} from "../table/priced-row"
import type { CompleteRates, RateKind } from "../table/rates"
import { type Uplift, upliftRate, upliftsOf } from "../table/uplift"
import type { AffordOptions, BoundOptions, Modality } from "./bound-options"

/** The most expensive kind that a token can be billed as. */
interface WorstRate {
  readonly kind: RateKind
  readonly picoUsdPerUnit: number
}

/** A sheet and context tier that may apply to the call. */
interface BoundCase {
  readonly tier: PricedTier
  /** The lines that do not depend on the length of the answer. */
  readonly fixed: readonly CostLine[]
  readonly output: WorstRate
}

/** Computes the most that a call can cost at a row's prices: the maximum over all cases that may apply. */
export function boundByRow(priced: PricedRow, options: BoundOptions): Bound {
  const { row } = priced
  const cases = boundCases(priced, options)
  const choices = readPositive(options.choices ?? 1, "choices")
  const maxOutputTokens = outputMaximum(row, options.maxOutputTokens, cases)
  // Above 2^53 − 1 the product itself would be rounded, possibly down.
  const outputTokens = readInteger(maxOutputTokens * choices, "maxOutputTokens × choices")
  const bills = cases.map((each) => {
    const { fixed, output } = each
    return { each, pico: sumLines(fixed) + BigInt(outputTokens) * BigInt(output.picoUsdPerUnit) }
  })
  const worst = bills.reduce((highest, bill) => (bill.pico > highest.pico ? bill : highest))
  const tokens = "inputTokens + maxOutputTokens × choices"
  return new ExactCost(
    worst.pico,
    {
      tokens: readInteger(options.inputTokens + outputTokens, tokens),
      lines: withOutput(worst.each, outputTokens),
      tier: worst.each.tier.tier,
      model: row.model,
      asOf: row.asOf,
      basis: row.basis,
      ...(row.provider === "openrouter" ? { maxPrice: maxPriceOf(cases) } : {}),
    },
    tokens,
  )
}

/** Computes the largest number of output tokens per answer whose bound fits the budget; 0 if not even the input fits. */
export function affordableByRow(priced: PricedRow, options: AffordOptions): number {
  const budgetPico = BigInt(readBudget(options)) * 1000n
  const choices = BigInt(readPositive(options.choices ?? 1, "choices"))
  const maximum =
    options.maxOutputTokens === undefined
      ? certainMaximum(priced.row)
      : readInteger(options.maxOutputTokens, "maxOutputTokens")
  // `upperBound` cannot count more tokens than this for all answers together.
  let tokens = BigInt(Number.MAX_SAFE_INTEGER - readInteger(options.inputTokens, "inputTokens")) / choices
  if (maximum !== undefined && BigInt(maximum) < tokens) tokens = BigInt(maximum)
  for (const { fixed, output } of boundCases(priced, options)) {
    // ceil(pico / 1000) ≤ budget exactly when pico ≤ 1000 × budget.
    const remaining = budgetPico - sumLines(fixed)
    if (remaining < 0n) return 0
    const rate = BigInt(output.picoUsdPerUnit) * choices
    if (rate > 0n && remaining / rate < tokens) tokens = remaining / rate
  }
  return Number(tokens)
}

/** Larger amounts of dollars exceed the safe integers in nano-USD. */
const MAX_USD = 9_007_199

function readBudget({ budget, budgetNanoUsd }: AffordOptions): number {
  if (budget !== undefined && budgetNanoUsd !== undefined)
    throw new InvalidArgumentError("budget", "absent", budget, "Pass `budget` or `budgetNanoUsd`, not both.")
  if (budget === undefined && budgetNanoUsd === undefined)
    throw new InvalidArgumentError(
      "budget",
      "a dollar amount",
      budget,
      'Missing budget: pass `budget` in dollars, such as 0.05 or "0.05", or `budgetNanoUsd`.',
    )
  if (typeof budget === "number" && budget > MAX_USD)
    throw new InvalidArgumentError(
      "budget",
      "a dollar amount",
      budget,
      `Invalid \`budget\`: expected at most $${MAX_USD}, got ${describeValue(budget)}. For nano-USD use \`budgetNanoUsd\`.`,
    )
  const nanoUsd = budget === undefined ? budgetNanoUsd! : usd(budget, "budget")
  if (Number.isSafeInteger(nanoUsd) && nanoUsd >= 0) return nanoUsd
  if (budget !== undefined) throw new InvalidArgumentError("budget", "at least 0 dollars", budget)
  throw new InvalidArgumentError("budgetNanoUsd", "an integer of at least 0, in nano-USD", budgetNanoUsd)
}

/** Returns one case for each sheet and context tier that may apply to the call. */
function boundCases(priced: PricedRow, options: BoundOptions): BoundCase[] {
  const { row } = priced
  if (row.unbounded !== undefined)
    throw new UnboundedCostError(
      row.model,
      row.unbounded.reason,
      `The cost of "${row.model}" has no upper bound: ${row.unbounded.explanation}`,
    )
  const inputTokens = readInteger(options.inputTokens, "inputTokens")
  const call: BoundCall = {
    row,
    options,
    uplifts: boundUplifts(row, options),
    inputKinds: inputKinds(row, options),
    outputKinds: outputKinds(options),
    pieces: statedPieces(options),
  }
  const sheets = reachableSheets(priced, options)
  if (sheets.length === 0) throw noPriceYet(row.model)
  return sheets.flatMap(({ tiers }) =>
    tiers
      .filter((tier, index) => index === 0 || tier.fromInputTokens <= inputTokens)
      .map((tier) => boundCase(tier, call)),
  )
}

/** What the cases of one call have in common. */
interface BoundCall {
  readonly row: PriceRow
  readonly options: BoundOptions
  readonly uplifts: readonly Uplift[]
  readonly inputKinds: readonly RateKind[]
  readonly outputKinds: readonly RateKind[]
  readonly pieces: readonly PieceCount[]
}

/** A kind that is billed per unit, with the maximum number of pieces. */
type PieceCount = readonly [kind: RateKind, count: number]

function boundCase(tier: PricedTier, call: BoundCall): BoundCase {
  const { row, options, uplifts } = call
  const { rates } = tier
  const fixed: CostLine[] = []
  const add = (kind: RateKind, count: number, rate: number) => {
    if (count > 0) fixed.push({ kind, count, picoUsdPerUnit: upliftRate(kind, rate, uplifts) })
  }
  const input = worstRate(row, rates, call.inputKinds, options.inputModalities)
  const output = worstRate(row, rates, call.outputKinds, options.outputModalities)
  add(input.kind, options.inputTokens, input.picoUsdPerUnit)
  if (rates.request > 0) add("request", 1, rates.request)
  for (const [kind, count] of call.pieces) add(kind, count, rateOf(row.model, rates, kind))
  for (const [kind, count] of unstatedPieces(row, rates, options)) add(kind, count, rateOf(row.model, rates, kind))
  return { tier, fixed, output: { ...output, picoUsdPerUnit: upliftRate(output.kind, output.picoUsdPerUnit, uplifts) } }
}

/** The option with the maximum number of pieces of each kind. */
const PIECE_OPTIONS = [
  ["search", "webSearches"],
  ["fileSearch", "fileSearches"],
  ["codeSession", "codeInterpreterSessions"],
  ["image", "outputImages"],
  ["second", "audioSeconds"],
  ["character", "inputCharacters"],
] as const satisfies readonly (readonly [RateKind, keyof BoundOptions])[]

function statedPieces(options: BoundOptions): PieceCount[] {
  return PIECE_OPTIONS.map(([kind, name]): PieceCount => [kind, readInteger(options[name] ?? 0, name)]).filter(
    ([, count]) => count > 0,
  )
}

/** Pieces by which a model is billed and that the caller does not state: one image for each answer, otherwise an error. */
function unstatedPieces(row: PriceRow, rates: CompleteRates, options: BoundOptions): PieceCount[] {
  const pieces: PieceCount[] = []
  for (const [kind, name] of PIECE_OPTIONS) {
    if (kind === "search" || kind === "fileSearch" || kind === "codeSession") continue
    if (rates[kind] === undefined || options[name] !== undefined) continue
    if (kind !== "image")
      throw new UnboundedCostError(
        row.model,
        "pieces",
        `The cost of "${row.model}" has no upper bound: it is billed by \`${name}\`. Pass the maximum for the call.`,
      )
    pieces.push([kind, options.choices ?? 1])
  }
  return pieces
}

function boundUplifts(row: PriceRow, options: BoundOptions): readonly Uplift[] {
  const result = upliftsOf(row, options, "highest")
  if (result.status === "known") return result.uplifts
  throw new UnboundedCostError(row.model, "region", unlistedRegion(row.model, options.region, result.regions))
}

function reachableSheets(priced: PricedRow, options: BoundOptions): readonly PricedSheet[] {
  const startMs = instantMs(options.at === undefined ? Date.now() : options.at, "at")
  const endMs = options.deadline === undefined ? Number.POSITIVE_INFINITY : instantMs(options.deadline, "deadline")
  if (endMs < startMs) throw new InvalidArgumentError("deadline", "a time that is not before `at`", options.deadline)
  const { row } = priced
  const selection = selectTier(row, options.serviceTier)
  if (selection.status === "unlisted")
    throw new UnboundedCostError(
      row.model,
      "service-tier",
      `The cost of "${row.model}" has no upper bound: no price is listed for the service tier ${describeValue(options.serviceTier)} ${describeListed(options.serviceTier, selection.listed)}. Send a listed tier, or add \`serviceTiers: { ${describeValue(options.serviceTier)}: { input, output } }\` to a price of your own with createPriceTable.`,
    )
  const inTime = priced.sheets.filter(({ sheet }) => holdsBetween(sheet, startMs, endMs))
  if (selection.status === "any") return inTime
  const { name } = selection
  const own = inTime.filter(({ sheet }) => sheet.serviceTier === name)
  // At times when a tier has no sheet, the provider bills its standard rates.
  const isComplete = own.some(({ sheet }) => sheet.boundOnly !== true && isAlways(sheet))
  if (isComplete || name === "default") return own
  return inTime.filter(({ sheet }) => sheet.serviceTier === name || sheet.serviceTier === "default")
}

function inputKinds(row: PriceRow, options: BoundOptions): RateKind[] {
  const stated = oneOf(options.cacheWrites ?? "any", ["any", "5m", "none"] as const, "cacheWrites")
  const writes = row.cacheWriteOnRequest === true ? stated : "any"
  const kinds: RateKind[] = ["input", "cacheRead"]
  if (writes !== "none") kinds.push("cacheWrite")
  if (writes === "any") kinds.push("cacheWrite1h")
  return withModalities(kinds, readModalities(options, "inputModalities"), "audioInput", "imageInput")
}

function outputKinds(options: BoundOptions): RateKind[] {
  const modalities = readModalities(options, "outputModalities")
  return withModalities(["output", "reasoning"], modalities, "audioOutput", "imageOutput")
}

/** Validates the modalities: a misspelled modality would omit its rates. */
function readModalities(
  options: BoundOptions,
  argument: "inputModalities" | "outputModalities",
): readonly Modality[] | undefined {
  const modalities = options[argument]
  if (modalities === undefined) return undefined
  if (!Array.isArray(modalities))
    throw new InvalidArgumentError(argument, 'an array of "text", "audio" and "image"', modalities)
  for (const modality of modalities) oneOf(modality, ["text", "audio", "image"] as const, argument)
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
 * Returns the most expensive of some kinds. A kind without a rate is an error if the caller named its modality. Otherwise the
 * model is assumed not to support it, and `costOf` rejects it.
 */
function worstRate(
  row: PriceRow,
  rates: CompleteRates,
  kinds: readonly RateKind[],
  named: readonly Modality[] | undefined,
): WorstRate {
  let worst: WorstRate = { kind: kinds[0]!, picoUsdPerUnit: -1 }
  for (const kind of kinds) {
    const picoUsdPerUnit = named === undefined ? (rates[kind] ?? 0) : rateOf(row.model, rates, kind)
    if (picoUsdPerUnit > worst.picoUsdPerUnit) worst = { kind, picoUsdPerUnit }
  }
  return worst
}

function withOutput(each: BoundCase, tokens: number): readonly CostLine[] {
  return tokens === 0 ? each.fixed : [...each.fixed, { count: tokens, ...each.output }]
}

/** The maximum that no answer can exceed. The maximum of another seller may not apply; the context window does. */
function certainMaximum(row: PriceRow): number | undefined {
  return row.maxOutputBasis === "same model" ? row.contextWindow : row.maxOutputTokens
}

/** Returns the requested or the known maximum; 0 if output costs nothing, so that its length does not matter. */
function outputMaximum(row: PriceRow, requested: number | undefined, cases: readonly BoundCase[]): number {
  if (requested !== undefined) return readInteger(requested, "maxOutputTokens")
  const maximum = certainMaximum(row)
  if (maximum !== undefined) return maximum
  if (cases.every(({ output }) => output.picoUsdPerUnit === 0)) return 0
  throw new UnboundedCostError(
    row.model,
    "output",
    `The cost of "${row.model}" has no upper bound: its maximum number of output tokens is unknown. Pass \`maxOutputTokens\`.`,
  )
}

/** Returns the highest listed base rates of the cases, because OpenRouter compares with the base rates of an endpoint. */
function maxPriceOf(cases: readonly BoundCase[]): NonNullable<Bound["maxPrice"]> {
  const base = cases.filter(({ tier }) => tier.fromInputTokens === 0).map(({ tier }) => tier.rates)
  const request = Math.max(...base.map((rates) => rates.request))
  return {
    prompt: Math.max(...base.map((rates) => rates.input)) / 1e6,
    completion: Math.max(...base.map((rates) => rates.output)) / 1e6,
    ...(request > 0 ? { request: request / 1e12 } : {}),
  }
}

function readInteger(value: number, argument: string): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError(argument, "an integer of at least 0", value)
}

function readPositive(value: number, argument: string): number {
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError(argument, "an integer of at least 1", value)
}
