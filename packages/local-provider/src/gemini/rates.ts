/** Rates of a Gemini model in pico-USD per token. */
export interface GeminiRates {
  input: number
  output: number
  cacheRead: number
  /** Audio in the input. */
  audioInput: number
}

export interface GeminiModel {
  rates: GeminiRates
  /** Rates of the whole call above 200,000 input tokens. */
  longRates?: GeminiRates
  contextWindow: number
  maxOutputTokens: number
  thinks: boolean
  /** The search fee: once for a request that searched, or for each query. */
  search: { picoUsd: number; per: "request" | "query" }
}

/** USD per million tokens. */
function rates(input: number, output: number, cacheRead: number, audioInput = input): GeminiRates {
  const pico = (usdPerMillion: number) => Math.round(usdPerMillion * 1_000_000)
  return { input: pico(input), output: pico(output), cacheRead: pico(cacheRead), audioInput: pico(audioInput) }
}

/** $35 per 1,000 requests that searched, for Gemini 2.5 and older; $14 per 1,000 queries for Gemini 3. */
const PER_REQUEST = { picoUsd: 35_000_000_000, per: "request" } as const
const PER_QUERY = { picoUsd: 14_000_000_000, per: "query" } as const

const LIMITS = { contextWindow: 1_048_576, maxOutputTokens: 65_536 } as const

/**
 * Written by hand from https://ai.google.dev/gemini-api/docs/pricing (2026-10-07), so that the bill is independent of
 * `@p2/pricing`.
 */
const MODELS: Readonly<Record<string, GeminiModel>> = {
  "gemini-2.0-flash": {
    rates: rates(0.1, 0.4, 0.025, 0.7),
    contextWindow: 1_000_000,
    maxOutputTokens: 8192,
    thinks: false,
    search: PER_REQUEST,
  },
  "gemini-2.5-flash": { rates: rates(0.3, 2.5, 0.03, 1), ...LIMITS, thinks: true, search: PER_REQUEST },
  "gemini-2.5-flash-lite": { rates: rates(0.1, 0.4, 0.01, 0.3), ...LIMITS, thinks: false, search: PER_REQUEST },
  "gemini-2.5-pro": {
    rates: rates(1.25, 10, 0.125),
    longRates: rates(2.5, 15, 0.25),
    ...LIMITS,
    thinks: true,
    search: PER_REQUEST,
  },
  "gemini-3-flash-preview": { rates: rates(0.5, 3, 0.05, 1), ...LIMITS, thinks: true, search: PER_QUERY },
  "gemini-3.5-flash": { rates: rates(1.5, 9, 0.15), ...LIMITS, thinks: true, search: PER_QUERY },
  "gemini-3.5-flash-lite": { rates: rates(0.3, 2.5, 0.03), ...LIMITS, thinks: true, search: PER_QUERY },
  "gemini-3.8-flash": { rates: rates(0.75, 3.75, 0.075), ...LIMITS, thinks: true, search: PER_QUERY },
  "gemini-3.1-pro-preview": {
    rates: rates(2, 12, 0.2),
    longRates: rates(4, 18, 0.4),
    ...LIMITS,
    thinks: true,
    search: PER_QUERY,
  },
}

/** The embedding model, which is billed by input only. */
const EMBEDDING: GeminiModel = {
  rates: rates(0.15, 0, 0.15),
  contextWindow: 2048,
  maxOutputTokens: 1,
  thinks: false,
  search: PER_REQUEST,
}

export const GEMINI_MODELS: readonly string[] = [...Object.keys(MODELS), "gemini-embedding-001"]

export function findGemini(name: string): GeminiModel | undefined {
  return name === "gemini-embedding-001" ? EMBEDDING : MODELS[name]
}
