import type { Bench } from "../bench"
import { counter } from "../requests"

/** Enough writes that a store which deletes as calls come in has done so. */
const WRITES = 150

/** Writes in the partition, but to other keys and counters than the case is about. */
export async function writeElsewhere(bench: Bench, writes = WRITES): Promise<void> {
  const name = `else.${bench.clock.now().toString(36)}`
  for (let index = 0; index < writes; index++) {
    const reservation = await bench.reserve(`${name}.${index}`, [counter("elsewhere", 1)])
    await reservation.settle([0])
  }
}
