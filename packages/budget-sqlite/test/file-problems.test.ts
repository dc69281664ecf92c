import { createHash } from "node:crypto"
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { BudgetStore, UsageEntry } from "@p2/budget/store"
import { sqliteStore } from "@p2/budget-sqlite"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { entryOf, reserveOf, settleOf } from "../../budget/test/adapters/requests"
import { openDatabase } from "./support/open-database"

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
  path = join(folder, "p2.db")
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const digest = () => createHash("sha256").update(readFileSync(path)).digest("hex")
const reserve = (store: BudgetStore, key: string) => store.reserve(reserveOf(key))
const settle = (store: BudgetStore, key: string, entry?: UsageEntry) => store.settle(settleOf(key, entry))

/** Every member rejects with this code, reports that nothing was written, and leaves the file unchanged. */
async function expectRejected(code: string, message: RegExp): Promise<void> {
  const before = digest()
  const store = sqliteStore(path)
  for (const call of [
    () => reserve(store, "r1"),
    () => settle(store, "r1"),
    () => store.read({ partition: "main", counters: ["a"] }),
    () => store.check!(),
    () => store.ledger!.totals({ partition: "main", filter: {}, groupBy: [], buckets: null }),
  ]) {
    await expect(call()).rejects.toMatchObject({
      name: "StoreError",
      code,
      applied: "no",
      message: expect.stringMatching(message),
    })
  }
  // A service may have several files.
  await expect(reserve(store, "r1")).rejects.toThrow(path)
  await store.close!()
  expect(digest()).toBe(before)
}

async function filledFile(): Promise<void> {
  const store = sqliteStore(path)
  for (let index = 0; index < 50; index++) await reserve(store, `r${index}`)
  await store.close!()
}

describe("a file that cannot be used is rejected, and nothing in it is overwritten", () => {
  it("something that is not a database", async () => {
    writeFileSync(path, "Dear diary,\n".repeat(1_000))
    await expectRejected("store-corrupt", /not a SQLite database/)
  })

  it("the database of another program", async () => {
    const database = openDatabase(path)
    database.exec("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('Kind of Blue')")
    database.close()
    await expectRejected("store-misconfigured", /of another program/)
  })

  it("the marked, still empty database of another program", async () => {
    const database = openDatabase(path)
    database.exec("PRAGMA application_id = 12345; PRAGMA user_version = 3")
    database.close()
    await expectRejected("store-misconfigured", /of another program/)
  })

  it("a newer schema", async () => {
    await filledFile()
    const database = openDatabase(path)
    database.exec("PRAGMA user_version = 2; UPDATE p2_meta SET version = 2")
    database.close()
    await expectRejected("store-misconfigured", /schema version 2.*supports 1.*newer version/)
  })

  it("a store of p2 whose tables are gone", async () => {
    await filledFile()
    const database = openDatabase(path)
    database.exec("DROP TABLE p2_meta")
    database.close()
    await expectRejected("store-corrupt", /tables are missing/)
  })

  it("a file whose first page was overwritten", async () => {
    await filledFile()
    const bytes = readFileSync(path)
    bytes.fill(0xa5, 100, 4_096)
    writeFileSync(path, bytes)
    await expectRejected("store-corrupt", /damaged|malformed/)
  })

  it("a folder that does not exist", async () => {
    const store = sqliteStore(join(folder, "absent", "p2.db"))
    await expect(reserve(store, "r1")).rejects.toMatchObject({ code: "store-misconfigured", applied: "no" })
    await expect(reserve(store, "r1")).rejects.toThrow(join(folder, "absent", "p2.db"))
    await store.close!()
  })

  it.each([
    // A URL with a host, of which only the path /p2.db would be used.
    "file://./p2.db",
    "file://p2.db",
    "file://data/p2.db",
    "file://",
    "file:///",
    "file://[p2.db",
    "file:",
    "",
    // These would become part of the file's name.
    "file:./p2.db?mode=ro",
    "file:///tmp/p2.db?cache=shared",
    "file:./p2.db#1",
  ])("%j, which names no file, or not the file that it seems to name", (location) => {
    expect(() => sqliteStore(location)).toThrow(expect.objectContaining({ code: "invalid-argument" }))
  })
})

