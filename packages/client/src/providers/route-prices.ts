import { InvalidArgumentError, type Message, type Request } from "@p2/core"
import { dearerCharge } from "@p2/guard/charge"
import { describeCall } from "@p2/guard/protocols"
import { type BoundOptions, type Modality, type PriceTable, regionOfURL } from "@p2/pricing"
import { countRequestTokens, getModelLimits, trimMessages } from "@p2/tokens"
import { messagesBody } from "../transport/anthropic/messages-body"
import { isAtOpenAI, type ProviderChoice } from "./choose-provider"
import { type ExtraFields, readExtraFields } from "./extra-fields"
import { knownProviders, withKnownPrefix } from "./provider"
import { MAX_WEB_RESULTS, type Route, type StructureFields } from "./route"

/**
 * Tokens that are reserved for one search result, which is billed as input. OpenRouter states no maximum; this is about
 * 8,000 characters.
 */
const TOKENS_PER_WEB_RESULT = 2_000

/** The part of a route that counts and prices. */
type RoutePrices = Pick<
  Route,
  | "sentModel"
  | "limits"
  | "rates"
  | "countInput"
  | "trimMessages"
  | "estimateNanoUsd"
  | "upperBound"
  | "affordableTokens"
  | "costOf"
>

/** The name, the limits, the token counts and the prices of a model at its provider. @throws UnknownModelError */
export function routePrices(
  model: string,
  choice: ProviderChoice,
  request: Request<unknown>,
  options: { prices: PriceTable; now: () => number },
): RoutePrices {
  const { prices, now } = options
  const { sentModel, priceKey } = nameAtProvider(model, choice, prices)
  // The alias of a deployment is counted like its model.
  const countedAs = prices.findPrice(priceKey)?.model ?? priceKey
  const { serviceTier } = request
  const region = choice.baseURL === undefined ? undefined : regionOfURL(choice.baseURL)
  const searchTokens = request.online ? MAX_WEB_RESULTS * TOKENS_PER_WEB_RESULT : 0
  const extra = readExtraFields(request, {
    model,
    sentModel,
    provider: choice.provider.name,
    url: choice.baseURL ?? "https://localhost/v1",
    native: choice.provider.dialect === "anthropic",
    prices,
  })
  const native = choice.provider.dialect === "anthropic" ? messagesCounter(sentModel, choice, prices) : undefined
  const boundOptions = (messages: readonly Message[], inputTokens: number, maxOutputTokens?: number): BoundOptions => {
    const at = now()
    return {
      inputTokens,
      maxOutputTokens,
      webSearches: (request.online ? 1 : 0) + (extra.bound.webSearches ?? 0),
      serviceTier,
      region,
      cacheWrites: cacheWritesOf(request, messages, extra),
      inputModalities: modalitiesOf(messages),
      outputModalities: "outputModalities" in extra.bound ? extra.bound.outputModalities : TEXT_ONLY,
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
      if (native !== undefined) {
        const { tokens, upperBound } = native(messages, structure)
        return { tokens, upperBound: upperBound + extra.inputTokens }
      }
      const counted = countRequestTokens({ model: countedAs, messages })
      const added = countStructure(countedAs, structure)
      return {
        tokens: counted.tokens + added.tokens,
        upperBound: counted.upperBound + added.upperBound + searchTokens + extra.inputTokens,
      }
    },
    trimMessages: (messages, maxTokens) => trimMessages(messages, { model: countedAs, maxTokens }),
    estimateNanoUsd: (inputTokens, outputTokens) =>
      prices.costOf(priceKey, { inputTokens, outputTokens }, { serviceTier, region, at: now() }).nanoUsd +
      extra.costNanoUsd,
    upperBound: (messages, inputUpperBound, maxTokens) => {
      const bound = prices.upperBound(priceKey, boundOptions(messages, inputUpperBound, maxTokens))
      return extra.costNanoUsd === 0 ? bound : { ...bound, nanoUsd: bound.nanoUsd + extra.costNanoUsd }
    },
    affordableTokens: (messages, inputUpperBound, budgetNanoUsd) =>
      prices.affordableOutputTokens(priceKey, {
        ...boundOptions(messages, inputUpperBound),
        budgetNanoUsd: Math.max(0, budgetNanoUsd - extra.costNanoUsd),
      }),
    costOf: ({ usage, cost: reported }, usedTier = serviceTier, modelUsed) =>
      dearerCharge({ prices, priceKey, modelUsed, serviceTier: usedTier }, (key, tier) => {
        try {
          const options = { serviceTier: tier, region, reported, at: now() }
          const { nanoUsd, basis, differenceNanoUsd } = prices.costOf(key, usage, options)
          return {
            // The provider's own figure contains the extra fields; the price table does not know them.
            costNanoUsd: basis === "provider" ? nanoUsd : nanoUsd + extra.costNanoUsd,
            tokens: usage.inputTokens + usage.outputTokens,
            costSource: basis,
            tableCostNanoUsd: differenceNanoUsd === undefined ? undefined : nanoUsd - differenceNanoUsd,
          }
        } catch {
          return undefined
        }
      }),
  }
}

