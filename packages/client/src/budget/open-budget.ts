import { type Budget, type BudgetStore, createBudget, memoryStore } from "@p2/budget"
import { throwNotLoaded } from "../errors"
import type { LLMClientOptions } from "../options/client-options"

/** A budget, and how to close it. */
export interface OpenedBudget {
  budget: Budget
  /** Waits for pending settlements. Closes only what the client opened. */
  close(): Promise<unknown>
}

/** The user's own budget, or a budget that uses the store of the options. */
export async function openBudget({ store, budget }: LLMClientOptions): Promise<OpenedBudget> {
  if (typeof store === "string" && store !== "memory:") return openAddress(store)
  const existing = budget ?? (typeof store === "object" ? budgetWith(store) : defaultBudget())
  return { budget: existing, close: () => existing.flush() }
}

const DEFAULT_BUDGET = Symbol.for("@p2/client/default-budget")

/**
 * The budget that uses the memory store of the process, shared by the ESM and the CommonJS copy of this package, so that a
 * user's limit holds over many short-lived clients. It is never closed.
 */
function defaultBudget(): Budget {
  const shared = globalThis as { [DEFAULT_BUDGET]?: Budget }
  shared[DEFAULT_BUDGET] ??= createBudget({ store: memoryStore(), limits: [] })
  return shared[DEFAULT_BUDGET]
}

const budgets = new WeakMap<BudgetStore, Budget>()

/** One budget for all clients that use the same store object. */
function budgetWith(store: BudgetStore): Budget {
  const budget = budgets.get(store) ?? createBudget({ store, limits: [] })
  budgets.set(store, budget)
  return budget
}

interface SharedBudget {
  opening: Promise<OpenedBudget>
  users: number
}

const sharedBudgets = new Map<string, SharedBudget>()

/** The clients of a process share a budget by its address; the last one closes it. */
async function openAddress(address: string): Promise<OpenedBudget> {
  // `checkClientOptions` accepts no fourth kind of address.
  const open = address.startsWith("file:") ? openFile : address.startsWith("redis") ? openRedis : openPostgres
  const shared = sharedBudgets.get(address) ?? { opening: open(address), users: 0 }
  sharedBudgets.set(address, shared)
  shared.users++
  try {
    const { budget } = await shared.opening
    return { budget, close: () => closeAddress(address, shared) }
  } catch (error) {
    sharedBudgets.delete(address)
    throw error
  }
}

async function closeAddress(address: string, shared: SharedBudget): Promise<unknown> {
  const { budget, close } = await shared.opening
  if (--shared.users > 0) return budget.flush()
  sharedBudgets.delete(address)
  return close()
}

// Bundlers skip the import of a missing package only inside `try`.

async function openRedis(address: string): Promise<OpenedBudget> {
  try {
    const { Redis } = await import("ioredis")
    const { redisStore } = await import("@p2/budget/redis")
    const client = new Redis(address, { lazyConnect: true })
    // Without a listener a lost connection would end the process. The store reports it to the calls that need it.
    client.on("error", () => {})
    const budget = createBudget({ store: redisStore({ client }), limits: [] })
    return {
      budget,
      close: async () => {
        await budget.close()
        client.disconnect()
      },
    }
  } catch (cause) {
    return throwNotLoaded("ioredis", 'A store "redis://…"', cause)
  }
}

async function openFile(address: string): Promise<OpenedBudget> {
  try {
    const { sqliteStore } = await import("@p2/budget-sqlite")
    const budget = createBudget({ store: sqliteStore(address), limits: [] })
    return { budget, close: () => budget.close() }
  } catch (cause) {
    return throwNotLoaded("@p2/budget-sqlite", 'A store "file:…"', cause)
  }
}

async function openPostgres(address: string): Promise<OpenedBudget> {
  const [{ postgresStore }, { default: pg }] = await Promise.all([importPostgresStore(), importPg()])
  const pool = new pg.Pool({ connectionString: address })
  const budget = createBudget({ store: postgresStore({ pool }), limits: [] })
  return {
    budget,
    close: async () => {
      await budget.close()
      await pool.end()
    },
  }
}

const POSTGRES = 'A store "postgres://…"'

async function importPostgresStore() {
  try {
    return await import("@p2/budget-postgres")
  } catch (cause) {
    return throwNotLoaded("@p2/budget-postgres", POSTGRES, cause)
  }
}

async function importPg() {
  try {
    return await import("pg")
  } catch (cause) {
    return throwNotLoaded("pg", POSTGRES, cause)
  }
}
