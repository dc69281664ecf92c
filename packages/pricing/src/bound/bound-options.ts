import type { NanoUsd } from "@p2/core"
import type { Instant } from "../table/instant"

/** What tokens may consist of. */
export type Modality = "text" | "audio" | "image"

/** Options of `upperBound`: what the call can be at most. */
export interface BoundOptions {
  /** Most tokens that the input can have. */
  inputTokens: number
  /** Most tokens that one answer can have. @defaultValue the model's maximum; an error if that is not known */
  maxOutputTokens?: number | undefined
  /** Number of answers that are requested (`n`). @defaultValue 1 */
  choices?: number | undefined
  /** Most web searches that the provider can run. @defaultValue 0 */
  webSearches?: number | undefined
  /** Most searches in files or vector stores that the provider can run. @defaultValue 0 */
  fileSearches?: number | undefined
  /** Most code interpreter containers that the provider can start. @defaultValue 0 */
  codeInterpreterSessions?: number | undefined
  /** Most images that can be generated, for models that are billed by the image. @defaultValue `choices` */
  outputImages?: number | undefined
  /** Most seconds of audio, for models that are billed by the time. @defaultValue none: an error for such models */
  audioSeconds?: number | undefined
  /** Most characters of text to speak, for models that are billed by them. @defaultValue none: an error for such models */
  inputCharacters?: number | undefined
  /**
   * Service tier that is sent. **If it is absent or `"auto"`, the most expensive listed tier counts**, because the tier is
   * then a setting of the provider's project: pass `"default"` if you send that. A tier without a listed price is an error.
   * @defaultValue the most expensive one
   */
  serviceTier?: string | undefined
  /**
   * Region in which the call is processed: `"eu"` for `https://eu.api.openai.com`, Anthropic's `inference_geo`. If it is
   * absent, a region that can be a setting of the provider's workspace counts (Anthropic: +10 %): pass `"global"` if you
   * send that. A region without a listed price is an error. @defaultValue the most expensive one that can be a setting
   */
  region?: string | undefined
  /** Whether OpenRouter uses a key of your own, which adds a fee of 5 %. @defaultValue counted, because it is a setting of the account */
  byok?: boolean | undefined
  /** Earliest moment at which the provider may price the call. @defaultValue now */
  at?: Instant | undefined
  /** Latest such moment. @defaultValue none: every later price and every hour counts */
  deadline?: Instant | undefined
  /**
   * **Which cache writes the request can cause.** A write costs up to twice the input: say `"none"` if you ask for none.
   * `"none"` and `"5m"` count only where writes happen on request (Anthropic); elsewhere the provider decides.
   * @defaultValue "any"
   */
  cacheWrites?: "any" | "5m" | "none" | undefined
  /** What the input may consist of; an error where that has no rate. @defaultValue everything that has a rate */
  inputModalities?: readonly Modality[] | undefined
  /** What the answer may consist of; an error where that has no rate. @defaultValue everything that has a rate */
  outputModalities?: readonly Modality[] | undefined
}

/** Options of `affordableOutputTokens`: those of `upperBound`, and the money as `budget` or as `budgetNanoUsd`. */
export interface AffordOptions extends BoundOptions {
  /** The money in dollars: `0.05`, `"0.05"` or `"$0.05"`. */
  budget?: number | string | undefined
  /** The money in nano-USD, instead of `budget`. */
  budgetNanoUsd?: NanoUsd | undefined
}
