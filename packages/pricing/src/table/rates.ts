/**
 * Every kind of thing that a provider bills, in the order in which it is printed.
 * `request` and `search` are billed by the piece, the others by the token.
 */
export const RATE_KINDS = [
  "input",
  "cacheRead",
  "cacheWrite",
  "cacheWrite1h",
  "audioInput",
  "imageInput",
  "output",
  "reasoning",
  "audioOutput",
  "imageOutput",
  "request",
  "search",
] as const

/** One kind of thing that is billed. */
export type RateKind = (typeof RATE_KINDS)[number]

/**
 * Rates as published: integers of pico-USD (1e-12 USD) per token, and per piece for `request` and `search`.
 * Pico-USD per token is the same number as micro-USD per million tokens: $0.15 per million is `150000`.
 *
 * A kind that is absent is billed as the kind it is a part of: see {@link RATE_FALLBACK}. Audio, drawn images and searches have no
 * such kind, because they cost many times what text costs: using one without a rate is an error.
 */
export type Rates = { readonly input: number; readonly output: number } & {
  readonly [kind in Exclude<RateKind, "input" | "output">]?: number
}

/** What a kind without a rate of its own is billed as. An hour in the cache is never billed below five minutes. */
export const RATE_FALLBACK = {
  cacheRead: "input",
  cacheWrite: "input",
  cacheWrite1h: "cacheWrite",
  imageInput: "input",
  reasoning: "output",
} as const satisfies Partial<Record<RateKind, RateKind>>
