import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { type Budget, type BudgetOptions, type BudgetStore, createBudget, memoryStore } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { shownAddress } from "./store-address"

/** A store that a command uses, and a budget over it. */
export interface OpenStore {
  budget: Budget
  store: BudgetStore
  /** The address without its password. */
  address: string
  /** Flushes the budget, and closes the store and its connections. */
  close(): Promise<void>
}

/** @param address of `readStoreAddress` */
export async function openStore(
  address: string,
  options: Omit<BudgetOptions, "store"> = { limits: [] },
): Promise<OpenStore> {
  const { store, disconnect } = await connect(address)
  const budget = createBudget({ ...options, store })
  return {
    budget,
    store,
    address: shownAddress(address),
    close: async () => {
      await budget.close()
      await disconnect()
    },
  }
}

interface Connection {
  store: BudgetStore
  /** Ends what the store does not own. */
  disconnect(): Promise<void>
}

async function connect(address: string): Promise<Connection> {
  switch (address.slice(0, address.indexOf(":"))) {
    case "memory":
      return { store: memoryStore(), disconnect: async () => {} }
    case "file": {
      createFolderOf(address)
      return { store: sqliteStore(address), disconnect: async () => {} }
    }
    case "redis":
    case "rediss":
      return connectRedis(address)
    default:
      return connectPostgres(address)
  }
}

/** Only the user can read the folder, because the ledger says who called what. */
function createFolderOf(address: string): void {
  const path = address.replace(/^file:(\/\/)?/, "")
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
}

async function connectRedis(address: string): Promise<Connection> {
  const [{ Redis }, { redisStore }] = await Promise.all([import("ioredis"), import("@p2/budget/redis")])
  const client = new Redis(address, { lazyConnect: true })
  // The store reports failures; without a listener, ioredis prints the address.
  client.on("error", () => {})
  return { store: redisStore({ client }), disconnect: async () => client.disconnect() }
}

async function connectPostgres(address: string): Promise<Connection> {
  const [{ default: pg }, { postgresStore }] = await Promise.all([import("pg"), import("@p2/budget-postgres")])
  const pool = new pg.Pool({ connectionString: address })
  pool.on("error", () => {})
  return { store: postgresStore({ pool }), disconnect: () => pool.end() }
}
