import { describeName, InvalidArgumentError, LruMap, type Request } from "@p2/core"
import { createPriceTable } from "@p2/pricing"
import type { OpenAI } from "openai"
import { MissingKeyError, throwNotLoaded } from "../errors"
import { type LLMClientOptions, systemClock } from "../options/client-options"
import { fetchWithErrorLimit } from "../transport/fetch-with-error-limit"
import { chooseProvider, isAtOpenAI, type ProviderChoice } from "./choose-provider"
import { baseURLVariablesOf, keyVariablesOf, type Provider, providerTable } from "./provider"
import type { Route } from "./route"
import { routePrices } from "./route-prices"

/** The routes of the request's model and its fallbacks. Nothing is loaded before {@link Routes.connect}. */
export class Routes {
  readonly #routes: readonly Route[]
  #connecting: Promise<ReadonlyMap<Route, OpenAI>> | undefined

  /** @throws InvalidArgumentError, UnknownModelError */
  constructor(request: Request<unknown>, options: LLMClientOptions) {
    const table = providerTable(options.providers)
    const prices = options.prices ?? createPriceTable({}, { extends: "published" })
    const { now } = options.clock ?? systemClock
    const { apiKeys = {} } = options
    const unknown = Object.keys(apiKeys).find((name) => !table.has(name))
    if (unknown !== undefined) throw unknownProvider(unknown, table)
    const choose = (model: string, endpoint: LLMClientOptions) => chooseProvider(model, endpoint, table, process.env)
    const { provider: ownProvider } = choose(request.model, options)
    this.#routes = [request.model, ...request.fallbacks].map((model) => {
      const withOptions = choose(model, options)
      // `openai`, `baseURL` and `apiKey` are for the request's own provider. A fallback at another
      // provider uses `apiKeys` and that provider's variables.
      const isOwn = withOptions.name === model || withOptions.provider.name === ownProvider.name
      const choice = isOwn ? withOptions : choose(model, { apiKeys })
      checkSearch(request, model, choice)
      return routeOf(model, choice, request, routePrices(model, choice, request, { prices, now }))
    })
  }

  /** The route of the request's own model. */
  get first(): Route {
    return this.#routes[0]!
  }

  /** The route of the request's own model, and those of its fallbacks. */
  get all(): readonly Route[] {
    return this.#routes
  }

  /** The route of a model, else the first route. */
  of(model: string | undefined): Route {
    return this.#routes.find((route) => route.model === model) ?? this.first
  }

  /** @throws MissingKeyError for the first route without a key or a base URL. */
  checkKeys(): void {
    for (const [index, { provider, model, baseURL, apiKey, ownOpenAI }] of this.#routes.entries()) {
      const fallback = index === 0 ? undefined : model
      if (baseURL === undefined)
        throw new MissingKeyError(provider.name, baseURLVariablesOf(provider)[0] ?? "baseURL", "base URL", fallback)
      const [variable] = keyVariablesOf(provider)
      if (apiKey === undefined && ownOpenAI === undefined && variable !== undefined)
        throw new MissingKeyError(provider.name, variable, "API key", fallback)
    }
  }

  /** The OpenAI instance of each route. Loads the `openai` package on first use. */
  connect(): Promise<ReadonlyMap<Route, OpenAI>> {
    this.#connecting ??= Promise.all(
      this.#routes.map(async (route) => [route, route.ownOpenAI ?? (await openaiFor(route))] as const),
    ).then((entries) => new Map(entries))
    return this.#connecting
  }
}

function unknownProvider(name: string, table: ReadonlyMap<string, Provider>): InvalidArgumentError {
  const path = `options.apiKeys.${describeName(name)}`
  const expected = `one of the providers ${[...table.keys()].join(", ")}`
  return new InvalidArgumentError(path, expected, undefined, `Unknown provider \`${path}\`: expected ${expected}.`)
}

/** A web search has an upper bound only through OpenRouter's plugin. */
function checkSearch(request: Request<unknown>, model: string, { provider }: ProviderChoice): void {
  if (request.online && provider.dialect !== "openrouter")
    throw new InvalidArgumentError(
      "online",
      "false for a provider other than openrouter",
      true,
      "Invalid `online`: the cost of a web search has an upper bound only through OpenRouter. Use an `openrouter/…` model.",
    )
  if (provider.dialect === "openrouter" && /:online$/i.test(model))
    throw new InvalidArgumentError(
      "model",
      "a model id without `:online`",
      model,
      `Invalid \`model\`: the suffix of "${model}" allows any number of searches. Remove it and set \`online: true\`.`,
    )
}

function routeOf(
  model: string,
  choice: ProviderChoice,
  request: Request<unknown>,
  prices: ReturnType<typeof routePrices>,
): Route {
  const { baseURL, apiKey, ownOpenAI } = choice
  const provider = withHeaders(choice.provider, request.extraHeaders)
  const isGenuine = honorsProviderFields(choice)
  const defaultTier = isGenuine ? provider.serviceTier : undefined
  return {
    model,
    provider,
    baseURL,
    apiKey,
    ownOpenAI,
    modeKey: `${baseURL} ${prices.sentModel}`,
    maxTokensField: isGenuine ? (provider.maxTokensField ?? "max_tokens") : "max_tokens",
    serviceTier: request.serviceTier === "default" ? defaultTier : request.serviceTier,
    ...prices,
  }
}

function withHeaders(provider: Provider, extra: Readonly<Record<string, string>>): Provider {
  return Object.keys(extra).length === 0 ? provider : { ...provider, headers: { ...provider.headers, ...extra } }
}

/**
 * A server behind a changed OpenAI base URL (vLLM, LiteLLM, a gateway) may ignore `max_completion_tokens` and reject
 * `service_tier` (https://github.com/vllm-project/vllm/pull/10463), unless the model is OpenAI's own, which it forwards.
 */
function honorsProviderFields({ provider, baseURL, name }: ProviderChoice): boolean {
  if (provider.name !== "openai" || isAtOpenAI(baseURL)) return true
  return /^(ft:)?(gpt-|chatgpt-|o\d)/.test(name)
}

const instances = new LruMap<string, OpenAI>(100)

/** An OpenAI instance for an endpoint, shared by the clients of this process. */
async function openaiFor({ baseURL, apiKey, provider }: Route): Promise<OpenAI> {
  const key = JSON.stringify([baseURL, apiKey, provider.name])
  const existing = instances.get(key)
  if (existing !== undefined) return existing
  const { OpenAI: Constructor } = await import("openai").catch((cause) =>
    throwNotLoaded("openai", "A call to a provider", cause),
  )
  const created = new Constructor({
    baseURL: baseURL ?? null,
    // The SDK requires a key, even for a provider that needs none.
    apiKey: apiKey ?? "none",
    maxRetries: 0,
    fetch: fetchWithErrorLimit,
    // The SDK would send OPENAI_ORG_ID and OPENAI_PROJECT_ID to other providers.
    ...(provider.name === "openai" ? {} : { organization: null, project: null }),
  })
  instances.set(key, created)
  return created
}
