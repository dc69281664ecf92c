import { ModelStore } from "../../src/testing/model"
import type { ModelLedger } from "../../src/testing/model-ledger"
import type { Connect, ModelClass } from "./model-target"

/** A store that is right but for one thing, and the cases that must find it. */
export interface Plant {
  name: string
  Store: ModelClass
  connect?: Connect
  /** Beginnings of the names of cases, each of which must fail. */
  caughtBy: string[]
}

/** The model with another ledger. */
export function withLedger(Ledger: typeof ModelLedger): ModelClass {
  return class extends ModelStore {
    protected override createLedger(retentionMs: number): ModelLedger {
      return new Ledger((name) => this.root(name), this.now, retentionMs)
    }
  }
}
