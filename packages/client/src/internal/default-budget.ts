import { type Budget, createBudget, memoryStore } from "@p2/budget"
import type { OpenedBudget } from "./open-budget"

const KEY = Symbol.for("@p2/client/default-budget")

/**
 * The budget over one memory store per process, made on first use and shared by the ESM and the CommonJS copy of this
 * package, so that a user's limit holds over many short-lived clients. It is never closed.
 */
export function defaultBudget(): OpenedBudget {
  const shared = globalThis as { [KEY]?: Budget }
  const budget = shared[KEY] ?? createBudget({ store: memoryStore(), limits: [] })
  shared[KEY] = budget
  return { budget, release: async () => void (await budget.flush()) }
}
