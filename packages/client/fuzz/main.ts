import { inspect, parseArgs } from "node:util"
import { checkWorld } from "./check-world"
import { drawWorld } from "./draw-world"
import { codeOf, playWorld } from "./play-world"

const HELP = `pnpm fuzz [--worlds N] [--from N] [--seed N]

Plays worlds of several clients over one store against the local provider, one for each seed: requests, faults, aborts,
deadlines and trouble in the store are drawn from it. Afterwards the provider's own ledger, the receipts, the store and
the logs have to agree. A world that fails is printed with its seed. What is drawn replays exactly; when it happens is
up to real sockets, so that a race may need a few tries.

  --worlds N  how many (1000)
  --from N    the first seed (1)
  --seed N    this one only; prints how its calls ended`

/** A run that is silent for longer is taken for one that hangs. */
const PROGRESS_MS = 10_000

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: {
      help: { type: "boolean", short: "h", default: false },
      seed: { type: "string" },
      worlds: { type: "string", default: "1000" },
      from: { type: "string", default: "1" },
    },
  })
  if (values.help) return console.log(HELP)
  const first = countOf("--from", values.seed ?? values.from)
  const count = values.seed === undefined ? countOf("--worlds", values.worlds) : 1
  const ends = new Map<string, number>()
  let [failed, told] = [0, performance.now()]
  for (let seed = first; seed < first + count; seed++) {
    const world = drawWorld(seed)
    const played = await playWorld(world)
    for (const outcome of played.outcomes) ends.set(codeOf(outcome), (ends.get(codeOf(outcome)) ?? 0) + 1)
    if (values.seed !== undefined) for (const outcome of played.outcomes) console.log(inspect(outcome, { depth: 4 }))
    const wrong = await checkWorld(played)
    if (performance.now() - told > PROGRESS_MS) {
      told = performance.now()
      console.log(`${seed - first + 1} of ${count} worlds, ${failed} failed`)
    }
    if (wrong.length === 0) continue
    failed++
    console.log(`seed ${seed} fails; replay with: pnpm fuzz --seed ${seed}\n${inspect(world, { depth: 9 })}`)
    for (const what of wrong) console.log(`  ${what}`)
  }
  const all = [...ends].sort(([, a], [, b]) => b - a).map(([code, times]) => `${code} ${times}`)
  console.log(`${count} worlds, ${failed} failed. Calls: ${all.join(", ")}`)
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
  throw new Error(`Expected ${option} to be a whole number from 1, got ${text}.\n\n${HELP}`)
}

await main()
