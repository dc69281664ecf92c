import { copyFileSync, mkdtempSync, renameSync, rmSync, statSync, unlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { BudgetStore, UsageEntry } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
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

const cell = { key: "a", startsAt: null, endsAt: null, keepMs: null, amount: 1, limit: null, onExpire: 1 }
const reserve = (id: string) => store.reserve({ root: "main", id, fingerprint: "f", leaseMs: 3_600_000, cells: [cell] })
const reserved = async () => (await store.read({ root: "main", keys: ["a"] })).cells[0]!.reserved

async function expectRefusal(message: RegExp): Promise<void> {
  const refusal = { name: "StoreError", code: "misconfigured", applied: "no", message: expect.stringMatching(message) }
  await expect(Promise.all([reserve("one"), reserve("two")])).rejects.toMatchObject(refusal)
  await expect(reserved()).rejects.toMatchObject(refusal)
  await expect(store.ledger!.list({ root: "main", filter: {}, limit: 1 })).rejects.toMatchObject(refusal)
}

describe("a file that is no longer the one that the store opened: counted in, it would be counted for nobody", () => {
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
    await expectRefusal(REPLACED)
  })

  it("goes on when the file is put back", async () => {
    renameSync(path, `${path}.old`)
    time += 1_000
    await expectRefusal(REPLACED)
    renameSync(`${path}.old`, path)
    time += 1_000
    expect(await reserve("after")).toMatchObject({ result: "ok" })
    expect(await reserved()).toBe(2)
  })

  it("does not mind other stores that come and go, nor a clock that goes back", async () => {
    for (let round = 1; round <= 3; round++) {
      const other = sqliteStore(path, { now: () => time })
      await other.read({ root: "main", keys: ["a"] })
      await other.close!()
      time += round === 2 ? -60_000 : 1_000
      expect(await reserve(`r${round}`)).toMatchObject({ result: "ok" })
    }
    expect(await reserved()).toBe(4)
  })

  it("a path is that of the folder in which the file was opened", async () => {
    const here = process.cwd()
    const relative = sqliteStore("relative.db", { now: () => time })
    try {
      process.chdir(folder)
      await relative.read({ root: "main", keys: [] })
      process.chdir(here)
      time += 1_000
      expect((await relative.read({ root: "main", keys: [] })).cells).toEqual([])
    } finally {
      process.chdir(here)
      await relative.close!()
    }
  })
})

it("a schema that another process makes newer while the file is open is not written to any more", async () => {
  const newer = openDatabase(path)
  newer.exec("PRAGMA user_version = 2; UPDATE p2_meta SET version = 2")
  await expect(reserve("late")).rejects.toMatchObject({
    code: "misconfigured",
    applied: "no",
    message: expect.stringMatching(/schema version 2.*knows 1/),
  })
  newer.exec("UPDATE p2_meta SET version = 1")
  expect(await reserve("again")).toMatchObject({ result: "ok" })
  newer.close()
})

it("the log does not keep the size that a long reader gave it", async () => {
  const reader = openDatabase(path)
  reader.exec("BEGIN")
  reader.prepare("SELECT count(*) FROM p2_cells").get()
  const entry: UsageEntry = {
    ...{ requestId: "q", attempt: 1, model: "m", reservedNanoUsd: 0, status: "refused", tokens: {} },
    ...{ costNanoUsd: 0, costSource: "none", prompt: "p".repeat(65_536), answer: "a".repeat(65_536) },
  }
  const size = () => statSync(`${path}-wal`).size
  for (let index = 0; size() < 24 * 2 ** 20; index++)
    await store.ledger!.record({ root: "main", id: `e${index}`, entry })
  reader.exec("COMMIT")
  reader.close()
  // A write that finds the log past a thousand pages copies them, and the next begins it anew.
  for (let index = 0; index < 3; index++) await reserve(`r${index}`)
  expect(size()).toBeLessThanOrEqual(16 * 2 ** 20)
})
