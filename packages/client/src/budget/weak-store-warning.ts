import type { Budget } from "@p2/budget"
import { callObserver, type Request } from "@p2/core"
import type { Logger } from "../options/client-options"

const WARNED_STORES = Symbol.for("@p2/client/warned-stores")

/** Warns once per process when a user or client limit is in a store that other processes do not share, or that loses data. */
export async function warnOfWeakStore(
  budget: Budget,
  request: Request<unknown>,
  logger: Logger | undefined,
): Promise<void> {
  if (request.userBudget === undefined && request.clientBudget === undefined) return
  const shared = globalThis as { [WARNED_STORES]?: Set<string> }
  shared[WARNED_STORES] ??= new Set()
  const warned = shared[WARNED_STORES]
  const { store } = budget
  if (warned.has(store.name)) return
  // Marks the store before the first await, because many clients may open at the same time.
  warned.add(store.name)
  if (await isDurable(budget)) return
  const problem = store.capabilities.shared ? "does not survive a restart" : "is visible only to this process"
  const message =
    `A user or client limit is kept in the store "${store.name}", which ${problem}. ` +
    'Pass `store: "redis://…"` or `store: "file:./p2.db"`.'
  callObserver(() =>
    logger?.warn === undefined
      ? process.emitWarning(message, { code: "P2_WEAK_STORE" })
      : logger.warn(`p2: ${message}`),
  )
}

async function isDurable(budget: Budget): Promise<boolean> {
  if (!budget.store.capabilities.shared) return false
  // A store that cannot be checked fails the calls that use it.
  const check = await budget.check().catch(() => undefined)
  return check === undefined || check.durability !== "none"
}
