import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { defineStoreSuite, type StoreReport } from "@p2/budget/testing"
import { afterAll, describe, expect, it } from "vitest"
import { openJsonFileStore } from "../src/index"

let report: StoreReport | undefined

defineStoreSuite(
  { describe, it },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "p2-json-"))
    const path = join(folder, "budget.json")
    let time = Date.UTC(2026, 0, 31, 23)
    const open = () => openJsonFileStore(path, { now: () => time })
    return {
      store: await open(),
      clock: {
        now: () => time,
        advance: (ms) => {
          time += ms
        },
      },
      size: async () => (await readFile(path, "utf8")).split('"touchedAt"').length - 1,
      faults: {
        down: () => rename(path, `${path}.away`),
        up: () => rename(`${path}.away`, path),
        damage: async ({ key }) => {
          const text = await readFile(path, "utf8")
          await writeFile(path, text.replace(`["${key}",{"spent":`, `["${key}",{"spent":0.5,"was":`))
        },
        restart: open,
      },
      close: () => rm(folder, { recursive: true }),
    }
  },
  {
    name: "a store in one JSON file",
    fuzzRuns: 3,
    limits: {
      processes: "one process at a time: nothing locks the file",
      ledger: "keeps no usage entries",
      loseAnswer: "a call inside the process has no answer to lose",
    },
    onReport: (written) => {
      report = written
    },
  },
)

afterAll(() => {
  expect(report?.levels.map(({ level, status }) => [level, status])).toEqual([
    ["contract", "passed"],
    ["concurrency", "passed"],
    ["leases", "passed"],
    ["idempotency", "passed"],
    ["faults", "passed"],
    ["processes", "not claimed"],
    ["ledger", "not claimed"],
  ])
})
