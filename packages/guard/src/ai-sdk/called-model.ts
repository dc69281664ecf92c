import type { Rejection } from "../protocols/protocol"
import { rejected, rejectionOf, unbounded } from "../protocols/rejection"
import { type CalledModel, priceKeyOf, windowOf } from "../protocols/variants/called-model"
import { providerNamed } from "../protocols/variants/known-providers"
import type { ModelGuard } from "./middleware-options"
import type { SpecifiedModel } from "./specification"

/** The AI SDK's provider names that differ from those in the price table. The first pattern that matches decides. */
const PROVIDERS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/^azure/, "azure"],
  [/^(google\.)?vertex|^google-vertex/, "google-vertex"],
  [/^google/, "gemini"],
  [/bedrock/, "amazon-bedrock"],
  [/^togetherai/, "together"],
  [/^voyage/, "voyageai"],
]

/** The provider's name in usage entries and in the price table: `openai` for `openai.responses`. */
export function providerOf({ provider }: SpecifiedModel): string {
  return PROVIDERS.find(([pattern]) => pattern.test(provider))?.[1] ?? provider.split(".")[0]!
}

/** Finds an AI SDK model, with its price. */
export function calledModel(model: SpecifiedModel, guard: ModelGuard): CalledModel | Rejection {
  const { modelId } = model
  const { prices, region, models } = guard
  const provider = guard.provider ?? providerOf(model)
  const stated = Object.hasOwn(models, modelId) ? models[modelId] : undefined
  if (provider === "openrouter" || (provider === "gateway" && stated === undefined)) return routed(provider)
  if (provider === "azure" && stated === undefined) return unknownDeployment()
  try {
    const priceKey = stated ?? priceKeyOf(provider, modelId, prices)
    const price = prices.priceOf(priceKey)
    if (price.provider === "openrouter") return routed("openrouter")
    const countedAs = price.model
    const window = windowOf(price, countedAs)
    return {
      status: "found",
      provider: providerNamed(provider),
      model: modelId,
      priceKey,
      price,
      countedAs,
      window,
      region,
    }
  } catch (error) {
    const rejection = rejectionOf(error)
    if (rejection.reason !== "unknown-model") return rejection
    const remedy = 'Pass `models: { "the model id": "the id of its price" }`, or a price of your own in `prices`.'
    return rejected("unknown-model", `${rejection.message} ${remedy}`)
  }
}

/** The name of a deployment does not identify its model. */
function unknownDeployment(): Rejection {
  return rejected(
    "unknown-model",
    'Unknown Azure deployment. Pass the price of its model: `models: { "my-deployment": "azure/gpt-4o-mini" }`.',
  )
}

/** A gateway chooses the provider, and with it the price, after the middleware has seen the call. */
function routed(provider: string): Rejection {
  return unbounded(
    `a model of ${provider}`,
    "its routing chooses the price",
    provider === "openrouter"
      ? "Pass `guardFetch({ budget })` as `fetch` of the provider: it sends the highest price."
      : "Pass the id of the most expensive price that it may charge in `models`.",
  )
}
