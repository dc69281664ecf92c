import { inspect, parseArgs } from "node:util"
import { checkWorld } from "./check-world"
import { drawCrowd, drawWorld } from "./draw-world"
import { codeOf, playWorld } from "./play-world"
import { STORES, type StoreName, storeKind } from "./world-stores"

const HELP = `pnpm fuzz [--worlds N] [--from N] [--seed N] [--store memory|redis|sqlite] [--crowd N]

Plays worlds of several clients over one budget against the local provider, one for each seed: requests, faults, aborts,
deadlines and trouble in the store are drawn from it. Afterwards the provider's own ledger, the receipts, the store and
the logs have to agree. A world that fails is printed with its seed. What is drawn replays exactly; when it happens is
up to real sockets, so that a race may need a few tries.

  --worlds N  how many (1000)
  --from N    the first seed (1)
  --seed N    this one only; prints how its calls ended
  --store S   memory (default); redis: on a server that is started for it; sqlite: in a file for each world
  --crowd N   puts the clients of N more worlds into each, every client with a store of its own, as processes have`

/** A run that is silent for longer is taken for one that hangs. */
const PROGRESS_MS = 10_000

interface Options {
  first: number
  count: number
  store: StoreName
  crowd: number | undefined
  shows: boolean
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
      crowd: { type: "string" },
    },
  })
  if (values.help) return "help"
  return {
    first: countOf("--from", values.seed ?? values.from),
    count: values.seed === undefined ? countOf("--worlds", values.worlds) : 1,
    store: storeOf(values.store),
    crowd: values.crowd === undefined ? undefined : countOf("--crowd", values.crowd),
    shows: values.seed !== undefined,
  }
}

async function play({ first, count, store, crowd, shows }: Options): Promise<void> {
  const kind = await storeKind(store)
  const replay = `pnpm fuzz --store ${store}${crowd === undefined ? "" : ` --crowd ${crowd}`} --seed`
  const ends = new Map<string, number>()
  let [failed, told] = [0, performance.now()]
  for (let seed = first; seed < first + count; seed++) {
    const world = crowd === undefined ? drawWorld(seed) : drawCrowd(seed, crowd)
    const played = await playWorld(world, kind)
    for (const outcome of played.outcomes) ends.set(codeOf(outcome), (ends.get(codeOf(outcome)) ?? 0) + 1)
    if (shows) for (const outcome of played.outcomes) console.log(inspect(outcome, { depth: 4 }))
    const wrong = checkWorld(played)
    if (performance.now() - told > PROGRESS_MS) {
      told = performance.now()
      console.log(`${seed - first + 1} of ${count} worlds, ${failed} failed`)
    }
    if (wrong.length === 0) continue
    failed++
    console.log(`seed ${seed} fails; replay with: ${replay} ${seed}\n${inspect(world, { depth: 9 })}`)
    for (const what of wrong) console.log(`  ${what}`)
  }
  await kind.close()
  const all = [...ends].sort(([, a], [, b]) => b - a).map(([code, times]) => `${code} ${times}`)
  console.log(`${store}: ${count} worlds, ${failed} failed. Calls: ${all.join(", ")}`)
  if (failed > 0) process.exitCode = 1
  endsByItself()
}

/** What still keeps the process alive is a timer or a socket that somebody forgot. */
function endsByItself(): void {
  const timer = setTimeout(() => {
    console.log(`The process does not end: ${process.getActiveResourcesInfo().join(", ")}`)
    process.exit(1)
  }, 10_000)
  timer.unref()
}

/** No worlds at all would be no failure. */
function countOf(option: string, text: string): number {
  const count = Number(text)
  if (Number.isSafeInteger(count) && count >= 1) return count
  throw new Error(`Expected ${option} to be a whole number from 1, got ${text}.`)
}

function storeOf(name: string): StoreName {
  const store = STORES.find((each) => each === name)
  if (store !== undefined) return store
  throw new Error(`Expected --store to be ${STORES.join(", ")}, got ${name}.`)
}

/** What is wrong with the options is said without a stack. */
function optionsOrSay(): Options | "help" | undefined {
  try {
    return readOptions()
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`)
    process.exitCode = 1
    return undefined
  }
}

const options = optionsOrSay()
if (options === "help") console.log(HELP)
else if (options !== undefined) await play(options)
