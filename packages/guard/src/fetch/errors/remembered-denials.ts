import type { BudgetExceededError } from "@p2/budget"
import { LruMap } from "@p2/core"

/** Denials that are remembered. An older one is rebuilt from the numbers in its response. */
const MAX_DENIALS = 1_000

/** One map per process: the ESM and the CommonJS copy of this package share it. */
const DENIALS = Symbol.for("@p2/guard/denials")
const shared = globalThis as { [DENIALS]?: LruMap<string, BudgetExceededError> }

/** Returns the id under which the error can be looked up. */
export function rememberDenial(error: BudgetExceededError): string {
  const id = crypto.randomUUID()
  shared[DENIALS] ??= new LruMap(MAX_DENIALS)
  shared[DENIALS].set(id, error)
  return id
}

export function rememberedDenial(id: string): BudgetExceededError | undefined {
  return shared[DENIALS]?.get(id)
}
