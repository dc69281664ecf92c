import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { fileURLToPath } from "node:url"
import type { Definition } from "./candidate"
import { CANDIDATES } from "./candidates"
import { play, type Result } from "./play"
import { work } from "./worker"
import { createWorkload } from "./workload"

const LIMIT_TOKENS = 80_000
const [, , role, name, surroundings] = process.argv

if (role === "worker") await work(name!, JSON.parse(surroundings!))
else await main()

async function main(): Promise<void> {
  const read = (option: string, fallback: number): number => {
    const index = process.argv.indexOf(`--${option}`)
    return index === -1 ? fallback : Number(process.argv[index + 1])
  }
  const only = process.argv.indexOf("--only")
  const candidates = CANDIDATES.filter((candidate) => only === -1 || candidate.name === process.argv[only + 1])
  if (candidates.length === 0)
    throw new Error(
      `Invalid \`--only\`: expected one of ${CANDIDATES.map((candidate) => `"${candidate.name}"`).join(", ")}.`,
    )
  const seed = read("seed", 1)
  const calls = read("calls", 330)
  const [processes, lanes] = [3, 6]
  const workload = createWorkload({ seed, calls })
  console.log(
    `seed ${seed}: ${calls} calls, ${processes} processes with ${lanes} lanes, limit ${format(LIMIT_TOKENS)} tokens\n`,
  )
  console.log(
    "| | overspend | undercharge | false denials | budget used | lost after a crash | overcharge | answered |",
  )
  console.log("| --- | --: | --: | --: | --: | --: | --: | --: |")
  for (const candidate of candidates) {
    const program = fileURLToPath(import.meta.url)
    const result = await play(candidate, { workload, limitTokens: LIMIT_TOKENS, processes, lanes, program })
    console.log(`| ${titleOf(candidate)} | ${cellsOf(result).join(" | ")} |`)
    if (candidate.packageName === "@p2/guard" && result.overspend + result.undercharge + result.lostAfterCrash > 0) {
      console.error(`seed ${seed}: ${candidate.name} has spent more than the limit, or counted less than was billed`)
      process.exitCode = 1
    }
  }
}

function cellsOf(result: Result): string[] {
  return [
    format(result.overspend),
    format(result.undercharge),
    `${result.falseDenials} of ${result.denied}`,
    `${Math.round((result.billed / result.limit) * 100)} %`,
    format(result.lostAfterCrash),
    format(result.overcharge),
    `${result.answered} of ${result.calls}`,
  ]
}

/** Its name, and the version of its package unless the package is in this repository. */
function titleOf({ name, packageName }: Definition): string {
  if (packageName === undefined || packageName.startsWith("@p2/")) return name
  // Not every package exports its package.json.
  const files = createRequire(import.meta.url)
    .resolve.paths(packageName)!
    .map((path) => `${path}/${packageName}/package.json`)
  for (const file of files)
    try {
      return `${name} ${JSON.parse(readFileSync(file, "utf8")).version}`
    } catch {
      // Not in this folder.
    }
  throw new Error(`${packageName} is not installed.`)
}

function format(value: number): string {
  return value.toLocaleString("en-US")
}
