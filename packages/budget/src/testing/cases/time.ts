import type { CounterRef } from "../../store/budget-store"
import type { CaseContext } from "../case-context"
import { equal, expectReply, match, ok } from "../expect"
import { counter, DAY_MS, LEASE_MS, settleRequest } from "../requests"
import { defineCases } from "../store-case"

const HOUR_MS = 3_600_000

/** A window around now. */
function windowAround(
  { clock }: CaseContext,
  beforeMs: number,
  afterMs: number,
): Pick<CounterRef, "startsAt" | "endsAt"> {
  return { startsAt: clock.now() - beforeMs, endsAt: clock.now() + afterMs }
}

/** Windows. */
const windowCases = defineCases({ level: "time", rule: "Time", needs: ["clock"] }, (test) => {
  test("every reply carries the store's time", async (t) => {
    const { store, partition } = t
    for (let step = 0; step < 3; step++) {
      const key = `r${step}`
      const { expiresAt } = await t.reserve(key, [counter("a", 1)])
      equal(expiresAt, t.clock.now() + LEASE_MS, "expiresAt")
      const replies = {
        reserve: await t.tryReserve(key),
        extend: await t.extend(key, 1),
        expire: await t.expire(key),
        settle: await t.settle(key, [1]),
        adjust: await t.adjust(`a${step}`, "a", "spent", 1),
        read: await t.read("a"),
        listDue: await store.listDue({ partition, limit: 1 }),
        listCounters: await store.listCounters({ partition, cursor: null, limit: 1 }),
        acceptClock: await store.acceptClock({ partition }),
      }
      for (const [member, reply] of Object.entries(replies)) equal(reply.now, t.clock.now(), member)
      await t.clock.advance(12_345)
    }
  })

  test("a window is open from its start to its end, the end excluded", async (t) => {
    const window = windowAround(t, -1_000, 5_000)
    const expectAfter = async (ms: number, outcome: string) => {
      await t.clock.advance(ms)
      await expectReply(t.tryReserve(`r${t.clock.now()}`, [counter("a", 1), counter("w", 1, 9, window)]), outcome)
    }
    await expectAfter(0, "stale-window: 1")
    await expectAfter(999, "stale-window: 1")
    await expectAfter(1, "ok")
    await expectAfter(3_999, "ok")
    await expectAfter(1, "stale-window: 1")
    await t.expectCounters({ a: { reserved: 2 } })
  })

  test("a caller whose clock is fast cannot reserve in tomorrow's window", async (t) => {
    const tomorrow = windowAround(t, -10 * 60_000, DAY_MS)
    await expectReply(t.tryReserve("r1", [counter("tomorrow", 1, 10, tomorrow)]), "stale-window: 0")
    await t.clock.advance(10 * 60_000)
    await t.reserve("r1", [counter("tomorrow", 10, 10, tomorrow)])
  })

  test("a reserve names every counter whose window is not open, before any denial", async (t) => {
    await t.reserve("full", [counter("full", 10, 10)])
    const past = counter("past", 1, 9, windowAround(t, DAY_MS, 0))
    const future = counter("next", 1, 9, windowAround(t, -1, DAY_MS))
    await expectReply(t.tryReserve("r1", [counter("full", 1, 10), past, counter("a", 1), future]), "stale-window: 1,3")
  })

  test("a stale window stores nothing, and the same key may be reserved with new windows", async (t) => {
    const yesterday = counter("day.1", 5, 10, windowAround(t, DAY_MS, 0))
    await expectReply(t.tryReserve("r1", [yesterday, counter("a", 5, 10)]), "stale-window: 0")
    await t.expectCounters({ a: {} })
    await t.reserve("r1", [counter("day.2", 5, 10, windowAround(t, 0, DAY_MS)), counter("a", 5, 10)])
  })

  test("a reserve looks up its key before the windows: a retry after midnight is the same reservation", async (t) => {
    const { expiresAt } = await t.reserve("r1", [counter("day.1", 5, 10, windowAround(t, DAY_MS - 1_000, 1_000))])
    await t.clock.advance(1_000)
    await expectReply(t.tryReserve("r1"), "ok, replayed", { expiresAt })
    await expectReply(t.settle("r1", [4]), "settled")
    await t.expectCounters({ "day.1": { spent: 4 } })
  })

  for (const outcome of ["settled", "released"] as const) {
    test(`after a retry across midnight the money stays in the window of the reserve (${outcome})`, async (t) => {
      const today = windowAround(t, DAY_MS - 1_000, 1_000)
      const tomorrow = { startsAt: today.endsAt, endsAt: today.endsAt! + DAY_MS }
      const { expiresAt } = await t.reserve("r1", [counter("day.1", 5, 10, today), counter("a", 5)])
      await t.clock.advance(1_000)
      // The budget computes the windows again; the fingerprint covers the amounts, not the windows.
      const retry = { ...t.requestOf("r1"), counters: [counter("day.2", 5, 10, tomorrow), counter("a", 5)] }
      const states = [
        { name: "day.2", spent: 0, reserved: 0, granted: 0 },
        { name: "a", spent: 0, reserved: 5, granted: 0 },
      ]
      await expectReply(t.store.reserve(retry), "ok, replayed", { expiresAt, counters: states })
      const wrong = t.store.settle(settleRequest(retry, [4, 4], { outcome, expiresAt }))
      await expectReply(wrong, "other-counters", { storedCounters: ["day.1", "a"] })
      await expectReply(t.settle("r1", [4, 4], { outcome }), outcome)
      await expectReply(t.settle("r1", [4, 4], { outcome }), `${outcome}, replayed`)
      const spent = outcome === "settled" ? 4 : 0
      await t.expectCounters({ "day.1": { spent }, a: { spent }, "day.2": {} })
    })
  }

  test("windows have the caller's length: days of 23 and 25 hours, months of 28 to 31 days", async (t) => {
    const start = t.clock.now()
    for (const hours of [23, 25, 28 * 24, 29 * 24, 30 * 24, 31 * 24]) {
      const length = hours * HOUR_MS
      const counters = [counter(`w.${hours}`, 1, 100, { startsAt: start, endsAt: start + length })]
      await t.clock.advance(start + length - 1 - t.clock.now())
      await t.reserve(`last.${hours}`, counters, { leaseMs: 1_000 })
      await t.clock.advance(1)
      await expectReply(t.tryReserve(`end.${hours}`, counters), "stale-window: 0")
    }
  })

  test("a reservation is settled in its own window after that has closed, late too", async (t) => {
    const today = windowAround(t, DAY_MS - 1_000, 1_000)
    await t.reserve("r1", [counter("day.1", 5, 10, today)])
    await t.reserve("r2", [counter("day.1", 5, 10, { ...today, onExpire: 2 })])
    await t.clock.advance(LEASE_MS)
    await t.settle("r1", [3])
    await t.expectSwept("r2")
    await t.expectCounters({ "day.1": { spent: 5 } })
    await expectReply(t.settle("r2", [4]), "settled, late")
    await t.expectCounters({ "day.1": { spent: 7 } })
  })

  test("an adjustment of a window that is not open is stale", { rule: "Adjustments" }, async (t) => {
    const [past, future] = [windowAround(t, DAY_MS, 0), windowAround(t, -1_000, DAY_MS)]
    await expectReply(t.tryAdjust("a1", "w", "granted", 5, past), "stale-window")
    await expectReply(t.tryAdjust("a2", "w", "granted", 5, future), "stale-window")
    await t.expectCounters({ w: {} })
    await t.clock.advance(1_000)
    await expectReply(t.tryAdjust("a2", "w", "granted", 5, future), "ok")
  })
})

