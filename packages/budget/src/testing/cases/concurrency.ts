import type { ReserveCounter, ReserveReply } from "../../store/budget-store"
import type { CaseContext } from "../case-context"
import { equal, expectReply, ok, outcomeOf, sumOf, valuesOf } from "../expect"
import { counter, LEASE_MS } from "../requests"
import { defineCases } from "../store-case"

const MANY = 200
const ROUNDS = 20

export const range = (length: number) => Array.from({ length }, (_, index) => index)
const admitted = (replies: readonly ReserveReply[]) => replies.filter(({ status }) => status === "ok").length

/** How many replies have each outcome. */
function tally(replies: readonly { status: string }[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const outcome of replies.map(outcomeOf)) counts[outcome] = (counts[outcome] ?? 0) + 1
  return counts
}

const reserveMany = (t: CaseContext, calls: number, counters: (index: number) => ReserveCounter[]) =>
  Promise.all(range(calls).map((index) => t.tryReserve(`r${index}`, counters(index))))

/** Sends two concurrent calls, the first one first in every other round. */
function race<A, B>(round: number, first: () => Promise<A>, second: () => Promise<B>): Promise<[A, B]> {
  if (round % 2 === 0) return Promise.all([first(), second()])
  return Promise.all([second(), first()]).then(([b, a]) => [a, b])
}