it("pages that were overwritten are reported as damage, and stay as they are", async () => {
  const store = sqliteStore(path)
  for (let index = 0; index < 400; index++) await reserve(store, `r${index}`)
  await store.close!()
  const bytes = readFileSync(path)
  // All but the schema.
  for (let page = 4_096 * 3; page < bytes.length; page += 4_096) bytes.fill(0xff, page, page + 2_048)
  writeFileSync(path, bytes)
  const before = digest()
  const damaged = sqliteStore(path)
  await expect(reserve(damaged, "new")).rejects.toMatchObject({
    name: "StoreError",
    code: "store-corrupt",
    applied: "no",
  })
  await damaged.close!()
  expect(digest()).toBe(before)
})

it("strings that are no longer UTF-8 damage only their own row, and do not end the process", async () => {
  const store = sqliteStore(path)
  const entry = entryOf("q")
  for (const key of ["r1", "r2"]) await reserve(store, key)
  await settle(store, "r2", entry)
  const database = openDatabase(path)
  database.exec("UPDATE p2_records SET value = CAST(x'68656cff' AS TEXT) WHERE kind = 'reservation' AND key = 'r1'")
  database.exec("UPDATE p2_records SET value = CAST(x'7bff7d' AS TEXT) WHERE kind = 'entry'")
  const damage = { name: "StoreError", code: "store-corrupt", applied: "no" }
  // Together with an intact one, which must not fail because of its neighbor.
  const [damaged, sound] = await Promise.allSettled([reserve(store, "r1"), reserve(store, "r3")])
  expect(damaged).toMatchObject({ status: "rejected", reason: damage })
  expect(sound).toMatchObject({ status: "fulfilled", value: { status: "ok" } })
  await expect(store.ledger!.get({ partition: "main", requestId: "q" })).rejects.toMatchObject(damage)
  await expect(
    store.ledger!.list({ partition: "main", filter: {}, cursor: null, limit: 9, newestFirst: false }),
  ).rejects.toMatchObject(damage)
  // Housekeeping also reads the damaged row, and no call fails.
  expect(await store.listDue({ partition: "main", limit: 1 })).toMatchObject({ due: [] })
  await expect(
    store.ledger!.totals({ partition: "main", filter: {}, groupBy: [], buckets: null }),
  ).rejects.toMatchObject(damage)
  await store.close!()
  database.close()
})

it("300 files with random overwritten bytes work or are reported as damaged", { timeout: 60_000 }, async () => {
  const store = sqliteStore(path)
  for (let index = 0; index < 60; index++) await reserve(store, `r${index}`)
  for (let index = 0; index < 60; index += 2) await settle(store, `r${index}`)
  await store.close!()
  const sound = readFileSync(path)
  const outcomes = new Set<string>()
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(sound)
    // After the header, whose fields identify the format and the application.
    const place = (hit: number) => 100 + ((round * 7_919 + hit * 104_729) % (bytes.length - 100))
    for (let hit = 0; hit <= round % 40; hit++) bytes[place(hit)] = (hit * 37) % 256
    const copy = join(folder, `${round}.db`)
    writeFileSync(copy, bytes)
    const damaged = sqliteStore(copy)
    const calls = [
      () => reserve(damaged, "new"),
      () => reserve(damaged, "r1"),
      () => settle(damaged, "r3"),
      () => damaged.read({ partition: "main", counters: ["a"] }),
      () => damaged.expire({ partition: "main", key: "r1", counters: ["a"] }),
      () => damaged.ledger!.list({ partition: "main", filter: {}, cursor: null, limit: 99, newestFirst: false }),
      () => damaged.ledger!.totals({ partition: "main", filter: {}, groupBy: ["model"], buckets: null }),
    ]
    for (const call of calls)
      outcomes.add(
        await call().then(
          () => "used",
          (error) => `${error.name} ${error.code}`,
        ),
      )
    await damaged.close!()
  }
  expect([...outcomes].sort()).toEqual(["StoreError store-corrupt", "used"])
})

