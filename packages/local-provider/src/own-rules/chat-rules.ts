import type { ChatRequest } from "../chat-request"
import type { Fault } from "../faults"
import type { BilledUnits, Rates } from "../ledger"
import { countText, type ModelEntry } from "../models"
import { findResponsesModel } from "../responses/rates"

/** A model with hand-written prices, and its price for a search. */
export interface OwnModel extends ModelEntry {
  serviceTier: string
  picoUsdPerSearch: number
}

/** USD per million tokens at OpenRouter, from https://openrouter.ai/models (2026-11-10). */
const OPENROUTER: Readonly<Record<string, Pick<OwnModel, "contextWindow" | "maxOutputTokens" | "rates">>> = {
  "openai/gpt-4o-mini": model(128_000, 16_384, 0.15, 0.075, 0.6),
  "anthropic/claude-sonnet-4.5": model(1_000_000, 64_000, 3, 0.3, 15),
  "google/gemini-2.5-flash": model(1_048_576, 65_535, 0.3, 0.03, 2.5),
}

/** USD 4 per thousand results, five results: https://openrouter.ai/docs/features/web-search (2026-11-27). */
const PICO_USD_PER_SEARCH = 20_000_000_000

function model(contextWindow: number, maxOutputTokens: number, input: number, cacheRead: number, output: number) {
  const pico = (usdPerMillion: number) => Math.round(usdPerMillion * 1_000_000)
  return {
    contextWindow,
    maxOutputTokens,
    rates: { input: pico(input), cacheRead: pico(cacheRead), output: pico(output) },
  }
}

/** Finds a model and its rates for the tier of the request, or of the provider's project. */
export function findOwnModel(
  { model: name, service_tier: requested }: ChatRequest,
  api: "openai" | "openrouter",
  fault: Fault,
): OwnModel | undefined {
  if (api === "openrouter") {
    const found = OPENROUTER[name]
    return found && { key: name, ...found, serviceTier: "default", picoUsdPerSearch: PICO_USD_PER_SEARCH }
  }
  const found = findResponsesModel(name)
  const isOpen = requested === undefined || requested === null || requested === "auto"
  const serviceTier = isOpen ? (fault.projectTier ?? "default") : requested
  const rates: Rates | undefined = found?.tiers[serviceTier]
  if (found === undefined || rates === undefined) return undefined
  const { contextWindow, maxOutputTokens } = found
  return { key: name, contextWindow, maxOutputTokens, rates, serviceTier, picoUsdPerSearch: 0 }
}

const TOKENS_PER_REQUEST = 3
const TOKENS_PER_MESSAGE = 4
/** Instructions that tools and formats add without being visible to the caller. */
const TOOLS_PROMPT = 150
const TOKENS_PER_TOOL = 12
const FORMAT_PROMPT = 60
/** Tokens of one result of the web plugin. */
const TOKENS_PER_RESULT = 1_500

type Fields = Record<string, unknown>

/** Counts a prompt. It shares only the vocabulary with `@p2/tokens`. */
export function countByOwnRules(request: ChatRequest): number {
  const { messages, tools = [], functions = [], response_format: format, tool_choice: choice } = request
  const definitions = [...tools, ...(functions as unknown[])]
  return (
    TOKENS_PER_REQUEST +
    messages.reduce((sum, message) => sum + messageTokens(message as unknown as Fields, request.model), 0) +
    (definitions.length === 0 ? 0 : TOOLS_PROMPT) +
    definitions.reduce<number>((sum, tool) => sum + TOKENS_PER_TOOL + countText(JSON.stringify(tool)), 0) +
    (typeof choice === "object" ? countText(JSON.stringify(choice)) : 0) +
    (format?.type === "json_schema" ? FORMAT_PROMPT + countText(JSON.stringify(format)) : 0) +
    resultsOf(request) * TOKENS_PER_RESULT
  )
}

function messageTokens(message: Fields, model: string): number {
  const { content, role: _, tool_calls: calls, ...others } = message
  const parts = Array.isArray(content) ? (content as Fields[]) : [{ type: "text", text: content ?? "" }]
  return (
    TOKENS_PER_MESSAGE +
    parts.reduce((sum, part) => sum + partTokens(part, model), 0) +
    ((calls ?? []) as Fields[]).reduce((sum, call) => sum + callTokens(call), 0) +
    Object.values(others).reduce<number>((sum, value) => sum + countText(asText(value)), 0)
  )
}

/** The name and the arguments, as the model wrote them. */
function callTokens({ function: called, custom }: Fields): number {
  const { name, arguments: written, input } = (called ?? custom) as Fields
  return 8 + countText(asText(name)) + countText(asText(written ?? input))
}

function partTokens(part: Fields, model: string): number {
  switch (part.type) {
    case "image_url":
      return (part.image_url as Fields).detail === "low" ? 85 : largestImage(model)
    case "input_audio":
      // Ten tokens per second at 16 kHz and 16 bits.
      return Math.ceil(String((part.input_audio as Fields).data).length / 42_667) * 10
    case "file":
      return 2_000 * Math.max(1, Math.ceil(JSON.stringify(part).length / 50_000))
    default:
      return countText(asText(part.text ?? part.refusal ?? part.thinking))
  }
}

/** The largest images: https://developers.openai.com/api/docs/guides/images-vision (2026-11-23), or the model's page. */
function largestImage(model: string): number {
  if (/gpt-4o-mini/.test(model)) return 2833 + 8 * 5667
  if (/^gpt-4/.test(model)) return 85 + 8 * 170
  if (/^(gpt-5-mini|o4-mini)/.test(model)) return Math.ceil(1536 * 1.62)
  return /claude|gemini/.test(model) ? 1_600 : 70 + 8 * 140
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value ?? "")
}

/** Results of the web plugin. */
function resultsOf({ plugins }: ChatRequest): number {
  const web = ((plugins ?? []) as Fields[]).find(({ id }) => id === "web")
  return web === undefined ? 0 : Number(web.max_results ?? 5)
}

/** The bill of a call, by kind of unit. */
export function ownBill(
  request: ChatRequest,
  own: OwnModel,
  counts: { promptTokens: number; cachedTokens: number; completionTokens: number },
): BilledUnits[] {
  return [
    { kind: "input", count: counts.promptTokens - counts.cachedTokens, picoUsdPerUnit: own.rates.input },
    { kind: "cacheRead", count: counts.cachedTokens, picoUsdPerUnit: own.rates.cacheRead },
    { kind: "output", count: counts.completionTokens, picoUsdPerUnit: own.rates.output },
    { kind: "search", count: Math.ceil(resultsOf(request) / 5), picoUsdPerUnit: own.picoUsdPerSearch },
  ]
}

/** Whether the caller's highest prices exclude the model. */
export function isTooExpensive({ provider }: ChatRequest, own: OwnModel): boolean {
  const limits = (provider as { max_price?: Record<string, number> } | undefined)?.max_price ?? {}
  const { prompt = Number.POSITIVE_INFINITY, completion = Number.POSITIVE_INFINITY } = limits
  return own.rates.input > prompt * 1e6 || own.rates.output > completion * 1e6
}
