import { fork } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connectStore, type SuiteCaseName, type SuiteTarget } from "@p2/budget/testing"
import { sqliteStore } from "@p2/budget-sqlite"
import { faultyDatabase } from "./faulty-database"
import { openDatabase } from "./open-database"

const START = 1_750_000_000_000
/** The machine that runs the tests may be busy; the timeouts have their own tests. */
const TIMEOUT_MS = 20_000

/** A store on a new file, with everything that the suite may do to it. */
export async function suiteTarget(about: SuiteCaseName, script: string): Promise<SuiteTarget> {
  const folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
  const path = join(folder, "p2.db")
  const remove = () => rmSync(folder, { recursive: true, force: true })
  return about.level === "processes" ? targetOnRealTime(path, script, remove) : targetOnSetTime(path, remove)
}

function targetOnRealTime(path: string, script: string, remove: () => void): SuiteTarget {
  const store = sqliteStore(path, { timeoutMs: TIMEOUT_MS })
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
  const open = () => sqliteStore(database, { timeoutMs: TIMEOUT_MS, now: () => time })
  let store = open()
  // Opens the file, so that a fault hits an operation and not the creation of the tables.
  await store.read({ partition: "nobody", counters: [] })
  const other = openDatabase(path)
  const COUNT = "SELECT count(*) AS n FROM p2_records WHERE kind IN ('counter', 'reservation', 'adjustment')"
  const end = async () => {
    await store.close!()
    database.close()
  }
  return {
    store,
    clock: {
      now: () => time,
      advance: (ms) => {
        time += ms
        // What housekeeping deletes with the next transactions.
        other.prepare("DELETE FROM p2_records WHERE forget_at <= ?").run(time)
      },
    },
    size: () => (other.prepare(COUNT).get() as { n: number }).n,
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
      damage: ({ partition, kind, key }) => {
        const sql = "UPDATE p2_records SET value = '{\"spent\":-0.5}' WHERE partition = ? AND kind = ? AND key = ?"
        other.prepare(sql).run(partition, kind, key)
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
