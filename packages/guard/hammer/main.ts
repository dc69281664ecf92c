import { hammer } from "./hammer"

const read = (name: string, fallback: number): number => {
  const index = process.argv.indexOf(`--${name}`)
  return index === -1 ? fallback : Number(process.argv[index + 1])
}

const requests = read("requests", 2_000)
const limitTokens = read("limit", 400_000)
for (let seed = read("seed", 1), last = seed + read("seeds", 3); seed < last; seed++) {
  const result = await hammer({ seed, requests, limitTokens, concurrency: 20 })
  console.log(`seed ${seed}:`, JSON.stringify(result))
  const { billedNanoUsd, billedTokens, spentNanoUsd, spentTokens, reserved } = result
  const problems = [
    billedTokens > limitTokens && "the provider billed more than the limit",
    (spentNanoUsd < billedNanoUsd || spentTokens < billedTokens) && "less was charged than billed",
    reserved !== 0 && "something is still reserved",
  ].filter((problem) => problem !== false)
  for (const problem of problems) console.error(`seed ${seed}: ${problem}`)
  if (problems.length > 0) process.exitCode = 1
}
