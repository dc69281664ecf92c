import { o200kBase } from "../encodings/o200k"
import { checkText } from "../text/count-text"
import type { TextMeasure } from "../text/text-measure"
import { exactMeasure } from "../text/text-measure"
import { ADDED_TOKENS, boundOf, estimateOf, estimateTokens } from "./estimate-tokens"
import { familyOf } from "./model-families"
import { NormalizedBytes } from "./normalized-bytes"
import { ratioOfToken, ScriptRatio } from "./script-ratios"

/** Counts like `tokens` of {@link estimateTokens}. */
export function estimateMeasure(model: string): TextMeasure {
  const family = familyOf(model)
  return {
    basis: "estimate",
    encoding: o200kBase,
    addedTokens: 0,
    count: (text) => estimateTokens(text, model).tokens,
    weigh: (text, from, to) => 1 + (ratioOfToken(text, from, to) - 1) * family.strength,
    createCounter() {
      const counter = exactMeasure(o200kBase).createCounter()
      const scripts = new ScriptRatio()
      const bytes = new NormalizedBytes(family.normalization)
      return {
        basis: "estimate",
        add(text) {
          counter.add(text)
          scripts.add(text)
          bytes.add(text)
        },
        get tokens() {
          return Math.min(boundOf(bytes, family), estimateOf(counter.tokens, scripts, family))
        },
        reset() {
          counter.reset()
          scripts.reset()
          bytes.reset()
        },
      }
    },
  }
}

/** Counts like `upperBound` of {@link estimateTokens}. */
export function upperBoundMeasure(model: string): TextMeasure {
  const family = familyOf(model)
  return {
    basis: "upperBound",
    encoding: o200kBase,
    addedTokens: ADDED_TOKENS,
    count(text) {
      checkText(text)
      const bytes = new NormalizedBytes(family.normalization)
      bytes.add(text)
      return boundOf(bytes, family)
    },
    weigh(text, from, to) {
      const bytes = new NormalizedBytes(family.normalization)
      bytes.add(text.slice(from, to))
      return bytes.bytes * family.tokensPerByte
    },
    createCounter() {
      const bytes = new NormalizedBytes(family.normalization)
      return {
        basis: "upperBound",
        add(text) {
          checkText(text)
          bytes.add(text)
        },
        get tokens() {
          return boundOf(bytes, family)
        },
        reset: () => bytes.reset(),
      }
    },
  }
}
