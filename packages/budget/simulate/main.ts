import { parseArgs } from "node:util"
import { memoryServer } from "./servers"
import { runSeed, type SimulatedServer } from "./world"

const HELP = `pnpm simulate [--seeds N] [--from N] [--seed N] [--store memory|redis] [--trace]

Runs the package against a store under crashes, lost and doubled messages and moving clocks, one world for each seed.
A seed that fails is printed and replays exactly.

  --seeds N   how many seeds (1000)
  --from N    the first of them (1)
  --seed N    this one only
  --store S   memory (default), or redis: the scripts on a server that is started for it
  --trace     print what happens, step by step`

/** A run that is silent for longer is taken for one that hangs. */
const PROGRESS_MS = 10_000

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: {
      help: { type: "boolean", short: "h", default: false },
      seed: { type: "string" },
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      store: { type: "string", default: "memory" },
      trace: { type: "boolean", default: false },
    },
  })
  if (values.help) return console.log(HELP)
  const first = countOf("--from", values.seed ?? values.from)
  const count = values.seed === undefined ? countOf("--seeds", values.seeds) : 1
  const { server, close } = await serverOf(values.store)
  let [failed, calls, told] = [0, 0, performance.now()]
  for (let seed = first; seed < first + count; seed++) {
    const result = await runSeed(seed, server)
    calls += result.calls
    if (performance.now() - told > PROGRESS_MS) {
      told = performance.now()
      console.log(`${seed - first + 1} of ${count} seeds, ${calls} calls, ${failed} failed`)
    }
    if (values.trace) console.log(result.trace.join("\n"))
    if (result.violations.length === 0) continue
    failed++
    console.log(`seed ${seed} fails; replay with: pnpm simulate --store ${values.store} --seed ${seed} --trace`)
    for (const violation of result.violations) console.log(`  ${violation}`)
  }
  await close()
  console.log(`${values.store}: ${count} seeds, ${calls} calls, ${failed} failed`)
  if (failed > 0) process.exitCode = 1
}

/** No seeds at all would be no failure. */
function countOf(option: string, text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new Error(`Expected ${option} to be a whole number from 1, got ${text}.`)
}

async function serverOf(name: string): Promise<{ server: SimulatedServer; close(): Promise<void> }> {
  if (name === "memory") return { server: memoryServer, close: async () => {} }
  if (name === "redis") return (await import("./redis-server")).startRedisServer()
  throw new Error(`Expected --store to be memory or redis, got ${name}.`)
}

await main().catch((error: Error) => {
  console.error(`${error.message}\n\n${HELP}`)
  process.exitCode = 1
})
