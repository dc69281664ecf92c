import type { NanoUsd } from "@p2/core"
import type { Instant } from "../table/instant"

/** The modality of tokens. */
export type Modality = "text" | "audio" | "image"

/** Options of `upperBound`: the limits of the call. */
export interface BoundOptions {
  /** Maximum tokens of the input. */
  inputTokens: number
  /** Maximum tokens of one answer. @defaultValue the model's maximum; an error if that is unknown */
  maxOutputTokens?: number | undefined
  /** Number of requested answers (`n`). @defaultValue 1 */
  choices?: number | undefined
  /** Maximum web searches that the provider can run. @defaultValue 0 */
  webSearches?: number | undefined
  /** Maximum searches in files or vector stores that the provider can run. @defaultValue 0 */
  fileSearches?: number | undefined
  /** Maximum code interpreter containers that the provider can start. @defaultValue 0 */
  codeInterpreterSessions?: number | undefined
  /** Maximum generated images, for models that are billed by the image. @defaultValue `choices` */
  outputImages?: number | undefined
  /** Maximum seconds of audio, for models that are billed by the second. @defaultValue none: an error for such models */
  audioSeconds?: number | undefined
  /**
   * Maximum characters of text to speak, for models that are billed per character. @defaultValue none: an error for
   * such models
   */
  inputCharacters?: number | undefined
  /**
   * Service tier in the request. **If it is absent or `"auto"`, the bound assumes the most expensive listed tier**, because a
   * setting of the provider's project then decides: pass `"default"` if you send it. A tier without a listed price is an error.
   * @defaultValue the most expensive tier
   */
  serviceTier?: string | undefined
  /**
   * Region that processes the call: `"eu"` for `https://eu.api.openai.com`, Anthropic's `inference_geo`. If it is absent, the
   * bound assumes the most expensive region that a setting of the provider's workspace can select (Anthropic: +10 %): pass
   * `"global"` if you send it. A region without a listed price is an error. @defaultValue the most expensive such region
   */
  region?: string | undefined
  /** Whether OpenRouter uses a key of your own, which adds a fee of 5 %. @defaultValue true, because it is a setting of the account */
  byok?: boolean | undefined
  /** Earliest time at which the provider may price the call. @defaultValue now */
  at?: Instant | undefined
  /** Latest such time. @defaultValue none: the bound considers every later price and every hour */
  deadline?: Instant | undefined
  /**
   * **Which cache writes the request can cause.** A write costs up to twice the input: pass `"none"` if you request none.
   * `"none"` and `"5m"` only have an effect if writes happen on request (Anthropic); otherwise the provider decides.
   * @defaultValue "any"
   */
  cacheWrites?: "any" | "5m" | "none" | undefined
  /** Modalities of the input; one without a rate is an error. @defaultValue every modality that has a rate */
  inputModalities?: readonly Modality[] | undefined
  /** Modalities of the answer; one without a rate is an error. @defaultValue every modality that has a rate */
  outputModalities?: readonly Modality[] | undefined
}

/** Options of `affordableOutputTokens`: those of `upperBound`, and a budget as `budget` or `budgetNanoUsd`. */
export interface AffordOptions extends BoundOptions {
  /** The budget in dollars: `0.05`, `"0.05"` or `"$0.05"`. */
  budget?: number | string | undefined
  /** The budget in nano-USD, instead of `budget`. */
  budgetNanoUsd?: NanoUsd | undefined
}
