import type { CaseContext } from "../case-context"
import { equal, expectReply, ok, sumOf } from "../expect"
import { createRandom } from "../random"
import { counter } from "../requests"
import { defineCases } from "../store-case"
import { range } from "./concurrency"

/** Leases of processes that are killed: short, because this level runs on real time. */
const SHORT_LEASE_MS = 400

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** The same partition through other processes. */
const spawnLanes = (t: CaseContext, count: number) =>
  Promise.all(range(count).map(async () => (await t.spawn()).context))

/** Waits for leases to end in real time, at most ten seconds. */
async function sweepUntilNothingIsReserved(t: CaseContext, names: string[]): Promise<void> {
  for (let round = 0; ; round++) {
    await t.sweep()
    const reserved = (await t.read(...names)).counters.map((state) => state.reserved)
    if (reserved.every((amount) => amount === 0)) return
    ok(round < 200, `reserved in ${names} after ten seconds: expected 0 in each, got ${reserved}`)
    await wait(50)
  }
}

/** Processes that repeatedly settle 1 in each counter until they are killed. Resolves to how many were confirmed. */
async function killWhileSettling(t: CaseContext, names: readonly string[]): Promise<number> {
  const counters = names.map((name) => counter(name, 5, null, { onExpire: 0 }))
  const amounts = names.map(() => 1)
  let confirmed = 0
  for (const kill of range(4)) {
    const victim = await t.spawn()
    const work = range(40).map(async (index) => {
      const key = `r${kill}.${index}`
      await victim.context.reserve(key, counters, { leaseMs: SHORT_LEASE_MS })
      if ((await victim.context.settle(key, amounts)).status === "settled") confirmed++
    })
    // Waits for a share of the replies, so that the kill falls among the others.
    const enough = confirmed + kill * 10
    let working = true
    const done = Promise.allSettled(work).then(() => {
      working = false
    })
    while (working && confirmed < enough) await wait(1)
    await victim.kill()
    await done
  }
  return confirmed
}

/** Several processes on one state, in real time, some of them killed. */
export const processCases = defineCases({ level: "processes", rule: "transaction", needs: ["processes"] }, (test) => {
  test("every process sees what one process writes", async (t) => {
    const [first, second] = (await spawnLanes(t, 2)) as [CaseContext, CaseContext]
    await expectReply(first.tryReserve("r1", [counter("a", 10, 10)]), "ok")
    await expectReply(second.tryReserve("r2", [counter("a", 1, 10)]), "exceeded: 0")
    await expectReply(second.tryReserve("r1"), "ok, replayed")
    await expectReply(second.settle("r1", [4]), "settled")
    await expectReply(first.settle("r1", [4]), "settled, replayed")
    await t.expectCounters({ a: { spent: 4 } })
  })

  test("four processes that reserve $0.10 a thousand times each against $5 in three scopes admit exactly fifty", async (t) => {
    const random = createRandom(t.seed)
    const lanes = await spawnLanes(t, 4)
    const reserveAll = (at: CaseContext, lane: number) =>
      range(1_000).map(async (index) => {
        const key = `r${lane}.${index}`
        const scopes = ["total", `user:${index % 3}`, `client:${lane}`]
        const counters = scopes.map((name) => counter(name, 100_000_000, 5_000_000_000))
        const reply = await at.tryReserve(key, counters)
        // Some are sent again, one after another: the budget never sends the same key concurrently.
        const copies = index % 10 === 0 ? random.integer(0, 4) : 0
        for (let copy = 0; copy < copies; copy++) await at.tryReserve(key)
        return reply.status
      })
    const statuses = await Promise.all(lanes.flatMap(reserveAll))
    equal(statuses.filter((status) => status === "ok").length, 50, "admitted")
    const scopes = [["total"], range(3).map((user) => `user:${user}`), range(4).map((client) => `client:${client}`)]
    for (const names of scopes) {
      const { counters } = await t.read(...names)
      equal(sumOf(counters, "reserved"), 5e9, `reserved in ${names}`)
    }
  })

  test("the same keys from four processes at once are one reservation each", async (t) => {
    const lanes = await spawnLanes(t, 4)
    const calls = lanes.flatMap((at) => range(50).map((index) => at.reserve(`r${index}`, [counter("a", 1, 50)])))
    const replies = await Promise.all(calls)
    equal(replies.filter(({ replayed }) => !replayed).length, 50, "first replies")
    await t.expectCounters({ a: { reserved: 50 } })
  })

  test("settles from four processes add up to the nano-dollar", async (t) => {
    const lanes = await spawnLanes(t, 4)
    const amounts = (lane: number) => range(50).map((index) => 333_333_333 * lane + index)
    const counters = [counter("a", 1_000_000_007), counter("b", 1)]
    const work = lanes.flatMap((at, lane) =>
      amounts(lane).map((amount, index) => at.charge(`r${lane}.${index}`, counters, [amount, 1])),
    )
    await Promise.all(work)
    const sum = range(4)
      .flatMap(amounts)
      .reduce((total, amount) => total + amount, 0)
    await t.expectCounters({ a: { spent: sum }, b: { spent: 200 } })
  })

  test("a killed process leaves nothing reserved after the lease, and onExpire is charged", async (t) => {
    const [other, victim] = [(await t.spawn()).context, await t.spawn()]
    const counters = [counter("a", 10, null, { onExpire: 7 }), counter("b", 10, null, { onExpire: 0 })]
    await victim.context.reserve("r1", counters, { leaseMs: SHORT_LEASE_MS })
    await victim.kill()
    await t.expectCounters({ a: { reserved: 10 }, b: { reserved: 10 } }, "counters right after the kill")
    await sweepUntilNothingIsReserved(t, ["a", "b"])
    await t.expectCounters({ a: { spent: 7 }, b: {} })
    await expectReply(other.settle("r1", [3, 1]), "settled, late")
    await t.expectCounters({ a: { spent: 3 }, b: { spent: 1 } })
  })

  test("processes killed amid their work leave whole operations, and lose no confirmed settle", async (t) => {
    const names = ["a", "b", "c"]
    const confirmed = await killWhileSettling(t, names)
    await sweepUntilNothingIsReserved(t, names)
    const spent = (await t.read(...names)).counters.map((state) => state.spent)
    equal(new Set(spent).size, 1, `number of different amounts in ${names}, which are ${spent}`)
    ok(spent[0]! >= confirmed, `spent: expected at least the ${confirmed} confirmed settles, got ${spent[0]}`)
  })

  test("processes killed amid their settles leave no money without its entry", {
    needs: ["ledger"],
    rule: "Ledger",
  }, async (t) => {
    const confirmed = await killWhileSettling(t, ["a"])
    await sweepUntilNothingIsReserved(t, ["a"])
    await t.expectSums(["a"])
    const settled = (await t.entries({}, 500)).filter(({ state }) => state === "settled")
    ok(settled.length >= confirmed, `settled entries: expected at least ${confirmed}, got ${settled.length}`)
  })

  test("entries written by four processes are all there, and sum to what was spent", {
    needs: ["ledger"],
    rule: "Ledger",
  }, async (t) => {
    const lanes = await spawnLanes(t, 4)
    const spend = (at: CaseContext, lane: number) =>
      range(30).map((index) => at.spend(`r${lane}.${index}`, lane + index, { userId: `u${lane}` }))
    await Promise.all(lanes.flatMap(spend))
    equal((await t.entries({}, 200)).length, 120, "entries")
    await t.expectSums(["a"])
    equal((await lanes[0]!.totals(["userId"])).length, 4, "users, in another process")
  })
})
