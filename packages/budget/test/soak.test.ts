import type { ChildProcess } from "node:child_process"
import { afterAll, expect, it } from "vitest"
import { memoryStore } from "../src"
import type { BudgetStore } from "../src/store"
import { serveStore } from "../src/testing"
import { bundleScript } from "./redis/bundle-script"
import { type AppliedAdjustment, expectSums } from "./soak/expect-sums"
import { runProcesses } from "./soak/run-processes"

/** `pnpm test:soak` does a hundred thousand. */
const OPERATIONS = Number(process.env.P2_SOAK ?? 4_000)

const child = await bundleScript("../soak/operate-child")
afterAll(() => child.remove())

it(`memory: after ${OPERATIONS} operations of processes that are killed, cells are the sums of their entries`, async () => {
  const memory = memoryStore({ maxEntries: 1_000_000, maxIds: 2_000_000 })
  const applied: AppliedAdjustment[] = []
  const store: BudgetStore = {
    ...memory,
    adjust: async (request) => {
      const answer = await memory.adjust(request)
      if (answer.result === "ok" && !answer.replayed && request.kind !== "granted")
        applied.push({ root: request.root, key: request.cell.key, applied: answer.applied })
      return answer
    },
  }
  // The store is in this process, and the processes that are killed call it from outside.
  const started = (process_: ChildProcess) => {
    // An answer for a process that is gone meanwhile goes nowhere.
    const send = (message: unknown) => process_.send(message as object, () => {})
    serveStore(store, { send, on: process_.on.bind(process_) })
  }
  const { operations, kills, commits } = await runProcesses(child.file, { operations: OPERATIONS, started })
  const seen = await expectSums(store, commits, async () => applied)
  expect(commits.size).toBeGreaterThan(0)
  console.log(`memory: ${operations} operations, ${kills} kills, ${commits.size} answered commits found,`, seen)
}, 900_000)
