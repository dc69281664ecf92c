import { describeModelId, hasModelIdCharacters, InvalidArgumentError } from "../errors"
import { LruMap } from "../lru-map"

/** The parts of a model id: `provider/name:variant`; all but the name may be absent. */
export interface ModelId {
  /** The id as it was written. */
  readonly id: string
  /** The first segment as it was written, such as `openrouter` or `anthropic`, if there are several: the API that is called. */
  readonly provider: string | undefined
  /** The model's name in that API, such as `openai/gpt-4o-mini-2024-07-18`. */
  readonly name: string
  /** The part after the last colon, such as `online`, if the provider (OpenRouter) uses colons for variants. */
  readonly variant: string | undefined
  /** The base model of a fine-tuned one: `gpt-4o-mini` for `ft:gpt-4o-mini:my-org::id`. */
  readonly fineTunedFrom: string | undefined
  /** The name without provider, vendor, variant and date: `gpt-4o-mini`. For a fine-tuned model, the base model's. */
  readonly baseName: string
  /** Keys under which tables may list what the provider serves under this id, the most specific first. */
  readonly keys: readonly string[]
  /**
   * `keys`, then the keys of the same model without variant, router and cloud, and of the base model of a fine-tuned model.
   * These have the same tokenizer and limits, but not the same price.
   */
  readonly modelKeys: readonly string[]
}

/** Other names of providers, and the names that tables use. */
const PROVIDER_ALIASES: ReadonlyMap<string, string> = /* @__PURE__ */ new Map([
  ["x-ai", "xai"],
  ["gemini", "google"],
  ["bedrock", "amazon-bedrock"],
  ["aws", "amazon-bedrock"],
  ["moonshot", "moonshotai"],
  ["z-ai", "zai"],
  // LiteLLM's names: https://docs.litellm.ai/docs/providers
  ["vertex_ai", "google-vertex"],
  ["together_ai", "together"],
  ["fireworks_ai", "fireworks"],
  ["cohere_chat", "cohere"],
])

/**
 * Bedrock's ids have the vendor before a dot, and may have a region before it:
 * `us.anthropic.claude-sonnet-4-20250514-v1:0`.
 */
const BEDROCK =
  /^(?:[a-z-]{2,6}\.)?(?:ai21|amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen|writer)\.[\w.-]+(?::\d+)?$/

const DATE = /^(.+)[-@](20[2-9]\d)-?(\d\d)-?(\d\d)$/
const FINE_TUNED = /^ft:([^:/]+)/

/**
 * Splits a model id by its form alone, and returns the keys under which tables may list it. It does not check that the model
 * exists. This is the only place that interprets date suffixes, vendor prefixes, `models/…` and `ft:…`.
 * Names are never matched by prefix: `gpt-4o-mini-x` is not `gpt-4o-mini`.
 *
 * @throws InvalidArgumentError if the id is empty, is longer than 200 characters, has characters that no provider uses, or
 * looks like an API key
 *
 * @example
 * parseModelId("openrouter/openai/gpt-4o-mini-2024-07-18:online")
 * // { provider: "openrouter", name: "openai/gpt-4o-mini-2024-07-18", variant: "online", baseName: "gpt-4o-mini", … }
 */
export function parseModelId(id: string): ModelId {
  // A call looks up its model several times, and parsing takes ten times as long as finding the result again.
  parsedIds ??= new LruMap(1000)
  return parsedIds.getOrCreate(id, () => parse(id))
}

let parsedIds: LruMap<string, ModelId> | undefined

function parse(id: string): ModelId {
  if (!isModelId(id)) throw invalidModelId(id)
  const parts = splitModelId(id)
  const keys = keysOf(parts)
  const modelKeys = [...keys]
  for (let inner = innerId(parts); inner !== undefined; inner = innerId(splitModelId(inner)))
    modelKeys.push(...keysOf(splitModelId(inner)).filter((key) => !modelKeys.includes(key)))
  const base = modelKeys.at(-1)!
  const baseName = base.slice(base.lastIndexOf("/") + 1)
  return Object.freeze({ ...parts, baseName, keys: Object.freeze(keys), modelKeys: Object.freeze(modelKeys) })
}

/** Whether a value has the form of a model id and not of an API key. */
export function isModelId(value: unknown): value is string {
  return typeof value === "string" && hasModelIdCharacters(value) && !/\/[/:]|[/:]$/.test(value)
}

type Parts = Pick<ModelId, "id" | "provider" | "name" | "variant" | "fineTunedFrom">

function splitModelId(id: string): Parts {
  // `models/gemini-2.5-pro` is the name of a resource in Google's API.
  const slash = id.startsWith("models/") ? -1 : id.indexOf("/")
  const provider = slash === -1 ? undefined : id.slice(0, slash)
  const rest = id.slice(slash + 1)
  const colon = provider === "openrouter" ? rest.lastIndexOf(":") : -1
  const name = colon === -1 ? rest : rest.slice(0, colon)
  const variant = colon === -1 ? undefined : rest.slice(colon + 1)
  const fineTunedFrom = name.startsWith("ft:") ? FINE_TUNED.exec(name)?.[1] : undefined
  return { id, provider, name, variant, fineTunedFrom }
}

/** The keys of exactly the model that the provider serves: as written, and without one date at the end. */
function keysOf({ id, provider, name, fineTunedFrom }: Parts): string[] {
  if (fineTunedFrom !== undefined) return withUndated(`${provider ?? "openai"}/ft:${fineTunedFrom}`)
  if (provider === undefined && BEDROCK.test(name)) return [id, `amazon-bedrock/${id}`]
  // The name of a resource in Fireworks' API.
  if (provider === "accounts") return [id, `fireworks/${id}`]
  const canonical = (provider && PROVIDER_ALIASES.get(provider)) ?? provider
  if (name.startsWith("models/") && (canonical ?? "google") === "google") return withUndated(`google/${name.slice(7)}`)
  return withUndated(canonical === provider ? id : `${canonical}${id.slice(id.indexOf("/"))}`)
}

/** Removes one layer from an id: the variant, the router, the cloud or the fine-tuning. */
function innerId({ id, provider, name, variant, fineTunedFrom }: Parts): string | undefined {
  if (variant !== undefined) return id.slice(0, -variant.length - 1)
  if (fineTunedFrom !== undefined) return `openai/${fineTunedFrom}`
  if (provider === "openrouter") return name
  if (provider !== "azure") return undefined
  return name.startsWith("openai/") ? name : `openai/${name}`
}

/** Removes one date only: no dated model is listed under a second date. */
function withUndated(key: string): string[] {
  const undated = withoutDate(key)
  return undated === undefined || withoutDate(undated) !== undefined ? [key] : [key, undated]
}

/** Removes a valid date from the end of a name (`-2024-07-18`, `-20240718`, `@20240718`); undefined if there is none. */
function withoutDate(name: string): string | undefined {
  const [, undated, ...parts] = DATE.exec(name) ?? []
  const date = parts.join("-")
  // JavaScript reads 30 February as 1 or 2 March.
  return undated !== undefined && new Date(date).toJSON()?.startsWith(date) ? undated : undefined
}

function invalidModelId(id: unknown): InvalidArgumentError {
  const expected = 'a model id such as "gpt-4o-mini" or "openrouter/openai/gpt-4o-mini"'
  const message = `Invalid \`model\`: expected ${expected}, got ${describeModelId(id)}.`
  return new InvalidArgumentError("model", expected, id, message)
}
