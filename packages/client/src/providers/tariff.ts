import {
  type AnswerFormat,
  type CostSource,
  InvalidArgumentError,
  type Message,
  type NanoUsd,
  type Request,
  type ToolDefinition,
} from "@p2/core"
import type { Bound, BoundOptions, Modality, PriceTable } from "@p2/pricing"
import type { ReportedUsage } from "@p2/pricing/usage"
import { countRequestTokens, getModelLimits } from "@p2/tokens"
import { hostOf, type ProviderChoice } from "./choose-provider"

/** Results of the one web search of a call with `online`. OpenRouter's price is for up to 5. */
export const MAX_WEB_RESULTS = 5

/**
 * Tokens that are reserved for one search result, which is billed as input. OpenRouter states no maximum; this is about
 * 8,000 characters.
 */
const TOKENS_PER_WEB_RESULT = 2_000

/** Fields of the body that request structured output. */
export interface StructureFields {
  response_format?: AnswerFormat
  tools?: ToolDefinition[]
  tool_choice?: { type: "function"; function: { name: string } }
}

/** The input of a call with its token counts. */
export interface CountedInput {
  messages: readonly Message[]
  tokens: number
  /** Upper bound of the tokens that the provider counts. */
  upperBound: number
}

/** The cost of a call and its source. */
export interface CallCost {
  costNanoUsd: NanoUsd
  costSource: CostSource
  /** The cost by the price table, if the provider reported a different one. */
  tableCostNanoUsd: NanoUsd | undefined
}

/** The prices and the token counts of a model at its provider. */
export interface Tariff {
  /** The model's name in the request to the provider. */
  sentModel: string
  limits: { contextWindow: number; maxInputTokens?: number | undefined; maxOutputTokens?: number | undefined }
  /** Published rates of a short input, in pico-USD per token. */
  rates(): { input: number; output: number }
  countInput(messages: readonly Message[], structure: StructureFields): CountedInput
  /** The cost of these tokens at the published price. */
  estimateNanoUsd(inputTokens: number, outputTokens: number): NanoUsd
  /** The upper bound of a call. @throws P2Error (code `unbounded-cost`) if the cost has none. */
  upperBound(input: CountedInput, maxTokens: number): Bound
  /** The largest number of output tokens whose upper bound is at most `budgetNanoUsd`; 0 if the input alone exceeds it. */
  affordableTokens(input: CountedInput, budgetNanoUsd: NanoUsd): number
  /** @throws P2Error if the price table has no price for the usage. */
  costOf(reported: ReportedUsage, serviceTier: string | undefined): CallCost
}

/** @throws UnknownModelError */
export function tariffOf(model: string, choice: ProviderChoice, request: Request<unknown>, prices: PriceTable): Tariff {
  const { sentModel, priceKey } = nameAtProvider(model, choice, prices)
  // The alias of a deployment is counted like its model.
  const countedAs = prices.findPrice(priceKey)?.model ?? priceKey
  const { serviceTier } = request
  const searchTokens = request.online ? MAX_WEB_RESULTS * TOKENS_PER_WEB_RESULT : 0
  const boundOptions = (input: CountedInput, maxOutputTokens?: number): BoundOptions => {
    const at = Date.now()
    return {
      inputTokens: input.upperBound,
      maxOutputTokens,
      webSearches: request.online ? 1 : 0,
      serviceTier,
      cacheWrites: request.cachePrompt ? "5m" : "none",
      inputModalities: modalitiesOf(input.messages),
      outputModalities: ["text"],
      at,
      // The provider may apply the price at the end of the call. One minute allows for clock differences.
      deadline: at + request.timeoutMs + 60_000,
    }
  }
  return {
    sentModel,
    limits: modelLimits(countedAs, prices),
    rates: () => prices.priceOf(priceKey, { serviceTier }).rates,
    countInput: (messages, structure) => {
      const counted = countRequestTokens({ model: countedAs, messages })
      const added = countStructure(countedAs, structure)
      return {
        messages,
        tokens: counted.tokens + added.tokens,
        upperBound: counted.upperBound + added.upperBound + searchTokens,
      }
    },
    estimateNanoUsd: (inputTokens, outputTokens) =>
      prices.costOf(priceKey, { inputTokens, outputTokens }, { serviceTier }).nanoUsd,
    upperBound: (input, maxOutputTokens) => prices.upperBound(priceKey, boundOptions(input, maxOutputTokens)),
    affordableTokens: (input, budgetNanoUsd) =>
      prices.affordableOutputTokens(priceKey, { ...boundOptions(input), budgetNanoUsd }),
    costOf: ({ usage, cost: reported }, usedTier = serviceTier) => {
      const { nanoUsd, basis, differenceNanoUsd } = prices.costOf(priceKey, usage, { serviceTier: usedTier, reported })
      return {
        costNanoUsd: nanoUsd,
        costSource: basis,
        tableCostNanoUsd: differenceNanoUsd === undefined ? undefined : nanoUsd - differenceNanoUsd,
      }
    },
  }
}

