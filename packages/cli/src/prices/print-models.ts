import { InvalidArgumentError, nearestIds } from "@p2/core"
import { findPrice, models, type Price } from "@p2/pricing"
import { print } from "../output/print"
import { formatCount, renderTable } from "../output/table"

const COLUMNS = [
  { title: "model" },
  { title: "input", align: "right" },
  { title: "output", align: "right" },
  { title: "context", align: "right" },
  { title: "max output", align: "right" },
  { title: "as of" },
] as const

/** Prints the models with a price today. @throws InvalidArgumentError for a provider that has none */
export function printModels({ provider, asJson }: { provider: string | undefined; asJson: boolean }): void {
  const prices = models().flatMap((model) => findPrice(model) ?? [])
  const listed = provider === undefined ? prices : prices.filter((price) => price.provider === provider)
  if (provider !== undefined && listed.length === 0) throw unknownProvider(provider, prices)
  const rows = listed.map(({ model, rates, contextWindow, maxOutputTokens, asOf }) => [
    model,
    ...[rates.input, rates.output].map(perMillion),
    ...[contextWindow, maxOutputTokens].map((tokens) => (tokens === undefined ? "" : formatCount(tokens))),
    asOf,
  ])
  const json = listed.map(({ model, provider, rates, contextWindow, maxOutputTokens, asOf }) => ({
    ...{ model, provider, rates, contextWindow, maxOutputTokens, asOf },
  }))
  print(renderTable(COLUMNS, rows), json, { asJson })
}

/** Micro-USD per million tokens as dollars. */
function perMillion(microUsd: number): string {
  return `$${(microUsd / 1e6).toFixed(6).replace(/0{1,4}$/, "")}`
}

function unknownProvider(provider: string, prices: readonly Price[]): InvalidArgumentError {
  const names = [...new Set(prices.map((price) => price.provider))]
  const near = nearestIds(provider, names)
  const hint = near.length === 0 ? ` Providers: ${names.join(", ")}.` : ` Did you mean ${near.join(" or ")}?`
  return new InvalidArgumentError("--provider", "a provider", provider, `No model of "${provider}" has a price.${hint}`)
}
