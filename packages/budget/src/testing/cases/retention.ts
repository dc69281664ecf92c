import type { SettleReply } from "../../store/budget-store"
import { type Bench, settledBy } from "../bench"
import { canonical, equal, fail, match, ok, valuesOf } from "../expect"
import { adjustRequest, counter, DAY_MS, LEASE_MS, reserveRequest, settleRequest } from "../requests"
import { defineCases } from "../store-case"
import { writeElsewhere } from "./housekeeping"

/** Longer than a wrong clock may be ahead: what was forgotten before may be deleted by now. */
const MARGIN_MS = 8 * DAY_MS

/** Settles 3 in counter a now, and again until long after the retention: replayed or forgotten, never charged again. */
async function expectChargedOnce(bench: Bench, keptMs: number, settle: () => Promise<SettleReply>): Promise<void> {
  match(await settle(), { status: "settled", replayed: false }, "the first settle")
  for (let step = 1; step <= 12; step++) {
    await bench.clock.advance(Math.floor(keptMs / 8))
    await writeElsewhere(bench, 20)
    const reply = await settle()
    const known = reply.status === "settled" && reply.replayed
    ok(
      known || reply.status === "forgotten",
      `${step} eighths later: expected replayed or forgotten, got ${canonical(reply)}`,
    )
  }
  await bench.expectCounter("a", { spent: 3 })
}

