import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startPostgres } from "@p2/postgres-server"
import { startRedis } from "@p2/redis-server"
import pg from "pg"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { KeyStore } from "../../src/server/keys/key-store"
import { openKeyStore } from "../../src/server/keys/open-key-store"
import { createKey, createKeyId, hashKey, type KeyRecord } from "../../src/server/keys/virtual-key"
import { openStore } from "../../src/store/open-store"

const folder = mkdtempSync(join(tmpdir(), "p2-keys-"))
const stops: (() => Promise<unknown>)[] = []
let addresses: Record<string, string>

beforeAll(async () => {
  const [redis, postgres] = await Promise.all([startRedis(), startPostgres()])
  stops.push(
    () => redis.stop(),
    () => postgres.stop(),
  )
  addresses = { sqlite: `file:${join(folder, "p2.db")}`, redis: redis.url, postgres: postgres.url }
})

afterAll(async () => {
  for (const stop of stops) await stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Two connections, like those of two instances. */
async function withTwo(kind: string, work: (first: KeyStore, second: KeyStore) => Promise<void>): Promise<void> {
  const address = addresses[kind]!
  const store = await openStore(address)
  const [first, second] = await Promise.all([openKeyStore(address, store.store), openKeyStore(address, store.store)])
  try {
    await work(first, second)
  } finally {
    await Promise.all([first.close(), second.close()])
    await store.close()
  }
}

function newRecord(key: string, createdAt = 1_000): KeyRecord {
  const limits = [{ limit: 5, per: "day" }] as const
  const owner = { userId: "ada", tags: { team: "search" }, models: ["gpt-4o-mini"], limits, name: "laptop" }
  return { id: createKeyId(), hash: hashKey(key), ...owner, createdAt, expiresAt: null, revokedAt: null }
}

describe.each(["sqlite", "redis", "postgres"])("the keys in %s", (kind) => {
  it("are found by their hash, from every connection, next to the store's own data", () =>
    withTwo(kind, async (first, second) => {
      const key = createKey()
      const record = newRecord(key)
      expect(await second.find(hashKey(key))).toBeUndefined()
      await first.add(record)
      expect(await second.find(hashKey(key))).toEqual(record)
      expect(await second.find(hashKey(createKey()))).toBeUndefined()
      expect((await second.list()).map(({ id }) => id)).toContain(record.id)
      // The budget's tables are unchanged.
      const store = await openStore(addresses[kind]!, { limits: [{ scope: "total", limit: 1 }] })
      const result = await store.budget.reserve({ amount: "0.10" })
      expect(result.ok && (await result.reservation.settle("0.05")).status).toBe("settled")
      expect(await store.budget.check()).toMatchObject({ ok: true })
      await store.close()
    }))

  it("are revoked once and stay listed, oldest first", () =>
    withTwo(kind, async (first, second) => {
      const [older, newer] = [newRecord(createKey(), 10), newRecord(createKey(), 20)]
      await first.add(newer)
      await first.add(older)
      expect(await Promise.all([first.revoke(older.id, 50), second.revoke(older.id, 50)])).toEqual([true, true])
      expect(await second.revoke(older.id, 99)).toBe(true)
      expect(await first.revoke("k0", 99)).toBe(false)
      expect(await second.find(older.hash)).toEqual({ ...older, revokedAt: 50 })
      expect(await second.find(newer.hash)).toEqual(newer)
      const ids = (await second.list()).map(({ id }) => id)
      expect(ids.indexOf(older.id)).toBeLessThan(ids.indexOf(newer.id))
    }))
})

it("opens nothing with a damaged record", () =>
  withTwo("redis", async (first) => {
    const key = createKey()
    const record = newRecord(key)
    for (const damage of [{ revokedAt: undefined }, { limits: "none" }, { models: "all" }, { id: 5 }]) {
      await first.add({ ...record, ...damage } as unknown as KeyRecord)
      await expect(first.find(record.hash)).rejects.toMatchObject({ code: "key-corrupt", kind: "failed" })
    }
    await first.add(record)
    expect(await first.find(record.hash)).toEqual(record)
  }))

it("works for a user of PostgreSQL who may not create tables", async () => {
  const address = addresses.postgres!
  await withTwo("postgres", async (first) => first.add(newRecord(createKey())))
  const admin = new pg.Client({ connectionString: address })
  await admin.connect()
  await admin.query(`CREATE ROLE clerk LOGIN PASSWORD 'clerk';
    GRANT USAGE ON SCHEMA p2_budget TO clerk;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA p2_budget TO clerk`)
  await admin.end()
  const url = new URL(address)
  url.username = "clerk"
  url.password = "clerk"
  const store = await openStore(url.href)
  const keys = await openKeyStore(url.href, store.store)
  const record = newRecord(createKey())
  await keys.add(record)
  expect(await keys.find(record.hash)).toEqual(record)
  await keys.close()
  await store.close()
})

it("stores no key", async () => {
  const key = createKey()
  await withTwo("sqlite", async (first) => first.add(newRecord(key)))
  const files = ["p2.db", "p2.db-wal"].flatMap((name) => {
    try {
      return [readFileSync(join(folder, name), "latin1")]
    } catch {
      return []
    }
  })
  expect(files.join("")).toContain(hashKey(key))
  expect(files.join("")).not.toContain(key)
  expect(files.join("")).not.toContain(key.slice(4, 20))
})

it("keeps no keys for a store in memory", async () => {
  const store = await openStore("memory:")
  const keys = await openKeyStore("memory:", store.store)
  expect(await keys.find(hashKey(createKey()))).toBeUndefined()
  await expect(keys.add(newRecord(createKey()))).rejects.toThrow(/cannot keep keys/)
  await store.close()
})

it("shows no address and no statement when the database fails", async () => {
  const address = "redis://:secret-password@127.0.0.1:1"
  const keys = await openKeyStore(address, {} as never)
  const error = await keys.find("0").catch((reason: unknown) => reason)
  expect(error).toMatchObject({ kind: "failed", code: "key-store-unavailable" })
  expect(JSON.stringify([String(error), (error as Error).stack])).not.toContain("secret")
  await keys.close()
})
