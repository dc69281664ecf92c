// Reads dist/providers/data/*.json of the pinned @earendil-works/pi-ai tarball. The package is not installed.
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseJsonNumbersAsText, scaledUp } from "./decimal.mjs"
import { thresholdOf } from "./thresholds.mjs"

/** The version, the digest of its tarball on npm, and its license. */
export const PI_AI = {
  version: "1.5.2",
  integrity: "sha512-2tWPSnV3qzfiDIY3aWluBag3vC++Vs+VsXt/UquSU5onPMohPih72FUhIhaqmDdMYubOgB3Byl9uF4Vk40JLvQ==",
  license: "MIT",
}

/** Kinds of its cost objects, with the decimal places from USD per million tokens to pico-USD per token. */
const KIND_OF_COST = { input: 6, output: 6, cacheRead: 6, cacheWrite: 6 }

/** @returns rows by key, keys without a price, and the day of the data. */
export function readPiAi() {
  const folder = fetchData()
  const day = JSON.parse(readFileSync(join(folder, ".manifest.json"), "utf8")).generatedAt.slice(0, 10)
  const rows = new Map()
  const zero = new Map()
  for (const file of readdirSync(folder)
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .sort()) {
    const provider = file.slice(0, -".json".length)
    const models = Object.values(parseJsonNumbersAsText(readFileSync(join(folder, file), "utf8"))).flatMap(
      Object.values,
    )
    // A chat row takes precedence over a classifier with the same id, which has a different price for a different
    // endpoint.
    models.sort((a, b) => Number(b.type === "chat") - Number(a.type === "chat"))
    for (const model of models) addModel(rows, zero, provider, model)
  }
  return { rows, zero, day }
}

function addModel(rows, zero, provider, model) {
  const key = `${provider}/${model.id}`
  if (rows.has(key) || zero.has(key)) return
  const tiers = [{ fromInputTokens: 0, rates: ratesOf(model.cost) }]
  for (const tier of model.cost.tiers ?? [])
    tiers.push({ fromInputTokens: thresholdOf(model.id, Number(tier.inputTokensAbove.n)), rates: ratesOf(tier) })
  if (tiers.some(({ rates }) => rates === undefined)) return
  // An image model whose output costs 0 bills its images in a way that the package does not list.
  if (model.type === "image" && tiers.some(({ rates }) => rates.input > 0 && rates.output === 0)) return
  const row = {
    key,
    provider,
    name: model.id,
    chat: model.type === "chat",
    sheets: [{ serviceTier: "default", tiers }],
    context: numberOf(model.contextWindow),
    maxOutput: numberOf(model.maxTokens),
  }
  if (tiers.every(({ rates }) => rates.input === 0 && rates.output === 0)) zero.set(key, row)
  else rows.set(key, row)
}

/** A cache rate of 0 is not listed. Undefined for a negative rate, which stands for a price that is not fixed. */
function ratesOf(cost) {
  const rates = {}
  for (const [kind, places] of Object.entries(KIND_OF_COST)) {
    const rate = scaledUp(cost[kind]?.n ?? "0", places)
    if (rate === undefined) return undefined
    if (rate > 0 || kind === "input" || kind === "output") rates[kind] = rate
  }
  return rates
}

function numberOf(value) {
  return value === undefined || value === null ? undefined : Number(value.n)
}

/** Downloads the tarball once into a cache folder, compares its digest, and unpacks the data alone. */
function fetchData() {
  const folder = join(process.env.P2_CACHE_DIR ?? join(tmpdir(), "p2-cache"), `pi-ai-${PI_AI.version}`)
  const tarball = join(folder, `earendil-works-pi-ai-${PI_AI.version}.tgz`)
  if (!existsSync(tarball)) {
    mkdirSync(folder, { recursive: true })
    const options = { cwd: folder, stdio: ["ignore", "ignore", "inherit"] }
    execFileSync("npm", ["pack", "--silent", `@earendil-works/pi-ai@${PI_AI.version}`], options)
  }
  const digest = `sha512-${createHash("sha512").update(readFileSync(tarball)).digest("base64")}`
  if (digest !== PI_AI.integrity) throw new Error(`Expected ${PI_AI.integrity} of ${tarball}, got ${digest}.`)
  execFileSync("tar", ["-xzf", tarball, "-C", folder, "package/dist/providers/data"])
  return join(folder, "package/dist/providers/data")
}
