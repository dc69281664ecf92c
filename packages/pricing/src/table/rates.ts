/**
 * Everything that a provider bills, in the order of a bill. `request` and the kinds after it are billed per unit, the
 * others per token.
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
  "fileSearch",
  "codeSession",
  "image",
  "second",
  "character",
] as const

/** One billed kind. */
export type RateKind = (typeof RATE_KINDS)[number]

/**
 * Published rates: integers of pico-USD (1e-12 USD) per token, or per piece for `request` (one call), `search` (one web
 * search), `fileSearch` (one file search), `codeSession` (one code interpreter container), `image` (one generated image),
 * `second` (of audio) and `character` (of text to speak).
 *
 * Pico-USD per token is the same number as micro-USD per million tokens: $0.15 per million is `150000`.
 *
 * A kind without a rate is billed as the kind that contains it: `cacheRead`, `cacheWrite` and `imageInput` as `input`,
 * `cacheWrite1h` as `cacheWrite`, `reasoning` as `output`. The other kinds cost many times more than text, so using one
 * without a rate is an error.
 */
export type Rates = { readonly input: number; readonly output: number } & {
  readonly [kind in Exclude<RateKind, "input" | "output">]?: number
}

const PER_PIECE = ["request", "search", "fileSearch", "codeSession", "image", "second", "character"] as const

/** Kinds that are billed per unit. */
export type PieceKind = (typeof PER_PIECE)[number]

/** Whether a kind is billed per unit. */
export function isPerPiece(kind: RateKind): kind is PieceKind {
  return (PER_PIECE as readonly RateKind[]).includes(kind)
}

const OUTPUT_KINDS: readonly RateKind[] = ["output", "reasoning", "audioOutput", "imageOutput"]

/** Whether a kind is part of the output tokens. */
export function isOutput(kind: RateKind): boolean {
  return OUTPUT_KINDS.includes(kind)
}

/** Kinds that no other kind contains: without a rate they have no price. */
export type SeparateKind = Exclude<
  RateKind,
  "input" | "cacheRead" | "cacheWrite" | "cacheWrite1h" | "imageInput" | "output" | "reasoning" | "request"
>

/** Rates with a number for every kind that another kind contains. */
export type CompleteRates = { readonly [kind in Exclude<RateKind, SeparateKind>]: number } & {
  readonly [kind in SeparateKind]: number | undefined
}

/** Sets the rates of all kinds that other kinds contain. A one-hour cache write inherits the rate of five minutes. */
export function completeRates(rates: Rates): CompleteRates {
  const cacheWrite = rates.cacheWrite ?? rates.input
  return {
    input: rates.input,
    cacheRead: rates.cacheRead ?? rates.input,
    cacheWrite,
    cacheWrite1h: rates.cacheWrite1h ?? cacheWrite,
    audioInput: rates.audioInput,
    imageInput: rates.imageInput ?? rates.input,
    output: rates.output,
    reasoning: rates.reasoning ?? rates.output,
    audioOutput: rates.audioOutput,
    imageOutput: rates.imageOutput,
    request: rates.request ?? 0,
    search: rates.search,
    fileSearch: rates.fileSearch,
    codeSession: rates.codeSession,
    image: rates.image,
    second: rates.second,
    character: rates.character,
  }
}
