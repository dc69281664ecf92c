import { fileURLToPath } from "node:url"
import { type KeyStore, keyStoreFailure, readRecord, sortRecords } from "./key-store"
import type { KeyRecord } from "./virtual-key"

/** The part of a connection that the key store uses, common to libsql and `node:sqlite`. */
interface Database {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}

interface Statement {
  run(...values: string[]): { changes: number | bigint }
  get(...values: string[]): unknown
  all(...values: string[]): unknown[]
}

interface Row {
  record: string
}

const TABLE =
  "CREATE TABLE IF NOT EXISTS p2_keys (hash TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, record TEXT NOT NULL) STRICT"

/** The table `p2_keys` in the file of the store. */
export async function openSqliteKeys(address: string): Promise<KeyStore> {
  const path = address.startsWith("file://") ? fileURLToPath(address) : address.slice("file:".length)
  const database = new (await databaseClass())(path)
  const run = async <T>(work: () => T): Promise<T> => {
    try {
      return work()
    } catch (error) {
      throw keyStoreFailure(error)
    }
  }
  await run(() => {
    database.exec("PRAGMA busy_timeout = 2000")
    database.exec(TABLE)
  })
  const find = database.prepare("SELECT record FROM p2_keys WHERE hash = ?")
  return {
    add: (record) =>
      run(() => {
        const { hash, id } = record
        database.prepare("INSERT INTO p2_keys VALUES (?, ?, ?)").run(hash, id, JSON.stringify(record))
      }),
    find: (hash) =>
      run(() => {
        const row = find.get(hash) as Row | undefined
        return row === undefined ? undefined : readRecord(row.record)
      }),
    list: () =>
      run(() => {
        const rows = database.prepare("SELECT record FROM p2_keys").all() as Row[]
        return sortRecords(rows.map(({ record }) => readRecord(record)))
      }),
    revoke: (id, now) => run(() => revoke(database, id, now)),
    close: async () => void database.close(),
  }
}

function revoke(database: Database, id: string, now: number): boolean {
  database.exec("BEGIN IMMEDIATE")
  try {
    const row = database.prepare("SELECT record FROM p2_keys WHERE id = ?").get(id) as Row | undefined
    if (row !== undefined) {
      const record = readRecord(row.record)
      const revoked: KeyRecord = { ...record, revokedAt: record.revokedAt ?? now }
      database.prepare("UPDATE p2_keys SET record = ? WHERE id = ?").run(JSON.stringify(revoked), id)
    }
    database.exec("COMMIT")
    return row !== undefined
  } catch (error) {
    database.exec("ROLLBACK")
    throw error
  }
}

type DatabaseClass = new (path: string) => Database

/** `node:sqlite` if Node has it (22.13 and later), otherwise libsql. */
async function databaseClass(): Promise<DatabaseClass> {
  const load = process.getBuiltinModule as ((id: string) => unknown) | undefined
  const builtin = (load?.("node:sqlite") as { DatabaseSync?: DatabaseClass } | undefined)?.DatabaseSync
  return builtin ?? ((await import("libsql")).default as unknown as DatabaseClass)
}
