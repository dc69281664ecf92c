import { copyFileSync, mkdtempSync, renameSync, rmSync, statSync, unlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { BudgetStore } from "@p2/budget/store"
import { sqliteStore } from "@p2/budget-sqlite"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { entryOf, reserveOf } from "../../budget/test/adapters/requests"
import { openDatabase } from "./support/open-database"

let folder: string
let path: string
let time: number
let store: BudgetStore
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
  path = join(folder, "p2.db")
  time = 1_750_000_000_000
  store = sqliteStore(path, { now: () => time })
  await reserve("before")
})
afterEach(async () => {
  await store.close!()
  rmSync(folder, { recursive: true })
})

const reserve = (key: string) => store.reserve({ ...reserveOf(key), leaseMs: 3_600_000 })
const reserved = async () => (await store.read({ partition: "main", counters: ["a"] })).counters[0]!.reserved

async function expectRejected(message: RegExp): Promise<void> {
  const rejection = {
    name: "StoreError",
    code: "store-misconfigured",
    applied: "no",
    message: expect.stringMatching(message),
  }
  await expect(Promise.all([reserve("one"), reserve("two")])).rejects.toMatchObject(rejection)
  await expect(reserved()).rejects.toMatchObject(rejection)
  await expect(
    store.ledger!.list({ partition: "main", filter: {}, cursor: null, limit: 1, newestFirst: false }),
  ).rejects.toMatchObject(rejection)
}

describe("a file that was replaced while open: what is counted in it would be lost", () => {
  const REPLACED = /moved, deleted or replaced/

  it.each([
    ["deleted", () => unlinkSync(path)],
    ["moved away", () => renameSync(path, `${path}.old`)],
    [
      "replaced by a copy",
      () => {
        copyFileSync(path, `${path}.copy`)
        renameSync(`${path}.copy`, path)
      },
    ],
    ["without its log", () => unlinkSync(`${path}-wal`)],
  ])("%s", async (_how, change) => {
    change()
    time += 1_000
    await expectRejected(REPLACED)
  })

  it("works again when the file is put back", async () => {
    renameSync(path, `${path}.old`)
    time += 1_000
    await expectRejected(REPLACED)
    renameSync(`${path}.old`, path)
    time += 1_000
    expect(await reserve("after")).toMatchObject({ status: "ok" })
    expect(await reserved()).toBe(2)
  })

  it("tolerates other stores that open and close, and a clock that is set back", async () => {
    for (let round = 1; round <= 3; round++) {
      const other = sqliteStore(path, { now: () => time })
      await other.read({ partition: "main", counters: ["a"] })
      await other.close!()
      time += round === 2 ? -60_000 : 1_000
      expect(await reserve(`r${round}`)).toMatchObject({ status: "ok" })
    }
    expect(await reserved()).toBe(4)
  })

  it("a relative path keeps referring to the folder in which the file was opened", async () => {
    const here = process.cwd()
    const relative = sqliteStore("relative.db", { now: () => time })
    try {
      process.chdir(folder)
      await relative.read({ partition: "main", counters: [] })
      process.chdir(here)
      time += 1_000
      expect((await relative.read({ partition: "main", counters: [] })).counters).toEqual([])
    } finally {
      process.chdir(here)
      await relative.close!()
    }
  })
})

it("nothing more is written once another process upgrades the schema of the open file", async () => {
  const newer = openDatabase(path)
  newer.exec("PRAGMA user_version = 2; UPDATE p2_meta SET version = 2")
  await expect(reserve("late")).rejects.toMatchObject({
    code: "store-misconfigured",
    applied: "no",
    message: expect.stringMatching(/schema version 2.*supports 1/),
  })
  newer.exec("UPDATE p2_meta SET version = 1")
  expect(await reserve("again")).toMatchObject({ status: "ok" })
  newer.close()
})

it("the log shrinks again after a long read", async () => {
  const reader = openDatabase(path)
  reader.exec("BEGIN")
  reader.prepare("SELECT count(*) FROM p2_records").get()
  const content = { prompt: "p".repeat(65_536), answer: "a".repeat(65_536) }
  const entry = entryOf("q", { status: "denied", costNanoUsd: 0, costSource: "none", ...content })
  const size = () => statSync(`${path}-wal`).size
  for (let index = 0; size() < 24 * 2 ** 20; index++)
    await store.ledger!.record({ partition: "main", key: `e${index}`, entry })
  reader.exec("COMMIT")
  reader.close()
  // A write that finds more than a thousand pages in the log copies them to the file, and the next write restarts the
  // log.
  for (let index = 0; index < 3; index++) await reserve(`r${index}`)
  expect(size()).toBeLessThanOrEqual(16 * 2 ** 20)
})
