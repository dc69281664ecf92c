import { parseArgs } from "node:util"
import { memoryServer, type SimulatedServer } from "./servers"
import { runSeed } from "./world"

const HELP = `pnpm simulate [--seeds N] [--from N] [--seed N] [--store memory|redis] [--trace]

Runs the package against a store with crashes, lost, delayed and duplicated messages and clocks that jump: one world for each
seed. A seed that fails is printed and replays exactly.

  --seeds N   number of seeds (1000)
  --from N    first seed (1)
  --seed N    only this seed
  --store S   memory (default), or redis: the Lua scripts on a server that is started for the run
  --trace     print each step at the server`

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
  const first = readCount("--from", values.seed ?? values.from)
  const count = values.seed === undefined ? readCount("--seeds", values.seeds) : 1
  const { server, close } = await openServer(values.store)
  let [failed, calls, printedAt] = [0, 0, performance.now()]
  try {
    for (let seed = first; seed < first + count; seed++) {
      const result = await runSeed(seed, server)
      calls += result.calls
      if (performance.now() - printedAt > PROGRESS_MS) {
        printedAt = performance.now()
        console.log(`${seed - first + 1} of ${count} seeds, ${calls} calls, ${failed} failed`)
      }
      if (values.trace) console.log(result.trace.join("\n"))
      if (result.violations.length === 0) continue
      failed++
      console.log(`seed ${seed} fails; replay with: pnpm simulate --store ${values.store} --seed ${seed} --trace`)
      for (const violation of result.violations) console.log(`  ${violation}`)
    }
  } finally {
    await close()
  }
  console.log(`${values.store}: ${count} seeds, ${calls} calls, ${failed} failed`)
  if (failed > 0) process.exitCode = 1
}

/** Rejects 0, because a run without seeds would report no failure. */
function readCount(option: string, value: string): number {
  const count = Number(value)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new Error(`Invalid \`${option}\`: expected a positive integer, got ${value}.`)
}

async function openServer(name: string): Promise<{ server: SimulatedServer; close(): Promise<void> }> {
  if (name === "memory") return { server: memoryServer, close: async () => {} }
  if (name === "redis") return (await import("./redis-server")).startRedisServer()
  throw new Error(`Invalid \`--store\`: expected memory or redis, got ${name}.`)
}

await main().catch((error: Error) => {
  console.error(`${error.message}\n\n${HELP}`)
  process.exitCode = 1
})
