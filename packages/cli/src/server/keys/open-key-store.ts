import type { BudgetStore } from "@p2/budget"
import { P2Error } from "@p2/core"
import type { KeyStore } from "./key-store"

/**
 * Opens the keys in the database of a store.
 * @param address of `readStoreAddress`, or of the configuration
 * @param store the store of the same address, which creates its tables first
 */
export async function openKeyStore(address: string, store: BudgetStore): Promise<KeyStore> {
  switch (address.slice(0, address.indexOf(":"))) {
    case "memory":
      return noKeyStore
    case "file": {
      await store.check()
      const { openSqliteKeys } = await import("./sqlite-keys")
      return openSqliteKeys(address)
    }
    case "redis":
    case "rediss": {
      const { openRedisKeys } = await import("./redis-keys")
      return openRedisKeys(address)
    }
    default: {
      await store.check()
      const { openPostgresKeys } = await import("./postgres-keys")
      return openPostgresKeys(address)
    }
  }
}

/** A store in memory ends with its process, so its keys are in the configuration, by their hash. */
const noKeyStore: KeyStore = {
  add: rejectMemory,
  find: async () => undefined,
  list: async () => [],
  revoke: rejectMemory,
  close: async () => {},
}

async function rejectMemory(): Promise<never> {
  throw new P2Error(
    "The store memory: cannot keep keys. Use another store, or add the output of `p2 keys create --config-entry` to `keys` of the configuration.",
    { code: "no-key-store", kind: "usage" },
  )
}
