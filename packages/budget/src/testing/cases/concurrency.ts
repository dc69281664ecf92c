import type { ReserveReply } from "../../store/budget-store"
import { type Bench, reservationOf, settledBy, type TestReservation } from "../bench"
import { equal, match, ok, valuesOf } from "../expect"
import { adjustRequest, counter, LEASE_MS, reserveRequest, settleRequest } from "../requests"
import { defineCases } from "../store-case"

const MANY = 200
const ROUNDS = 20

const range = (length: number) => Array.from({ length }, (_, index) => index)
const admitted = (replies: readonly ReserveReply[]) => replies.filter(({ status }) => status === "ok").length

/** How many replies have each status, replays apart. */
function tally(replies: readonly { status: string; replayed?: boolean }[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { status, replayed } of replies) {
    const outcome = replayed === true ? `${status}, replayed` : status
    counts[outcome] = (counts[outcome] ?? 0) + 1
  }
  return counts
}

function reserveMany({ tryReserve }: Bench, calls: number, counters: (index: number) => ReturnType<typeof counter>[]) {
  return Promise.all(range(calls).map((index) => tryReserve(`r${index}`, counters(index))))
}

/** Many calls in flight at once, in one process: each is one step. */
export const concurrencyCases = defineCases({ level: "concurrency", rule: "transaction" }, (test) => {
  test("a thousand reservations of $0.10 against $5 admit exactly fifty", async (bench) => {
    const replies = await reserveMany(bench, 1_000, () => [counter("user:u", 100_000_000, 5_000_000_000)])
    equal(tally(replies), { ok: 50, exceeded: 950 }, "replies")
    await bench.expectCounter("user:u", { reserved: 5_000_000_000 })
  })

  test("of three scopes only the tightest decides, and the others hold no more than it", async (bench) => {
    const replies = await reserveMany(bench, MANY, (index) => [
      counter(`user:${index % 10}`, 1, 5),
      counter(`client:${index % 2}`, 1, 17),
      counter("total", 1, 30),
    ])
    equal(admitted(replies), 30, "admitted")
    const names = [...range(10).map((index) => `user:${index}`), "client:0", "client:1", "total"]
    const { counters } = await bench.store.read({ partition: bench.partition, counters: names })
    const sum = (prefix: string) =>
      counters.filter(({ name }) => name.startsWith(prefix)).reduce((total, { reserved }) => total + reserved, 0)
    equal([sum("user:"), sum("client:"), sum("total")], [30, 30, 30], "reserved by scope")
    for (const { name, reserved } of counters.slice(0, 10)) ok(reserved <= 5, `${name}: ${reserved} reserved of 5`)
  })

  test("counters in opposite orders neither block each other nor admit too much", async (bench) => {
    const replies = await reserveMany(bench, MANY, (index) => {
      const counters = [counter("a", 1, 40), counter("b", 1, 40), counter("c", 1, 40)]
      return index % 2 === 0 ? counters : counters.reverse()
    })
    equal(admitted(replies), 40, "admitted")
    for (const name of ["a", "b", "c"]) await bench.expectCounter(name, { reserved: 40 })
  })

  test("the same reservation sent up to five times at once is one reservation", async (bench) => {
    const sends = range(60).flatMap((index) =>
      range(1 + (index % 5)).map(() => bench.tryReserve(`r${index}`, [counter("a", 1, 1_000)])),
    )
    const replies = await Promise.all(sends)
    equal(tally(replies), { ok: 60, "ok, replayed": sends.length - 60 }, "replies")
    await bench.expectCounter("a", { reserved: 60 })
  })

  test("the same settle sent five times at once charges once", async ({ reserve, expectCounter }) => {
    const reservations = await Promise.all(range(20).map((index) => reserve(`r${index}`, [counter("a", 10)])))
    const replies = await Promise.all(reservations.flatMap((one) => range(5).map(() => one.settle([7]))))
    equal(tally(replies), { settled: 20, "settled, replayed": 80 }, "replies")
    await expectCounter("a", { spent: 140 })
  })

  test("a settle and a release of one key at once: one wins, the other changes nothing", async (bench) => {
    const { reserve, expectCounter } = bench
    for (const round of range(ROUNDS)) {
      const name = `counter.${round}`
      const reservation = await reserve(`r${round}`, [counter(name, 10)])
      const calls =
        round % 2 === 0
          ? [reservation.settle([6]), reservation.release()]
          : [reservation.release(), reservation.settle([6])]
      const statuses = valuesOf(await Promise.all(calls), "status")
      const mismatches = statuses.filter((status) => status === "mismatch")
      equal(mismatches.length, 1, `round ${round}: mismatches in ${statuses}`)
      await expectCounter(name, { spent: statuses.includes("settled") ? 6 : 0 })
    }
  })

  test("a reserve and a release of a new key at once: it is never held in the end", async (bench) => {
    for (const round of range(ROUNDS)) {
      const request = reserveRequest(bench.partition, `r${round}`, [counter("a", 10)])
      const release = settleRequest(request, [], { outcome: "released" })
      const reserve = () => bench.store.reserve(request)
      const settle = () => bench.store.settle(release)
      await Promise.all(round % 2 === 0 ? [reserve(), settle()] : [settle(), reserve()])
      match(await reserve(), { status: "resolved", state: "released" }, `round ${round}`)
    }
    await bench.expectCounter("a", {})
  })

  test("reserves, settles and releases mixed: what remains is what was settled", async (bench) => {
    let spent = 0
    const work = range(20).map(async (lane) => {
      for (const round of range(10)) {
        const counters = [counter("a", 5, 60), counter(`lane:${lane}`, 5, 5)]
        const request = reserveRequest(bench.partition, `r${lane}.${round}`, counters)
        const reply = await bench.store.reserve(request)
        if (reply.status !== "ok") continue
        ok(reply.counters[0]!.reserved <= 60, `never more than 60 reserved, got ${reply.counters[0]!.reserved}`)
        const reservation = reservationOf(bench.store, request, reply)
        if (round % 3 === 0) await reservation.release()
        else {
          await reservation.settle([lane % 2, lane % 2])
          spent += lane % 2
        }
      }
    })
    await Promise.all(work)
    await bench.expectCounter("a", { spent })
  })

  test("a hundred corrections at once add up, each once", async ({ store, partition, expectCounter }) => {
    const calls = range(100).map((index) =>
      store.adjust(adjustRequest(partition, `a${index % 50}`, "a", "spent", 1 + (index % 50))),
    )
    const replies = await Promise.all(calls)
    equal(tally(replies), { ok: 50, "ok, replayed": 50 }, "replies")
    await expectCounter("a", { spent: (50 * 51) / 2 })
  })

  test("many partitions at once stay apart", async (bench) => {
    const others = range(20).map((index) => bench.inPartition(`p${index}`))
    const limit = (index: number) => 1 + (index % 7)
    const replies = await Promise.all(
      others.map((other, index) => reserveMany(other, 10, () => [counter("a", 1, limit(index))])),
    )
    equal(
      replies.map(admitted),
      others.map((_, index) => limit(index)),
      "admitted",
    )
    for (const [index, other] of others.entries()) await other.expectCounter("a", { reserved: limit(index) })
  })

  test("the peaks of many settles at once join without a gap or an overlap", { rule: "States" }, async (bench) => {
    const { reserve } = bench
    const reservations = await Promise.all(range(40).map((index) => reserve(`r${index}`, [counter("a", 5)])))
    const replies = await Promise.all(reservations.map((one, index) => one.settle([index % 6])))
    const steps = replies
      .map((reply) => settledBy(reply, "settle").counters[0]!)
      .sort((a, b) => a.peak - b.peak || a.peakBefore - b.peakBefore)
    let reached = 0
    for (const step of steps) {
      equal(step.peakBefore, reached, "each step begins where the one before it ended")
      reached = step.peak
    }
    equal(
      reached,
      range(40).reduce((sum, index) => sum + (index % 6), 0),
      "the last peak is what was spent",
    )
  })

  test("corrections, grants and resets among reserves and settles: none writes back what another changed", async (bench) => {
    for (const round of range(ROUNDS)) {
      const name = `counter.${round}`
      await bench.adjust(`s${round}`, name, "spent", 50)
      const kind = (["spent", "granted", "reset"] as const)[round % 3]!
      const [first, second] = await Promise.all([
        bench.reserve(`r${round}.0`, [counter(name, 3)]),
        bench.reserve(`r${round}.1`, [counter(name, 10)]),
        bench.adjust(`a${round}`, name, kind, kind === "reset" ? 0 : 7),
        bench.reserve(`r${round}.2`, [counter(name, 100)]),
      ])
      const spent = kind === "reset" ? 0 : kind === "spent" ? 57 : 50
      const granted = kind === "granted" ? 7 : 0
      await bench.expectCounter(name, { spent, reserved: 113, granted }, `after a ${kind} among three reserves`)
      await Promise.all([first.settle([1]), bench.adjust(`b${round}`, name, "spent", 5), second.release()])
      await bench.expectCounter(name, { spent: spent + 6, reserved: 100, granted }, "after a correction among settles")
    }
  })

  test("an extend that meets a settle does not revive the reservation", async (bench) => {
    const { store, partition, reserve, expectCounter } = bench
    for (const round of range(ROUNDS)) {
      const [key, name] = [`r${round}`, `counter.${round}`]
      const reservation = await reserve(key, [counter(name, 10)])
      const extend = () => store.extend({ partition, key, leaseMs: 2 * LEASE_MS })
      const settles = round % 4 < 2
      const settle = () => (settles ? reservation.settle([6]) : reservation.release())
      await Promise.all(round % 2 === 0 ? [extend(), settle()] : [settle(), extend()])
      match(await extend(), { status: settles ? "settled" : "released" }, `round ${round}: the state after both`)
      await expectCounter(name, { spent: settles ? 6 : 0 })
    }
  })

  test("reserves and settles of the same counters in opposite orders all get a reply", async (bench) => {
    const { reserve, expectCounter } = bench
    const names = ["a", "b", "c"]
    const work = range(16).map(async (lane) => {
      for (const round of range(5)) {
        const counters = (lane % 2 === 0 ? names : [...names].reverse()).map((name) => counter(name, 2))
        await (await reserve(`r${lane}.${round}`, counters)).settle([1, 1, 1])
      }
    })
    await Promise.all(work)
    for (const name of names) await expectCounter(name, { spent: 80 })
  })

  // ── Leases that end meanwhile ──

  test("one lease expired by many callers at once is charged once", { needs: ["clock"] }, async (bench) => {
    const { store, partition } = bench
    for (const index of range(12)) await bench.reserve(`r${index}`, [counter("a", 10, null, { onExpire: 1 })])
    await bench.clock.advance(LEASE_MS)
    const expires = range(60).map((index) => store.expire({ partition, key: `r${index % 12}`, counters: ["a"] }))
    const reserves = range(6).map((index) => bench.tryReserve(`n${index}`, [counter("b", 1)]))
    const replies = await Promise.all(expires)
    await Promise.all(reserves)
    equal(tally(replies), { expired: 12, "not-due": 48 }, "replies")
    await bench.expectCounter("a", { spent: 12 })
  })

  for (const first of ["expire", "settle"] as const) {
    test(`a settle that meets the expiry of its lease is charged once (${first} is sent first)`, {
      needs: ["clock"],
    }, async (bench) => {
      const { store, partition } = bench
      const reservations: TestReservation[] = []
      for (const index of range(ROUNDS)) {
        const counters = [counter(`c.${index}`, 10, null, { onExpire: 4 })]
        reservations.push(await bench.reserve(`r${index}`, counters))
      }
      await bench.clock.advance(LEASE_MS)
      const expire = () =>
        Promise.all(
          range(ROUNDS).map((index) => store.expire({ partition, key: `r${index}`, counters: [`c.${index}`] })),
        )
      const settle = () =>
        Promise.all(reservations.map((one, index) => (index % 2 === 0 ? one.settle([6]) : one.release())))
      const sends =
        first === "expire" ? { expired: expire(), settled: settle() } : { settled: settle(), expired: expire() }
      const [expired, settled] = [await sends.expired, await sends.settled]
      for (const index of range(ROUNDS)) {
        const late = expired[index]!.status === "expired"
        const status = index % 2 === 0 ? "settled" : "released"
        match(settled[index]!, { status, late, replayed: false }, `settle of r${index}`)
        await bench.expectCounter(`c.${index}`, { spent: index % 2 === 0 ? 6 : 0 })
      }
    })
  }

  test("an extend that meets the expiry of its lease does not revive it", { needs: ["clock"] }, async (bench) => {
    const { store, partition } = bench
    for (const round of range(ROUNDS)) {
      const key = `r${round}`
      await bench.reserve(key, [counter("a", 10, null, { onExpire: 1 })])
      await bench.clock.advance(LEASE_MS)
      const extend = () => store.extend({ partition, key, leaseMs: LEASE_MS })
      const expire = () => store.expire({ partition, key, counters: ["a"] })
      const [one, other] = await Promise.all(round % 2 === 0 ? [extend(), expire()] : [expire(), extend()])
      equal([one.status, other.status], ["expired", "expired"], `round ${round}`)
      const again = await bench.tryReserve(key, [counter("a", 10, null, { onExpire: 1 })])
      match(again, { status: "resolved", state: "expired" }, `round ${round}: reserve afterwards`)
      await bench.expectCounter("a", { spent: round + 1 })
    }
  })
})
