/** A kind of part of which no formula is published. */
export type PartKind = "images" | "audio" | "files" | "tools" | "format" | "other"

/** The input tokens of a part of a request. */
export interface Counted {
  /** What the provider will probably report. */
  readonly tokens: number
  /** The most that the provider can report. */
  readonly upperBound: number
  /** Absent for text. A part with a kind is never exact. */
  readonly kind?: PartKind | undefined
  /** Set if only the model's window bounds this part: the most input tokens that the model accepts. */
  readonly window?: number | undefined
}

/** A part whose number of tokens is known. */
export function exactly(tokens: number): Counted {
  return { tokens, upperBound: tokens }
}

/** A part whose number of tokens is not known. */
export function about(kind: PartKind, tokens: number, upperBound: number): Counted {
  return { kind, tokens, upperBound: Math.max(tokens, upperBound) }
}

/** The sum of all parts. */
export interface CountedRequest {
  readonly tokens: number
  readonly upperBound: number
  /** Kinds in the order of their first part. */
  readonly kinds: readonly PartKind[]
}

/** Adds up the parts. Nothing is longer than the model's window, so that bounds the sum if it bounds one part. */
export function sum(parts: readonly Counted[]): CountedRequest {
  let tokens = 0
  let fileTokens = 0
  let upperBound = 0
  let window: number | undefined
  const kinds = new Set<PartKind>()
  for (const part of parts) {
    if (part.kind === "files") fileTokens += part.tokens
    else tokens += part.tokens
    upperBound += part.upperBound
    window ??= part.window
    if (part.kind !== undefined) kinds.add(part.kind)
  }
  if (window !== undefined) {
    upperBound = window
    // The estimate of a file is a guess by its size, which alone must not deny a call.
    fileTokens = Math.min(fileTokens, Math.floor(window / 2))
  }
  return { tokens: tokens + fileTokens, upperBound, kinds: [...kinds] }
}
