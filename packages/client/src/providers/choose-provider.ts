import { InvalidArgumentError, LruMap, parseModelId } from "@p2/core"
import type { OpenAI } from "openai"
import type { LLMClientOptions } from "../options/client-options"
import { checkOption, HTTP_URL, type OptionRule } from "../options/option-rules"
import { baseURLVariablesOf, keyVariablesOf, knownProviderAt, type Provider, withKnownPrefix } from "./provider"

/** The provider of a model, and the model's name there. */
export interface ProviderChoice {
  provider: Provider
  /** The id without the provider's prefix. */
  name: string
  /** Undefined: neither the variable nor the option is set, and the provider has no default. */
  baseURL: string | undefined
  apiKey: string | undefined
  /** The user's own instance, which has its own key and base URL. */
  ownOpenAI: OpenAI | undefined
}

type ProviderTable = ReadonlyMap<string, Provider>
type Environment = Readonly<Record<string, string | undefined>>

/**
 * The prefix of the model decides. A model without a known prefix goes where `openai` or `baseURL` points, else to
 * OpenRouter when `OPENROUTER_API_KEY` is set, else to OpenAI. Where they point to OpenRouter, other prefixes are
 * vendors in OpenRouter's own ids.
 */
export function chooseProvider(
  model: string,
  options: Pick<LLMClientOptions, "openai" | "baseURL" | "apiKey" | "apiKeys">,
  table: ProviderTable,
  env: Environment,
): ProviderChoice {
  const { provider: prefix = "" } = parseModelId(model)
  const endpoint = options.openai?.baseURL ?? options.baseURL
  const atEndpoint = endpoint === undefined ? undefined : providerAt(endpoint, table)
  const named = atEndpoint?.dialect === "openrouter" && prefix !== atEndpoint.name ? undefined : table.get(prefix)
  const provider = named ?? atEndpoint ?? defaultProvider(model, table, env)
  return {
    provider,
    name: named === undefined ? model : model.slice(prefix.length + 1),
    baseURL: endpoint ?? baseURLOf(provider, env),
    apiKey: options.apiKey ?? options.apiKeys?.[provider.name] ?? firstSetVariable(keyVariablesOf(provider), env),
    ownOpenAI: options.openai,
  }
}

/** Anthropic's own SDK reads this variable as the URL before `/v1`. */
function baseURLOf(provider: Provider, env: Environment): string | undefined {
  const url = firstSetVariable(baseURLVariablesOf(provider), env, HTTP_URL)
  if (url === undefined || provider.dialect !== "anthropic" || /\/v\d+\/?$/.test(url)) return url ?? provider.baseURL
  return `${url.replace(/\/$/, "")}/v1`
}

function defaultProvider(model: string, table: ProviderTable, env: Environment): Provider {
  const openrouter = table.get("openrouter")!
  if (firstSetVariable(keyVariablesOf(openrouter), env) !== undefined) return openrouter
  if (!model.includes("/")) return table.get("openai")!
  const expected = `a known provider prefix (${[...table.keys()].join(", ")})`
  const known = withKnownPrefix(model, table.keys())
  const hint = known === undefined ? "" : ` Did you mean "${known}"?`
  throw new InvalidArgumentError(
    "model",
    expected,
    model,
    `Invalid \`model\`: expected ${expected}, got "${model}".${hint} To call it through OpenRouter, set OPENROUTER_API_KEY.`,
  )
}

/** The provider with the host of the URL. Every other host is treated like OpenAI. */
function providerAt(url: string, table: ProviderTable): Provider {
  const host = hostOf(url)!
  for (const provider of table.values()) if (hostOf(provider.baseURL) === host) return provider
  return table.get(knownProviderAt(host) ?? "openai") ?? table.get("openai")!
}

/** Whether a URL is one of OpenAI's own, regions included. */
export function isAtOpenAI(url: string | undefined): boolean {
  const host = hostOf(url)
  return host !== undefined && (host === "api.openai.com" || knownProviderAt(host) === "openai")
}

/** Hosts by URL: every new client compares those of all providers. */
const hosts = new LruMap<string, string>(1_000)

/** Host and port of a valid URL. */
function hostOf(url: string | undefined): string | undefined {
  return url && hosts.getOrCreate(url, () => new URL(url).host)
}

/** The value of the first variable that is set; empty ones count as unset. Throws when the value breaks the rule. */
function firstSetVariable(variables: readonly string[], env: Environment, rule?: OptionRule): string | undefined {
  for (const variable of variables) {
    const value = env[variable]?.trim()
    if (!value) continue
    if (rule !== undefined) checkOption(value, variable, rule)
    return value
  }
  return undefined
}
