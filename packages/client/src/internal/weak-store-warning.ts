import type { Budget } from "@p2/budget"
import type { Request } from "@p2/core"
import type { Logger } from "../client-options"

const KEY = Symbol.for("@p2/client/warned-of-store")

/** Warns once per process when a user's or client's limit sits on a store that other processes do not see, or that forgets. */
export async function warnOfWeakStore(
  budget: Budget,
  request: Request<unknown>,
  logger: Logger | undefined,
): Promise<void> {
  if (request.userBudget === undefined && request.clientBudget === undefined) return
  const process_ = globalThis as { [KEY]?: Set<string> }
  process_[KEY] ??= new Set()
  const warned = process_[KEY]
  const { store } = budget
  if (warned.has(store.name)) return
  // Before anything is waited for: a thousand clients may open at once.
  warned.add(store.name)
  if (await isStrong(budget)) return
  const message =
    `A user or client limit is kept in the store "${store.name}", which ` +
    `${store.capabilities.shared ? "does not survive a restart" : "this process alone sees"}. ` +
    'Pass `store: "redis://…"` or `"file:./p2.db"`.'
  try {
    if (logger?.warn !== undefined) logger.warn(`p2: ${message}`)
    else process.emitWarning(message, { code: "P2_WEAK_STORE" })
  } catch {
    // A logger that throws stops no call.
  }
}

async function isStrong(budget: Budget): Promise<boolean> {
  if (!budget.store.capabilities.shared) return false
  const check = await budget.check().catch(() => undefined)
  // A store that cannot be asked will say so itself, when it is used.
  return check === undefined || check.durability !== "none"
}
