import { type Budget, type BudgetStore, createBudget } from "@p2/budget"
import type { LLMClientOptions } from "../client-options"
import { defaultBudget } from "./default-budget"
import { notLoaded } from "./not-loaded"

/** A budget and how to let go of it. */
export interface OpenedBudget {
  budget: Budget
  release(): Promise<unknown>
}

interface SharedBudget {
  opening: Promise<OpenedBudget>
  users: number
}

const shared = new Map<string, SharedBudget>()
const byStore = new WeakMap<BudgetStore, Budget>()

/** The user's own budget, or one over the store that the options name. What the client did not open stays open. */
export async function openBudget({ store, budget }: LLMClientOptions): Promise<OpenedBudget> {
  if (typeof store === "string" && store !== "memory:") return openShared(store)
  const kept = budget ?? (typeof store === "object" ? budgetOver(store) : defaultBudget())
  return { budget: kept, release: () => kept.flush() }
}

/** The user's own store has one budget for all clients. */
function budgetOver(store: BudgetStore): Budget {
  const budget = byStore.get(store) ?? createBudget({ store, limits: [] })
  byStore.set(store, budget)
  return budget
}

/** Clients of a process share what they open by the same address; the last one closes it. */
async function openShared(address: string): Promise<OpenedBudget> {
  // There is no third kind of address: the options were checked.
  const open = address.startsWith("file:") ? openFile : openRedis
  const known = shared.get(address) ?? { opening: open(address), users: 0 }
  shared.set(address, known)
  known.users++
  try {
    const { budget } = await known.opening
    return { budget, release: () => letGo(address, known) }
  } catch (error) {
    shared.delete(address)
    throw error
  }
}

async function letGo(address: string, known: SharedBudget): Promise<unknown> {
  const { budget, release } = await known.opening
  if (--known.users > 0) return budget.flush()
  shared.delete(address)
  return release()
}

// A bundler passes over the import of what is not installed where it stands in a `try`, and stops at it elsewhere.

async function openRedis(address: string): Promise<OpenedBudget> {
  try {
    const { Redis } = await import("ioredis")
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
  } catch (cause) {
    return notLoaded("ioredis", 'A store "redis://…"', cause)
  }
}

async function openFile(address: string): Promise<OpenedBudget> {
  try {
    const { sqliteStore } = await import("@p2/budget-sqlite")
    const budget = createBudget({ store: sqliteStore(address), limits: [] })
    return { budget, release: () => budget.close() }
  } catch (cause) {
    return notLoaded("@p2/budget-sqlite", 'A store "file:…"', cause)
  }
}
