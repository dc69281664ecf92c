import { createHash } from "node:crypto"
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { BudgetStore, UsageEntry } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { openDatabase } from "./support/open-database"

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
  path = join(folder, "p2.db")
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const digest = () => createHash("sha256").update(readFileSync(path)).digest("hex")
const cell = { key: "a", startsAt: null, endsAt: null, keepMs: null }

function reserve(store: BudgetStore, id: string) {
  return store.reserve({
    root: "main",
    id,
    fingerprint: "f",
    leaseMs: 60_000,
    cells: [{ ...cell, amount: 1, limit: null, onExpire: 1 }],
  })
}

function commit(store: BudgetStore, id: string, entry?: UsageEntry) {
  const cells = [{ ...cell, reserved: 1, amount: 1 }]
  return store.settle({
    root: "main",
    id,
    fingerprint: "f",
    outcome: "commit",
    revision: 0,
    cells,
    expiresAt: null,
    entry,
  })
}

/** Every member refuses with this code, says that nothing was written, and leaves the file as it was. */
async function expectRefusal(code: string, message: RegExp): Promise<void> {
  const before = digest()
  const store = sqliteStore(path)
  for (const call of [
    () => reserve(store, "r1"),
    () => commit(store, "r1"),
    () => store.read({ root: "main", keys: ["a"] }),
    () => store.check!(),
    () => store.ledger!.totals({ root: "main", filter: {}, groupBy: [] }),
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

describe("a file that cannot be used is refused, and nothing in it is overwritten", () => {
  it("something that is not a database", async () => {
    writeFileSync(path, "Dear diary,\n".repeat(1_000))
    await expectRefusal("corrupt", /not a SQLite database/)
  })

  it("the database of another program", async () => {
    const database = openDatabase(path)
    database.exec("CREATE TABLE songs (title TEXT); INSERT INTO songs VALUES ('Kind of Blue')")
    database.close()
    await expectRefusal("misconfigured", /of something else/)
  })

  it("the marked, still empty database of another program", async () => {
    const database = openDatabase(path)
    database.exec("PRAGMA application_id = 12345; PRAGMA user_version = 3")
    database.close()
    await expectRefusal("misconfigured", /of something else/)
  })

  it("a newer schema", async () => {
    await filledFile()
    const database = openDatabase(path)
    database.exec("PRAGMA user_version = 2; UPDATE p2_meta SET version = 2")
    database.close()
    await expectRefusal("misconfigured", /schema version 2.*knows 1.*newer version/)
  })

  it("a store of p2 whose tables are gone", async () => {
    await filledFile()
    const database = openDatabase(path)
    database.exec("DROP TABLE p2_meta")
    database.close()
    await expectRefusal("corrupt", /tables are missing/)
  })

  it("a file whose first page was overwritten", async () => {
    await filledFile()
    const bytes = readFileSync(path)
    bytes.fill(0xa5, 100, 4_096)
    writeFileSync(path, bytes)
    await expectRefusal("corrupt", /damaged|malformed/)
  })

  it("a folder that is not there", async () => {
    const store = sqliteStore(join(folder, "absent", "p2.db"))
    await expect(reserve(store, "r1")).rejects.toMatchObject({ code: "misconfigured", applied: "no" })
    await expect(reserve(store, "r1")).rejects.toThrow(join(folder, "absent", "p2.db"))
    await store.close!()
  })

  it.each([
    // The address of a host, of which only /p2.db would be left.
    "file://./p2.db",
    "file://p2.db",
    "file://data/p2.db",
    "file://",
    "file:///",
    "file://[p2.db",
    "file:",
    "",
    // Another file than was meant, whose name would have these in it.
    "file:./p2.db?mode=ro",
    "file:///tmp/p2.db?cache=shared",
    "file:./p2.db#1",
  ])("%j, which names no file or another one than it seems to", (location) => {
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
  await expect(reserve(damaged, "new")).rejects.toMatchObject({ name: "StoreError", code: "corrupt", applied: "no" })
  await damaged.close!()
  expect(digest()).toBe(before)
})

it("texts that are no UTF-8 any more are damage of their own row, and do not end the process", async () => {
  const store = sqliteStore(path)
  const entry: UsageEntry = {
    ...{ requestId: "q", attempt: 1, model: "m", reservedNanoUsd: 1, status: "succeeded", tokens: {} },
    ...{ costNanoUsd: 1, costSource: "table" },
  }
  for (const id of ["r1", "r2"]) await reserve(store, id)
  await commit(store, "r2", entry)
  const database = openDatabase(path)
  database.exec("UPDATE p2_ids SET state = CAST(x'68656cff' AS TEXT) WHERE id = 'r1'")
  database.exec("UPDATE p2_entries SET rest = CAST(x'7bff7d' AS TEXT)")
  const damage = { name: "StoreError", code: "corrupt", applied: "no" }
  // Together with one that is sound, which must not fail of its neighbour.
  const [damaged, sound] = await Promise.allSettled([reserve(store, "r1"), reserve(store, "r3")])
  expect(damaged).toMatchObject({ status: "rejected", reason: damage })
  expect(sound).toMatchObject({ status: "fulfilled", value: { result: "ok" } })
  await expect(store.ledger!.get({ root: "main", requestId: "q" })).rejects.toMatchObject(damage)
  await expect(store.ledger!.list({ root: "main", filter: {}, limit: 9 })).rejects.toMatchObject(damage)
  // A step of the housekeeping walks over the damaged row as well, and nobody who calls it along fails of that.
  expect(await store.sweep({ root: "main", max: 1 })).toMatchObject({ expired: [] })
  expect(await store.ledger!.totals({ root: "main", filter: {}, groupBy: [] })).toMatchObject([{ costNanoUsd: 1 }])
  await store.close!()
  database.close()
})

it("300 files of which random bytes were overwritten are used or reported as damage", { timeout: 60_000 }, async () => {
  const store = sqliteStore(path)
  for (let index = 0; index < 60; index++) await reserve(store, `r${index}`)
  for (let index = 0; index < 60; index += 2) await commit(store, `r${index}`)
  await store.close!()
  const sound = readFileSync(path)
  const outcomes = new Set<string>()
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.from(sound)
    // Behind the header, whose marks say what the file is and who may write it.
    const place = (hit: number) => 100 + ((round * 7_919 + hit * 104_729) % (bytes.length - 100))
    for (let hit = 0; hit <= round % 40; hit++) bytes[place(hit)] = (hit * 37) % 256
    const copy = join(folder, `${round}.db`)
    writeFileSync(copy, bytes)
    const damaged = sqliteStore(copy)
    const calls = [
      () => reserve(damaged, "new"),
      () => reserve(damaged, "r1"),
      () => commit(damaged, "r3"),
      () => damaged.read({ root: "main", keys: ["a"] }),
      () => damaged.sweep({ root: "main", max: 9 }),
      () => damaged.ledger!.list({ root: "main", filter: {}, limit: 99 }),
      () => damaged.ledger!.totals({ root: "main", filter: {}, groupBy: ["model"] }),
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
  expect([...outcomes].sort()).toEqual(["StoreError corrupt", "used"])
})

describe("a connection that may not write", () => {
  it("is refused at once for a new file, with what to do", async () => {
    const database = openDatabase(path)
    database.exec("PRAGMA query_only = ON")
    const store = sqliteStore(database)
    await expect(reserve(store, "r1")).rejects.toMatchObject({
      code: "misconfigured",
      applied: "no",
      message: expect.stringMatching(/file or its folder is read-only/),
    })
    database.close()
  })

  it("reads on, and refuses to write", async () => {
    await filledFile()
    const database = openDatabase(path)
    database.exec("PRAGMA query_only = ON")
    const store = sqliteStore(database)
    expect((await store.read({ root: "main", keys: ["a"] })).cells).toMatchObject([{ reserved: 50 }])
    await expect(reserve(store, "new")).rejects.toMatchObject({ code: "misconfigured", applied: "no" })
    await expect(commit(store, "r1")).rejects.toMatchObject({ code: "misconfigured", applied: "no" })
    database.close()
  })

  // The right to write does not bind the superuser, for whom the two tests above stand alone.
  it.runIf(process.getuid?.() !== 0)("is what a read-only file gives", async () => {
    await filledFile()
    chmodSync(path, 0o444)
    chmodSync(folder, 0o555)
    try {
      await expect(reserve(sqliteStore(path), "new")).rejects.toMatchObject({ code: "misconfigured", applied: "no" })
    } finally {
      chmodSync(folder, 0o755)
    }
  })
})

it("a full disk refuses what does not fit, keeps what was answered, and goes on when there is room", async () => {
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
      // Several at once, so that a refusal falls into a shared transaction too.
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
    code: "unavailable",
    applied: "no",
    message: expect.stringMatching(/full/),
  })
  const reserved = async () => (await store.read({ root: "main", keys: ["a"] })).cells[0]!.reserved
  expect(await reserved()).toBe(answered.length + 1)
  database.exec("PRAGMA max_page_count = 100000")
  expect(await reserve(store, "later")).toMatchObject({ result: "ok", replayed: false })
  expect(await reserved()).toBe(answered.length + 2)
  expect(Object.values(database.prepare("PRAGMA integrity_check").get() as object)[0]).toBe("ok")
  await store.close!()
  database.close()
})

it("keeps its tables beside the user's in the user's own database, and leaves its marks alone", async () => {
  const database = openDatabase(path)
  database.exec("PRAGMA journal_mode = WAL; PRAGMA application_id = 77; PRAGMA user_version = 5")
  database.exec("CREATE TABLE songs (title TEXT)")
  for (let round = 0; round < 2; round++) {
    const store = sqliteStore(database)
    expect(await reserve(store, `r${round}`)).toMatchObject({ result: "ok", cells: [{ reserved: round + 1 }] })
    await store.close!()
  }
  expect(database.prepare("PRAGMA application_id").get()).toMatchObject({ application_id: 77 })
  expect(database.prepare("PRAGMA user_version").get()).toMatchObject({ user_version: 5 })
  database.close()
})
