// Reads @pydantic/genai-prices through its public findProvider.
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { scaledUp } from "./decimal.mjs"
import { STILL_USED_IDS } from "./more-overrides.mjs"
import { thresholdOf } from "./thresholds.mjs"

const require = createRequire(import.meta.url)
const { findProvider, TieredPrices } = require("@pydantic/genai-prices")

/** Its version, and the day it was published on npm. */
export const GENAI_PRICES = { version: "0.1.8", day: "2026-09-23", license: "MIT" }

/** Its provider ids, and ours. */
const PROVIDERS = {
  anthropic: "anthropic",
  arcee: "arcee",
  avian: "avian",
  aws: "amazon-bedrock",
  azure: "azure",
  baseten: "baseten",
  cerebras: "cerebras",
  cloudflare: "cloudflare-workers-ai",
  cohere: "cohere",
  deepseek: "deepseek",
  fireworks: "fireworks",
  google: "google",
  groq: "groq",
  cursor: "cursor",
  doubleword: "doubleword",
  "github-copilot": "github-copilot",
  huggingface_cerebras: "huggingface-cerebras",
  "huggingface_fireworks-ai": "huggingface-fireworks-ai",
  huggingface_groq: "huggingface-groq",
  huggingface_hyperbolic: "huggingface-hyperbolic",
  huggingface_nebius: "huggingface-nebius",
  huggingface_novita: "huggingface-novita",
  huggingface_nscale: "huggingface-nscale",
  huggingface_ovhcloud: "huggingface-ovhcloud",
  huggingface_publicai: "huggingface-publicai",
  huggingface_sambanova: "huggingface-sambanova",
  huggingface_together: "huggingface-together",
  modal: "modal",
  quicksilverpro: "quicksilverpro",
  minimax: "minimax",
  mistral: "mistral",
  moonshotai: "moonshotai",
  novita: "novita",
  openai: "openai",
  openrouter: "openrouter",
  ovhcloud: "ovhcloud",
  perplexity: "perplexity",
  together: "together",
  voyageai: "voyageai",
  "x-ai": "xai",
  zai: "zai",
}

/** Its price keys, and our kinds with the decimal places to pico-USD. */
const KINDS = {
  input_mtok: ["input", 6],
  output_mtok: ["output", 6],
  cache_read_mtok: ["cacheRead", 6],
  cache_write_mtok: ["cacheWrite", 6],
  cache_write_1h_mtok: ["cacheWrite1h", 6],
  input_audio_mtok: ["audioInput", 6],
  output_audio_mtok: ["audioOutput", 6],
  input_image_mtok: ["imageInput", 6],
  output_image_mtok: ["imageOutput", 6],
  output_reasoning_mtok: ["reasoning", 6],
  requests_kcount: ["request", 9],
  web_searches_kcount: ["search", 9],
  storage_searches_kcount: ["fileSearch", 9],
  input_audio_hours: ["second", 12],
}

/** Kinds that only make a call cheaper. */
const HARMLESS = new Set(["cache_audio_read_mtok", "cache_image_read_mtok"])
const SECONDS_PER_HOUR = 3600

/** @returns rows by key, and the keys whose price this package cannot express */
export function readGenaiPrices() {
  const installed = JSON.parse(
    readFileSync(join(require.resolve("@pydantic/genai-prices"), "../../package.json"), "utf8"),
  )
  if (installed.version !== GENAI_PRICES.version)
    throw new Error(
      `Expected @pydantic/genai-prices ${GENAI_PRICES.version}, found ${installed.version}: update its day too.`,
    )
  const rows = new Map()
  const unpriced = []
  for (const [theirs, provider] of Object.entries(PROVIDERS)) {
    const found = findProvider({ providerId: theirs })
    if (found?.id !== theirs) throw new Error(`@pydantic/genai-prices no longer has the provider ${theirs}.`)
    for (const model of found.models) addModel(rows, unpriced, provider, model)
  }
  return { rows, unpriced }
}

