import type { Usage } from "@p2/core"

/**
 * What a call used: the tokens of {@link Usage} and what providers bill by the piece. Every count is an integer of at least
 * 0; absent means 0, except where the model is billed by it: then a missing count is an error.
 */
export interface CallUsage extends Usage {
  /** Searches in files or vector stores that the provider ran. */
  fileSearches?: number | undefined
  /** Code interpreter containers that the provider started. */
  codeInterpreterSessions?: number | undefined
  /** Generated images, for models that are billed by the image. */
  outputImages?: number | undefined
  /** Seconds of audio, rounded up, for models that are billed by the time. */
  audioSeconds?: number | undefined
  /** Characters of text to speak, for models that are billed by them. */
  inputCharacters?: number | undefined
  /** Number of calls that this usage sums. @defaultValue 1 */
  calls?: number | undefined
  /** Service tier that the provider reported inside the usage (Anthropic). `costOf` uses it unless an option states another. */
  serviceTier?: string | undefined
  /** Region that the provider reported inside the usage (Anthropic). `costOf` uses it unless an option states another. */
  region?: string | undefined
  /** Where the provider's usage could be read in two ways: which of them was taken. It is always the more expensive one. */
  assumptions?: readonly string[] | undefined
}
