import { InvalidArgumentError, type NanoUsd } from "@p2/core"
import type { CostLine } from "./cost"

const PICO_PER_NANO = 1000

/** The sum of a bill in pico-USD. Sums of safe integers are exact; a sum that may not be is undefined. */
export function safePico(lines: readonly CostLine[]): number | undefined {
  let pico = 0
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!
    pico += line.count * line.picoUsdPerUnit
  }
  return pico <= Number.MAX_SAFE_INTEGER ? pico : undefined
}

/** The sum of a bill in pico-USD, whatever its size. */
export function exactPico(lines: readonly CostLine[]): bigint {
  let pico = 0n
  for (const line of lines) pico += BigInt(line.count) * BigInt(line.picoUsdPerUnit)
  return pico
}

/** Pico-USD to nano-USD, rounded up. The remainder is taken first: a quotient near 2^53 / 1000 has no room for it. */
export function nanoFromSafePico(pico: number): NanoUsd {
  const rest = pico % PICO_PER_NANO
  return (pico - rest) / PICO_PER_NANO + (rest > 0 ? 1 : 0)
}

/** The same for an amount of any size. @throws InvalidArgumentError beyond 2^53 − 1 nano-USD */
export function nanoFromPico(pico: bigint): NanoUsd {
  const nano = (pico + 999n) / 1000n
  if (nano > BigInt(Number.MAX_SAFE_INTEGER))
    throw new InvalidArgumentError("usage", "a call of at most $9,007,199.25 (2^53 − 1 nano-USD)", nano)
  return Number(nano)
}
