import { Redis } from "ioredis"
import { LOOK_UP_TIMEOUT_MS } from "./key-lookup"
import { type KeyStore, keyStoreFailure, readRecord, sortRecords } from "./key-store"

/** A Redis hash: each field is the hash of a virtual key, its value the record. */
const NAME = "p2:keys"

/** Sets `revokedAt` once. KEYS: the hash. ARGV: the field, the record with `revokedAt`, the record that was read. */
const REPLACE = `if redis.call("HGET", KEYS[1], ARGV[1]) ~= ARGV[3] then return 0 end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
return 1`

/** The hash `p2:keys` on the server of the store. It never expires. */
export function openRedisKeys(address: string): KeyStore {
  const client = new Redis(address, {
    lazyConnect: true,
    commandTimeout: LOOK_UP_TIMEOUT_MS,
    connectTimeout: LOOK_UP_TIMEOUT_MS,
    maxRetriesPerRequest: 1,
  })
  // Failures reject the command; without a listener, ioredis prints the address.
  client.on("error", () => {})
  const run = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw keyStoreFailure(error)
    })
  const list = async () => Object.values(await run(client.hgetall(NAME))).map(readRecord)
  return {
    add: async (record) => void (await run(client.hset(NAME, record.hash, JSON.stringify(record)))),
    find: async (hash) => {
      const record = await run(client.hget(NAME, hash))
      return record === null ? undefined : readRecord(record)
    },
    list: async () => sortRecords(await list()),
    revoke: async (id, now) => {
      // A loop, because another command may revoke the same key in the meantime. A revoked key stays revoked.
      for (;;) {
        const record = (await list()).find((each) => each.id === id)
        if (record === undefined) return false
        if (record.revokedAt !== null) return true
        const before = await run(client.hget(NAME, record.hash))
        if (before === null) return false
        const revoked = JSON.stringify({ ...readRecord(before), revokedAt: now })
        if ((await run(client.eval(REPLACE, 1, NAME, record.hash, revoked, before))) === 1) return true
      }
    },
    close: async () => client.disconnect(),
  }
}
