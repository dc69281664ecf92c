import { type ModelOptions, ModelStore } from "../../../src/testing/model"
import type { ModelLedger } from "../../../src/testing/model-ledger"
import type { Connect, ModelClass } from "../model-target"

/** Replacements of methods. `base` is the method that is replaced. */
export type Change<Owner> = {
  [Member in keyof Owner]?: Owner[Member] extends (...request: infer Request) => infer Reply
    ? (this: Owner, base: (...request: Request) => Reply, ...request: Request) => Reply
    : never
}
/** A change, or a function that makes one for a store, with state of its own. */
type Changes<Owner> = Change<Owner> | ((store: ModelStore) => Change<Owner>)

/** A store that breaks one rule, and the cases that must find it. */
export interface Plant {
  name: string
  /** Beginnings of the titles of cases, each of which must fail. */
  caughtBy: readonly string[]
  Store: ModelClass
  connect?: Connect
}

/** The correct store with some methods changed. */
export const plant = (name: string, caughtBy: readonly string[], changes: Changes<ModelStore>): Plant =>
  plantIn((store) => store, name, caughtBy, changes)

/** The correct store with some methods of its ledger changed. */
export const ledgerPlant = (name: string, caughtBy: readonly string[], changes: Changes<ModelLedger>): Plant =>
  plantIn((store) => store.ledger, name, caughtBy, changes)

function plantIn<Owner extends object>(
  ownerOf: (store: ModelStore) => Owner,
  name: string,
  caughtBy: readonly string[],
  changes: Changes<Owner>,
): Plant {
  class Store extends ModelStore {
    constructor(options: ModelOptions) {
      super(options)
      apply(ownerOf(this), typeof changes === "function" ? changes(this) : changes)
    }
  }
  return { name, caughtBy, Store }
}

function apply<Owner extends object>(owner: Owner, change: Change<Owner>): void {
  const methods = owner as Record<string, (...request: unknown[]) => unknown>
  for (const [member, changed] of Object.entries(change)) {
    const base = methods[member]!.bind(owner)
    methods[member] = (...request) => (changed as typeof base).call(owner, base, ...request)
  }
}

/** The correct store behind a connection that is wrong. */
export const connectionPlant = (name: string, caughtBy: readonly string[], connect: Connect): Plant => ({
  name,
  caughtBy,
  Store: ModelStore,
  connect,
})

/** Some turns of the queue of microtasks: as long as a server takes to reply. */
export async function meanwhile(turns = 1): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}

export const LARGEST_INT32 = 2 ** 31 - 1
