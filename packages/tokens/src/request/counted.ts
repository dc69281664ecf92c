/** A kind of part without a published formula. */
export type PartKind = "images" | "audio" | "files" | "tools" | "format" | "other"

/** The input tokens of a part of a request. */
export interface Counted {
  /** The number that the provider will probably report. */
  readonly tokens: number
  /** The most that the provider can report. */
  readonly upperBound: number
  /** Absent for text. The count of a part with a kind is never exact. */
  readonly kind?: PartKind | undefined
  /** Set if only the context window bounds this part: the maximum input tokens that the model accepts. */
  readonly window?: number | undefined
}

/** A part whose number of tokens is exact. */
export function exactly(tokens: number): Counted {
  return { tokens, upperBound: tokens }
}

/** A part whose number of tokens is estimated. */
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

/** Sums the parts. If the window bounds one part, it bounds the whole request, because no request can exceed it. */
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
    // The size of a file gives only a rough estimate, which alone must not deny a call.
    fileTokens = Math.min(fileTokens, Math.floor(window / 2))
  }
  return { tokens: tokens + fileTokens, upperBound, kinds: [...kinds] }
}
