import { formatUsd, InvalidArgumentError, plural, UnknownModelError, type Usage } from "@p2/core"
import { type Cost, type CostLine, costOf, type Price, priceOf, type RateKind, UnpricedUsageError } from "@p2/pricing"
import { print } from "../output/print"
import { formatCount, renderTable } from "../output/table"

/** Billed by the piece: a search, a second of audio. All others are billed by the token. */
const PIECES: ReadonlySet<RateKind> = new Set([
  ...(["request", "search", "fileSearch", "codeSession", "image", "second", "character"] as const),
])
const KINDS: Partial<Record<RateKind, string>> = {
  cacheRead: "cache read",
  cacheWrite: "cache write (5 min)",
  cacheWrite1h: "cache write (1 h)",
  audioInput: "audio input",
  imageInput: "image input",
  audioOutput: "audio output",
  imageOutput: "image output",
  fileSearch: "file search",
  codeSession: "code session",
}

/** The parsed arguments of `p2 price`. */
export interface PriceArguments {
  input?: string
  output?: string
  cached?: string
  serviceTier?: string
  json?: true
}

/** Prints the rates of a model, or the cost of a call. @throws UnknownModelError, UnpricedUsageError, InvalidArgumentError */
export function printPrice(model: string, given: PriceArguments): void {
  const { serviceTier, json } = given
  const usage = readUsage(given)
  const price = findRates(model, serviceTier)
  if (usage === undefined) {
    print(describePrice(price), price, { asJson: json === true })
  } else {
    const cost = costOf(model, usage, { serviceTier })
    print(describeCost(cost), cost, { asJson: json === true })
  }
}

/** @throws UnknownModelError, InvalidArgumentError that name the options of the command line */
function findRates(model: string, serviceTier: string | undefined): Price {
  try {
    return priceOf(model, { serviceTier })
  } catch (error) {
    if (UnknownModelError.isInstance(error))
      throw new UnknownModelError(model, {
        what: "price",
        nearest: error.nearest,
        remedy: "`p2 models` lists the ids.",
      })
    if (!UnpricedUsageError.isInstance(error) || error.usage !== "serviceTier" || serviceTier === undefined) throw error
    throw new InvalidArgumentError("--service-tier", anyOf(priceOf(model).serviceTiers), serviceTier)
  }
}

/** `a, b or c` */
function anyOf(names: readonly string[]): string {
  return [names.slice(0, -1).join(", "), ...names.slice(-1)].filter((part) => part !== "").join(" or ")
}

/** Undefined: no counts were given. */
function readUsage({ input, output, cached }: PriceArguments): Usage | undefined {
  if (input === undefined && output === undefined && cached === undefined) return undefined
  const [inputTokens, cacheReadTokens] = [readCount(input, "--input"), readCount(cached, "--cached")]
  if (cacheReadTokens > inputTokens)
    throw new InvalidArgumentError(
      "--cached",
      `at most \`--input\` (${inputTokens}), which includes them`,
      cacheReadTokens,
    )
  return { inputTokens, outputTokens: readCount(output, "--output"), cacheReadTokens }
}

function readCount(value = "0", name: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value)
  throw new InvalidArgumentError(name, "a number of tokens", value)
}

function describePrice(price: Price): string {
  const { model, asOf, source, tiers, contextWindow, maxOutputTokens, serviceTiers, tier } = price
  const limits = [
    ...(contextWindow === undefined ? [] : [`context window ${formatCount(contextWindow)} tokens`]),
    ...(maxOutputTokens === undefined ? [] : [`at most ${formatCount(maxOutputTokens)} output tokens`]),
  ]
  return [
    `${model} (${tier.serviceTier}), as of ${asOf}`,
    ...tiers.map(({ fromInputTokens, rates }) =>
      [
        ...(fromInputTokens === 0 ? [] : [`from ${plural(fromInputTokens, "input token")}:`]),
        rateTable(Object.entries(rates) as [RateKind, number][]),
      ].join("\n"),
    ),
    ...(limits.length === 0 ? [] : [limits.join(", ")]),
    ...(serviceTiers.length > 1 ? [`service tiers: ${serviceTiers.join(", ")}`] : []),
    `source: ${source}`,
  ].join("\n")
}

function rateTable(rates: readonly [RateKind, number][]): string {
  const rows = rates.map(([kind, picoUsd]) => [nameOf(kind), rateOf(kind, picoUsd)])
  return renderTable([{ title: "kind" }, { title: "price" }], rows)
}

function nameOf(kind: RateKind): string {
  return KINDS[kind] ?? kind
}

/** Pico-USD per token is micro-USD per million tokens, and 1e12 of them are a dollar. */
function rateOf(kind: RateKind, picoUsd: number): string {
  return PIECES.has(kind) ? `$${decimal(picoUsd, 12)} each` : `$${decimal(picoUsd, 6)} per million tokens`
}

/** An integer divided by a power of ten, exactly, with at least two decimals. */
function decimal(value: number, places: number): string {
  const digits = String(value).padStart(places + 1, "0")
  const fraction = digits.slice(-places).replace(/0+$/, "").padEnd(2, "0")
  return `${digits.slice(0, -places)}.${fraction}`
}

function describeCost({ model, nanoUsd, lines, asOf }: Cost): string {
  const rows = lines.map(({ kind, count, picoUsdPerUnit }: CostLine) => [
    nameOf(kind),
    formatCount(count),
    rateOf(kind, picoUsdPerUnit),
  ])
  const table = renderTable([{ title: "kind" }, { title: "count", align: "right" }, { title: "price" }], rows)
  return `${formatUsd(nanoUsd)} for ${model}, as of ${asOf}\n${table}`
}
