import { fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connectStore, type SuiteCaseName, type SuiteTarget } from "@p2/budget/testing"
import { sqliteStore } from "@p2/budget-sqlite"
import { faultyDatabase } from "./faulty-database"
import { openDatabase } from "./open-database"

const START = 1_750_000_000_000
const LEDGER_RETENTION_MS = 7 * 86_400_000

/** A store on a new file, with everything that the suite may do to it. */
export async function suiteTarget(about: SuiteCaseName, script: string): Promise<SuiteTarget> {
  const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
  const path = join(folder, "p2.db")
  const remove = () => rmSync(folder, { recursive: true, force: true })
  return about.level === "processes" ? targetOnRealTime(path, script, remove) : targetOnSetTime(path, remove)
}

function targetOnRealTime(path: string, script: string, remove: () => void): SuiteTarget {
  const store = sqliteStore(path, { timeoutMs: 10_000 })
  const close = async () => {
    await store.close!()
    remove()
  }
  return { store, spawn: () => connectStore(fork(script, [path])), close }
}

/** On a connection that the test opened, so that it can fail, be damaged and be counted. */
async function targetOnSetTime(path: string, remove: () => void): Promise<SuiteTarget> {
  let time = START
  let database = faultyDatabase(path)
  const open = () => sqliteStore(database, { ledgerRetentionMs: LEDGER_RETENTION_MS, now: () => time })
  let store = open()
  // Opens the file, so that a fault meets an operation and not the making of the tables.
  await store.read({ root: "nobody", keys: [] })
  const other = openDatabase(path)
  const count = (table: string) => (other.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n
  const end = async () => {
    await store.close!()
    database.close()
  }
  return {
    store,
    clock: {
      now: () => time,
      advance: async (ms) => {
        time += ms
        // A sweep takes a step of the housekeeping along, which otherwise comes with the next operations.
        await store.sweep({ root: "nobody", max: 1 })
      },
    },
    ledgerRetentionMs: LEDGER_RETENTION_MS,
    size: () => count("p2_cells") + count("p2_ids") + count("p2_adjustments"),
    faults: {
      down: () => {
        database.down = true
      },
      up: () => {
        database.down = false
      },
      loseAnswer: () => {
        database.loseAnswer = true
      },
      damage: ({ root, key }) => {
        const damage = "UPDATE p2_cells SET spent = 9007199254740993, reserved = -7 WHERE root = ? AND key = ?"
        other.prepare(damage).run(root, key)
      },
      restart: async () => {
        await end()
        database = faultyDatabase(path)
        store = open()
        return store
      },
    },
    close: async () => {
      await end()
      other.close()
      remove()
    },
  }
}
