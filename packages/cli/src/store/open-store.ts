import { accessSync, closeSync, constants, mkdirSync, openSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { type Budget, type BudgetOptions, type BudgetStore, createBudget, memoryStore } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { P2Error } from "@p2/core"
import { filePath, shownAddress } from "./store-address"

/** A store that a command uses, and a budget over it. */
export interface OpenStore {
  budget: Budget
  store: BudgetStore
  /** The address without its password. */
  address: string
  /** Flushes the budget, and closes the store and its connections. */
  close(): Promise<void>
}

/** How long a call of the store may take. An LLM call takes longer, and a store that is slow for a moment must not fail it. */
export const STORE_TIMEOUT_MS = 5_000

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
      const store = sqliteStore(address, { timeoutMs: STORE_TIMEOUT_MS })
      createFile(filePath(address)!)
      return { store, disconnect: async () => {} }
    }
    case "redis":
    case "rediss":
      return connectRedis(address)
    default:
      return connectPostgres(address)
  }
}

/**
 * Creates the folder and the file if they do not exist. Only the user can read them, because the ledger shows who
 * called what.
 */
function createFile(path: string): void {
  const folder = dirname(path)
  try {
    createFolder(folder)
  } catch (cause) {
    const { code = "unknown error" } = cause as NodeJS.ErrnoException
    const message = `The folder ${folder} could not be created (${code}). Choose another place with --store file:PATH or P2_HOME.`
    throw new P2Error(message, { code: "folder-not-created", kind: "failed", cause })
  }
  try {
    // SQLite gives its log the mode of the file.
    closeSync(openSync(path, "wx", 0o600))
  } catch {
    // It is there, or SQLite will say why it cannot be created.
  }
}

/** `recursive` of `mkdirSync` never returns where a file system rejects a folder with ENOENT, as /proc does. */
function createFolder(folder: string): void {
  if (isFolder(folder)) return
  createFolder(dirname(folder))
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    // Another process may have created it.
    if (!isFolder(folder)) throw error
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** For commands that count spending: a read-only file would fail each call. @throws P2Error */
export function checkWritable(address: string): void {
  const path = filePath(address)
  if (path === undefined) return
  try {
    for (const place of [path, dirname(path)]) accessSync(place, constants.W_OK)
  } catch (cause) {
    const { code = "unknown error" } = cause as NodeJS.ErrnoException
    const message = `The store ${path} is read-only (${code}). p2 needs write access to the file and to its folder.`
    throw new P2Error(message, { code: "store-read-only", kind: "failed", cause })
  }
}

async function connectRedis(address: string): Promise<Connection> {
  const [{ Redis }, { redisStore }] = await Promise.all([import("ioredis"), import("@p2/budget/redis")])
  const client = new Redis(address, { lazyConnect: true })
  // The store reports failures; without a listener, ioredis prints the address.
  client.on("error", () => {})
  return { store: redisStore({ client, timeoutMs: STORE_TIMEOUT_MS }), disconnect: async () => client.disconnect() }
}

async function connectPostgres(address: string): Promise<Connection> {
  const [{ default: pg }, { postgresStore }] = await Promise.all([import("pg"), import("@p2/budget-postgres")])
  const pool = new pg.Pool({ connectionString: address })
  pool.on("error", () => {})
  return { store: postgresStore({ pool, timeoutMs: STORE_TIMEOUT_MS }), disconnect: () => pool.end() }
}
