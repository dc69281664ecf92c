import type { RateKind } from "@p2/pricing"

/** Billed per unit: a search, a second of audio. All others are billed per token. */
const PIECES: ReadonlySet<RateKind> = new Set([
  ...(["request", "search", "fileSearch", "codeSession", "image", "second", "character"] as const),
])

/** Pico-USD per token is micro-USD per million tokens, and 1e12 of them are a dollar. */
export function formatRate(kind: RateKind, picoUsd: number): string {
  return PIECES.has(kind) ? `${perPiece(picoUsd)} each` : `${perMillion(picoUsd)} per million tokens`
}

/** The price of a piece. */
export function perPiece(picoUsd: number): string {
  return `$${decimal(picoUsd, 12)}`
}

/** The price of a million tokens. */
export function perMillion(picoUsd: number): string {
  return `$${decimal(picoUsd, 6)}`
}

/** An integer divided by a power of ten, exactly, with at least two decimals. */
function decimal(value: number, places: number): string {
  const digits = String(value).padStart(places + 1, "0")
  const fraction = digits.slice(-places).replace(/0+$/, "").padEnd(2, "0")
  return `${digits.slice(0, -places)}.${fraction}`
}