/** A clock that is wrong for a while. */
const clockCases = defineCases({ level: "time", rule: "Time", needs: ["clock"] }, (test) => {
  test("time does not run backwards when the clock does", async (t) => {
    await t.reserve("r1", [counter("a", 1)])
    const latest = t.clock.now()
    await t.clock.advance(-5_000)
    equal(await t.now(), latest, "now, five seconds before the latest time")
    const window = { startsAt: latest - 1_000, endsAt: latest }
    await expectReply(t.tryReserve("r2", [counter("w", 1, 9, window)]), "stale-window: 0", { now: latest })
    await t.clock.advance(6_000)
    equal(await t.now(), latest + 1_000, "now, once the clock has caught up")
  })

  const past = { startsAt: 0, endsAt: 1 }
  const writes: Record<string, (t: CaseContext) => Promise<unknown>> = {
    reserve: (t) => t.reserve("new", [counter("b", 1)]),
    settle: (t) => t.settle("held", [1]),
    expire: (t) => t.expire("due"),
    adjust: (t) => t.adjust("a1", "a", "spent", 1),
  }
  const others: typeof writes = {
    read: (t) => t.read("a"),
    "a denial": (t) => t.tryReserve("denied", [counter("a", 2, 1)]),
    "a stale window": (t) => t.tryReserve("stale", [counter("w", 1, 1, past)]),
    listDue: (t) => t.due(),
    listCounters: (t) => t.store.listCounters({ partition: t.partition, cursor: null, limit: 64 }),
  }
  test("each admitted reserve, settle, expire and adjust writes the time, nothing else does", async (t) => {
    for (const [index, [name, call]] of Object.entries({ ...writes, ...others }).entries()) {
      const at = t.inPartition(`p${index}`)
      await at.reserve("held", [counter("a", 1)], { leaseMs: 5 * DAY_MS })
      await at.reserve("due", [counter("a", 1)], { leaseMs: 1_000 })
      const before = t.clock.now()
      await t.clock.advance(2 * DAY_MS)
      await call(at)
      await t.clock.advance(-2 * DAY_MS)
      equal((await at.now()) - before, name in writes ? 2 * DAY_MS : 0, `how far ${name} two days ahead moved time`)
    }
  })

  test("a clock that jumps two days ahead and back reopens nothing that was spent, and deletes nothing", async (t) => {
    const { clock, store, partition } = t
    const start = clock.now()
    const today = windowAround(t, HOUR_MS, 23 * HOUR_MS)
    const later = { startsAt: today.startsAt! + 2 * DAY_MS, endsAt: today.endsAt! + 2 * DAY_MS }
    await t.charge("r1", [counter("day.1", 10, 10, today), counter("idle", 10, 10, { keepMs: 60_000 })], [10, 10])
    await t.reserve("r2", [counter("a", 5)])
    await t.release("r2")
    await t.adjust("g1", "day.1", "granted", 1, today)
    await t.reserve("zero", [counter("day.1", 0, 10, today)])

    await clock.advance(2 * DAY_MS)
    equal((await t.settle("zero", [0])).status, "settled", "settle of a reservation of 0")
    await t.reserve("r3", [counter("day.3", 4, 10, later)])
    await t.writeElsewhere()
    await clock.advance(-2 * DAY_MS)
    await t.writeElsewhere()

    // Until the clock catches up, the later window is the open one.
    await expectReply(t.tryReserve("r4", [counter("day.1", 1, 10, today)]), "stale-window: 0")
    await expectReply(t.tryReserve("r5", [counter("day.3", 1, 10, later)]), "ok")
    const check = await store.check({ partition })
    match(check, { clockBehindMs: 2 * DAY_MS }, "check")
    ok(check.warnings.length > 0, "check: expected a warning of a clock that is two days behind")

    equal(await store.acceptClock({ partition }), { now: start, before: start + 2 * DAY_MS }, "acceptClock")
    match(await store.check({ partition }), { clockBehindMs: 0 }, "check after acceptClock")
    equal(await t.now(), start, "now after acceptClock")
    await t.expectCounters({ "day.1": { spent: 10, granted: 1 }, idle: { spent: 10 } })
    await expectReply(t.tryReserve("r6", [counter("day.1", 2, 10, today)]), "exceeded: 0")
    await expectReply(t.settle("r1", [10, 10]), "settled, replayed")
    await expectReply(t.tryReserve("r2"), "resolved: released")
    await expectReply(t.tryAdjust("g1", "day.1", "granted", 1, today), "ok, replayed")
  })

  test("leases are measured by the clock alone, also while it is behind the latest time", async (t) => {
    const { clock } = t
    const { expiresAt } = await t.reserve("before", [counter("a", 1)])
    await clock.advance(2 * DAY_MS)
    await t.reserve("ahead", [counter("a", 10)])
    equal(await t.due(), ["before"], "due two days ahead")
    await clock.advance(-2 * DAY_MS)

    equal([await t.due(), (await t.read()).due], [[], false], "due after the clock came back")
    await expectReply(t.expire("before"), "not-due")
    await expectReply(t.extend("before", 1), "held", { expiresAt })
    const short = await t.reserve("short", [counter("a", 100)], { leaseMs: 1_000 })
    equal(short.expiresAt, clock.now() + 1_000, "expiresAt while the clock is behind")
    await clock.advance(999)
    equal(await t.due(), [], "due one millisecond before the end")
    await clock.advance(1)
    equal(await t.due(), ["short"], "due at the end")
    await t.expectSwept("short")
    await expectReply(t.settle("ahead", [7]), "settled")
    await expectReply(t.settle("before", [2]), "settled")
    await t.expectCounters({ a: { spent: 109 } })
  })

  test("a settle two days ahead is replayed after the clock came back", async (t) => {
    await t.reserve("r1", [counter("a", 5)], { leaseMs: 5 * DAY_MS })
    await t.clock.advance(2 * DAY_MS)
    await expectReply(t.settle("r1", [3]), "settled")
    await t.clock.advance(-2 * DAY_MS)
    await t.writeElsewhere()
    await expectReply(t.settle("r1", [3]), "settled, replayed")
    await t.store.acceptClock({ partition: t.partition })
    await expectReply(t.settle("r1", [3]), "settled, replayed")
    await t.expectCounters({ a: { spent: 3 } })
  })
})

export const timeCases = [...windowCases, ...clockCases]
