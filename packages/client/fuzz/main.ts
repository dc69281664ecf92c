import { inspect, parseArgs } from "node:util"
import type { DoubtfulCharge } from "@p2/guard/charge"
import { checkWorld } from "./check-world"
import { drawCombinedWorld, drawWorld } from "./draw-world"
import { outcomeCode, playWorld } from "./play-world"
import { STORES, type StoreName, storeKind } from "./world-stores"

const HELP = `pnpm fuzz [--worlds N] [--from N] [--seed N] [--store memory|redis|sqlite] [--combine N] [--charge P]

Plays worlds of several clients with one budget against the local provider. The seed of a world determines requests,
faults, aborts, deadlines and store failures. Afterwards the provider's ledger, the receipts, the store and the logs must
agree. A world that fails is printed with its seed. A seed replays the same world, but the timing depends on real sockets,
so a race may need a few runs.

  --worlds N  number of worlds (1000)
  --from N    the first seed (1)
  --seed N    this seed only; prints how its calls ended
  --store S   memory (default), redis (starts a server), or sqlite (one file for each world)
  --charge P  what calls in doubt are charged by every client: bound, input, received, nothing (drawn for each client)
  --combine N adds the clients of N more worlds to each, every client with its own store, like in several processes`

const CHARGES = ["bound", "input", "received", "nothing"] as const satisfies DoubtfulCharge[]

/** Interval of the progress output. */
const PROGRESS_MS = 10_000

interface Options {
  first: number
  count: number
  store: StoreName
  combine: number | undefined
  charge: DoubtfulCharge | undefined
  isVerbose: boolean
}

function readOptions(): Options | "help" {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: {
      help: { type: "boolean", short: "h", default: false },
      seed: { type: "string" },
      worlds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
      store: { type: "string", default: "memory" },
      combine: { type: "string" },
      charge: { type: "string" },
    },
  })
  if (values.help) return "help"
  return {
    first: countOf("--from", values.seed ?? values.from),
    count: values.seed === undefined ? countOf("--worlds", values.worlds) : 1,
    store: oneOf("--store", STORES, values.store),
    combine: values.combine === undefined ? undefined : countOf("--combine", values.combine),
    charge: values.charge === undefined ? undefined : oneOf("--charge", CHARGES, values.charge),
    isVerbose: values.seed !== undefined,
  }
}

async function play({ first, count, store, combine, charge, isVerbose }: Options): Promise<void> {
  const kind = await storeKind(store)
  const replay = [
    `pnpm fuzz --store ${store}`,
    ...(combine === undefined ? [] : [`--combine ${combine}`]),
    ...(charge === undefined ? [] : [`--charge ${charge}`]),
    "--seed",
  ].join(" ")
  const ends = new Map<string, number>()
  let [failed, printedAt] = [0, performance.now()]
  for (let seed = first; seed < first + count; seed++) {
    const world = combine === undefined ? drawWorld(seed) : drawCombinedWorld(seed, combine)
    if (charge !== undefined) for (const client of world.clients) client.charge = { serverError: charge, abort: charge }
    const played = await playWorld(world, kind)
    for (const outcome of played.outcomes) ends.set(outcomeCode(outcome), (ends.get(outcomeCode(outcome)) ?? 0) + 1)
    if (isVerbose) for (const outcome of played.outcomes) console.log(inspect(outcome, { depth: 4 }))
    const problems = checkWorld(played)
    if (performance.now() - printedAt > PROGRESS_MS) {
      printedAt = performance.now()
      console.log(`${seed - first + 1} of ${count} worlds, ${failed} failed`)
    }
    if (problems.length === 0) continue
    failed++
    console.log(`seed ${seed} fails; replay with: ${replay} ${seed}\n${inspect(world, { depth: 9 })}`)
    for (const problem of problems) console.log(`  ${problem}`)
  }
  await kind.close()
  const all = [...ends].sort(([, a], [, b]) => b - a).map(([code, times]) => `${code} ${times}`)
  console.log(`${store}: ${count} worlds, ${failed} failed. Calls: ${all.join(", ")}`)
  if (failed > 0) process.exitCode = 1
  failUnlessProcessEnds()
}

/** A process that does not end has a timer or a socket that was not closed. */
function failUnlessProcessEnds(): void {
  const timer = setTimeout(() => {
    console.log(`The process does not end: ${process.getActiveResourcesInfo().join(", ")}`)
    process.exit(1)
  }, 10_000)
  timer.unref()
}

/** At least one, because a run without worlds would succeed. */
function countOf(option: string, text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new Error(`Invalid ${option}: expected an integer of at least 1, got ${text}.`)
}

function oneOf<T extends string>(option: string, values: readonly T[], text: string): T {
  const value = values.find((each) => each === text)
  if (value !== undefined) return value
  throw new Error(`Invalid ${option}: expected one of ${values.join(", ")}, got ${text}.`)
}

/** Prints an invalid option without a stack. */
function optionsOrUsage(): Options | "help" | undefined {
  try {
    return readOptions()
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    process.exitCode = 1
    return undefined
  }
}

const options = optionsOrUsage()
if (options === "help") console.log(HELP)
else if (options !== undefined) await play(options)
