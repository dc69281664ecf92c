/** Rates of one service tier in pico-USD per token. */
export interface TierRates {
  input: number
  cacheRead: number
  output: number
}

export interface ResponsesModel {
  /** By service tier; `default` is always there. */
  tiers: Readonly<Record<string, TierRates>>
  contextWindow: number
  maxOutputTokens: number
  reasons: boolean
}

/** USD per million tokens. */
function rates(input: number, cacheRead: number, output: number): TierRates {
  const pico = (usdPerMillion: number) => Math.round(usdPerMillion * 1_000_000)
  return { input: pico(input), cacheRead: pico(cacheRead), output: pico(output) }
}

/**
 * Written by hand from https://developers.openai.com/api/docs/pricing (2026-11-05), so that the bill is independent of
 * `@p2/pricing`.
 */
const MODELS: Readonly<Record<string, ResponsesModel>> = {
  "gpt-4o-mini": {
    tiers: { default: rates(0.15, 0.075, 0.6), priority: rates(0.25, 0.125, 1) },
    contextWindow: 128_000,
    maxOutputTokens: 16_384,
    reasons: false,
  },
  "gpt-4o": {
    tiers: { default: rates(2.5, 1.25, 10), priority: rates(4.25, 2.125, 17) },
    contextWindow: 128_000,
    maxOutputTokens: 16_384,
    reasons: false,
  },
  "gpt-4.1": {
    tiers: { default: rates(2, 0.5, 8), priority: rates(3.5, 0.875, 14) },
    contextWindow: 1_047_576,
    maxOutputTokens: 32_768,
    reasons: false,
  },
  "gpt-5": {
    tiers: { default: rates(1.25, 0.125, 10), priority: rates(2.5, 0.25, 20), flex: rates(0.625, 0.0625, 5) },
    contextWindow: 400_000,
    maxOutputTokens: 128_000,
    reasons: true,
  },
  "gpt-5-mini": {
    tiers: { default: rates(0.25, 0.025, 2), priority: rates(0.45, 0.045, 3.6), flex: rates(0.125, 0.0125, 1) },
    contextWindow: 400_000,
    maxOutputTokens: 128_000,
    reasons: true,
  },
  "gpt-6.2-sol": {
    tiers: { default: rates(2, 0.1, 10) },
    contextWindow: 1_050_000,
    maxOutputTokens: 128_000,
    reasons: true,
  },
  "o4-mini": {
    tiers: { default: rates(1.1, 0.275, 4.4), priority: rates(2, 0.5, 8), flex: rates(0.55, 0.1375, 2.2) },
    contextWindow: 200_000,
    maxOutputTokens: 100_000,
    reasons: true,
  },
}

/** Finds a model by its name, with or without a date. */
export function findResponsesModel(name: string): ResponsesModel | undefined {
  return MODELS[name] ?? MODELS[name.replace(/-20\d\d-\d\d-\d\d$/, "")]
}

/** $10 for 1,000 web searches, $2.50 for 1,000 file searches, $0.03 for a container of 1 GB, from the same page. */
export const PICO_USD_PER_PIECE = { search: 10_000_000_000, fileSearch: 2_500_000_000, containerGB: 30_000_000_000 }

/** Pico-USD per token of embeddings, from the same page. */
export const EMBEDDING_RATES: Readonly<Record<string, number>> = {
  "text-embedding-3-small": 20_000,
  "text-embedding-3-large": 130_000,
  "text-embedding-ada-002": 100_000,
}
