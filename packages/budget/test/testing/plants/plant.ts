import type { BudgetStore } from "../../../src/store/budget-store"
import { type ModelOptions, ModelStore } from "../../../src/testing/model"
import type { ModelLedger } from "../../../src/testing/model-ledger"
import { type Connect, connectThroughLine, type Line, type ModelClass } from "../model-target"

/** Replacements of methods. `base` is the method that is replaced. */
export type Change<Owner> = {
  [Member in keyof Owner]?: Owner[Member] extends (...request: infer Request) => infer Reply
    ? (this: Owner, base: (...request: Request) => Reply, ...request: Request) => Reply
    : never
}
/** A change, or a function that makes one for a store, with its own state. */
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

type PartitionRequest = { partition: string; key?: string }

/** The correct store with one member changed, like the others. */
export const memberPlant = (
  name: string,
  caughtBy: readonly string[],
  member: "reserve" | "settle" | "extend" | "expire" | "adjust" | "read",
  changed: (
    this: ModelStore,
    base: (request: PartitionRequest) => Promise<{ now: number }>,
    request: PartitionRequest,
  ) => Promise<{ now: number }>,
): Plant => plant(name, caughtBy, { [member]: changed } as Change<ModelStore>)

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

/** The correct store behind a connection with some faulty members. */
export const connectionPlant = (
  name: string,
  caughtBy: readonly string[],
  wrong: (right: BudgetStore, line: Line) => Partial<BudgetStore>,
): Plant => {
  const connect: Connect = (store, line) => {
    const right = connectThroughLine(store, line)
    return { ...right, ...wrong(right, line) }
  }
  return { name, caughtBy, Store: ModelStore, connect }
}

/** Hides a property from a copy of the state, which is what a restart makes. */
export function hide(record: object, property: string): void {
  const value = (record as Record<string, unknown>)[property]
  Object.defineProperty(record, property, { value, enumerable: false, configurable: true, writable: true })
}

/** Some turns of the queue of microtasks: as long as a server takes to reply. */
export async function meanwhile(turns = 1): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve()
}

export const LARGEST_INT32 = 2 ** 31 - 1
