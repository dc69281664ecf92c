import {
  type Budget,
  type BudgetExceededError,
  type BudgetOptions,
  type BudgetStore,
  createBudget,
  memoryStore,
  type Reservation,
  type ReserveOptions,
  StoreError,
} from "../src"
import { checkedStore } from "../src/store"

/** Monday, 2 March 2026, noon UTC. */
export const NOON = Date.UTC(2026, 2, 2, 12)
export const USD = 1_000_000_000

const MEMBERS = [
  "reserve",
  "settle",
  "extend",
  "expire",
  "listDue",
  "read",
  "adjust",
  "listCounters",
  "acceptClock",
  "check",
] as const

type Member = (typeof MEMBERS)[number]

/** The same store with some members replaced. */
export function changedStore(store: BudgetStore, changes: Partial<BudgetStore>): BudgetStore {
  const members = Object.fromEntries(
    MEMBERS.map((member) => [member, (store[member] as (request: never) => unknown).bind(store)]),
  )
  const { name, capabilities, ledger } = store
  return { name, capabilities, ledger, close: async () => store.close?.(), ...members, ...changes } as BudgetStore
}

export interface World {
  now: number
  store: BudgetStore
  /** Calls that reached the store, by member. */
  calls: Member[]
  /**
   * The fault of the next calls of a member: `lost` applies and loses the reply, `down` does not reach the store,
   * `hang` applies and never replies.
   */
  faults: { member: Member; kind: "lost" | "down" | "hang" }[]
  warnings: string[]
}

/**
 * A memory store with its own clock and a connection that breaks on demand. It rejects invalid requests, so every test
 * that uses it shows that the budget sends none.
 */
export function world(start = NOON): World {
  const memory = checkedStore(memoryStore({ now: () => at.now }))
  const at: World = { now: start, store: memory, calls: [], faults: [], warnings: [] }
  const connection = (member: Member) => async (request: never) => {
    const index = at.faults.findIndex((fault) => fault.member === member)
    const kind = index === -1 ? undefined : at.faults.splice(index, 1)[0]!.kind
    if (kind === "down") throw new StoreError("down", { code: "store-unavailable", applied: "no" })
    at.calls.push(member)
    const reply: unknown = await memory[member](request)
    if (kind === "lost") throw new StoreError("reply lost", { code: "store-unavailable", applied: "maybe" })
    return kind === "hang" ? new Promise(() => {}) : reply
  }
  const members = MEMBERS.filter((member) => member !== "check").map((member) => [member, connection(member)])
  at.store = changedStore(memory, Object.fromEntries(members))
  return at
}

export function budgetOn(at: World, options: Omit<BudgetOptions, "store">): Budget {
  return createBudget({ store: at.store, onWarning: (message) => at.warnings.push(message), ...options })
}

export async function reserved(budget: Budget, options: ReserveOptions): Promise<Reservation> {
  const result = await budget.reserve(options)
  if (!result.ok) throw result.error
  return result.reservation
}

export async function denied(budget: Budget, options: ReserveOptions): Promise<BudgetExceededError> {
  const result = await budget.reserve(options)
  if (result.ok) throw new Error("expected a denial")
  return result.error
}
