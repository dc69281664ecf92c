import { memoryStore } from "../src/memory/memory-store"
import type { BudgetStore } from "../src/store/budget-store"

/** Opens the store of one run. */
export interface SimulatedServer {
  /** Opens an empty store whose clock is `now()`. */
  open(now: () => number): Promise<BudgetStore>
}

/** The memory store on virtual time. */
export const memoryServer: SimulatedServer = { open: async (now) => memoryStore({ now }) }
