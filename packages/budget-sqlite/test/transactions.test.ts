import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type SqliteDatabase, sqliteStore } from "@p2/budget-sqlite"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { reserveOf } from "../../budget/test/adapters/requests"
import { openDatabase } from "./support/open-database"

let folder: string
let path: string
let other: SqliteDatabase
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
  path = join(folder, "p2.db")
  other = openDatabase(path)
})
afterEach(() => {
  other.close()
  rmSync(folder, { recursive: true })
})

describe("transactions", () => {
  it("operations of one turn share one; each is applied completely or not at all", async () => {
    const begins: string[] = []
    const database = openDatabase(path)
    const watched: SqliteDatabase = {
      exec: (sql) => {
        if (sql === "BEGIN IMMEDIATE") begins.push(sql)
        return database.exec(sql)
      },
      prepare: (sql) => database.prepare(sql),
      close: () => database.close(),
    }
    const store = sqliteStore(watched)
    await store.read({ partition: "main", counters: ["a"] })
    begins.length = 0
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => store.reserve(reserveOf(`r${index}`, 10, 95))),
    )
    expect(answers.filter((answer) => answer.status === "ok")).toHaveLength(9)
    expect(answers.filter((answer) => answer.status === "exceeded")).toHaveLength(11)
    expect(begins).toHaveLength(1)
    await store.close!()
    database.close()
  })

  it("while another connection writes, operations wait without blocking the event loop", async () => {
    const store = sqliteStore(path, { timeoutMs: 30_000 })
    await store.reserve(reserveOf("r0"))
    other.exec("BEGIN IMMEDIATE")
    let answered = false
    const waiting = store.reserve(reserveOf("r1")).then((answer) => {
      answered = true
      return answer
    })
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(answered).toBe(false)
    // Readers need no lock.
    expect((await store.read({ partition: "main", counters: ["a"] })).counters).toMatchObject([{ reserved: 1 }])
    other.exec("COMMIT")
    expect(await waiting).toMatchObject({ status: "ok" })
    await store.close!()
  })

  it("after its timeout an operation fails and was not applied", async () => {
    const store = sqliteStore(path, { timeoutMs: 20 })
    await store.reserve(reserveOf("r0"))
    other.exec("BEGIN IMMEDIATE")
    await expect(store.reserve(reserveOf("r1"))).rejects.toMatchObject({
      name: "StoreError",
      code: "store-unavailable",
      applied: "no",
      retryable: true,
    })
    other.exec("ROLLBACK")
    expect((await store.read({ partition: "main", counters: ["a"] })).counters).toMatchObject([{ reserved: 1 }])
    expect(await store.reserve(reserveOf("r1"))).toMatchObject({ status: "ok", replayed: false })
    await store.close!()
  })

  it("waits for a transaction that the user has open on the same connection", async () => {
    const store = sqliteStore(other)
    await store.reserve(reserveOf("r0"))
    other.exec("BEGIN")
    const waiting = store.reserve(reserveOf("r1"))
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    other.exec("ROLLBACK")
    expect(await waiting).toMatchObject({ status: "ok" })
    expect((await store.read({ partition: "main", counters: ["a"] })).counters).toMatchObject([{ reserved: 2 }])
  })

  it("the user's busy timeout is 0 while the lock is requested, and restored afterwards", async () => {
    other.exec("PRAGMA busy_timeout = 4321")
    const store = sqliteStore(other)
    await store.reserve(reserveOf("r0"))
    expect(Object.values(other.prepare("PRAGMA busy_timeout").get() as object)[0]).toBe(4_321)
  })

  it("completes the calls made before close, and rejects later ones", async () => {
    const store = sqliteStore(path)
    const waiting = [store.reserve(reserveOf("r0")), store.reserve(reserveOf("r1"))]
    await store.close!()
    for (const reply of await Promise.all(waiting)) expect(reply).toMatchObject({ status: "ok" })
    await store.close!()
    await expect(store.reserve(reserveOf("r2"))).rejects.toMatchObject({ code: "store-unavailable", applied: "no" })
  })
})

describe("time", () => {
  it("never goes back within the file, even after a restart and in another process's store", async () => {
    let time = 1_000_000
    const first = sqliteStore(path, { now: () => time })
    const held = await first.reserve(reserveOf("r0"))
    time = 400_000
    expect((await first.reserve(reserveOf("r1"))).now).toBe(held.now)
    expect((await first.read({ partition: "main", counters: [] })).now).toBe(1_000_000)
    await first.close!()
    const second = sqliteStore(path, { now: () => time })
    expect((await second.reserve(reserveOf("r2"))).now).toBe(1_000_000)
    expect(await second.check({ partition: "main" })).toMatchObject({
      clockBehindMs: 600_000,
      warnings: [expect.stringMatching(/600 s behind/)],
    })
    await second.close!()
  })
})

describe("usage errors", () => {
  it("a clock that returns an invalid time fails the call that reads it", async () => {
    const store = sqliteStore(path, { now: () => Number.NaN })
    await expect(store.reserve(reserveOf("r0"))).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/options.now/),
    })
    await store.close!()
  })

  it("are thrown immediately, before anything is opened", () => {
    expect(() => sqliteStore("")).toThrow(/location/)
    expect(() => sqliteStore(7 as unknown as string)).toThrow(/a path such as/)
    expect(() => sqliteStore("x.db", { synchronous: "OFF" as "FULL" })).toThrow(/synchronous/)
    expect(() => sqliteStore("x.db", { retentionMs: 0 })).toThrow(/retentionMs/)
    expect(() => sqliteStore("x.db", { timeoutMs: 0 })).toThrow(/timeoutMs/)
    expect(() => sqliteStore("x.db", { now: 7 as unknown as () => number })).toThrow(/options.now/)
    expect(() => sqliteStore("x.db", null as unknown as object)).toThrow(/options.*an object/)
    const misspelled = { retentionMS: 1 }
    expect(() => sqliteStore("x.db", misspelled as object)).toThrow(/`retentionMS`.*`retentionMs`/s)
  })
})

it("accepts file: locations", async () => {
  const store = sqliteStore(`file:${path}`)
  await store.reserve(reserveOf("r0"))
  await store.close!()
  const again = sqliteStore(new URL(`file://${path}`).href)
  expect((await again.read({ partition: "main", counters: ["a"] })).counters).toMatchObject([{ reserved: 1 }])
  await again.close!()
})
