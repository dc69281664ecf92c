import { isRecord } from "@p2/core"
import type { CountableInput } from "../counted-input"
import type { Rejection } from "../protocol"
import { invalidBody, unbounded } from "../rejection"

/** The web plugin has one price for up to five results. */
const RESULTS_PER_SEARCH = 5

const WEB_REMEDY = 'Send `plugins: [{ id: "web", engine: "exa", max_results: 5 }]`.'

/** What OpenRouter's own fields add to a call. */
export interface OpenRouterFields {
  status: "read"
  webSearches: number
  /** Tokens of reasoning that the call sets aside. */
  reasoningTokens: number
}

/** Reads OpenRouter's own fields, and adds their hidden input. */
export function readOpenRouterFields(
  body: Readonly<Record<string, unknown>>,
  input: CountableInput,
): OpenRouterFields | Rejection {
  const { reasoning } = body
  const models = body.models ?? []
  const plugins = body.plugins ?? []
  if (!Array.isArray(models)) return invalidBody("models", "an array of model ids")
  if (!Array.isArray(plugins)) return invalidBody("plugins", "an array of plugins")
  if (models.some((model) => model !== body.model))
    return unbounded("`models`", "each model has its own price", "Send one model, and try the next in your code.")
  const budget = isRecord(reasoning) ? reasoning.max_tokens : undefined
  const reasoningTokens = typeof budget === "number" && Number.isSafeInteger(budget) && budget > 0 ? budget : 0
  let webSearches = 0
  for (const [index, plugin] of plugins.entries()) {
    const searches = searchesOf(plugin, `plugins[${index}]`)
    if (typeof searches !== "number") return searches
    webSearches += searches
  }
  if (webSearches > 0) input.unseen.push("the results of the web plugin")
  return { status: "read", webSearches, reasoningTokens }
}

/** https://openrouter.ai/docs/features/web-search, https://openrouter.ai/docs/features/multimodal/pdfs */
function searchesOf(plugin: unknown, path: string): number | Rejection {
  if (!isRecord(plugin) || typeof plugin.id !== "string") return invalidBody(path, "a plugin with an `id`")
  if (plugin.enabled === false || plugin.id === "response-healing") return 0
  if (plugin.id === "web") {
    const { engine, max_results: results = RESULTS_PER_SEARCH } = plugin
    if (engine !== "exa")
      return unbounded(`\`${path}\``, "a model's own search has its provider's price and no limit", WEB_REMEDY)
    if (typeof results !== "number" || !Number.isSafeInteger(results) || results < 1)
      return invalidBody(`${path}.max_results`, "an integer of at least 1")
    return Math.ceil(results / RESULTS_PER_SEARCH)
  }
  if (plugin.id === "file-parser") {
    const engine = isRecord(plugin.pdf) ? plugin.pdf.engine : undefined
    if (engine === "pdf-text" || engine === "cloudflare-ai" || engine === "native") return 0
    return unbounded(
      `\`${path}\``,
      "the default engine bills each page of a file",
      'Send `pdf: { engine: "cloudflare-ai" }`, which is free.',
    )
  }
  return unbounded(`\`${path}\``, "its price is unknown", "Omit it.")
}

/** The body with a request for the reported cost, and with the maximum prices per token that the router may choose. */
export function withOpenRouterFields(
  body: Readonly<Record<string, unknown>>,
  maxPrice: Readonly<Record<string, number | undefined>> | undefined,
): Record<string, unknown> {
  const usage = { ...(isRecord(body.usage) ? body.usage : {}), include: true }
  if (maxPrice === undefined) return { ...body, usage }
  const provider = isRecord(body.provider) ? body.provider : {}
  const stated = isRecord(provider.max_price) ? provider.max_price : {}
  const lowest: Record<string, unknown> = { ...stated }
  for (const [kind, price] of Object.entries(maxPrice))
    if (price !== undefined) lowest[kind] = lowerOf(stated[kind], price)
  return { ...body, usage, provider: { ...provider, max_price: lowest } }
}

/** The caller may state a lower price, as a number or a string. */
function lowerOf(stated: unknown, price: number): unknown {
  const amount = typeof stated === "string" || typeof stated === "number" ? Number(stated) : Number.NaN
  return amount >= 0 && amount < price ? stated : price
}
