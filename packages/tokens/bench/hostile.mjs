/**
 * `pnpm bench:hostile`: CPU milliseconds that each public function takes for a megabyte of each hostile text. Needs a
 * build. Each figure is the minimum of three, because other processes share the machine.
 */
import * as tokens from "../dist/index.js"
import { HOSTILE_STRINGS } from "../scripts/hostile-strings.mjs"

const MEGABYTE = 1_000_000
const model = "gpt-4o"
const claude = "claude-sonnet-4-5"

const CALLS = {
  countTokens: (text) => tokens.countTokens(text, { model }),
  "countTokens, cl100k_base": (text) => tokens.countTokens(text, { encoding: "cl100k_base" }),
  "countTokens, p50k_base": (text) => tokens.countTokens(text, { encoding: "p50k_base" }),
  "countTokens, special tokens": (text) =>
    tokens.countTokens(text, { encoding: "o200k_harmony", allowedSpecial: "all" }),
  encode: (text) => tokens.encode(text, { model }),
  isWithinTokenLimit: (text) => tokens.isWithinTokenLimit(text, 1e9, { model }),
  truncateToTokens: (text) => tokens.truncateToTokens(text, 10_000, { model }),
  splitByTokens: (text) => tokens.splitByTokens(text, { model, maxTokens: 500, overlapTokens: 50 }),
  createTokenCounter: (text) => {
    const counter = tokens.createTokenCounter({ model })
    for (let from = 0; from < text.length; from += 1000) counter.add(text.slice(from, from + 1000))
    return counter.tokens
  },
  estimateTokens: (text) => tokens.estimateTokens(text, claude),
  "truncateToTokens, bound": (text) => tokens.truncateToTokens(text, 100_000, { model: claude, countBy: "upperBound" }),
  "splitByTokens, estimate": (text) => tokens.splitByTokens(text, { model: claude, maxTokens: 500 }),
  countRequestTokens: (text) => tokens.countRequestTokens({ model, messages: [{ role: "user", content: text }] }),
}

const names = Object.keys(HOSTILE_STRINGS)
let slowest = { ms: 0 }
for (const [call, run] of Object.entries(CALLS)) {
  run("the first call unpacks the vocabulary")
  const cells = names.map((name) => {
    const text = HOSTILE_STRINGS[name](MEGABYTE)
    let least = Number.POSITIVE_INFINITY
    for (let round = 0; round < 3; round++) {
      const start = process.cpuUsage()
      run(text)
      const { user, system } = process.cpuUsage(start)
      least = Math.min(least, (user + system) / 1000)
    }
    if (least > slowest.ms) slowest = { ms: least, call, name }
    return `${name} ${least.toFixed(0)}`
  })
  console.log(`${call}: ${cells.join(", ")}`)
}
console.log(`slowest: ${slowest.call} of ${slowest.name}, ${slowest.ms.toFixed(0)} ms`)
