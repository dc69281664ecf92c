import type { CounterRef } from "../../store/budget-store"
import { type Bench, settledBy } from "../bench"
import { equal, match, ok, valuesOf } from "../expect"
import { adjustRequest, counter, DAY_MS, LEASE_MS, settleRequest } from "../requests"
import { defineCases } from "../store-case"
import { writeElsewhere } from "./housekeeping"

const HOUR_MS = 3_600_000

/** A window around now. */
function windowAround({ clock }: Bench, beforeMs: number, afterMs: number): Pick<CounterRef, "startsAt" | "endsAt"> {
  return { startsAt: clock.now() - beforeMs, endsAt: clock.now() + afterMs }
}

/** Windows, and a clock that is wrong for a while. */
export const timeCases = defineCases({ level: "time", rule: "Time", needs: ["clock"] }, (test) => {
  test("every reply carries the store's time", async ({ store, partition, clock, reserve }) => {
    for (let step = 0; step < 3; step++) {
      const key = `r${step}`
      const reservation = await reserve(key, [counter("a", 1)])
      equal(reservation.expiresAt, clock.now() + LEASE_MS, "expiresAt")
      const replies = {
        reserve: await store.reserve(reservation.request),
        extend: await store.extend({ partition, key, leaseMs: 1 }),
        expire: await store.expire({ partition, key, counters: ["a"] }),
        settle: await reservation.settle([1]),
        adjust: await store.adjust(adjustRequest(partition, `a${step}`, "a", "spent", 1)),
        read: await store.read({ partition, counters: ["a"] }),
        listDue: await store.listDue({ partition, limit: 1 }),
        listCounters: await store.listCounters({ partition, cursor: null, limit: 1 }),
        acceptClock: await store.acceptClock({ partition }),
      }
      for (const [member, reply] of Object.entries(replies)) equal(reply.now, clock.now(), member)
      await clock.advance(12_345)
    }
  })

  test("a window is open from its start to its end, the end excluded", async ({ clock, tryReserve, expectCounter }) => {
    const window = { startsAt: clock.now() + 1_000, endsAt: clock.now() + 5_000 }
    const reserve = (key: string) => tryReserve(key, [counter("a", 1), counter("w", 1, 9, window)])
    match(await reserve("before"), { status: "stale-window", which: [1] }, "before its start")
    await clock.advance(999)
    match(await reserve("before2"), { status: "stale-window", which: [1] }, "one millisecond before its start")
    await clock.advance(1)
    match(await reserve("first"), { status: "ok" }, "at its start")
    await clock.advance(3_999)
    match(await reserve("last"), { status: "ok" }, "one millisecond before its end")
    await clock.advance(1)
    match(await reserve("after"), { status: "stale-window", which: [1] }, "at its end")
    await expectCounter("a", { reserved: 2 })
  })

  test("a caller whose clock is fast cannot reserve in tomorrow's window", async (bench) => {
    const tomorrow = windowAround(bench, -10 * 60_000, DAY_MS)
    const early = await bench.tryReserve("r1", [counter("tomorrow", 1, 10, tomorrow)])
    match(early, { status: "stale-window", which: [0] }, "ten minutes too early")
    await bench.clock.advance(10 * 60_000)
    await bench.reserve("r1", [counter("tomorrow", 10, 10, tomorrow)])
  })

  test("every counter whose window is not open is named, before any denial", async (bench) => {
    await bench.reserve("full", [counter("full", 10, 10)])
    const [past, future] = [windowAround(bench, DAY_MS, 0), windowAround(bench, -1, DAY_MS)]
    const counters = [
      counter("full", 1, 10),
      counter("past", 1, 9, past),
      counter("a", 1),
      counter("next", 1, 9, future),
    ]
    match(await bench.tryReserve("r1", counters), { status: "stale-window", which: [1, 3] }, "reserve")
  })

  test("a stale window stores nothing: the same key comes again with new windows", async (bench) => {
    const stale = [counter("day.1", 5, 10, windowAround(bench, DAY_MS, 0)), counter("a", 5, 10)]
    match(await bench.tryReserve("r1", stale), { status: "stale-window", which: [0] }, "yesterday")
    await bench.expectCounter("a", {})
    await bench.reserve("r1", [counter("day.2", 5, 10, windowAround(bench, 0, DAY_MS)), counter("a", 5, 10)])
  })

  test("the key is looked up before the windows: a retry after midnight is the same reservation", async (bench) => {
    const today = windowAround(bench, DAY_MS - 1_000, 1_000)
    const { request, expiresAt, settle } = await bench.reserve("r1", [counter("day.1", 5, 10, today)])
    await bench.clock.advance(1_000)
    match(await bench.store.reserve(request), { status: "ok", replayed: true, expiresAt }, "retry")
    match(await settle([4]), { status: "settled", late: false }, "settle after midnight")
    await bench.expectCounter("day.1", { spent: 4 })
  })

  for (const outcome of ["settled", "released"] as const) {
    test(`after a retry across midnight the money stays in the window of the reserve (${outcome})`, async (bench) => {
      const { store } = bench
      const today = windowAround(bench, DAY_MS - 1_000, 1_000)
      const tomorrow = { startsAt: today.endsAt, endsAt: today.endsAt! + DAY_MS }
      const first = await bench.reserve("r1", [counter("day.1", 5, 10, today), counter("a", 5)])
      await bench.clock.advance(1_000)
      // The budget computes the windows anew; the fingerprint is of what was requested, not of when.
      const retry = { ...first.request, counters: [counter("day.2", 5, 10, tomorrow), counter("a", 5)] }
      const reply = await store.reserve(retry)
      match(reply, { status: "ok", replayed: true, expiresAt: first.expiresAt }, "retry")
      equal(
        reply.counters.map(({ name, reserved }) => [name, reserved]),
        [
          ["day.2", 0],
          ["a", 5],
        ],
        "counters",
      )
      const wrong = await store.settle(settleRequest(retry, [4, 4], { outcome, expiresAt: first.expiresAt }))
      match(wrong, { status: "other-counters", storedCounters: ["day.1", "a"] }, "a settle that names today's window")
      const right = settleRequest(first.request, [4, 4], { outcome, expiresAt: first.expiresAt })
      match(await store.settle(right), { status: outcome, replayed: false }, "a settle that names the stored window")
      match(await store.settle(right), { status: outcome, replayed: true }, "the same again")
      const spent = outcome === "settled" ? 4 : 0
      await bench.expectCounters({ "day.1": { spent }, a: { spent }, "day.2": {} })
    })
  }

  test("windows are the caller's: days of 23 and 25 hours, months of 28 to 31 days", async ({ clock, tryReserve }) => {
    const start = clock.now()
    const lengths = [23 * HOUR_MS, 25 * HOUR_MS, ...[28, 29, 30, 31].map((days) => days * DAY_MS)]
    for (const length of lengths) {
      const window = { startsAt: start, endsAt: start + length }
      const reserve = (when: string) =>
        tryReserve(`${when}.${length}`, [counter(`w.${length}`, 1, 100, window)], { leaseMs: 1_000 })
      await clock.advance(start + length - 1 - clock.now())
      match(await reserve("last"), { status: "ok" }, `the last millisecond of ${length / HOUR_MS} hours`)
      await clock.advance(1)
      match(await reserve("end"), { status: "stale-window", which: [0] }, `the end of ${length / HOUR_MS} hours`)
    }
  })

  test("what was reserved before its window closed is settled in it afterwards, late too", async (bench) => {
    const today = windowAround(bench, DAY_MS - 1_000, 1_000)
    const first = await bench.reserve("r1", [counter("day.1", 5, 10, today)])
    const second = await bench.reserve("r2", [counter("day.1", 5, 10, { ...today, onExpire: 2 })])
    await bench.clock.advance(LEASE_MS)
    await first.settle([3])
    equal(valuesOf(await bench.sweep(), "key"), ["r2"], "expired after the end of the window")
    await bench.expectCounter("day.1", { spent: 5 })
    match(await second.settle([4]), { late: true }, "late settle in a closed window")
    await bench.expectCounter("day.1", { spent: 7 })
  })

  test("an adjustment of a window that is not open is stale", { rule: "Adjustments" }, async (bench) => {
    const { store, partition } = bench
    const future = adjustRequest(partition, "a2", "w", "granted", 5, windowAround(bench, -1_000, DAY_MS))
    const past = adjustRequest(partition, "a1", "w", "granted", 5, windowAround(bench, DAY_MS, 0))
    match(await store.adjust(past), { status: "stale-window" }, "a window that is over")
    match(await store.adjust(future), { status: "stale-window" }, "a window that has not begun")
    await bench.expectCounter("w", {})
    await bench.clock.advance(1_000)
    match(await store.adjust(future), { status: "ok", replayed: false }, "a window that is open now")
  })

  // ── A clock that is wrong ──

  test("time does not run backwards when the clock does", async (bench) => {
    const { clock } = bench
    await bench.reserve("r1", [counter("a", 1)])
    const latest = clock.now()
    await clock.advance(-5_000)
    equal(await bench.now(), latest, "now, five seconds before the latest time")
    const window = { startsAt: latest - 1_000, endsAt: latest }
    const reply = await bench.tryReserve("r2", [counter("w", 1, 9, window)])
    match(reply, { status: "stale-window", now: latest }, "a window that ended at the latest time")
    await clock.advance(6_000)
    equal(await bench.now(), latest + 1_000, "now, once the clock has caught up")
  })

  test("each admitted reserve, settle, expire and adjust writes the time, nothing else does", async (bench) => {
    const { clock } = bench
    const past = windowAround(bench, DAY_MS, 0)
    const writes: Record<string, (at: Bench) => Promise<unknown>> = {
      reserve: (at) => at.reserve("new", [counter("b", 1)]),
      settle: (at) => at.store.settle(settleRequest({ ...held.get(at)!.request }, [1])),
      expire: (at) => at.store.expire({ partition: at.partition, key: "due", counters: ["a"] }),
      adjust: (at) => at.adjust("a1", "a", "spent", 1),
    }
    const others: Record<string, (at: Bench) => Promise<unknown>> = {
      read: (at) => at.store.read({ partition: at.partition, counters: ["a"] }),
      "a denial": (at) => at.tryReserve("denied", [counter("a", 2, 1)]),
      "a stale window": (at) => at.tryReserve("stale", [counter("w", 1, 1, past)]),
      listDue: (at) => at.store.listDue({ partition: at.partition, limit: 64 }),
      listCounters: (at) => at.store.listCounters({ partition: at.partition, cursor: null, limit: 64 }),
    }
    const held = new Map<Bench, Awaited<ReturnType<Bench["reserve"]>>>()
    for (const [index, [name, call]] of Object.entries({ ...writes, ...others }).entries()) {
      const at = bench.inPartition(`p${index}`)
      held.set(at, await at.reserve("held", [counter("a", 1)], { leaseMs: 5 * DAY_MS }))
      await at.reserve("due", [counter("a", 1)], { leaseMs: 1_000 })
      const before = clock.now()
      await clock.advance(2 * DAY_MS)
      await call(at)
      await clock.advance(-2 * DAY_MS)
      equal((await at.now()) - before, name in writes ? 2 * DAY_MS : 0, `how far ${name} two days ahead moved time`)
    }
  })

  test("a clock that jumps two days ahead and back reopens nothing that was spent, and deletes nothing", async (bench) => {
    const { clock, store, partition } = bench
    const start = clock.now()
    const today = windowAround(bench, HOUR_MS, 23 * HOUR_MS)
    const later = { startsAt: today.startsAt! + 2 * DAY_MS, endsAt: today.endsAt! + 2 * DAY_MS }
    const spent = await bench.reserve("r1", [
      counter("day.1", 10, 10, today),
      counter("idle", 10, 10, { keepMs: 60_000 }),
    ])
    await spent.settle([10, 10])
    const released = await bench.reserve("r2", [counter("a", 5)])
    await released.release()
    match(await bench.adjust("g1", "day.1", "granted", 1, today), { replayed: false }, "grant")
    const free = await bench.reserve("r0", [counter("day.1", 0, 10, today)])

    await clock.advance(2 * DAY_MS)
    match(await free.settle([0]), { status: "settled" }, "the settle of an amount of 0")
    await bench.reserve("r3", [counter("day.3", 4, 10, later)])
    await writeElsewhere(bench)
    await clock.advance(-2 * DAY_MS)
    await writeElsewhere(bench)

    match(
      await bench.tryReserve("r4", [counter("day.1", 1, 10, today)]),
      { status: "stale-window" },
      "today's window, until the clock catches up",
    )
    match(
      await bench.tryReserve("r5", [counter("day.3", 1, 10, later)]),
      { status: "ok" },
      "the later window, meanwhile",
    )
    const check = await store.check({ partition })
    match(check, { clockBehindMs: 2 * DAY_MS }, "check")
    ok(check.warnings.length > 0, "check: expected a warning of a clock that is two days behind")

    equal(await store.acceptClock({ partition }), { now: start, before: start + 2 * DAY_MS }, "acceptClock")
    match(await store.check({ partition }), { clockBehindMs: 0 }, "check after acceptClock")
    equal(await bench.now(), start, "now after acceptClock")
    await bench.expectCounter("day.1", { spent: 10, granted: 1 }, "today's window, open again")
    await bench.expectCounter("idle", { spent: 10 }, "the counter that is kept for a minute")
    match(await bench.tryReserve("r6", [counter("day.1", 2, 10, today)]), { status: "exceeded" }, "2 of the last 1")
    match(await spent.settle([10, 10]), { status: "settled", replayed: true }, "the settle, sent again")
    match(await bench.store.reserve(released.request), { status: "resolved", state: "released" }, "the released key")
    match(await bench.adjust("g1", "day.1", "granted", 1, today), { replayed: true }, "the grant, sent again")
  })

  test("leases are measured by the clock alone, also while it is behind the latest time", async (bench) => {
    const { clock, store, partition } = bench
    const due = async () => valuesOf((await store.listDue({ partition, limit: 64 })).due, "key")
    const before = await bench.reserve("before", [counter("a", 1)])
    await clock.advance(2 * DAY_MS)
    const ahead = await bench.reserve("ahead", [counter("a", 10)])
    equal(await due(), ["before"], "due two days ahead")
    await clock.advance(-2 * DAY_MS)

    equal(await due(), [], "due after the clock came back")
    equal((await store.read({ partition, counters: [] })).due, false, "`due` of read")
    match(await store.expire({ partition, key: "before", counters: ["a"] }), { status: "not-due" }, "expire")
    match(
      await store.extend({ partition, key: "before", leaseMs: 1 }),
      { status: "held", expiresAt: before.expiresAt },
      "extend",
    )
    const short = await bench.reserve("short", [counter("a", 100)], { leaseMs: 1_000 })
    equal(short.expiresAt, clock.now() + 1_000, "expiresAt while the clock is behind")
    await clock.advance(999)
    equal(await due(), [], "due one millisecond before the end")
    await clock.advance(1)
    equal(await due(), ["short"], "due at the end")
    equal(valuesOf(await bench.sweep(), "key"), ["short"], "expired")
    match(
      await ahead.settle([7]),
      { status: "settled", late: false, recovered: false },
      "what was reserved two days ahead",
    )
    match(await before.settle([2]), { status: "settled", late: false }, "what was reserved before the jump")
    await bench.expectCounter("a", { spent: 109 })
  })

  test("a settle two days ahead is replayed after the clock came back", async (bench) => {
    const reservation = await bench.reserve("r1", [counter("a", 5)], { leaseMs: 5 * DAY_MS })
    await bench.clock.advance(2 * DAY_MS)
    match(settledBy(await reservation.settle([3]), "settle"), { replayed: false }, "settle")
    await bench.clock.advance(-2 * DAY_MS)
    await writeElsewhere(bench)
    match(await reservation.settle([3]), { status: "settled", replayed: true }, "again, two days back")
    await bench.store.acceptClock({ partition: bench.partition })
    match(await reservation.settle([3]), { status: "settled", replayed: true }, "again, once the clock is accepted")
    await bench.expectCounter("a", { spent: 3 })
  })
})
