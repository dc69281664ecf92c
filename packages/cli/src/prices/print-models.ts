import { InvalidArgumentError, nearestIds } from "@p2/core"
import { findPrice, models, type Price } from "@p2/pricing"
import { print } from "../output/print"
import { formatCount, renderTable } from "../output/table"
import { perMillion, perPiece } from "./format-rate"

const COLUMNS = [
  { title: "model" },
  { title: "input", align: "right" },
  { title: "output", align: "right" },
  { title: "other" },
  { title: "context", align: "right" },
  { title: "max output", align: "right" },
  { title: "as of" },
] as const

/** Prints the models with a price today. @throws InvalidArgumentError for a provider that has none */
export function printModels({ provider, asJson }: { provider: string | undefined; asJson: boolean }): void {
  const prices = models().flatMap((model) => findPrice(model) ?? [])
  const listed = provider === undefined ? prices : prices.filter((price) => price.provider === provider)
  if (provider !== undefined && listed.length === 0) throw unknownProvider(provider, prices)
  const rows = listed.map(({ model, rates, contextWindow, maxOutputTokens, asOf }) => {
    const pieces = pricesOfPieces(rates)
    // A model that is billed per unit is not free.
    const tokens = [rates.input, rates.output].map((rate) => (rate === 0 && pieces !== "" ? "" : perMillion(rate)))
    const limits = [contextWindow, maxOutputTokens].map((count) => (count === undefined ? "" : formatCount(count)))
    return [model, ...tokens, pieces, ...limits, asOf]
  })
  const json = listed.map(({ model, provider, rates, contextWindow, maxOutputTokens, asOf }) => ({
    ...{ model, provider, rates, contextWindow, maxOutputTokens, asOf },
  }))
  print(renderTable(COLUMNS, rows), json, { asJson })
}

/** Billed with every call, instead of tokens or in addition to them. */
const PIECES = ["request", "image", "second", "character"] as const

/** For example `$0.12 per image`. */
function pricesOfPieces(rates: Price["rates"]): string {
  return PIECES.flatMap((kind) => (rates[kind] === undefined ? [] : `${perPiece(rates[kind])} per ${kind}`)).join(", ")
}

function unknownProvider(provider: string, prices: readonly Price[]): InvalidArgumentError {
  const names = [...new Set(prices.map((price) => price.provider))]
  const near = nearestIds(provider, names)
  const hint = near.length === 0 ? ` Providers: ${names.join(", ")}.` : ` Did you mean ${near.join(" or ")}?`
  return new InvalidArgumentError("--provider", "a provider", provider, `No model of "${provider}" has a price.${hint}`)
}
