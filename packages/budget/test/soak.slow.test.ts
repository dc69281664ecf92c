import type { ChildProcess } from "node:child_process"
import { afterAll, expect, it } from "vitest"
import { memoryStore } from "../src"
import type { BudgetStore } from "../src/store/budget-store"
import { serveStore } from "../src/testing"
import { bundleScript } from "./redis/bundle-script"
import { expectSums } from "./soak/expect-sums"
import type { AppliedAdjustment } from "./soak/operate"
import { runProcesses } from "./soak/run-processes"

/** `pnpm test:soak` runs a hundred thousand. */
const OPERATIONS = Number(process.env.P2_SOAK ?? 4_000)

const child = await bundleScript("../soak/operate-child")
afterAll(() => child.remove())

it(`memory: after ${OPERATIONS} operations of processes that are killed, counters are the sums of their entries`, async () => {
  const memory = memoryStore({ maxEntries: 1_000_000, maxReservations: 2_000_000 })
  const applied: AppliedAdjustment[] = []
  const adjust: BudgetStore["adjust"] = async (request) => {
    const reply = await memory.adjust(request)
    const { partition, key, counter, kind } = request
    if (reply.status === "ok" && !reply.replayed && kind !== "granted")
      applied.push({ partition, key, counter: counter.name, applied: reply.applied })
    return reply
  }
  const store: BudgetStore = new Proxy(memory, {
    get: (target, member: keyof BudgetStore) => {
      if (member === "adjust") return adjust
      const value = target[member]
      return typeof value === "function" ? value.bind(target) : value
    },
  })
  // The store is in this process; the processes that are killed call it through their channel.
  const onStart = (process_: ChildProcess) => {
    // The process that waits for the reply may have been killed.
    const send = (message: unknown) => process_.send(message as object, () => {})
    serveStore(store, { send, on: process_.on.bind(process_) })
  }
  const journal = await runProcesses(child.file, { operations: OPERATIONS, onStart })
  const seen = await expectSums(store, journal, async () => applied)
  const { operations, kills, settles } = journal
  expect(settles.size).toBeGreaterThan(0)
  console.log(`memory: ${operations} operations, ${kills} kills, ${settles.size} confirmed settles found,`, seen)
}, 900_000)
