import type { UsageEntry } from "../../ledger"
import type { BudgetStore, ReserveResult } from "../../store"
import { usageEntry } from "../entries"
import { equal, match, ok } from "../expect"
import { createRandom } from "../random"
import { cell, expectCell, hold, reserveRequest, settleRequest } from "../requests"
import { type CaseBench, type CaseEntry, casesOf } from "../store-case"
import type { StoreProcess } from "../target"

/** Leases of processes that are going to be killed: short, because this level runs on real time. */
const SHORT_LEASE_MS = 400

/** Runs the case with other processes on the same state, and ends those that are left. */
async function withProcesses(bench: CaseBench, count: number, run: (processes: StoreProcess[]) => Promise<void>) {
  const processes: StoreProcess[] = []
  try {
    for (let index = 0; index < count; index++) processes.push(await bench.target.spawn!())
    await run(processes)
  } finally {
    await Promise.all(processes.map((one) => one.close()))
  }
}

/** Waits for leases to end by real time, at most ten seconds. */
async function sweepUntilNothingIsReserved(bench: CaseBench, keys: string[]): Promise<void> {
  for (let round = 0; round < 200; round++) {
    await bench.store.sweep({ root: bench.root, max: 1_000 })
    const { cells } = await bench.store.read({ root: bench.root, keys })
    if (cells.every((state) => state.reserved === 0)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { cells } = await bench.store.read({ root: bench.root, keys })
  equal(
    cells.map((state) => state.reserved),
    keys.map(() => 0),
    "reserved, ten seconds after the leases ended",
  )
}

/** Processes that commit 1 in each of the cells, again and again, until they are killed. Answers how many were answered. */
async function killInTheMiddle(
  bench: CaseBench,
  keys: readonly string[],
  more: (id: string) => { entry?: UsageEntry } = () => ({}),
): Promise<number> {
  let answered = 0
  for (let kill = 0; kill < 4; kill++) {
    const victim = await bench.target.spawn!()
    const work = Array.from({ length: 40 }, async (_, index) => {
      const id = `r${kill}.${index}`
      const cells = keys.map((key) => cell(key, 5, null, { onExpire: 0 }))
      const request = reserveRequest(bench.root, id, cells, { leaseMs: SHORT_LEASE_MS })
      await victim.store.reserve(request)
      const amounts = keys.map(() => 1)
      const answer = await victim.store.settle(settleRequest(request, amounts, more(id)))
      if (answer.result === "committed") answered++
    })
    // Wait for a share of the answers, so that the kill falls among the others.
    const enough = answered + kill * 10
    const watch = async () => {
      for (let round = 0; round < 1_000 && answered < enough; round++) {
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    const finished = Promise.allSettled(work)
    await Promise.race([watch(), finished])
    await victim.kill()
    await finished
  }
  return answered
}

const needsProcesses = (entries: readonly CaseEntry[]): CaseEntry[] =>
  entries.map(([name, needs, run]) => [name, ["processes", ...needs], run])

/** Several processes on one state, in real time, some of them killed. */
export const processCases = casesOf(
  "processes",
  "One step at a time",
  needsProcesses([
    [
      "what one process writes, the others see",
      [],
      async (bench) =>
        withProcesses(bench, 2, async ([first, second]) => {
          const request = reserveRequest(bench.root, "r1", [cell("a", 10, 10)])
          const answer = await first!.store.reserve(request)
          match(answer, { result: "ok", replayed: false }, "reserve in the first")
          const over = await second!.store.reserve(reserveRequest(bench.root, "r2", [cell("a", 1, 10)]))
          match(over, { result: "exceeded" }, "reserve in the second")
          match(await second!.store.reserve(request), { result: "ok", replayed: true }, "the same id in the second")
          match(
            await second!.store.settle(settleRequest(request, [4])),
            { result: "committed" },
            "settle in the second",
          )
          match(
            await first!.store.settle(settleRequest(request, [4])),
            { result: "committed", replayed: true },
            "in the first",
          )
          await expectCell(bench, "a", { spent: 4 })
        }),
    ],
    [
      "four processes, a thousand reservations of $0.10 each, three scopes, sent one to five times: fifty are admitted",
      [],
      async (bench) =>
        withProcesses(bench, 4, async (processes) => {
          const random = createRandom(bench.seed)
          const answers = await Promise.all(
            processes.flatMap(({ store }, lane) =>
              Array.from({ length: 1_000 }, async (_, index) => {
                const cells = [
                  cell("total", 100_000_000, 5_000_000_000),
                  cell(`user:${index % 3}`, 100_000_000, 5_000_000_000),
                  cell(`client:${lane}`, 100_000_000, 5_000_000_000),
                ]
                const request = reserveRequest(bench.root, `r${lane}.${index}`, cells)
                const copies = index % 10 === 0 ? random.integer(1, 5) : 1
                // One after the other: core never sends an id twice at once.
                let answer: ReserveResult = await store.reserve(request)
                for (let copy = 1; copy < copies; copy++) answer = await store.reserve(request)
                return answer.result
              }),
            ),
          )
          equal(answers.filter((result) => result === "ok").length, 50, "admitted")
          const keys = ["total", "user:0", "user:1", "user:2", "client:0", "client:1", "client:2", "client:3"]
          const { cells } = await bench.store.read({ root: bench.root, keys })
          const sum = (prefix: string) =>
            cells.filter((state) => state.key.startsWith(prefix)).reduce((total, state) => total + state.reserved, 0)
          equal([sum("total"), sum("user"), sum("client")], [5e9, 5e9, 5e9], "reserved by scope")
        }),
    ],
    [
      "the same ids from four processes at once are one reservation each",
      [],
      async (bench) =>
        withProcesses(bench, 4, async (processes) => {
          const answers = await Promise.all(
            processes.flatMap(({ store }) =>
              Array.from({ length: 50 }, (_, index) =>
                store.reserve(reserveRequest(bench.root, `r${index}`, [cell("a", 1, 50)])),
              ),
            ),
          )
          equal(answers.filter((answer) => answer.result === "ok").length, 200, "answers")
          equal(answers.filter((answer) => answer.result === "ok" && !answer.replayed).length, 50, "first answers")
          await expectCell(bench, "a", { reserved: 50 })
        }),
    ],
    [
      "commits from four processes add up to the nano",
      [],
      async (bench) =>
        withProcesses(bench, 4, async (processes) => {
          const spend = async (store: BudgetStore, id: string, amount: number) => {
            const held = await hold({ store, root: bench.root }, id, [cell("a", 1_000_000_007), cell("b", 1)])
            match(await held.commit([amount, 1]), { result: "committed", replayed: false }, id)
          }
          const amount = (lane: number, index: number) => 333_333_333 * lane + index
          await Promise.all(
            processes.flatMap(({ store }, lane) =>
              Array.from({ length: 50 }, (_, index) => spend(store, `r${lane}.${index}`, amount(lane, index))),
            ),
          )
          const sum = [0, 1, 2, 3].reduce((total, lane) => total + 50 * 333_333_333 * lane + (49 * 50) / 2, 0)
          await expectCell(bench, "a", { spent: sum })
          await expectCell(bench, "b", { spent: 200 })
        }),
    ],
    [
      "a killed process leaves nothing reserved after the lease, and its onExpire is charged",
      [],
      async (bench) =>
        withProcesses(bench, 1, async ([other]) => {
          const victim = await bench.target.spawn!()
          const cells = [cell("a", 10, null, { onExpire: 7 }), cell("b", 10, null, { onExpire: 0 })]
          const request = reserveRequest(bench.root, "r1", cells, { leaseMs: SHORT_LEASE_MS })
          match(await victim.store.reserve(request), { result: "ok" }, "reserve")
          await victim.kill()
          await expectCell(bench, "a", { reserved: 10 }, "right after the kill")
          await sweepUntilNothingIsReserved(bench, ["a", "b"])
          await expectCell(bench, "a", { spent: 7 })
          await expectCell(bench, "b", {})
          const late = await other!.store.settle(settleRequest(request, [3, 1]))
          match(late, { result: "committed", late: true }, "the truth, from another process")
          await expectCell(bench, "a", { spent: 3 })
          await expectCell(bench, "b", { spent: 1 })
        }),
    ],
    [
      "processes killed in the middle of their work leave whole operations behind, and lose no answered commit",
      [],
      async (bench) => {
        const keys = ["a", "b", "c"]
        const answered = await killInTheMiddle(bench, keys)
        await sweepUntilNothingIsReserved(bench, keys)
        const { cells } = await bench.store.read({ root: bench.root, keys })
        equal(
          new Set(cells.map((state) => state.spent)).size,
          1,
          `different amounts among all three cells, ${cells.map((state) => state.spent)}`,
        )
        ok(cells[0]!.spent >= answered, `spent ${cells[0]!.spent} of ${answered} answered commits`)
      },
    ],
    [
      "processes killed in the middle of their settles leave no money without its entry",
      ["ledger"],
      async (bench) => {
        const answered = await killInTheMiddle(bench, ["a"], (id) => ({ entry: usageEntry(id, 1) }))
        await sweepUntilNothingIsReserved(bench, ["a"])
        const { entries } = await bench.store.ledger!.list({ root: bench.root, filter: {}, limit: 1_000 })
        const { cells } = await bench.store.read({ root: bench.root, keys: ["a"] })
        equal(entries.length, cells[0]!.spent, "entries, of one nano-dollar each, for what was spent")
        ok(entries.length >= answered, `${entries.length} entries of ${answered} answered commits`)
      },
    ],
    [
      "entries written by four processes are all there, and sum to what was spent",
      ["ledger"],
      async (bench) =>
        withProcesses(bench, 4, async (processes) => {
          await Promise.all(
            processes.flatMap(({ store }, lane) =>
              Array.from({ length: 30 }, async (_, index) => {
                const held = await hold({ store, root: bench.root }, `r${lane}.${index}`, [cell("a", 10)])
                await held.commit([lane + index], {
                  entry: usageEntry(`q${lane}.${index}`, lane + index, { userId: `u${lane}` }),
                })
              }),
            ),
          )
          const { entries } = await bench.store.ledger!.list({ root: bench.root, filter: {}, limit: 200 })
          equal(entries.length, 120, "entries")
          const sum = entries.reduce((total, entry) => total + (entry.charges.a ?? 0), 0)
          await expectCell(bench, "a", { spent: sum })
          const rows = await processes[0]!.store.ledger!.totals({ root: bench.root, filter: {}, groupBy: ["userId"] })
          equal(rows.length, 4, "users, asked in another process")
        }),
    ],
  ]),
)
