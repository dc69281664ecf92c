/**
 * `pnpm bench [rounds]`: throughput of five tokenizers with o200k_base, interleaved in one process, then cold start and
 * memory. Throughput is megabytes of UTF-8 per CPU second, because other processes share the machine, and the best of
 * several rounds. "fresh" begins with empty caches, "repeat" counts the same text again. Needs a build.
 */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { randomOf } from "../scripts/fuzz-strings.mjs"
import { corpora } from "./corpora.mjs"
import { createTokenizers, OURS, WASM } from "./tokenizers.mjs"

const ROUNDS = Number(process.argv[2] ?? 5)
const CHARS = 100_000

const all = createTokenizers()
const peers = all.filter(({ name }) => name !== OURS)

function cpuSeconds(run) {
  const start = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

const geometricMean = (values) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
const best = (row, names) => Math.max(...names.map((name) => row[name]))
const peerNames = peers.map(({ name }) => name)

/** Counts each text round by round; the tokenizers alternate. */
function measure(texts) {
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const expected = texts.map((text) => all.find(({ name }) => name === WASM).count(text))
  const fresh = {}
  const repeat = {}
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, count, clearCache } of all) {
      clearCache()
      const freshSeconds = cpuSeconds(() => texts.map(count))
      const repeatSeconds = cpuSeconds(() => texts.map(count))
      fresh[name] = Math.max(fresh[name] ?? 0, bytes / 1e6 / freshSeconds)
      repeat[name] = Math.max(repeat[name] ?? 0, bytes / 1e6 / repeatSeconds)
    }
  }
  const ours = all[0]
  texts.forEach((text, index) => {
    if (ours.count(text) !== expected[index]) throw new Error("Our count differs from tiktoken's")
  })
  return { fresh, repeat }
}

function print(name, kind, row) {
  const cells = all.map(({ name: column }) => row[column].toFixed(1).padStart(9))
  console.log(
    `${name.padEnd(16)}${kind.padEnd(8)}${cells.join("")}   × best peer ${(row[OURS] / best(row, peerNames)).toFixed(2)}`,
  )
}

console.log(`MB/s of processor time, o200k_base, Node ${process.version}`)
console.log(`${" ".repeat(24)}${all.map(({ name }) => name.slice(0, 8).padStart(9)).join("")}`)
const results = {}
// Warms up every tokenizer before anything is measured.
for (const text of Object.values(corpora())) for (const { count } of all) count(text.slice(0, 20_000))
for (const [name, text] of Object.entries(corpora())) {
  const result = measure([text.slice(0, CHARS)])
  results[name] = result
  print(name, "fresh", result.fresh)
  print(name, "repeat", result.repeat)
}

const source = corpora()
const random = randomOf(3)
const prompts = []
for (let index = 0; index < 200; index++) {
  const text = [source.english, source.code, source.markdown][index % 3]
  const start = random() % (text.length - 2000)
  prompts.push(text.slice(start, start + 50 + (random() % 1950)))
}
results.prompts = measure(prompts)
print("prompts 50–2000", "fresh", results.prompts.fresh)
print("prompts 50–2000", "repeat", results.prompts.repeat)

const ratio = (kind) => (name) => results[name][kind][OURS] / best(results[name][kind], peerNames)
const group = (names) => names.map(ratio("fresh"))
const show = (values) => `lowest ${Math.min(...values).toFixed(2)}, geometric mean ${geometricMean(values).toFixed(2)}`
const jsPeers = peerNames.filter((name) => name !== WASM)
console.log(
  `\nfresh, English, code, JSON, Markdown, minified: ${show(group(["english", "code", "json", "markdown", "minified"]))}`,
)
console.log(`fresh, ru, ko, European Latin, emoji: ${show(group(["ru", "ko", "european latin", "emoji"]))}`)
for (const name of ["zh", "ja"]) {
  const { fresh } = results[name]
  const ours = fresh[OURS]
  console.log(
    `fresh, ${name}: ${(ours / fresh[WASM]).toFixed(2)} × WASM, ${(ours / best(fresh, jsPeers)).toFixed(2)} × JS peers`,
  )
}
console.log(
  `repeat: ${show(
    Object.keys(results)
      .filter((name) => name !== "prompts")
      .map(ratio("repeat")),
  )}`,
)
console.log(`prompts: fresh ${ratio("fresh")("prompts").toFixed(2)}, repeat ${ratio("repeat")("prompts").toFixed(2)}`)

const child = (name, what) =>
  JSON.parse(
    execFileSync(process.execPath, ["--expose-gc", fileURLToPath(new URL("child.mjs", import.meta.url)), name, what], {
      encoding: "utf8",
    }),
  )
const cold = { [OURS]: [], "gpt-tokenizer": [] }
for (let round = 0; round < 5; round++) for (const name of Object.keys(cold)) cold[name].push(child(name, "cold").cpuMs)
const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1]
console.log(
  `\ncold start, import and first count, ms of processor time: ours ${middle(cold[OURS]).toFixed(0)}, gpt-tokenizer ${middle(cold["gpt-tokenizer"]).toFixed(0)} (${(middle(cold[OURS]) / middle(cold["gpt-tokenizer"])).toFixed(2)})`,
)
const ours = child(OURS, "memory")
const theirs = child("gpt-tokenizer", "memory")
const mb = (bytes) => (bytes / 1e6).toFixed(1)
console.log(
  `memory kept, MB: ours ${mb(ours.bytes)}, gpt-tokenizer ${mb(theirs.bytes)} (${(ours.bytes / theirs.bytes).toFixed(2)}); growth after 20 MB of text: ours ${mb(ours.growth)}, gpt-tokenizer ${mb(theirs.growth)}`,
)
