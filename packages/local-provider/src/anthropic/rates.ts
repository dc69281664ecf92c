/** Rates of a Claude model in pico-USD per token. */
export interface ClaudeRates {
  input: number
  output: number
  cacheRead: number
  cacheWrite: number
  cacheWrite1h: number
  /** Rates of the whole call above this number of input tokens. */
  above?: { inputTokens: number; rates: Omit<ClaudeRates, "above"> }
}

export interface ClaudeModel {
  rates: ClaudeRates
  /** Rates with `speed: "fast"`. */
  fastRates?: ClaudeRates
  contextWindow: number
  maxOutputTokens: number
  /** Percent on top of the rates with `inference_geo: "us"`. */
  usPercent: number
}

/** USD per million tokens. Anthropic bills a write at 1.25 and 2 times the input, and a read at a tenth. */
function rates(input: number, output: number): ClaudeRates {
  const pico = (usdPerMillion: number) => Math.round(usdPerMillion * 1_000_000)
  return {
    input: pico(input),
    output: pico(output),
    cacheRead: pico(input / 10),
    cacheWrite: pico(input * 1.25),
    cacheWrite1h: pico(input * 2),
  }
}

/**
 * Written by hand from https://platform.claude.com/docs/en/about-claude/pricing (2026-11-23), so that the bill is
 * independent of `@p2/pricing`.
 */
const MODELS: Readonly<Record<string, ClaudeModel>> = {
  "claude-opus-4-1": { rates: rates(15, 75), contextWindow: 200_000, maxOutputTokens: 32_000, usPercent: 0 },
  "claude-opus-4-5": { rates: rates(5, 25), contextWindow: 200_000, maxOutputTokens: 64_000, usPercent: 0 },
  "claude-opus-4-7": { rates: rates(5, 25), contextWindow: 1_000_000, maxOutputTokens: 128_000, usPercent: 10 },
  "claude-opus-4-8": { rates: rates(5, 25), contextWindow: 1_000_000, maxOutputTokens: 128_000, usPercent: 10 },
  "claude-opus-5": {
    rates: rates(5, 25),
    fastRates: rates(10, 50),
    contextWindow: 1_000_000,
    maxOutputTokens: 128_000,
    usPercent: 10,
  },
  "claude-sonnet-4-5": { rates: rates(3, 15), contextWindow: 200_000, maxOutputTokens: 64_000, usPercent: 0 },
  "claude-sonnet-5": { rates: rates(2, 10), contextWindow: 1_000_000, maxOutputTokens: 128_000, usPercent: 10 },
  "claude-haiku-4-5": { rates: rates(1, 5), contextWindow: 200_000, maxOutputTokens: 64_000, usPercent: 0 },
  "claude-haiku-5-5": {
    rates: { ...rates(0.1, 0.5), above: { inputTokens: 100_000, rates: rates(0.5, 2.5) } },
    contextWindow: 1_000_000,
    maxOutputTokens: 128_000,
    usPercent: 10,
  },
}

export const CLAUDE_MODELS: readonly string[] = Object.keys(MODELS)

/** Finds a model by its name, with or without a date. */
export function findClaude(name: string): ClaudeModel | undefined {
  return MODELS[name] ?? MODELS[name.replace(/[-@]20\d{6}$/, "")]
}

/** $10 for 1,000 searches: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool (2026-11-23). */
export const PICO_USD_PER_SEARCH = 10_000_000_000