/** What is kept, how long, and what happens when it is forgotten. */
export const retentionCases = defineCases({ level: "time", rule: "What is kept", needs: ["clock"] }, (test) => {
  test("a closed window is kept for the retention, and reads as zeros after it", async (bench) => {
    const { retentionMs } = bench.store.capabilities
    const window = { startsAt: bench.clock.now(), endsAt: bench.clock.now() + 10_000 }
    await (await bench.reserve("r1", [counter("w", 5, 10, window)], { leaseMs: 1_000 })).settle([5])
    await bench.clock.advance(10_000 + retentionMs - 1_000)
    await bench.expectCounter("w", { spent: 5 }, "shortly before the end of the retention")
    await bench.clock.advance(2_000)
    await bench.expectCounter("w", {}, "shortly after the end of the retention")
  })

  test("a counter without a window is kept for ever, unless keepMs says otherwise", async (bench) => {
    const { retentionMs } = bench.store.capabilities
    const keepMs = 3 * retentionMs
    const counters = [counter("forever", 5), counter("idle", 5, null, { keepMs })]
    await (await bench.reserve("r1", counters)).settle([5, 5])
    await bench.clock.advance(2 * retentionMs)
    await (await bench.reserve("r2", [counter("idle", 1, null, { keepMs })])).settle([1])
    await bench.clock.advance(2 * retentionMs)
    await bench.expectCounter("idle", { spent: 6 }, "touched in between")
    await bench.clock.advance(2 * retentionMs)
    await bench.expectCounter("idle", {}, "untouched for longer than keepMs")
    await bench.clock.advance(MARGIN_MS)
    await writeElsewhere(bench)
    await bench.expectCounter("forever", { spent: 5 })
  })

  test("keepMs may be sixty days", async (bench) => {
    // More milliseconds than 32 bits hold.
    await (await bench.reserve("r1", [counter("idle", 5, null, { keepMs: 60 * DAY_MS })])).settle([5])
    await bench.clock.advance(59 * DAY_MS)
    await writeElsewhere(bench)
    await bench.expectCounter("idle", { spent: 5 }, "after 59 days")
    await bench.clock.advance(2 * DAY_MS)
    await bench.expectCounter("idle", {}, "after 61 days")
  })

  test("a counter in which something is reserved is never forgotten or deleted", async (bench) => {
    const { clock, store } = bench
    const window = { startsAt: clock.now(), endsAt: clock.now() + 5_000 }
    const idle = { keepMs: 1_000 }
    const leaseMs = 2 * store.capabilities.retentionMs + 3 * MARGIN_MS
    await bench.adjust("c1", "idle", "spent", 4, idle)
    await bench.adjust("c2", "w", "spent", 4, window)
    const first = await bench.reserve("r1", [counter("idle", 2, 9, idle), counter("w", 2, 9, window)], { leaseMs })
    await bench.reserve("r2", [counter("idle", 1, 9, idle)], { leaseMs })
    await clock.advance(store.capabilities.retentionMs + 2 * MARGIN_MS)
    await writeElsewhere(bench)
    await bench.expectCounters({ idle: { spent: 4, reserved: 3 }, w: { spent: 4, reserved: 2 } })
    match(await bench.tryReserve("r3", [counter("idle", 3, 9, idle)]), { status: "exceeded" }, "3 of the last 2")
    match(await first.settle([2, 2]), { status: "settled", forgottenCounters: 0, recovered: false }, "settle")
    await bench.expectCounters({ idle: { spent: 6, reserved: 1 }, w: { spent: 6 } })
  })

  test("a window that closes while a lease is open keeps counter and key, so that nothing stays reserved", async (bench) => {
    const { retentionMs } = bench.store.capabilities
    const leaseMs = Math.floor(retentionMs / 4)
    const window = { startsAt: bench.clock.now(), endsAt: bench.clock.now() + Math.floor(leaseMs / 2) }
    const counters = [counter("w", 5, 10, { ...window, onExpire: 3 }), counter("endless", 5, 10, { onExpire: 3 })]
    await bench.reserve("r1", counters, { leaseMs })
    // Nobody looks until long after lease, window, retention and margin.
    await bench.clock.advance(leaseMs + 3 * retentionMs + MARGIN_MS)
    await writeElsewhere(bench)
    await bench.expectCounter("w", { reserved: 5 }, "the closed window before its lease is expired")
    equal(valuesOf(await bench.sweep(), "key"), ["r1"], "expired")
    await bench.expectCounter("endless", { spent: 3 })
    equal((await bench.counterState("w")).reserved, 0, "reserved in the closed window")
  })

  test("a counter is kept as long as any resolved key that names it", async (bench) => {
    const keepMs = 1_000
    const settled = await bench.reserve("r1", [counter("idle", 5, null, { keepMs })])
    await settled.settle([5])
    const expired = await bench.reserve("r2", [counter("idle", 7, null, { keepMs, onExpire: 7 })], { leaseMs: 1 })
    await bench.clock.advance(1)
    await bench.sweep()
    await bench.clock.advance(bench.store.capabilities.retentionMs - 1_000)
    await writeElsewhere(bench)
    await bench.expectCounter("idle", { spent: 12 })
    const revised = settledBy(await settled.settle([6], { revision: 1 }), "revision 1")
    match(revised, { status: "settled", replayed: false, forgottenCounters: 0 }, "revision 1")
    match(await expired.settle([1]), { status: "settled", late: true, forgottenCounters: 0 }, "late settle")
    await bench.expectCounter("idle", { spent: 7 })
  })

  test("a resolved key is known for the retention: settled, released, expired", async (bench) => {
    const settled = await bench.reserve("r1", [counter("a", 10)])
    await settled.settle([3])
    const released = await bench.reserve("r2", [counter("a", 10)])
    await released.release()
    const expired = await bench.reserve("r3", [counter("a", 10, null, { onExpire: 1 })], { leaseMs: 1 })
    await bench.clock.advance(1)
    await bench.sweep()
    await bench.clock.advance(bench.store.capabilities.retentionMs - 1_000)
    await writeElsewhere(bench)
    for (const [reservation, state] of [
      [settled, "settled"] as const,
      [released, "released"] as const,
      [expired, "expired"] as const,
    ])
      match(await bench.store.reserve(reservation.request), { status: "resolved", state }, state)
    match(await settled.settle([3]), { status: "settled", replayed: true }, "settle again")
    match(await expired.settle([4]), { status: "settled", late: true }, "late settle")
    await bench.expectCounter("a", { spent: 7 })
  })

  test("a key that was resolved and forgotten long ago is reported, not charged again", async (bench) => {
    const reservation = await bench.reserve("r1", [counter("a", 10)])
    await reservation.settle([3])
    await bench.clock.advance(2 * bench.store.capabilities.retentionMs + LEASE_MS + MARGIN_MS)
    await writeElsewhere(bench)
    match(await reservation.settle([3]), { status: "forgotten" }, "settle")
    await bench.expectCounter("a", { spent: 3 })
  })

  test("a key that was settled early in a long lease is not charged again at any time", async (bench) => {
    const { retentionMs } = bench.store.capabilities
    const leaseMs = 3 * retentionMs
    const reservation = await bench.reserve("r1", [counter("a", 10)], { leaseMs })
    await expectChargedOnce(bench, leaseMs + retentionMs, () => reservation.settle([3]))
  })

  test("a key whose lease was extended is not charged again at any time", async (bench) => {
    const { retentionMs } = bench.store.capabilities
    const leaseMs = Math.floor(retentionMs / 2)
    const reservation = await bench.reserve("r1", [counter("a", 10)], { leaseMs: 1_000 })
    const extended = await bench.store.extend({ partition: bench.partition, key: "r1", leaseMs })
    if (extended.status !== "held") fail(`extend: expected held, got ${extended.status}`)
    const { expiresAt } = extended
    await expectChargedOnce(bench, leaseMs + retentionMs, () => reservation.settle([3], { expiresAt }))
  })

  test("a lost key that was recovered before the end of its lease is not charged again at any time", async (bench) => {
    const { retentionMs } = bench.store.capabilities
    const expiresAt = bench.clock.now() + Math.floor(retentionMs / 2)
    const settle = settleRequest(reserveRequest(bench.partition, "r1", [counter("a", 10)]), [3], { expiresAt })
    await expectChargedOnce(bench, 2 * retentionMs, () => bench.store.settle(settle))
  })

  test("a released key that was unknown is known for the retention: its reserve may come late", async (bench) => {
    const request = reserveRequest(bench.partition, "r1", [counter("a", 10)])
    await bench.store.settle(settleRequest(request, [], { outcome: "released" }))
    await bench.clock.advance(bench.store.capabilities.retentionMs - 1_000)
    await writeElsewhere(bench)
    match(await bench.store.reserve(request), { status: "resolved", state: "released" }, "the reserve, late")
    await bench.expectCounter("a", {})
  })

  test("a held key is never forgotten, however long nobody looks", async (bench) => {
    const reservation = await bench.reserve("r1", [counter("a", 10, null, { onExpire: 4 })])
    await bench.clock.advance(5 * bench.store.capabilities.retentionMs + 2 * MARGIN_MS)
    await writeElsewhere(bench)
    await bench.expectCounter("a", { reserved: 10 })
    equal(valuesOf(await bench.sweep(), "key"), ["r1"], "expired")
    await bench.expectCounter("a", { spent: 4 })
    match(await reservation.settle([6]), { status: "settled", late: true }, "late settle")
    await bench.expectCounter("a", { spent: 6 })
  })

  test("a lost key is charged in its window, though that has closed", { rule: "States" }, async (bench) => {
    const window = { startsAt: bench.clock.now() - DAY_MS, endsAt: bench.clock.now() + 1_000 }
    const request = reserveRequest(bench.partition, "r1", [counter("day.1", 5, 10, window)])
    const expiresAt = bench.clock.now() + LEASE_MS
    await bench.clock.advance(1_000)
    const reply = await bench.store.settle(settleRequest(request, [4], { expiresAt }))
    match(reply, { status: "settled", recovered: true, replayed: false, forgottenCounters: 0 }, "settle after midnight")
    await bench.expectCounter("day.1", { spent: 4 })
  })

  test("a settle does not count a forgotten window anew: it changes key and entry, and reports it", {
    rule: "States",
  }, async (bench) => {
    const window = { startsAt: bench.clock.now(), endsAt: bench.clock.now() + 1_000 }
    const counters = [counter("day.1", 5, 10, window), counter("a", 5)]
    await (await bench.reserve("r1", counters, { leaseMs: 500 })).settle([3, 3])
    await bench.clock.advance(1_000 + bench.store.capabilities.retentionMs + MARGIN_MS)
    await writeElsewhere(bench)
    const lost = settleRequest(reserveRequest(bench.partition, "r2", counters), [4, 4])
    const flags = { status: "settled", recovered: true, replayed: false, forgottenCounters: 1 }
    match(await bench.store.settle(lost), flags, "settle of a lost key")
    await bench.expectCounter("day.1", {}, "the forgotten window")
    await bench.expectCounter("a", { spent: 7 })
    match(await bench.store.settle(lost), { status: "settled", replayed: true }, "the same again")
  })

  test("an adjustment sent again after its window has closed is the same one", {
    rule: "Adjustments",
  }, async (bench) => {
    const { store, partition, clock } = bench
    const window = { startsAt: clock.now(), endsAt: clock.now() + 1_000 }
    const request = adjustRequest(partition, "a1", "w", "granted", 5, window)
    match(await store.adjust(request), { status: "ok", replayed: false, applied: 5 }, "while it is open")
    await clock.advance(store.capabilities.retentionMs)
    await writeElsewhere(bench)
    match(await store.adjust(request), { status: "ok", replayed: true, applied: 5 }, "after it has closed")
    await bench.expectCounter("w", { granted: 5 })
  })

  test("the key of an adjustment without a window is known for at least ninety days", {
    rule: "Adjustments",
  }, async (bench) => {
    await bench.adjust("a1", "a", "granted", 5)
    await bench.adjust("a2", "idle", "spent", 5, { keepMs: 1_000 })
    await bench.clock.advance(Math.max(90 * DAY_MS, bench.store.capabilities.retentionMs) - 1_000)
    await writeElsewhere(bench)
    match(await bench.adjust("a1", "a", "granted", 5), { replayed: true, applied: 5 }, "again")
    match(
      await bench.adjust("a2", "idle", "spent", 5, { keepMs: 1_000 }),
      { replayed: true, applied: 5 },
      "again, idle",
    )
    await bench.expectCounters({ a: { granted: 5 }, idle: {} })
  })

  test("memory is bounded: closed windows, resolved keys, adjustments and idle counters are deleted", {
    needs: ["size"],
  }, async (bench) => {
    const { retentionMs } = bench.store.capabilities
    for (const round of ["one", "two", "three", "four"]) {
      const window = { startsAt: bench.clock.now(), endsAt: bench.clock.now() + 10_000 }
      const calls = Array.from({ length: 100 }, async (_, index) => {
        const id = `${round}.${index}`
        const counters = [counter(`w.${id}`, 1, 9, window), counter(`i.${id}`, 1, 9, { keepMs: 5_000 })]
        const reservation = await bench.reserve(`r.${id}`, counters, { leaseMs: 1_000 })
        if (index % 3 === 0) await reservation.settle([1, 1])
        if (index % 3 === 1) await reservation.release()
        await bench.adjust(`a.${id}`, `w.${id}`, "spent", 1, window)
      })
      await Promise.all(calls)
      await bench.clock.advance(2_000)
      await bench.sweep()
      await bench.clock.advance(3 * retentionMs + MARGIN_MS)
    }
    // Stores may delete as calls come in.
    await writeElsewhere(bench)
    const found = await bench.target.size!(bench.partition)
    // The 150 keys of the last writes and their counter remain; of the 1,600 records before, a few may.
    ok(found <= 151 + 40, `size: expected about 151 records, at most 191, got ${found}`)
  })
})
