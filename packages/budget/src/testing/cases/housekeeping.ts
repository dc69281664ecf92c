import type { CaseContext } from "../case-context"
import { counter } from "../requests"

/** Enough writes that a store which deletes records during calls has done so. */
const WRITES = 150

/** Writes in the partition, but to other keys and counters than the case is about. */
export async function writeElsewhere(t: CaseContext, writes = WRITES): Promise<void> {
  const name = `else.${t.clock.now().toString(36)}`
  for (let index = 0; index < writes; index++) await t.charge(`${name}.${index}`, [counter("elsewhere", 1)], [0])
}

/** Advances the clock, and lets the store delete what it has forgotten by then. */
export async function advanceAndWrite(t: CaseContext, ms: number, writes = WRITES): Promise<void> {
  await t.clock.advance(ms)
  await writeElsewhere(t, writes)
}
