import type { Request } from "@p2/core"
import type { BoundOptions, PriceTable } from "@p2/pricing"
import { countRequestTokens, getModelLimits } from "@p2/tokens"
import { MAX_WEB_RESULTS } from "./chat-body"
import type { Choice } from "./choose-provider"
import { modalitiesOf, TEXT } from "./modalities"
import type { CountedInput, Route, Structure } from "./route"

/**
 * What the bound sets aside for one result of a web search, which is billed as input. OpenRouter states no maximum; this
 * is about 8,000 characters.
 */
const TOKENS_PER_WEB_RESULT = 2_000

type Tariff = Pick<
  Route,
  "sentModel" | "limits" | "countInput" | "bound" | "rates" | "likelyNanoUsd" | "affordableTokens" | "costOf"
>

/** What a model costs where it is called, and how its input is counted. @throws UnknownModelError */
export function tariffFor(model: string, choice: Choice, request: Request<unknown>, prices: PriceTable): Tariff {
  const { sentModel, priceKey } = nameAtProvider(model, choice, prices)
  // An alias for a deployment of your own is counted as the model that it stands for.
  const countedAs = prices.findPrice(priceKey)?.model ?? priceKey
  const reach = (input: CountedInput, maxOutputTokens?: number): BoundOptions => {
    const at = Date.now()
    return {
      inputTokens: input.upperBound,
      maxOutputTokens,
      webSearches: request.online ? 1 : 0,
      serviceTier: request.serviceTier,
      cacheWrites: request.cachePrompt ? "5m" : "none",
      inputModalities: modalitiesOf(input.messages),
      outputModalities: TEXT,
      at,
      // The provider may price the call as late as it ends; a minute is for clocks that differ.
      deadline: at + request.timeoutMs + 60_000,
    }
  }
  return {
    sentModel,
    limits: limitsOf(countedAs, prices),
    countInput: ({ messages, structure }) => {
      const said = countRequestTokens({ model: countedAs, messages })
      const asked = countStructure(countedAs, structure)
      const found = request.online ? MAX_WEB_RESULTS * TOKENS_PER_WEB_RESULT : 0
      return {
        messages,
        tokens: said.tokens + asked.tokens,
        upperBound: said.upperBound + asked.upperBound + found,
        exact: said.exact && asked.exact && found === 0,
      }
    },
    bound: (input, maxOutputTokens) => prices.upperBound(priceKey, reach(input, maxOutputTokens)),
    rates: () => prices.priceOf(priceKey, { serviceTier: request.serviceTier }).rates,
    likelyNanoUsd: (inputTokens, outputTokens) =>
      prices.costOf(priceKey, { inputTokens, outputTokens }, { serviceTier: request.serviceTier }).nanoUsd,
    affordableTokens: (input, budget) => prices.affordableOutputTokens(priceKey, { ...reach(input), budget }),
    costOf: ({ usage, cost }, serviceTier = request.serviceTier) => {
      // A field of that name means something only where it is documented.
      const reported = choice.provider.dialect === "openrouter" ? cost : undefined
      const { nanoUsd, basis, difference } = prices.costOf(priceKey, usage, { serviceTier, reported })
      return { nanoUsd, source: basis, tableNanoUsd: difference === undefined ? undefined : nanoUsd - difference }
    },
  }
}

interface Counted {
  tokens: number
  upperBound: number
  exact: boolean
}

const NOTHING: Counted = { tokens: 0, upperBound: 0, exact: true }

/** What a compiled answer adds to the input, for the model that it was last counted for. */
const counted = new WeakMap<object, Counted & { model: string }>()

/**
 * What the demand for structure adds to the messages, whichever they are. The format or tool of a compiled answer is
 * frozen to its leaves, so that it is counted once.
 */
function countStructure(model: string, structure: Structure): Counted {
  const { tools, response_format: answerFormat } = structure
  const frozen = answerFormat ?? tools?.[0]
  if (frozen === undefined) return NOTHING
  const known = counted.get(frozen)
  if (known?.model === model) return known
  const alone = countRequestTokens({ model, messages: [] })
  const whole = countRequestTokens({ model, messages: [], tools, answerFormat })
  const added = {
    model,
    tokens: whole.tokens - alone.tokens,
    upperBound: whole.upperBound - alone.upperBound,
    exact: whole.exact,
  }
  counted.set(frozen, added)
  return added
}

/** The model's name where it is called, and the id by which it is priced. Resolved exactly or refused, never guessed. */
function nameAtProvider(model: string, choice: Choice, prices: PriceTable): { sentModel: string; priceKey: string } {
  const { provider, name } = choice
  const qualified = name === model ? `${provider.name}/${name}` : model
  if (prices.findPrice(qualified) !== undefined) return { sentModel: name, priceKey: qualified }
  const bare = name === model ? prices.findPrice(name) : undefined
  // A deployment of your own may be priced by its bare name.
  if (bare !== undefined && provider.dialect !== "openrouter") return { sentModel: name, priceKey: name }
  // OpenRouter's names begin with the vendor, which the price list knows.
  const sentModel = `${bare?.provider}/${name}`
  const priceKey = `${provider.name}/${sentModel}`
  if (bare?.provider !== undefined && prices.findPrice(priceKey) !== undefined) return { sentModel, priceKey }
  // Throws with the nearest known ids.
  prices.priceOf(qualified)
  return { sentModel: name, priceKey: qualified }
}

/** Your own limits, else the table's; where that has none, those that stand beside the price. */
function limitsOf(priceKey: string, prices: PriceTable): Route["limits"] {
  const price = prices.findPrice(priceKey)
  const { contextWindow, maxInputTokens, maxOutputTokens } = price ?? {}
  const beside = contextWindow === undefined ? undefined : { contextWindow, maxInputTokens, maxOutputTokens }
  if (price?.basis === "custom" && beside !== undefined) return beside
  try {
    return getModelLimits(priceKey)
  } catch (error) {
    if (beside === undefined) throw error
    return beside
  }
}