/** The cache writes that a call can cause: by `cachePrompt`, and by marks in the messages and in `extraBody`. */
function cacheWritesOf(
  request: Request<unknown>,
  messages: readonly Message[],
  { bound }: ExtraFields,
): BoundOptions["cacheWrites"] {
  const marks = marksIn(messages)
  if (bound.cacheWrites === "any" || marks.some(({ ttl = "5m" }) => ttl !== "5m")) return "any"
  return request.cachePrompt || marks.length > 0 || bound.cacheWrites === "5m" ? "5m" : "none"
}

/** A mark for the provider's cache. */
interface CacheMark {
  ttl?: string
}

/** The marks of messages and of their parts. */
function marksIn(messages: readonly object[]): CacheMark[] {
  const marks: CacheMark[] = []
  for (const message of messages) {
    const { cache_control: mark, content } = message as { cache_control?: CacheMark | null; content?: unknown }
    if (mark) marks.push(mark)
    if (Array.isArray(content)) marks.push(...marksIn(content))
  }
  return marks
}

const TEXT_ONLY: readonly Modality[] = ["text"]

/** The kinds of input. Undefined if there is a file, which may contain every kind that the model has a rate for. */
function modalitiesOf(messages: readonly Message[]): readonly Modality[] | undefined {
  if (messages.every(({ content }) => !Array.isArray(content))) return TEXT_ONLY
  const types = messages.flatMap(({ content }) => (Array.isArray(content) ? content.map(({ type }) => type) : []))
  if (types.includes("file")) return undefined
  const image = types.includes("image_url") ? (["image"] as const) : []
  const audio = types.includes("input_audio") ? (["audio"] as const) : []
  return ["text", ...image, ...audio]
}

/** Counts the input of Anthropic's Messages API by the rules of `@p2/guard`. @throws P2Error for input without a bound */
function messagesCounter(sentModel: string, { provider, baseURL }: ProviderChoice, prices: PriceTable) {
  const url = new URL(`${(baseURL ?? "https://localhost/v1").replace(/\/$/, "")}/messages`)
  return (messages: readonly Message[], structure: StructureFields) => {
    const value = messagesBody({ ...structure, model: sentModel, messages, max_tokens: 1 })
    const call = { method: "POST", url, headers: new Headers(), body: { kind: "json" as const, value } }
    const description = describeCall(call, { prices, deployments: {}, provider: provider.name })
    if (description.status === "priced")
      return { tokens: description.input.estimate, upperBound: description.input.upperBound }
    const message =
      description.status === "rejected" ? description.message : "The cost of this call has no upper bound."
    throw new InvalidArgumentError("messages", "messages with an upper bound", messages, message)
  }
}

/** Tokens of a compiled answer or of tools, for the model that they were last counted for. */
const structureCounts = new WeakMap<object, { model: string; tokens: number; upperBound: number }>()

/** Tokens that the structure adds to any messages. Formats, tools and lists of tools are frozen, so they are counted once. */
function countStructure(model: string, { tools, response_format: answerFormat }: StructureFields) {
  const frozen = answerFormat ?? (tools?.length === 1 ? tools[0] : tools)
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
  if (
    bare?.provider !== undefined &&
    bare.basis !== "custom" &&
    provider.name === "openai" &&
    isAtOpenAI(choice.baseURL)
  )
    throw new InvalidArgumentError(
      "model",
      "a model of OpenAI, or a provider prefix",
      model,
      `Invalid \`model\`: "${model}" is a model of ${bare.provider}. ${remedyFor(`${bare.provider}/${model}`)}`,
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

function remedyFor(qualified: string): string {
  const prefixes = knownProviders().map(({ name }) => name)
  const known = withKnownPrefix(qualified, prefixes)
  return known === undefined
    ? "To call it through OpenRouter, set OPENROUTER_API_KEY."
    : `Write "${known}", or set OPENROUTER_API_KEY.`
}

/** The limits of the user's own price, else those of the published table, else those of the published price. */
function modelLimits(priceKey: string, prices: PriceTable): Route["limits"] {
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