function addModel(rows, unpriced, provider, model) {
  const names = exactNames(model.match)
  if (matches(model.match, model.id)) names.add(model.id)
  // Old bills and running services still have these ids, which the package matches by a pattern.
  const stillUsed = (STILL_USED_IDS[provider] ?? []).filter((id) => matches(model.match, id))
  for (const id of stillUsed) names.add(id)
  const list = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }]
  const sheets = withEnds(list.map((each) => sheetOf(each, names)))
  for (const name of names) {
    // It lists other vendors' models on Vertex AI under Google itself.
    if (provider === "google" && /^(claude|llama|mistral|codestral|jamba)/.test(name)) provider = "google-vertex"
    const key = `${provider}/${name}`
    if (sheets.some((sheet) => sheet === undefined)) unpriced.push(key)
    else if (!rows.has(key))
      rows.set(key, {
        key,
        provider,
        name,
        names,
        sheets,
        context: model.context_window,
        isStillUsed: stillUsed.includes(name),
      })
  }
}

/** A dated sheet ends where the next one begins, so that no bound uses a price that has ended. */
function withEnds(sheets) {
  const starts = sheets.filter((sheet) => sheet?.from !== undefined).map((sheet) => sheet.from)
  return sheets.map((sheet) => {
    const next = sheet?.window === undefined ? starts.find((start) => start > (sheet?.from ?? "")) : undefined
    return next === undefined ? sheet : { ...sheet, until: next }
  })
}

function sheetOf({ constraint, prices }, names) {
  const kinds = []
  const starts = new Set([0])
  for (const [key, value] of Object.entries(prices)) {
    if (value === undefined || value === null) continue
    // Transcription prices per hour apply to the input.
    if (key === "audio_hours" && value === prices.input_audio_hours) continue
    if (KINDS[key] === undefined) {
      if (HARMLESS.has(key)) continue
      return undefined
    }
    kinds.push([...KINDS[key], value])
    if (value instanceof TieredPrices || typeof value === "object")
      for (const tier of value.tiers) starts.add(thresholdOf([...names][0], tier.start))
  }
  const from = [...starts].sort((a, b) => a - b)
  const tiers = from.map((fromInputTokens) => ({
    fromInputTokens,
    rates: ratesAt(kinds, fromInputTokens, [...names][0]),
  }))
  if (tiers.some(({ rates }) => rates === undefined)) return undefined
  return { serviceTier: "default", ...timesOf(constraint), tiers }
}

/** Undefined if there is no price, or a negative one, which stands for a dynamic price. */
function ratesAt(kinds, inputTokens, name) {
  const rates = {}
  for (const [kind, places, value] of kinds) {
    let price = value
    if (typeof value === "object") {
      price = value.base
      for (const tier of [...value.tiers].sort((a, b) => a.start - b.start))
        if (inputTokens >= thresholdOf(name, tier.start)) price = tier.price
    }
    const rate = scaledUp(String(price), places)
    if (rate === undefined) return undefined
    rates[kind] = kind === "second" ? Math.ceil(rate / SECONDS_PER_HOUR) : rate
  }
  if (rates.input === undefined && rates.output === undefined && rates.second === undefined) return undefined
  if (Object.values(rates).every((rate) => rate === 0)) return undefined
  return { ...rates, input: rates.input ?? 0, output: rates.output ?? 0 }
}

function timesOf(constraint) {
  if (constraint === undefined || constraint === null) return {}
  if (constraint.type === "start_date") return { from: constraint.start_date }
  if (constraint.type === "time_of_date")
    return { window: { days: "0123456", start: minuteOf(constraint.start_time), end: minuteOf(constraint.end_time) } }
  throw new Error(`@pydantic/genai-prices has a new constraint, ${JSON.stringify(constraint)}.`)
}

function minuteOf(time) {
  const [, hours, minutes] = /^(\d\d):(\d\d):00Z$/.exec(time)
  return Number(hours) * 60 + Number(minutes)
}

function exactNames(match) {
  const names = new Set()
  if (match.equals !== undefined) names.add(match.equals)
  for (const each of match.or ?? []) for (const name of exactNames(each)) names.add(name)
  return names
}

function matches(match, name) {
  if (match.equals !== undefined) return name === match.equals
  if (match.starts_with !== undefined) return name.startsWith(match.starts_with)
  if (match.ends_with !== undefined) return name.endsWith(match.ends_with)
  if (match.contains !== undefined) return name.includes(match.contains)
  if (match.regex !== undefined) return new RegExp(match.regex).test(name)
  if (match.or !== undefined) return match.or.some((each) => matches(each, name))
  return match.and.every((each) => matches(each, name))
}
