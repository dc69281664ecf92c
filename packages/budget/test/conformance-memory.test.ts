import { afterAll, describe, expect, it } from "vitest"
import { memoryStore } from "../src/memory-store"
import { defineStoreSuite, type StoreReport } from "../src/testing"

const START = Date.UTC(2026, 0, 31, 23)
let report: StoreReport | undefined

defineStoreSuite(
  { describe, it },
  () => {
    let now = START
    const store = memoryStore({ clock: () => now })
    return {
      store,
      clock: {
        now: () => now,
        advance: (ms) => {
          now += ms
        },
      },
      size: () => {
        const { ids, cells } = store.size()
        return ids + cells
      },
    }
  },
  {
    name: "memoryStore",
    limits: {
      processes: "the memory of one process",
      restart: "forgets everything when the process ends",
      down: "nothing lies between the caller and the state",
      loseAnswer: "nothing lies between the caller and the state",
      damage: "nobody else can write to it",
      ledgerRetention: "keeps a number of entries, not a time",
    },
    onReport: (written) => {
      report = written
    },
  },
)

afterAll(() => {
  // What the memory store may claim.
  expect(report?.levels.map(({ level, status }) => `${level}: ${status}`)).toEqual([
    "contract: passed",
    "concurrency: passed",
    "leases: passed",
    "idempotency: passed",
    "faults: not claimed",
    "processes: not claimed",
    "ledger: passed",
  ])
})