/** Many calls in flight at once, in one process: each is one step. */
export const concurrencyCases = defineCases({ level: "concurrency", rule: "transaction" }, (test) => {
  test("a thousand reservations of $0.10 against $5 admit exactly fifty", async (t) => {
    const replies = await reserveMany(t, 1_000, () => [counter("user:u", 100_000_000, 5_000_000_000)])
    equal(tally(replies), { ok: 50, "exceeded: 0": 950 }, "replies")
    await t.expectCounters({ "user:u": { reserved: 5_000_000_000 } })
  })

  test("the tightest of three scopes decides, and the others reserve no more than it", async (t) => {
    const replies = await reserveMany(t, MANY, (index) => [
      counter(`user:${index % 10}`, 1, 5),
      counter(`client:${index % 2}`, 1, 17),
      counter("total", 1, 30),
    ])
    equal(admitted(replies), 30, "admitted")
    const states = async (...names: string[]) => (await t.read(...names)).counters
    const users = await states(...range(10).map((index) => `user:${index}`))
    const scopes = [users, await states("client:0", "client:1"), await states("total")]
    equal(
      scopes.map((counters) => sumOf(counters, "reserved")),
      [30, 30, 30],
      "reserved by scope",
    )
    for (const { name, reserved } of users) ok(reserved <= 5, `${name}: expected at most 5 reserved, got ${reserved}`)
  })

  test("counters in opposite orders neither block each other nor admit too much", async (t) => {
    const replies = await reserveMany(t, MANY, (index) => {
      const counters = ["a", "b", "c"].map((name) => counter(name, 1, 40))
      return index % 2 === 0 ? counters : counters.reverse()
    })
    equal(admitted(replies), 40, "admitted")
    await t.expectCounters({ a: { reserved: 40 }, b: { reserved: 40 }, c: { reserved: 40 } })
  })

  test("the same reservation sent up to five times at once is one reservation", async (t) => {
    const keys = range(60).flatMap((index) => range(1 + (index % 5)).map(() => `r${index}`))
    const replies = await Promise.all(keys.map((key) => t.tryReserve(key, [counter("a", 1, 1_000)])))
    equal(tally(replies), { ok: 60, "ok, replayed": keys.length - 60 }, "replies")
    await t.expectCounters({ a: { reserved: 60 } })
  })

  test("the same settle sent five times at once charges once", async (t) => {
    await reserveMany(t, 20, () => [counter("a", 10)])
    const replies = await Promise.all(range(100).map((index) => t.settle(`r${index % 20}`, [7])))
    equal(tally(replies), { settled: 20, "settled, replayed": 80 }, "replies")
    await t.expectCounters({ a: { spent: 140 } })
  })

  test("a settle and a release of one key at once: one wins, the other changes nothing", async (t) => {
    for (const round of range(ROUNDS)) {
      const [key, name] = [`r${round}`, `counter.${round}`]
      await t.reserve(key, [counter(name, 10)])
      const [settled, released] = await race(
        round,
        () => t.settle(key, [6]),
        () => t.release(key),
      )
      const wins = settled.status === "settled"
      equal([settled.status, released.status], wins ? ["settled", "mismatch"] : ["mismatch", "released"], "replies")
      await t.expectCounters({ [name]: { spent: wins ? 6 : 0 } })
    }
  })

  test("a reserve and a release of a new key at once: it is never held in the end", async (t) => {
    for (const round of range(ROUNDS)) {
      const key = `r${round}`
      t.prepare(key, [counter("a", 10)])
      await race(
        round,
        () => t.tryReserve(key),
        () => t.release(key),
      )
      await expectReply(t.tryReserve(key), "resolved: released")
    }
    await t.expectCounters({ a: {} })
  })

  test("reserves, settles and releases at once: `spent` is the sum of the settles", async (t) => {
    let spent = 0
    const work = range(20).map(async (lane) => {
      for (const round of range(10)) {
        const key = `r${lane}.${round}`
        const reply = await t.tryReserve(key, [counter("a", 5, 60), counter(`lane:${lane}`, 5, 5)])
        if (reply.status !== "ok") continue
        ok(reply.counters[0]!.reserved <= 60, `reserved: expected at most 60, got ${reply.counters[0]!.reserved}`)
        if (round % 3 === 0) await t.release(key)
        else {
          await t.settle(key, [lane % 2, lane % 2])
          spent += lane % 2
        }
      }
    })
    await Promise.all(work)
    await t.expectCounters({ a: { spent } })
  })

  test("a hundred concurrent corrections add up, each once", async (t) => {
    const amounts = range(100).map((index) => 1 + (index % 50))
    const replies = await Promise.all(amounts.map((amount) => t.tryAdjust(`a${amount}`, "a", "spent", amount)))
    equal(tally(replies), { ok: 50, "ok, replayed": 50 }, "replies")
    await t.expectCounters({ a: { spent: (50 * 51) / 2 } })
  })

  test("concurrent calls to many partitions stay apart", async (t) => {
    const lanes = range(20).map((index) => ({ other: t.inPartition(`p${index}`), limit: 1 + (index % 7) }))
    const calls = lanes.map(({ other, limit }) => reserveMany(other, 10, () => [counter("a", 1, limit)]))
    equal((await Promise.all(calls)).map(admitted), valuesOf(lanes, "limit"), "admitted")
    for (const { other, limit } of lanes) await other.expectCounters({ a: { reserved: limit } })
  })

  test("the peaks of many settles at once join without a gap or an overlap", { rule: "States" }, async (t) => {
    await reserveMany(t, 40, () => [counter("a", 5)])
    const replies = await Promise.all(range(40).map((index) => t.settle(`r${index}`, [index % 6])))
    const steps = replies
      .flatMap((reply) => (reply.status === "settled" ? reply.counters : []))
      .sort((a, b) => a.peak - b.peak || a.peakBefore - b.peakBefore)
    let reached = 0
    for (const step of steps) {
      equal(step.peakBefore, reached, "peakBefore, against the peak of the step before")
      reached = step.peak
    }
    await t.expectCounters({ a: { spent: reached } })
  })

  test("corrections, grants and resets among reserves and settles: no call overwrites the change of another", async (t) => {
    for (const round of range(ROUNDS)) {
      const [name, key] = [`counter.${round}`, `r${round}`]
      await t.adjust(`s${round}`, name, "spent", 50)
      const kind = (["spent", "granted", "reset"] as const)[round % 3]!
      await Promise.all([
        t.reserve(`${key}.0`, [counter(name, 3)]),
        t.reserve(`${key}.1`, [counter(name, 10)]),
        t.adjust(`a${round}`, name, kind, kind === "reset" ? 0 : 7),
        t.reserve(`${key}.2`, [counter(name, 100)]),
      ])
      const spent = kind === "reset" ? 0 : kind === "spent" ? 57 : 50
      const granted = kind === "granted" ? 7 : 0
      await t.expectCounters({ [name]: { spent, reserved: 113, granted } }, `after a ${kind} among three reserves`)
      await Promise.all([t.settle(`${key}.0`, [1]), t.adjust(`b${round}`, name, "spent", 5), t.release(`${key}.1`)])
      await t.expectCounters({ [name]: { spent: spent + 6, reserved: 100, granted } }, "after a correction of 5")
    }
  })

  test("an extend that meets a settle does not revive the reservation", async (t) => {
    for (const round of range(ROUNDS)) {
      const [key, name] = [`r${round}`, `counter.${round}`]
      await t.reserve(key, [counter(name, 10)])
      const outcome = round % 4 < 2 ? "settled" : "released"
      const extend = () => t.extend(key, 2 * LEASE_MS)
      await race(round, extend, () => t.settle(key, [6], { outcome }))
      await expectReply(extend(), outcome)
      await t.expectCounters({ [name]: { spent: outcome === "settled" ? 6 : 0 } })
    }
  })

  test("reserves and settles of the same counters in opposite orders all get a reply", async (t) => {
    const work = range(16).map(async (lane) => {
      const counters = ["a", "b", "c"].map((name) => counter(name, 2))
      if (lane % 2 === 1) counters.reverse()
      for (const round of range(5)) await t.charge(`r${lane}.${round}`, counters, [1, 1, 1])
    })
    await Promise.all(work)
    await t.expectCounters({ a: { spent: 80 }, b: { spent: 80 }, c: { spent: 80 } })
  })

  // ── Leases that end meanwhile ──

  test("one lease expired by many concurrent callers is charged once", { needs: ["clock"] }, async (t) => {
    for (const index of range(12)) await t.reserve(`r${index}`, [counter("a", 10, null, { onExpire: 1 })])
    await t.clock.advance(LEASE_MS)
    const expires = range(60).map((index) => t.expire(`r${index % 12}`))
    const reserves = range(6).map((index) => t.tryReserve(`n${index}`, [counter("b", 1)]))
    equal(tally(await Promise.all(expires)), { expired: 12, "not-due": 48 }, "replies")
    await Promise.all(reserves)
    await t.expectCounters({ a: { spent: 12 } })
  })

  for (const first of ["expire", "settle"] as const) {
    test(`a settle that meets the expiry of its lease is charged once (${first} is sent first)`, {
      needs: ["clock"],
    }, async (t) => {
      for (const index of range(ROUNDS))
        await t.reserve(`r${index}`, [counter(`c.${index}`, 10, null, { onExpire: 4 })])
      await t.clock.advance(LEASE_MS)
      const outcomeAt = (index: number) => (index % 2 === 0 ? "settled" : "released")
      const expires = () => Promise.all(range(ROUNDS).map((index) => t.expire(`r${index}`)))
      const settles = () =>
        Promise.all(range(ROUNDS).map((index) => t.settle(`r${index}`, [6], { outcome: outcomeAt(index) })))
      const [expired, settled] = await race(first === "expire" ? 0 : 1, expires, settles)
      for (const index of range(ROUNDS)) {
        const late = expired[index]!.status === "expired" ? ", late" : ""
        equal(outcomeOf(settled[index]!), outcomeAt(index) + late, `settle of r${index}`)
        await t.expectCounters({ [`c.${index}`]: { spent: index % 2 === 0 ? 6 : 0 } })
      }
    })
  }

  test("an extend that meets the expiry of its lease does not revive it", { needs: ["clock"] }, async (t) => {
    for (const round of range(ROUNDS)) {
      const key = `r${round}`
      await t.reserve(key, [counter("a", 10, null, { onExpire: 1 })])
      await t.clock.advance(LEASE_MS)
      const replies = await race(
        round,
        () => t.extend(key, LEASE_MS),
        () => t.expire(key),
      )
      equal(replies.map(outcomeOf), ["expired", "expired"], `round ${round}`)
      await expectReply(t.tryReserve(key), "resolved: expired")
      await t.expectCounters({ a: { spent: round + 1 } })
    }
  })
})
