import type { BudgetStore } from "@p2/budget"
import { P2Error } from "@p2/core"
import type { KeyRecord } from "./virtual-key"

/** Where virtual keys are kept: beside the data of the store, so that all instances see them. Members reject if the database fails. */
export interface KeyStore {
  add(record: KeyRecord): Promise<void>
  /** The record of a key, by the hash of the key; undefined: unknown. */
  find(hash: string): Promise<KeyRecord | undefined>
  /** Every key, oldest first. */
  list(): Promise<KeyRecord[]>
  /** Revokes a key by its id. A key that is revoked stays listed. Resolves to false if no key has the id. */
  revoke(id: string, now: number): Promise<boolean>
  close(): Promise<void>
}

/**
 * Opens the keys beside the data of a store.
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
    "The store memory: keeps no keys. Use another store, or `p2 keys create --config-entry` and the `keys` of the configuration.",
    { code: "no-key-store", kind: "usage" },
  )
}

/** Parses a stored record. @throws P2Error if it is damaged: a damaged key opens nothing */
export function readRecord(json: string): KeyRecord {
  try {
    const record: unknown = JSON.parse(json)
    if (isRecord(record)) return record
  } catch {
    // The error below says so.
  }
  throw new P2Error(
    "A stored virtual key is damaged. Delete it from the database (p2_keys, p2:keys), and create another.",
    { code: "key-corrupt", kind: "failed" },
  )
}

function isRecord(value: unknown): value is KeyRecord {
  const { id, hash, models, limits, createdAt, expiresAt, revokedAt } = Object(value) as Record<string, unknown>
  const isTime = (time: unknown) => time === null || Number.isSafeInteger(time)
  const isList = (list: unknown) => list === undefined || Array.isArray(list)
  const isNamed = typeof id === "string" && typeof hash === "string"
  return isNamed && [createdAt, expiresAt, revokedAt].every(isTime) && isList(models) && isList(limits)
}

/** The records of a listing, oldest first. */
export function sortRecords(records: KeyRecord[]): KeyRecord[] {
  return records.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))
}

/** A failure of the database. Its message may quote an address or a statement, so only its code is shown. */
export function keyStoreFailure(error: unknown): P2Error {
  if (P2Error.isInstance(error)) return error
  const { code } = Object(error) as { code?: unknown }
  const shown = typeof code === "string" && /^\w{1,40}$/.test(code) ? ` (${code})` : ""
  return new P2Error(`The database of the virtual keys failed${shown}.`, {
    code: "key-store-unavailable",
    kind: "failed",
    retryable: true,
  })
}
