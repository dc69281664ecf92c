import type { ReserveReply } from "../../store/budget-store"
import type { Bench } from "../bench"
import { equal, match, ok } from "../expect"
import { createRandom } from "../random"
import { counter, reserveRequest, settleRequest } from "../requests"
import { defineCases } from "../store-case"

/** Leases of processes that are killed: short, because this level runs on real time. */
const SHORT_LEASE_MS = 400

const range = (length: number) => Array.from({ length }, (_, index) => index)

/** The same partition through other processes. */
async function lanes(bench: Bench, count: number): Promise<Bench[]> {
  const started: Bench[] = []
  for (const _ of range(count)) started.push(bench.through((await bench.spawn()).store))
  return started
}

/** Waits for leases to end in real time, at most ten seconds. */
async function sweepUntilNothingIsReserved(bench: Bench, names: string[]): Promise<void> {
  for (const _ of range(200)) {
    await bench.sweep()
    const { counters } = await bench.store.read({ partition: bench.partition, counters: names })
    if (counters.every(({ reserved }) => reserved === 0)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  for (const name of names)
    equal((await bench.counterState(name)).reserved, 0, `reserved in ${name}, ten seconds later`)
}

/** Processes that settle 1 in each counter again and again until they are killed. Resolves to how many were confirmed. */
async function killWhileSettling(bench: Bench, names: readonly string[]): Promise<number> {
  let confirmed = 0
  for (const kill of range(4)) {
    const victim = await bench.spawn()
    const work = range(40).map(async (index) => {
      const counters = names.map((name) => counter(name, 5, null, { onExpire: 0 }))
      const request = reserveRequest(bench.partition, `r${kill}.${index}`, counters, { leaseMs: SHORT_LEASE_MS })
      await victim.store.reserve(request)
      const reply = await victim.store.settle(
        settleRequest(
          request,
          names.map(() => 1),
        ),
      )
      if (reply.status === "settled") confirmed++
    })
    // Wait for a share of the replies, so that the kill falls among the others.
    const enough = confirmed + kill * 10
    const done = Promise.allSettled(work)
    let working = true
    void done.then(() => {
      working = false
    })
    while (working && confirmed < enough) await new Promise((resolve) => setTimeout(resolve, 1))
    await victim.kill()
    await done
  }
  return confirmed
}

/** Several processes on one state, in real time, some of them killed. */
export const processCases = defineCases({ level: "processes", rule: "transaction", needs: ["processes"] }, (test) => {
  test("what one process writes, the others see", async (bench) => {
    const [first, second] = (await lanes(bench, 2)) as [Bench, Bench]
    const request = reserveRequest(bench.partition, "r1", [counter("a", 10, 10)])
    match(await first.store.reserve(request), { status: "ok", replayed: false }, "reserve in the first")
    match(await second.tryReserve("r2", [counter("a", 1, 10)]), { status: "exceeded" }, "reserve in the second")
    match(await second.store.reserve(request), { status: "ok", replayed: true }, "the same key in the second")
    const settle = settleRequest(request, [4])
    match(await second.store.settle(settle), { status: "settled", replayed: false }, "settle in the second")
    match(await first.store.settle(settle), { status: "settled", replayed: true }, "the same settle in the first")
    await bench.expectCounter("a", { spent: 4 })
  })

  test("four processes, a thousand reservations of $0.10 each, three scopes, some sent again: fifty are admitted", async (bench) => {
    const random = createRandom(bench.seed)
    const started = await lanes(bench, 4)
    const replies = await Promise.all(
      started.flatMap((at, lane) =>
        range(1_000).map(async (index) => {
          const counters = [
            counter("total", 100_000_000, 5_000_000_000),
            counter(`user:${index % 3}`, 100_000_000, 5_000_000_000),
            counter(`client:${lane}`, 100_000_000, 5_000_000_000),
          ]
          const copies = index % 10 === 0 ? random.integer(1, 5) : 1
          // One after the other: the budget never sends a key twice at once.
          let reply: ReserveReply = await at.tryReserve(`r${lane}.${index}`, counters)
          for (let copy = 1; copy < copies; copy++) reply = await at.tryReserve(`r${lane}.${index}`, counters)
          return reply.status
        }),
      ),
    )
    equal(replies.filter((status) => status === "ok").length, 50, "admitted")
    const scopes = [["total"], range(3).map((user) => `user:${user}`), range(4).map((client) => `client:${client}`)]
    for (const names of scopes) {
      const { counters } = await bench.store.read({ partition: bench.partition, counters: names })
      equal(
        counters.reduce((sum, { reserved }) => sum + reserved, 0),
        5e9,
        `reserved in ${names}`,
      )
    }
  })

  test("the same keys from four processes at once are one reservation each", async (bench) => {
    const started = await lanes(bench, 4)
    const replies = await Promise.all(
      started.flatMap((at) => range(50).map((index) => at.tryReserve(`r${index}`, [counter("a", 1, 50)]))),
    )
    equal(replies.filter(({ status }) => status === "ok").length, 200, "replies that are ok")
    equal(replies.filter((reply) => reply.status === "ok" && !reply.replayed).length, 50, "first replies")
    await bench.expectCounter("a", { reserved: 50 })
  })

  test("settles from four processes add up to the nano-dollar", async (bench) => {
    const started = await lanes(bench, 4)
    const amount = (lane: number, index: number) => 333_333_333 * lane + index
    await Promise.all(
      started.flatMap((at, lane) =>
        range(50).map(async (index) => {
          const reservation = await at.reserve(`r${lane}.${index}`, [counter("a", 1_000_000_007), counter("b", 1)])
          const reply = await reservation.settle([amount(lane, index), 1])
          match(reply, { status: "settled", replayed: false }, `settle ${lane}.${index}`)
        }),
      ),
    )
    const sum = range(4).reduce(
      (total, lane) => total + range(50).reduce((all, index) => all + amount(lane, index), 0),
      0,
    )
    await bench.expectCounters({ a: { spent: sum }, b: { spent: 200 } })
  })

  test("a killed process leaves nothing reserved after the lease, and onExpire is charged", async (bench) => {
    const [other] = (await lanes(bench, 1)) as [Bench]
    const victim = await bench.spawn()
    const counters = [counter("a", 10, null, { onExpire: 7 }), counter("b", 10, null, { onExpire: 0 })]
    const request = reserveRequest(bench.partition, "r1", counters, { leaseMs: SHORT_LEASE_MS })
    match(await victim.store.reserve(request), { status: "ok" }, "reserve")
    await victim.kill()
    await bench.expectCounter("a", { reserved: 10 }, "counter a right after the kill")
    await sweepUntilNothingIsReserved(bench, ["a", "b"])
    await bench.expectCounters({ a: { spent: 7 }, b: {} })
    const late = await other.store.settle(settleRequest(request, [3, 1]))
    match(late, { status: "settled", late: true }, "the actual cost, from another process")
    await bench.expectCounters({ a: { spent: 3 }, b: { spent: 1 } })
  })

  test("processes killed amid their work leave whole operations, and lose no confirmed settle", async (bench) => {
    const names = ["a", "b", "c"]
    const confirmed = await killWhileSettling(bench, names)
    await sweepUntilNothingIsReserved(bench, names)
    const { counters } = await bench.store.read({ partition: bench.partition, counters: names })
    const spent = counters.map((state) => state.spent)
    equal(new Set(spent).size, 1, `different amounts in the three counters: ${spent}`)
    ok(spent[0]! >= confirmed, `spent: expected at least the ${confirmed} confirmed settles, got ${spent[0]}`)
  })

  test("processes killed amid their settles leave no money without its entry", {
    needs: ["ledger"],
    rule: "Ledger",
  }, async (bench) => {
    const confirmed = await killWhileSettling(bench, ["a"])
    await sweepUntilNothingIsReserved(bench, ["a"])
    await bench.expectSums(["a"])
    const settled = (await bench.entries({}, 500)).filter(({ state }) => state === "settled")
    ok(settled.length >= confirmed, `settled entries: expected at least ${confirmed}, got ${settled.length}`)
  })

  test("entries written by four processes are all there, and sum to what was spent", {
    needs: ["ledger"],
    rule: "Ledger",
  }, async (bench) => {
    const started = await lanes(bench, 4)
    await Promise.all(
      started.flatMap((at, lane) =>
        range(30).map((index) => at.spend(`r${lane}.${index}`, lane + index, { userId: `u${lane}` })),
      ),
    )
    equal((await bench.entries({}, 200)).length, 120, "entries")
    await bench.expectSums(["a"])
    equal((await started[0]!.totals(["userId"])).length, 4, "users, as another process sees them")
  })
})
