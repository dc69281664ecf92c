import { StoreError } from "../src"
import type { BudgetOptions } from "../src/budget"
import { createBudget } from "../src/create-budget"
import { memoryStore } from "../src/memory-store"
import type { BudgetStore } from "../src/store"

/** Monday, 2 March 2026, noon UTC. */
export const NOON = Date.UTC(2026, 2, 2, 12)

export interface World {
  now: number
  store: BudgetStore
  /** Calls that reached the store, by member. */
  calls: string[]
  /** What the next calls of a member meet: `lost` applies and loses the answer, `down` does not reach the store. */
  faults: { member: keyof BudgetStore; kind: "lost" | "down" | "hang" }[]
  warnings: string[]
}

/** A memory store with a clock of its own and a line that breaks on demand. */
export function world(start = NOON): World {
  const memory = memoryStore({ clock: () => at.now })
  const at: World = { now: start, store: memory, calls: [], faults: [], warnings: [] }
  const line =
    <Request, Answer>(member: keyof BudgetStore, call: (request: Request) => Promise<Answer>) =>
    async (request: Request): Promise<Answer> => {
      const index = at.faults.findIndex((fault) => fault.member === member)
      const kind = index === -1 ? undefined : at.faults.splice(index, 1)[0]!.kind
      if (kind === "down") throw new StoreError("down", { code: "unavailable", applied: "no" })
      at.calls.push(member)
      const answer = await call(request)
      if (kind === "lost") throw new StoreError("answer lost", { code: "unavailable", applied: "maybe" })
      return kind === "hang" ? new Promise<Answer>(() => {}) : answer
    }
  at.store = {
    ...memory,
    reserve: line("reserve", memory.reserve),
    settle: line("settle", memory.settle),
    extend: line("extend", memory.extend),
    read: line("read", memory.read),
    adjust: line("adjust", memory.adjust),
    sweep: line("sweep", memory.sweep),
  }
  return at
}

export function budgetOn(at: World, options: Omit<BudgetOptions, "store">) {
  return createBudget({ store: at.store, onWarning: (message) => at.warnings.push(message), ...options })
}
