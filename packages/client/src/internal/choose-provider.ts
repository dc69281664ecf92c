import { InvalidArgumentError, parseModelId } from "@p2/core"
import type { OpenAI } from "openai"
import type { LLMClientOptions } from "../client-options"
import type { Provider } from "../provider"
import { baseURLVariablesOf, keyVariablesOf } from "../providers"
import { check, OPEN_ADDRESS, type Rule } from "./option-rules"

/** Who is called for a model, and by what name the model goes there. */
export interface Choice {
  provider: Provider
  /** The id without the provider's prefix. */
  name: string
  /** Undefined: the provider says where it is only by variable or option, and neither is set. */
  baseURL: string | undefined
  apiKey: string | undefined
  /** The user's own instance, which has its key and its address. */
  openai: OpenAI | undefined
}

type Table = ReadonlyMap<string, Provider>
type Environment = Readonly<Record<string, string | undefined>>

/**
 * The prefix of the model decides. A model without a known prefix goes where `openai` or `baseURL` point to, else to
 * OpenRouter when `OPENROUTER_API_KEY` is set, else to OpenAI. Where they point to OpenRouter, other prefixes are the
 * vendors in its own ids.
 */
export function chooseProvider(
  model: string,
  options: Pick<LLMClientOptions, "openai" | "baseURL" | "apiKey">,
  table: Table,
  env: Environment,
): Choice {
  const { provider: prefix = "" } = parseModelId(model)
  const endpoint = options.openai?.baseURL ?? options.baseURL
  const there = endpoint === undefined ? undefined : providerAt(endpoint, table)
  const named = there?.dialect === "openrouter" && prefix !== there.name ? undefined : table.get(prefix)
  const provider = named ?? there ?? defaultProvider(model, table, env)
  return {
    provider,
    name: named === undefined ? model : model.slice(prefix.length + 1),
    baseURL: endpoint ?? firstSet(baseURLVariablesOf(provider), env, OPEN_ADDRESS) ?? provider.baseURL,
    apiKey: options.apiKey ?? firstSet(keyVariablesOf(provider), env),
    openai: options.openai,
  }
}

function defaultProvider(model: string, table: Table, env: Environment): Provider {
  const openrouter = table.get("openrouter")!
  if (firstSet(keyVariablesOf(openrouter), env) !== undefined) return openrouter
  if (!model.includes("/")) return table.get("openai")!
  throw new InvalidArgumentError(
    "model",
    `a model with a known prefix (${[...table.keys()].join(", ")}), unless OPENROUTER_API_KEY is set`,
    model,
  )
}

/** The provider whose host an address has; anything else speaks as OpenAI does. */
function providerAt(address: string, table: Table): Provider {
  const host = hostOf(address)
  for (const provider of table.values()) if (hostOf(provider.baseURL) === host) return provider
  // Old and new names of its endpoints: https://learn.microsoft.com/en-us/azure/ai-foundry/foundry-models/concepts/endpoints
  const isAzure = host?.endsWith(".azure.com")
  return table.get(isAzure ? "azure" : "openai")!
}

/** The host and port of an address that was checked; undefined where there is none. */
export function hostOf(address: string | undefined): string | undefined {
  return address && new URL(address).host
}

/** Throws when what the first variable that is set says is not what it has to be. */
function firstSet(variables: readonly string[], env: Environment, rule?: Rule): string | undefined {
  for (const variable of variables) {
    const value = env[variable]?.trim()
    if (!value) continue
    if (rule !== undefined) check(value, variable, rule)
    return value
  }
  return undefined
}
