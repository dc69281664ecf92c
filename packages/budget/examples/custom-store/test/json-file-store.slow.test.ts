import { defineStoreSuite, type StoreReport } from "@p2/budget/testing"
import { afterAll, describe, expect, it } from "vitest"
import { jsonFileTarget } from "./json-file-target"

let report: StoreReport | undefined

defineStoreSuite({ describe, it }, jsonFileTarget, {
  name: "a store in one JSON file",
  fuzzRuns: 3,
  limits: {
    processes: "one process at a time: nothing locks the file",
    loseAnswer: "a call inside the process has no reply to lose",
    ledgerRetention: "entries are kept until they are pruned",
  },
  onReport: (written) => {
    report = written
  },
})

afterAll(() => {
  expect(report?.levels.map(({ level, status }) => `${level}: ${status}`)).toEqual([
    "contract: passed",
    "concurrency: passed",
    "leases: passed",
    "time: passed",
    "idempotency: passed",
    "faults: passed",
    "processes: not claimed",
    "ledger: passed",
  ])
})
