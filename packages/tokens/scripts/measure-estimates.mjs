/**
 * Measures, by script, how many tokens Claude has for one token of o200k_base. The reference is ai-tokenizer's vocabulary,
 * which its authors fit to what Anthropic's API reports. Prints the ratios that src/estimate/script-ratios.ts uses, the
 * error of the estimate, and the upper bound as a multiple of the reference. Needs a build. Run with
 * `node scripts/measure-estimates.mjs`.
 */
import AiTokenizer from "ai-tokenizer"
import * as claude from "ai-tokenizer/encoding/claude"
import { corpora } from "../bench/corpora.mjs"
import { estimateTokens } from "../dist/index.js"
import { countTokens } from "../dist/o200k_base.js"

const reference = new AiTokenizer(claude)

/** Names of languages and regions in a language: words in scripts that occur in no installed file. */
function names(language) {
  const texts = []
  for (const type of ["language", "region"]) {
    const display = new Intl.DisplayNames([language], { type, fallback: "none" })
    for (let a = 65; a <= 90; a++)
      for (let b = 65; b <= 90; b++) {
        const code = String.fromCharCode(a, b)
        const name = display.of(type === "language" ? code.toLowerCase() : code)
        if (name) texts.push(name)
      }
  }
  return texts.join(" ")
}

const texts = {
  ...corpora(),
  ar: names("ar"),
  hi: names("hi"),
  ta: names("ta"),
  th: names("th"),
  el: names("el"),
  he: names("he"),
}
for (const [name, text] of Object.entries(texts)) {
  const part = text.slice(0, 60_000)
  const real = reference.count(part)
  const ratio = real / countTokens(part)
  const { tokens, upperBound } = estimateTokens(part, "anthropic/claude-sonnet-4-5")
  const error = (100 * (tokens - real)) / real
  console.log(
    `${name.padEnd(15)} reference/o200k ${ratio.toFixed(2)}  estimate ${error >= 0 ? "+" : ""}${error.toFixed(0)} %  bound ${(upperBound / real).toFixed(1)} ×`,
  )
}
