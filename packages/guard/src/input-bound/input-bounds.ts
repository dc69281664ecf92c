import type { PricedCall, ProtocolContext, ProviderCall } from "../protocols/protocol"

/**
 * How the input of a call is bounded. docs/input-bounds.md has the margins and the risks.
 * - `hard`: by rules that hold for every text.
 * - `provider`: by the provider's free counting endpoint and a margin, if that is lower. Hard where there is no count.
 * - `calibrated`: by what the provider reported for earlier calls of the same kind, if that is lower. A call can exceed it.
 */
export type InputBoundMode = "hard" | "provider" | "calibrated"

/** A call whose input is to be bounded. */
export interface CallToBound {
  /** With the headers that are sent. */
  call: ProviderCall
  described: PricedCall
  context: ProtocolContext
  /** Sends the request for a count. */
  fetch: typeof fetch
  signal: AbortSignal | undefined
}

/** A call whose bound of the input is at most the hard one, and what to do when its input is reported. */
export interface TightenedCall {
  described: PricedCall
  /** The provider reported the input tokens of the call, in a complete answer. */
  onInputReported(inputTokens: number): void
}

/**
 * Bounds the input of calls, and learns from what providers report. Without a lower bound the hard one stays.
 * @throws RangeError for a body that is nested too deeply to be written, and so cannot be sent
 */
export interface InputBounds {
  bound(call: CallToBound): Promise<TightenedCall>
}

export function hardBound(described: PricedCall): TightenedCall {
  return { described, onInputReported: () => {} }
}

/** The call with a bound of its input, if that is lower than its own. */
export function withInputBound(described: PricedCall, inputTokens: number): PricedCall {
  const upperBound = Math.min(described.input.upperBound, inputTokens)
  const estimate = Math.min(described.input.estimate, upperBound)
  return { ...described, input: { ...described.input, estimate, upperBound } }
}
