import { type Budget, createBudget, memoryStore } from "@p2/budget"

const KEY = Symbol.for("@p2/client/default-budget")

/**
 * The budget over one memory store per process, made on first use and shared by the ESM and the CommonJS copy of this
 * package, so that a user's limit holds over many short-lived clients. It is never closed.
 */
export function defaultBudget(): Budget {
  const shared = globalThis as { [KEY]?: Budget }
  shared[KEY] ??= createBudget({ store: memoryStore(), limits: [] })
  return shared[KEY]
}
