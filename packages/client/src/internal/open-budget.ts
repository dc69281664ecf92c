import { type Budget, type BudgetStore, createBudget } from "@p2/budget"
import { load } from "./load-package"

/** A budget and how to let go of it. */
export interface OpenedBudget {
  budget: Budget
  release(): Promise<void>
}

interface SharedBudget {
  opening: Promise<OpenedBudget>
  users: number
}

let shared: Map<string, SharedBudget> | undefined
let byStore: WeakMap<BudgetStore, Budget> | undefined

/**
 * A budget over the user's own store, which stays open and has one budget for all clients, or over one that is opened by
 * its address. Clients of a process share what they open by the same address; the last one closes it.
 */
export async function openBudget(store: BudgetStore | string): Promise<OpenedBudget> {
  if (typeof store !== "string") {
    byStore ??= new WeakMap()
    const budget = byStore.get(store) ?? createBudget({ store, limits: [] })
    byStore.set(store, budget)
    return { budget, release: () => budget.flush().then(() => {}) }
  }
  shared ??= new Map()
  const known = shared.get(store) ?? { opening: openByAddress(store), users: 0 }
  shared.set(store, known)
  known.users++
  try {
    const { budget } = await known.opening
    return { budget, release: () => letGo(store, known) }
  } catch (error) {
    shared.delete(store)
    throw error
  }
}

async function letGo(address: string, known: SharedBudget): Promise<void> {
  const { budget, release } = await known.opening
  known.users--
  if (known.users > 0) return void (await budget.flush())
  shared?.delete(address)
  await release()
}

async function openByAddress(address: string): Promise<OpenedBudget> {
  // There is no third kind: the options were checked.
  return address.startsWith("file:") ? openFile(address) : openRedis(address)
}

async function openRedis(address: string): Promise<OpenedBudget> {
  const { Redis } = await load("ioredis", () => import("ioredis"), 'A store "redis://…"')
  const { redisStore } = await import("@p2/budget/redis")
  const client = new Redis(address, { lazyConnect: true })
  // Without a listener a lost connection would end the process; the store reports it where it matters.
  client.on("error", () => {})
  const budget = createBudget({ store: redisStore({ client }), limits: [] })
  return {
    budget,
    release: async () => {
      await budget.close()
      client.disconnect()
    },
  }
}

async function openFile(address: string): Promise<OpenedBudget> {
  const { sqliteStore } = await load("@p2/budget-sqlite", () => import("@p2/budget-sqlite"), 'A store "file:…"')
  const budget = createBudget({ store: sqliteStore(address), limits: [] })
  return { budget, release: () => budget.close() }
}
