import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type BudgetStore, memoryStore } from "@p2/budget"
import { redisStore } from "@p2/budget/redis"
import { sqliteStore } from "@p2/budget-sqlite"
import { type RedisServer, startRedis } from "@p2/redis-server"
import { Redis } from "ioredis"

/** A kind of store, in which worlds run one after another. */
export interface StoreKind {
  /** An empty store for one world. */
  open(): Promise<WorldStore>
  /** Closes what all worlds shared. */
  close(): Promise<void>
}

export interface WorldStore {
  /** For reading the state, without faults. */
  reader: BudgetStore
  /** The address of the data; undefined in memory. */
  address: string | undefined
  /** Another store over the same data, as another process would open it; in memory the same one. */
  another(): BudgetStore
  /** Breaks the connections of the stores that `another` opened. Undefined: there are none. */
  cut?(): Promise<void>
  /** Pauses the server. Undefined: there is none. */
  hang?(ms: number): Promise<void>
  close(): Promise<void>
}

export const STORES = ["memory", "redis", "sqlite"] as const
export type StoreName = (typeof STORES)[number]

export async function storeKind(name: StoreName): Promise<StoreKind> {
  if (name === "redis") return startRedisKind()
  return { open: name === "memory" ? openMemory : openSqlite, close: async () => {} }
}

async function openMemory(): Promise<WorldStore> {
  const reader = memoryStore()
  return { reader, address: undefined, another: () => reader, close: async () => {} }
}

/** One file for each world. */
async function openSqlite(): Promise<WorldStore> {
  const folder = mkdtempSync(join(tmpdir(), "p2-fuzz-"))
  const address = `file:${join(folder, "p2.db")}`
  const opened: BudgetStore[] = []
  const another = () => {
    const store = sqliteStore(address)
    opened.push(store)
    return store
  }
  return {
    reader: another(),
    address,
    another,
    close: async () => {
      for (const store of opened) await store.close?.()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Name of the connections that faults may close. */
const CUTTABLE = "p2-fuzz"
/** Long, because a busy machine is not a fault of the world. The store's timeout has its own tests. */
const TIMEOUT_MS = 20_000

/** One server, flushed before each world. */
async function startRedisKind(): Promise<StoreKind> {
  const server = await startRedis()
  const admin = new Redis(server.url)
  return {
    open: async () => {
      await admin.flushall()
      return openRedis(server, admin)
    },
    close: async () => {
      admin.disconnect()
      await server.stop()
    },
  }
}

function openRedis(server: RedisServer, admin: Redis): WorldStore {
  const { url: address } = server
  const opened: BudgetStore[] = []
  const open = (connectionName?: string) => {
    const client = new Redis(address, {
      lazyConnect: true,
      ...(connectionName === undefined ? {} : { connectionName }),
    })
    const store = redisStore({ client, timeoutMs: TIMEOUT_MS })
    opened.push(store)
    return store
  }
  return {
    reader: open(),
    address,
    another: () => open(CUTTABLE),
    cut: async () => {
      const all = String(await admin.client("LIST")).split("\n")
      const ids = all.flatMap((line) => (line.includes(` name=${CUTTABLE} `) ? [/^id=(\d+)/.exec(line)![1]!] : []))
      for (const id of ids) await admin.client("KILL", "ID", id)
    },
    hang: async (ms) => {
      server.pause()
      await new Promise((resolve) => setTimeout(resolve, ms))
      server.resume()
    },
    close: async () => {
      for (const store of opened) await store.close?.()
    },
  }
}