/** The kinds of input. Undefined if there is a file, which may contain every kind that the model has a rate for. */
function modalitiesOf(messages: readonly Message[]): readonly Modality[] | undefined {
  const types = messages.flatMap(({ content }) => (Array.isArray(content) ? content.map(({ type }) => type) : []))
  if (types.includes("file")) return undefined
  const image = types.includes("image_url") ? (["image"] as const) : []
  const audio = types.includes("input_audio") ? (["audio"] as const) : []
  return ["text", ...image, ...audio]
}

/** Tokens of a compiled answer, for the model that it was last counted for. */
const structureCounts = new WeakMap<object, { model: string; tokens: number; upperBound: number }>()

/** Tokens that the structure adds to any messages. A compiled answer is frozen, so it is counted once. */
function countStructure(model: string, { tools, response_format: answerFormat }: StructureFields) {
  const frozen = answerFormat ?? tools?.[0]
  if (frozen === undefined) return { tokens: 0, upperBound: 0 }
  const counted = structureCounts.get(frozen)
  if (counted?.model === model) return counted
  const without = countRequestTokens({ model, messages: [] })
  const including = countRequestTokens({ model, messages: [], tools, answerFormat })
  const added = {
    model,
    tokens: including.tokens - without.tokens,
    upperBound: including.upperBound - without.upperBound,
  }
  structureCounts.set(frozen, added)
  return added
}

/** The model's name at the provider, and the id of its price. Resolved exactly or rejected, never guessed. */
function nameAtProvider(
  model: string,
  choice: ProviderChoice,
  prices: PriceTable,
): { sentModel: string; priceKey: string } {
  const { provider, name } = choice
  const qualified = name === model ? `${provider.name}/${name}` : model
  if (prices.findPrice(qualified) !== undefined) return { sentModel: name, priceKey: qualified }
  const bare = name === model ? prices.findPrice(name) : undefined
  if (bare?.provider !== undefined && bare.basis !== "custom" && isAtOpenAI(choice))
    throw new InvalidArgumentError(
      "model",
      "a model of OpenAI, or a provider prefix",
      model,
      `Invalid \`model\`: "${model}" is a model of ${bare.provider}. Write "${bare.provider}/${model}", or set OPENROUTER_API_KEY.`,
    )
  // The user's own deployment may be priced by its bare name.
  if (bare !== undefined && provider.dialect !== "openrouter") return { sentModel: name, priceKey: name }
  // OpenRouter's names start with the vendor, which the price table knows.
  const sentModel = `${bare?.provider}/${name}`
  const priceKey = `${provider.name}/${sentModel}`
  if (bare?.provider !== undefined && prices.findPrice(priceKey) !== undefined) return { sentModel, priceKey }
  // Throws with the nearest known ids.
  prices.priceOf(qualified)
  return { sentModel: name, priceKey: qualified }
}

/** Whether a call goes to OpenAI itself. A gateway in its place may serve the models of others. */
function isAtOpenAI({ provider, baseURL }: ProviderChoice): boolean {
  return provider.name === "openai" && hostOf(baseURL) === "api.openai.com"
}

/** The limits of the user's own price, else those of the published table, else those of the published price. */
function modelLimits(priceKey: string, prices: PriceTable): Tariff["limits"] {
  const price = prices.findPrice(priceKey)
  const { contextWindow, maxInputTokens, maxOutputTokens } = price ?? {}
  const pricedLimits = contextWindow === undefined ? undefined : { contextWindow, maxInputTokens, maxOutputTokens }
  if (price?.basis === "custom" && pricedLimits !== undefined) return pricedLimits
  try {
    return getModelLimits(priceKey)
  } catch (error) {
    if (pricedLimits === undefined) throw error
    return pricedLimits
  }
}
