import { parseArgs } from "node:util"
import { memoryServer } from "./servers"
import { runSeed, type SimulatedServer } from "./world"

/** `pnpm simulate [--seed N] [--seeds N] [--from N] [--store memory|redis] [--trace]` */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      seeds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      store: { type: "string", default: "memory" },
      trace: { type: "boolean", default: false },
    },
  })
  const { server, close } = await serverOf(values.store)
  const first = Number(values.seed ?? values.from)
  const count = values.seed === undefined ? Number(values.seeds) : 1
  let failed = 0
  let calls = 0
  for (let seed = first; seed < first + count; seed++) {
    const result = await runSeed(seed, server)
    calls += result.calls
    const done = seed - first + 1
    if (done % 1_000 === 0) console.log(`${done} of ${count} seeds, ${calls} calls, ${failed} failed`)
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

async function serverOf(name: string): Promise<{ server: SimulatedServer; close(): Promise<void> }> {
  if (name === "memory") return { server: memoryServer, close: async () => {} }
  if (name === "redis") return (await import("./redis-server")).startRedisServer()
  throw new Error(`Expected --store to be memory or redis, got ${name}.`)
}

await main()
