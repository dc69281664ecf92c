/** Text from files that every checkout has after an install, and generated text. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { transformSync } from "esbuild"
import { randomOf } from "../scripts/fuzz-strings.mjs"

const typescript = fileURLToPath(new URL("../node_modules/typescript", import.meta.url))
const SIZE = 400_000

const read = (path) => readFileSync(path, "utf8")

function* filesUnder(folder, pattern) {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesUnder(path, pattern)
    else if (pattern.test(entry.name)) yield path
  }
}

function joined(paths) {
  let text = ""
  for (const path of paths) {
    if (text.length >= SIZE) break
    text += read(path)
  }
  return text.slice(0, SIZE)
}

/** The folder of an installed package. Not by require.resolve, because not every package exports its package.json. */
const packageFolder = (name) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url))

const locale = (name) => {
  const messages = JSON.parse(read(join(typescript, "lib", name, "diagnosticMessages.generated.json")))
  return Object.values(messages).join("\n").slice(0, SIZE)
}

function english() {
  const messages = [...filesUnder(join(typescript, "lib"), /^lib\..*\.d\.ts$/)].map(read).join("\n")
  // The prose in the comments of TypeScript's libraries.
  return [...messages.matchAll(/^\s*\* ([A-Z@].*)$/gm)]
    .map((match) => match[1])
    .join("\n")
    .slice(0, SIZE)
}

function json(random) {
  const words = "alpha beta gamma delta user order price total status active name email city".split(" ")
  const rows = []
  let length = 0
  while (length < SIZE) {
    const row = {
      id: random() % 1e6,
      [words[random() % words.length]]: words[random() % words.length],
      price: (random() % 1e5) / 100,
      tags: [words[random() % words.length], words[random() % words.length]],
      createdAt: new Date(1.6e12 + random()).toISOString(),
      active: random() % 2 === 0,
    }
    rows.push(row)
    length += JSON.stringify(row).length
  }
  return JSON.stringify(rows).slice(0, SIZE)
}

function emoji(random) {
  let text = ""
  while (text.length < SIZE / 4) {
    text += String.fromCodePoint(0x1f300 + (random() % 0x2ff))
    if (random() % 4 === 0) text += " "
    if (random() % 8 === 0) text += " great! "
  }
  return text
}

function base64(random) {
  const bytes = Buffer.alloc(150_000)
  for (let index = 0; index < bytes.length; index++) bytes[index] = random()
  return bytes.toString("base64")
}

/** @returns {Record<string, string>} text by name, without special tokens, because some tokenizers reject them */
export function corpora() {
  return Object.fromEntries(Object.entries(texts()).map(([name, text]) => [name, text.replaceAll("<|", "< |")]))
}

function texts() {
  const random = randomOf(7)
  const code = joined(filesUnder(join(packageFolder("zod"), "src"), /\.ts$/))
  return {
    english: english(),
    code,
    json: json(random),
    markdown: joined([
      ...["zod", "fast-check", "gpt-tokenizer", "ai-tokenizer", "tiktoken", "js-tiktoken", "typescript"].map((name) =>
        join(packageFolder(name), "README.md"),
      ),
      ...filesUnder(packageFolder("fast-check"), /\.md$/),
    ]),
    minified: transformSync(read(join(typescript, "lib", "typescript.js")), {
      minify: true,
      logLevel: "silent",
    }).code.slice(0, SIZE),
    ru: locale("ru"),
    ko: locale("ko"),
    "european latin": ["de", "fr", "es", "it", "pl", "cs", "tr", "pt-br"]
      .map((name) => locale(name).slice(0, SIZE / 8))
      .join("\n"),
    emoji: emoji(random),
    zh: locale("zh-cn"),
    ja: locale("ja"),
    base64: base64(random),
  }
}
