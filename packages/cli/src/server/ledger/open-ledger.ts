import { existsSync } from "node:fs"
import { type Budget, createBudget, type Limit } from "@p2/budget"
import { P2Error } from "@p2/core"
import { nameStore } from "../../store/name-store"
import { openStore } from "../../store/open-store"
import { filePath, shownAddress } from "../../store/store-address"
import type { ServeConfig } from "../config/config-schema"
import { storeOfCommand } from "../store-of-command"

/** The options that select the store of a command. */
export interface StoreArguments {
  config?: string
  store?: string
}

/** The store of a command, opened. */
export interface OpenLedger {
  address: string
  config: ServeConfig | undefined
  /** A budget without limits: for the ledger. */
  budget: Budget
  /** A budget with these limits over the same store. */
  budgetWith(limits: readonly Limit[]): Budget
}

/** Opens the store of a command for the time of `work`. */
export async function withLedger<T>(given: StoreArguments, work: (ledger: OpenLedger) => Promise<T>): Promise<T> {
  const { address, config } = await storeOfCommand(given)
  checkExists(address)
  const quiet = { onWarning: () => {} }
  const { store, budget, close } = await openStore(address, { limits: [], ...quiet })
  const budgetWith = (limits: readonly Limit[]) => createBudget({ store, limits, ...quiet })
  try {
    return await nameStore(address, () => work({ address, config, budget, budgetWith }))
  } finally {
    await close()
  }
}

/** Opening a file creates it, which would hide a wrong path. */
function checkExists(address: string): void {
  if (address === "memory:")
    throw new P2Error("The store memory: exists only in its own process. Use file:, redis:// or postgres://.", {
      code: "no-store",
      kind: "usage",
    })
  const path = filePath(address)
  if (path !== undefined && !existsSync(path))
    throw new P2Error(
      `There is no store at ${shownAddress(address)}. \`p2 run\` and \`p2 serve\` create it. Is --store, P2_STORE or --config missing?`,
      { code: "no-store", kind: "usage" },
    )
}
