/**
 * Measures every public function that takes text with ten kinds of hostile text, from 128 KiB to 1 MiB: CPU seconds per
 * megabyte, and how the time grows when the text doubles (2.0 is linear). Each time is the minimum of two, because
 * other processes share the machine. Exits with code 1 if a call takes more than half a second per megabyte or grows
 * much faster than linearly. Needs no build. Run with `node bench/hostile.mjs [part of a name]`.
 */
import { rmSync } from "node:fs"
import { fileURLToPath, pathToFileURL } from "node:url"
import { bundleFromSources } from "../scripts/bundle-from-sources.mjs"
import { HOSTILE_STRINGS } from "./hostile-strings.mjs"

const KIB = 1024
const SIZES = [128 * KIB, 256 * KIB, 512 * KIB, 1024 * KIB]
const MAX_SECONDS = 0.5
/** Times below this are dominated by noise. */
const MEASURABLE_SECONDS = 0.02
const MAX_GROWTH = 3

// Inside a package, where Node finds what the bundle does not contain.
const folder = fileURLToPath(new URL(`../packages/core/node_modules/.cache/hostile-${process.pid}`, import.meta.url))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
await bundleFromSources({
  entry: fileURLToPath(new URL("hostile-calls.mjs", import.meta.url)),
  folder,
  external: ["zod", "ioredis", "redis"],
})
const { CALLS } = await import(pathToFileURL(`${folder}/hostile-calls.mjs`).href)

function secondsOf(run, text) {
  let minimum = Number.POSITIVE_INFINITY
  for (let round = 0; round < 2 && minimum > MEASURABLE_SECONDS / 4; round++) {
    const start = process.cpuUsage()
    run(text)
    const { user, system } = process.cpuUsage(start)
    minimum = Math.min(minimum, (user + system) / 1e6)
  }
  return minimum
}

/** Doubles the text until a call takes two seconds. */
function measure(run, textOf) {
  const seconds = []
  for (const size of SIZES) {
    seconds.push(secondsOf(run, textOf(size)))
    if (seconds.at(-1) > 2) break
  }
  const megabytes = SIZES[seconds.length - 1] / 1e6
  const last = seconds.at(-1)
  const doublings = seconds.length - 1
  const isMeasurable = doublings > 0 && last > MEASURABLE_SECONDS
  // The mean of all doublings, because one of them may contain a garbage collection.
  const growth = isMeasurable ? (last / Math.max(seconds[0], MEASURABLE_SECONDS / 10)) ** (1 / doublings) : undefined
  return { perMegabyte: last / megabytes, growth }
}

const filter = process.argv[2] ?? ""
let failures = 0
for (const [call, run] of Object.entries(CALLS)) {
  if (!call.includes(filter)) continue
  run("The first call may unpack a table.")
  const results = Object.entries(HOSTILE_STRINGS).map(([name, textOf]) => ({ name, ...measure(run, textOf) }))
  const slowest = results.reduce((worst, each) => (each.perMegabyte > worst.perMegabyte ? each : worst))
  const steepest = results.reduce((worst, each) => ((each.growth ?? 0) > (worst.growth ?? 0) ? each : worst))
  const isSlow = slowest.perMegabyte > MAX_SECONDS
  const isSteep = (steepest.growth ?? 0) > MAX_GROWTH && steepest.perMegabyte > 0.05
  if (isSlow || isSteep) failures++
  const growth = steepest.growth === undefined ? "" : `, growth ${steepest.growth.toFixed(1)} (${steepest.name})`
  console.log(
    `${isSlow || isSteep ? "✗" : " "} ${call.padEnd(42)} ${slowest.perMegabyte.toFixed(3)} s/MB (${slowest.name})${growth}`,
  )
}
console.log(`${failures} calls are slow or grow faster than linear`)
if (failures > 0) process.exitCode = 1
