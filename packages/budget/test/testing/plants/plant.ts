import { ModelStore } from "../../../src/testing/model"
import type { ModelLedger } from "../../../src/testing/model-ledger"
import type { Connect, ModelClass } from "../model-target"

/** A store that is right but for one thing, and the cases that must find it. */
export interface Plant {
  name: string
  /** Beginnings of the titles of cases, each of which must fail. */
  caughtBy: readonly string[]
  Store: ModelClass
  connect?: Connect
}

export const plant = (name: string, caughtBy: readonly string[], Store: ModelClass): Plant => ({
  name,
  caughtBy,
  Store,
})

/** The right store behind a wrong connection. */
export const connectionPlant = (name: string, caughtBy: readonly string[], connect: Connect): Plant => ({
  name,
  caughtBy,
  Store: ModelStore,
  connect,
})

/** The right store with a wrong ledger. */
export function ledgerPlant(name: string, caughtBy: readonly string[], Ledger: typeof ModelLedger): Plant {
  return plant(
    name,
    caughtBy,
    class extends ModelStore {
      protected override createLedger(retentionMs: number): ModelLedger {
        return new Ledger(
          (partition) => this.partition(partition),
          (partition) => this.now(partition),
          retentionMs,
        )
      }
    },
  )
}

/** Some turns of the queue of microtasks: as long as a server takes to answer. */
export async function meanwhile(turns = 1): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}

export const LARGEST_INT32 = 2 ** 31 - 1
