import { InvalidArgumentError, type Request } from "@p2/core"
import { prices as publishedPrices } from "@p2/pricing"
import { MissingKeyError } from "../client-errors"
import type { LLMClientOptions } from "../client-options"
import type { Provider } from "../provider"
import { baseURLVariablesOf, keyVariablesOf, providerTable } from "../providers"
import { type Choice, chooseProvider, hostOf } from "./choose-provider"
import { openaiFor } from "./openai-instance"
import type { Route } from "./route"
import { tariffFor } from "./tariff"

/** The request's model and its fallbacks, resolved. Nothing is connected before {@link RouteBook.open}. */
export class RouteBook {
  readonly #routes: Route[]
  #opened: Promise<readonly Route[]> | undefined

  constructor(request: Request<unknown>, options: LLMClientOptions) {
    const table = providerTable(options.providers)
    const prices = options.prices ?? publishedPrices
    const choose = (model: string, own: LLMClientOptions) => chooseProvider(model, own, table, process.env)
    const home = choose(request.model, options).provider.name
    this.#routes = [request.model, ...request.fallbacks].map((model) => {
      const here = choose(model, options)
      // Your own endpoint stays with its provider: another provider's fallback goes to its own address with its own key.
      const choice = here.name === model || here.provider.name === home ? here : choose(model, {})
      if (request.online && choice.provider.dialect !== "openrouter")
        throw new InvalidArgumentError("online", "false: only the searches of openrouter can be limited", true)
      if (choice.provider.dialect === "openrouter" && /:online$/i.test(model))
        throw new InvalidArgumentError(
          "model",
          "without `:online`, which has no maximum of searches, and `online: true` beside it",
          model,
        )
      return routeOf(model, choice, request, tariffFor(model, choice, request, prices))
    })
  }

  /** The request's own model. */
  get first(): Route {
    return this.#routes[0]!
  }

  /** The route of a model that was asked; the first one when there is none. */
  of(model: string | undefined): Route {
    return this.#routes.find((route) => route.model === model) ?? this.first
  }

  /** Throws for the first provider without a key or an address. */
  checkKeys(): void {
    for (const { provider, baseURL, apiKey, openai } of this.#routes) {
      if (baseURL === undefined)
        throw new MissingKeyError(provider.name, baseURLVariablesOf(provider)[0] ?? "baseURL", "base URL")
      const variable = apiKey === undefined && openai === undefined && keyVariablesOf(provider)[0]
      if (variable) throw new MissingKeyError(provider.name, variable, "API key")
    }
  }

  /** The routes with their OpenAI instances; loads the `openai` package on first use. */
  open(): Promise<readonly Route[]> {
    this.#opened ??= this.#connect()
    return this.#opened
  }

  async #connect(): Promise<readonly Route[]> {
    for (const route of this.#routes) route.openai ??= await openaiFor(route)
    return this.#routes
  }
}

function routeOf(
  model: string,
  choice: Choice,
  request: Request<unknown>,
  tariff: ReturnType<typeof tariffFor>,
): Route {
  const { provider } = choice
  const asked = request.serviceTier
  const speaks = speaksForOpenAI(provider, choice)
  return {
    model,
    modeKey: `${choice.baseURL} ${tariff.sentModel}`,
    maxTokensField: speaks ? (provider.maxTokensField ?? "max_tokens") : "max_tokens",
    serviceTier: asked !== "default" ? asked : speaks ? provider.serviceTier : undefined,
    ...tariff,
    ...(choice as Choice & Pick<Route, "openai">),
  }
}

/**
 * A server behind a changed OpenAI base URL (vLLM, LiteLLM, a gateway) may not honour `max_completion_tokens`, and may
 * refuse a `service_tier` (https://github.com/vllm-project/vllm/pull/10463), except for OpenAI's own models, which it can
 * only hand on. Any other provider is what its row says.
 */
function speaksForOpenAI(provider: Provider, choice: Choice): boolean {
  if (provider.name !== "openai" || hostOf(choice.baseURL) === "api.openai.com") return true
  return /^(ft:)?(gpt-|chatgpt-|o\d)/.test(choice.name)
}
