import { formatUsd, InvalidArgumentError, plural, UnknownModelError, type Usage } from "@p2/core"
import { type Cost, type CostLine, costOf, type Price, priceOf, type RateKind, UnpricedUsageError } from "@p2/pricing"
import { print } from "../output/print"
import { formatCount, renderTable } from "../output/table"
import { formatRate } from "./format-rate"

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
  const rows = rates.map(([kind, picoUsd]) => [nameOf(kind), formatRate(kind, picoUsd)])
  return renderTable([{ title: "kind" }, { title: "price" }], rows)
}

function nameOf(kind: RateKind): string {
  return KINDS[kind] ?? kind
}

function describeCost({ model, nanoUsd, lines, asOf }: Cost): string {
  const rows = lines.map(({ kind, count, picoUsdPerUnit }: CostLine) => [
    nameOf(kind),
    formatCount(count),
    formatRate(kind, picoUsdPerUnit),
  ])
  const table = renderTable([{ title: "kind" }, { title: "count", align: "right" }, { title: "price" }], rows)
  return `${formatUsd(nanoUsd)} for ${model}, as of ${asOf}\n${table}`
}
