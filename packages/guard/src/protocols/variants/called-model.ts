import { describeModelId, isModelId } from "@p2/core"
import { type Price, type PriceTable, regionOfURL } from "@p2/pricing"
import { getModelLimits } from "@p2/tokens"
import type { ProtocolContext, ProviderCall, Rejection } from "../protocol"
import { invalidBody, rejected, rejectionOf, unbounded } from "../rejection"
import { type CompatibleProvider, providerAtHost, providerNamed } from "./known-providers"

/** The model of a call at its provider, with its price. */
export interface CalledModel {
  status: "found"
  provider: CompatibleProvider
  /** As the caller named it. */
  model: string
  /** The id of the price. */
  priceKey: string
  price: Price
  /** The id whose tokenizer and limits apply: the model behind an alias or a deployment. */
  countedAs: string
  /** Maximum input tokens that the model accepts; undefined if no source states it. */
  window: number | undefined
  region: string | undefined
}

/** The deployment in an Azure path: `/openai/deployments/{name}/chat/completions`. */
const AZURE_DEPLOYMENT = /\/openai\/deployments\/([^/]+)\//

/** Finds the provider by the host, and the model and its price by the body or, at Azure, the path. */
export function calledModel(
  { url }: ProviderCall,
  body: Readonly<Record<string, unknown>>,
  context: ProtocolContext,
): CalledModel | Rejection {
  const deployment = AZURE_DEPLOYMENT.exec(url.pathname)?.[1]
  const provider = providerOf(url, context)
  const name = deployment === undefined ? body.model : decoded(deployment)
  if (typeof name !== "string" || name === "") return invalidBody("model", "the id of a model")
  if (provider?.name === "azure" || (provider === undefined && deployment !== undefined))
    return atAzure(name, context, url)
  if (provider?.name === "openrouter" && /:online$/i.test(name))
    return unbounded(
      "a model with `:online`",
      "the suffix allows any number of searches",
      'Remove it and send `plugins: [{ id: "web", engine: "exa", max_results: 5 }]`.',
    )
  return provider === undefined ? atUnknownHost(name, context, url) : withPrice(provider, name, name, context, url)
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** Returns the provider at the host of a URL, or the one that the context names for other hosts. */
export function providerOf({ host }: URL, { provider }: ProtocolContext): CompatibleProvider | undefined {
  return providerAtHost(host) ?? (provider === undefined ? undefined : providerNamed(provider))
}

/** Returns the id of the price of a model: that of the provider, else the caller's own. @throws UnknownModelError */
export function priceKeyOf(provider: string, model: string, prices: PriceTable): string {
  const qualified = `${provider}/${model}`
  if (prices.findPrice(qualified) !== undefined) return qualified
  if (prices.findPrice(model)?.basis === "custom") return model
  return prices.priceOf(qualified).model
}

function atAzure(deployment: string, context: ProtocolContext, url: URL): CalledModel | Rejection {
  const { deployments } = context
  if (!Object.hasOwn(deployments, deployment))
    return rejected(
      "unknown-model",
      `Unknown Azure deployment ${describeModelId(deployment)}. Pass the model behind it, such as \`deployments: { ${JSON.stringify(isModelId(deployment) ? deployment : "name")}: "gpt-4o-mini" }\`.`,
    )
  return withPrice(providerNamed("azure"), deployment, deployments[deployment]!, context, url)
}

function atUnknownHost(name: string, context: ProtocolContext, url: URL): CalledModel | Rejection {
  const price = isModelId(name) ? context.prices.findPrice(name) : undefined
  if (price?.basis === "custom") return withPrice(providerNamed(price.provider || url.host), name, name, context, url)
  return rejected(
    "unknown-provider",
    `Unknown provider at ${url.host}: its prices are unknown. Pass \`provider\` with the name of the provider that it bills like, such as "openai". Or add a price of your own for the model with createPriceTable.`,
  )
}

function withPrice(
  provider: CompatibleProvider,
  model: string,
  pricedAs: string,
  { prices }: ProtocolContext,
  url: URL,
): CalledModel | Rejection {
  try {
    const priceKey = priceKeyOf(provider.name, pricedAs, prices)
    const price = prices.priceOf(priceKey)
    const countedAs = price.model
    const window = windowOf(price, countedAs)
    return { status: "found", provider, model, priceKey, price, countedAs, window, region: regionOfURL(url.href) }
  } catch (error) {
    return rejectionOf(error)
  }
}

/** Maximum input tokens of a model: by the caller's own price, else by the published table. */
export function windowOf(price: Price, countedAs: string): number | undefined {
  if (price.contextWindow !== undefined) return Math.max(price.contextWindow, price.maxInputTokens ?? 0)
  try {
    const { contextWindow, maxInputTokens = 0 } = getModelLimits(countedAs)
    return Math.max(contextWindow, maxInputTokens)
  } catch {
    return undefined
  }
}