describe("a connection that may not write", () => {
  it("is rejected immediately for a new file, with the remedy", async () => {
    const database = openDatabase(path)
    database.exec("PRAGMA query_only = ON")
    const store = sqliteStore(database)
    await expect(reserve(store, "r1")).rejects.toMatchObject({
      code: "store-misconfigured",
      applied: "no",
      message: expect.stringMatching(/file or its folder is read-only/),
    })
    database.close()
  })

  it("still reads, and rejects writes", async () => {
    await filledFile()
    const database = openDatabase(path)
    database.exec("PRAGMA query_only = ON")
    const store = sqliteStore(database)
    expect((await store.read({ partition: "main", counters: ["a"] })).counters).toMatchObject([{ reserved: 50 }])
    await expect(reserve(store, "new")).rejects.toMatchObject({ code: "store-misconfigured", applied: "no" })
    await expect(settle(store, "r1")).rejects.toMatchObject({ code: "store-misconfigured", applied: "no" })
    database.close()
  })

  // File permissions do not apply to root, for whom only the two tests above run.
  it.runIf(process.getuid?.() !== 0)("is what a read-only file gives", async () => {
    await filledFile()
    chmodSync(path, 0o444)
    chmodSync(folder, 0o555)
    try {
      await expect(reserve(sqliteStore(path), "new")).rejects.toMatchObject({
        code: "store-misconfigured",
        applied: "no",
      })
    } finally {
      chmodSync(folder, 0o755)
    }
  })
})

it("on a full disk, writes that do not fit fail, confirmed ones stay, and calls work again when there is space", async () => {
  const database = openDatabase(path)
  database.exec("PRAGMA journal_mode = WAL")
  const store = sqliteStore(database)
  await reserve(store, "first")
  const pages = Object.values(database.prepare("PRAGMA page_count").get() as object)[0]
  database.exec(`PRAGMA max_page_count = ${pages + 8}`)
  const answered: string[] = []
  let refused: unknown
  for (let index = 0; refused === undefined && index < 5_000; index++) {
    try {
      // Several concurrent calls, so that a rejected one is also part of a shared transaction.
      const ids = [0, 1, 2].map((part) => `r${index}.${part}`)
      const settled = await Promise.allSettled(ids.map((id) => reserve(store, id)))
      answered.push(...ids.filter((_, part) => settled[part]!.status === "fulfilled"))
      const failed = settled.find((one) => one.status === "rejected")
      if (failed !== undefined) throw (failed as PromiseRejectedResult).reason
    } catch (error) {
      refused = error
    }
  }
  expect(refused).toMatchObject({
    name: "StoreError",
    code: "store-unavailable",
    applied: "no",
    message: expect.stringMatching(/full/),
  })
  const reserved = async () => (await store.read({ partition: "main", counters: ["a"] })).counters[0]!.reserved
  expect(await reserved()).toBe(answered.length + 1)
  database.exec("PRAGMA max_page_count = 100000")
  expect(await reserve(store, "later")).toMatchObject({ status: "ok", replayed: false })
  expect(await reserved()).toBe(answered.length + 2)
  expect(Object.values(database.prepare("PRAGMA integrity_check").get() as object)[0]).toBe("ok")
  await store.close!()
  database.close()
})

it("keeps its tables next to the user's in the user's own database, and does not change the database's header", async () => {
  const database = openDatabase(path)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA application_id = 77; PRAGMA user_version = 5")
  database.exec("CREATE TABLE songs (title TEXT)")
  for (let round = 0; round < 2; round++) {
    const store = sqliteStore(database)
    expect(await reserve(store, `r${round}`)).toMatchObject({ status: "ok", counters: [{ reserved: round + 1 }] })
    await store.close!()
  }
  expect(database.prepare("PRAGMA application_id").get()).toMatchObject({ application_id: 77 })
  expect(database.prepare("PRAGMA user_version").get()).toMatchObject({ user_version: 5 })
  database.close()
})
