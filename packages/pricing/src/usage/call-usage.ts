import type { Usage } from "@p2/core"

/**
 * What a call used: the tokens of {@link Usage}, and pieces that providers bill. Every count is an integer of at least 0. An
 * absent count is 0, except for a model that is billed by it: then it is an error.
 */
export interface CallUsage extends Usage {
  /** Searches in files or vector stores that the provider ran. */
  fileSearches?: number | undefined
  /** Code interpreter containers that the provider started. */
  codeInterpreterSessions?: number | undefined
  /** Generated images, for models that are billed by the image. */
  outputImages?: number | undefined
  /** Seconds of audio, rounded up, for models that are billed by the second. */
  audioSeconds?: number | undefined
  /** Characters of text to speak, for models that are billed by the character. */
  inputCharacters?: number | undefined
  /** Number of calls in this usage. @defaultValue 1 */
  calls?: number | undefined
  /** Service tier that the provider reported inside the usage (Anthropic). `costOf` uses it unless an option overrides it. */
  serviceTier?: string | undefined
  /** Region that the provider reported inside the usage (Anthropic). `costOf` uses it unless an option overrides it. */
  region?: string | undefined
  /** For each ambiguity in the provider's usage, the reading that was taken. It is always the more expensive one. */
  assumptions?: readonly string[] | undefined
}
