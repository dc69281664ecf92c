import { correctSpelling, describeValue, InvalidArgumentError, isModelId, parseModelId } from "@p2/core"
import { models, type PriceTable } from "@p2/pricing"
import { KNOWN_PROVIDERS } from "../protocols/variants/known-providers"

/**
 * Checks the name of a provider before any call, because every call at a provider without prices would be rejected.
 * With prices of the caller's own, any name is valid unless it differs from a known one only in case.
 *
 * @throws InvalidArgumentError
 */
export function checkProvider(name: unknown, argument: string, prices: PriceTable | undefined): void {
  if (name === undefined) return
  if (typeof name !== "string") throw new InvalidArgumentError(argument, "a string", name)
  const keys = prices?.models() ?? models()
  const names = new Set([...KNOWN_PROVIDERS.map((known) => known.name), ...keys.map((key) => key.split("/")[0]!)])
  const aliases = isModelId(`${name}/model`) ? parseModelId(`${name}/model`).keys : []
  if ([name, ...aliases.map((key) => key.split("/")[0]!)].some((each) => names.has(each))) return
  const isKnown = names.has(name.toLowerCase())
  if (prices !== undefined && !isKnown) return
  const expected = 'the name of a provider with listed prices, such as "openai"'
  const nearest = correctSpelling(name, names)
  const hint = nearest === undefined ? " For another one, pass your own `prices`." : ` Did you mean "${nearest}"?`
  const message = `Invalid \`${argument}\`: expected ${expected}, got ${describeValue(name)}.${hint}`
  throw new InvalidArgumentError(argument, expected, name, message)
}
