// Compares lookup plus cost of one call with @pydantic/genai-prices and llm-pricing, interleaved in one process.
// Run: pnpm build && pnpm bench
import { spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { gzipSync } from "node:zlib"
import { calcPrice } from "@pydantic/genai-prices"
import { PricingCatalog } from "llm-pricing"
import { costOf, models, upperBound } from "../dist/index.js"

const MODELS = ["gpt-4o-mini", "claude-opus-4-8", "gemini-2.5-pro", "gpt-5.4"]
const ROUNDS = 25
const CALLS = 10_000
const PROCESSES = 9

const offline = new PricingCatalog({ sources: [] })
const contestants = {
  "@p2/pricing costOf": (model) =>
    costOf(model, { inputTokens: 12_000, outputTokens: 800, cacheReadTokens: 4_000 }).nanoUsd,
  "@p2/pricing costOf, with a reported cost": (model) =>
    costOf(model, { inputTokens: 12_000, outputTokens: 800 }, { reported: { costUsd: 0.00213 } }).nanoUsd,
  "@p2/pricing upperBound": (model) =>
    upperBound(model, { inputTokens: 12_000, maxOutputTokens: 800, serviceTier: "default", at: 1_795_000_000_000 })
      .nanoUsd,
  "@pydantic/genai-prices calcPrice": (model) =>
    calcPrice({ input_tokens: 12_000, output_tokens: 800, cache_read_tokens: 4_000 }, model).total_price,
  "llm-pricing estimate, offline": (model) =>
    offline.estimate({ model, inputTokens: 12_000, outputTokens: 800, cachedInputTokens: 4_000 }).cost,
}

/**
 * Nanoseconds of one call, round by round. The fastest round shows the cost of the code; the median includes the
 * machine's load.
 */
const rounds = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]))
let sink = 0
for (let round = -2; round < ROUNDS; round++) {
  for (const [name, run] of Object.entries(contestants)) {
    const calls = name.includes("genai") ? CALLS / 20 : CALLS
    const start = process.hrtime.bigint()
    for (let index = 0; index < calls; index++) sink += run(MODELS[index % MODELS.length])
    // Two rounds warm up.
    if (round >= 0) rounds[name].push(Number(process.hrtime.bigint() - start) / calls)
  }
}
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1]
const fastest = (list) => Math.min(...list)
const ours = fastest(rounds["@p2/pricing costOf"])
console.log(`${"".padEnd(54)}    fastest      median   ratio of the fastest`)
for (const [name, list] of Object.entries(rounds)) {
  const times = [fastest(list), median(list)].map((each) => `${each.toFixed(0).padStart(7)} ns`)
  console.log(`${name.padEnd(54)} ${times.join("  ")}  ${(fastest(list) / ours).toFixed(1).padStart(6)} ×`)
}

console.log(
  `\nimport ${importMs("../dist/index.js")} ms, first lookup ${firstLookupMs()} ms (medians of ${PROCESSES} fresh processes)`,
)
const dist = new URL("../dist/", import.meta.url)
const esm = readdirSync(dist).filter((file) => file.endsWith(".js"))
const size = (files) =>
  (gzipSync(Buffer.concat(files.map((file) => readFileSync(new URL(file, dist))))).length / 1000).toFixed(1)
console.log(`${models().length} rows; everything that the root entry loads: ${size(esm)} kB gzipped`)
if (!Number.isFinite(sink)) throw new Error("A contestant returned no number.")

function inFreshProcess(code) {
  const times = []
  for (let round = 0; round < PROCESSES; round++) {
    const run = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
      encoding: "utf8",
      cwd: new URL(".", import.meta.url),
    })
    if (run.status !== 0) throw new Error(run.stderr)
    times.push(Number(run.stdout))
  }
  return median(times).toFixed(1)
}

function importMs(path) {
  const url = new URL(path, import.meta.url)
  // The user's other imports have already loaded core.
  return inFreshProcess(
    `await import("@p2/core"); const s = performance.now(); await import("${url}"); console.log(performance.now() - s)`,
  )
}

function firstLookupMs() {
  const url = new URL("../dist/index.js", import.meta.url)
  return inFreshProcess(
    `const { priceOf } = await import("${url}"); const s = performance.now(); priceOf("gpt-4o-mini"); console.log(performance.now() - s)`,
  )
}
