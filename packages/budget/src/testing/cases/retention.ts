import type { SettleReply } from "../../store/budget-store"
import type { CaseContext } from "../case-context"
import { equal, expectReply, fail, ok, outcomeOf } from "../expect"
import { counter, DAY_MS, LEASE_MS } from "../requests"
import { defineCases } from "../store-case"

/** Longer than a wrong clock may be ahead: what was forgotten before may be deleted by now. */
const MARGIN_MS = 8 * DAY_MS

/** Settles 3 in counter a now, and again until long after the retention: replayed or forgotten, never charged again. */
async function expectChargedOnce(t: CaseContext, keptMs: number, settle: () => Promise<SettleReply>): Promise<void> {
  const first = await settle()
  ok(first.status === "settled" && !first.replayed, `the first settle: expected settled, got ${outcomeOf(first)}`)
  for (let step = 1; step <= 12; step++) {
    await t.advanceAndWrite(Math.floor(keptMs / 8), 20)
    const outcome = outcomeOf(await settle())
    const expected = outcome === "settled, replayed" || outcome === "forgotten"
    ok(expected, `${step} eighths later: expected replayed or forgotten, got ${outcome}`)
  }
  await t.expectCounters({ a: { spent: 3 } })
}

/** What is kept, how long, and what happens when it is forgotten. */
export const retentionCases = defineCases({ level: "time", rule: "What is kept", needs: ["clock"] }, (test) => {
  test("a closed window is kept for the retention, and reads as zeros after it", async (t) => {
    const window = { startsAt: t.clock.now(), endsAt: t.clock.now() + 10_000 }
    await t.charge("r1", [counter("w", 5, 10, window)], [5], { leaseMs: 1_000 })
    await t.clock.advance(10_000 + t.retentionMs - 1_000)
    await t.expectCounters({ w: { spent: 5 } }, "shortly before the end of the retention")
    await t.clock.advance(2_000)
    await t.expectCounters({ w: {} }, "shortly after the end of the retention")
  })

  test("a closed window is kept for keepMs after its end, if that is longer than the retention", async (t) => {
    const window = { startsAt: t.clock.now(), endsAt: t.clock.now() + 10_000 }
    const long = counter("long", 5, 10, { ...window, keepMs: 3 * t.retentionMs })
    const short = counter("short", 5, 10, { ...window, keepMs: 1_000 })
    await t.charge("r1", [long, short], [5, 5], { leaseMs: 1_000 })
    await t.clock.advance(10_000 + t.retentionMs - 1_000)
    await t.expectCounters({ long: { spent: 5 }, short: { spent: 5 } }, "shortly before the end of the retention")
    await t.advanceAndWrite(2 * t.retentionMs)
    await t.expectCounters({ long: { spent: 5 }, short: {} }, "shortly before keepMs ends")
    await t.clock.advance(2_000)
    await t.expectCounters({ long: {} }, "shortly after keepMs ended")
  })

  test("a counter without a window is kept forever, unless keepMs limits it", async (t) => {
    const idle = counter("idle", 5, null, { keepMs: 3 * t.retentionMs })
    await t.charge("r1", [counter("forever", 5), idle], [5, 5])
    await t.clock.advance(2 * t.retentionMs)
    await t.charge("r2", [idle], [1])
    await t.clock.advance(2 * t.retentionMs)
    await t.expectCounters({ idle: { spent: 6 } }, "touched in between")
    await t.clock.advance(2 * t.retentionMs)
    await t.expectCounters({ idle: {} }, "untouched for longer than keepMs")
    await t.advanceAndWrite(MARGIN_MS)
    await t.expectCounters({ forever: { spent: 5 } })
  })

  test("keepMs may be sixty days", async (t) => {
    // More milliseconds than fit into 32 bits.
    await t.charge("r1", [counter("idle", 5, null, { keepMs: 60 * DAY_MS })], [5])
    await t.advanceAndWrite(59 * DAY_MS)
    await t.expectCounters({ idle: { spent: 5 } }, "after 59 days")
    await t.clock.advance(2 * DAY_MS)
    await t.expectCounters({ idle: {} }, "after 61 days")
  })

  test("a counter in which something is reserved is never forgotten or deleted", async (t) => {
    const window = { startsAt: t.clock.now(), endsAt: t.clock.now() + 5_000 }
    const idle = { keepMs: 1_000 }
    const leaseMs = 2 * t.retentionMs + 3 * MARGIN_MS
    await t.adjust("c1", "idle", "spent", 4, idle)
    await t.adjust("c2", "w", "spent", 4, window)
    await t.reserve("r1", [counter("idle", 2, 9, idle), counter("w", 2, 9, window)], { leaseMs })
    await t.reserve("r2", [counter("idle", 1, 9, idle)], { leaseMs })
    await t.advanceAndWrite(t.retentionMs + 2 * MARGIN_MS)
    await t.expectCounters({ idle: { spent: 4, reserved: 3 }, w: { spent: 4, reserved: 2 } })
    await expectReply(t.tryReserve("r3", [counter("idle", 3, 9, idle)]), "exceeded: 0")
    await expectReply(t.settle("r1", [2, 2]), "settled")
    await t.expectCounters({ idle: { spent: 6, reserved: 1 }, w: { spent: 6 } })
  })

  test("a window that closes while a lease is open keeps counter and key, so that nothing stays reserved", async (t) => {
    const leaseMs = Math.floor(t.retentionMs / 4)
    const window = { startsAt: t.clock.now(), endsAt: t.clock.now() + Math.floor(leaseMs / 2) }
    const closing = counter("w", 5, 10, { ...window, onExpire: 3 })
    await t.reserve("r1", [closing, counter("endless", 5, 10, { onExpire: 3 })], { leaseMs })
    // No call is made until long after lease, window, retention and margin.
    await t.advanceAndWrite(leaseMs + 3 * t.retentionMs + MARGIN_MS)
    await t.expectCounters({ w: { reserved: 5 } }, "the closed window before its lease is expired")
    await t.expectSwept("r1")
    await t.expectCounters({ endless: { spent: 3 } })
    equal((await t.read("w")).counters[0]!.reserved, 0, "reserved in the closed window")
  })

  test("a counter is kept as long as any resolved key that names it", async (t) => {
    const idle = { keepMs: 1_000 }
    await t.charge("r1", [counter("idle", 5, null, idle)], [5])
    await t.reserve("r2", [counter("idle", 7, null, { ...idle, onExpire: 7 })], { leaseMs: 1 })
    await t.clock.advance(1)
    await t.sweep()
    await t.advanceAndWrite(t.retentionMs - 1_000)
    await t.expectCounters({ idle: { spent: 12 } })
    await expectReply(t.settle("r1", [6], { revision: 1 }), "settled")
    await expectReply(t.settle("r2", [1]), "settled, late")
    await t.expectCounters({ idle: { spent: 7 } })
  })

  test("a resolved key is known for the retention: settled, released, expired", async (t) => {
    await t.charge("settled", [counter("a", 10)], [3])
    await t.reserve("released", [counter("a", 10)])
    await t.release("released")
    await t.reserve("expired", [counter("a", 10, null, { onExpire: 1 })], { leaseMs: 1 })
    await t.clock.advance(1)
    await t.sweep()
    await t.advanceAndWrite(t.retentionMs - 1_000)
    for (const state of ["settled", "released", "expired"]) await expectReply(t.tryReserve(state), `resolved: ${state}`)
    await expectReply(t.settle("settled", [3]), "settled, replayed")
    await expectReply(t.settle("expired", [4]), "settled, late")
    await t.expectCounters({ a: { spent: 7 } })
  })

  test("a key that was resolved and forgotten long ago is reported, not charged again", async (t) => {
    await t.charge("r1", [counter("a", 10)], [3])
    await t.advanceAndWrite(2 * t.retentionMs + LEASE_MS + MARGIN_MS)
    await expectReply(t.settle("r1", [3]), "forgotten")
    await t.expectCounters({ a: { spent: 3 } })
  })

  test("a key that was settled early in a long lease is not charged again at any time", async (t) => {
    const leaseMs = 3 * t.retentionMs
    await t.reserve("r1", [counter("a", 10)], { leaseMs })
    await expectChargedOnce(t, leaseMs + t.retentionMs, () => t.settle("r1", [3]))
  })

  test("a key whose lease was extended is not charged again at any time", async (t) => {
    const leaseMs = Math.floor(t.retentionMs / 2)
    await t.reserve("r1", [counter("a", 10)], { leaseMs: 1_000 })
    const extended = await t.extend("r1", leaseMs)
    if (extended.status !== "held") fail(`extend: expected held, got ${extended.status}`)
    const { expiresAt } = extended
    await expectChargedOnce(t, leaseMs + t.retentionMs, () => t.settle("r1", [3], { expiresAt }))
  })

  test("a lost key that was recovered before the end of its lease is not charged again at any time", async (t) => {
    t.prepare("r1", [counter("a", 10)], t.clock.now() + Math.floor(t.retentionMs / 2))
    await expectChargedOnce(t, 2 * t.retentionMs, () => t.settle("r1", [3]))
  })

  test("a released key that was unknown is known for the retention, so that a late reserve is not admitted", async (t) => {
    t.prepare("r1", [counter("a", 10)])
    await t.release("r1")
    await t.advanceAndWrite(t.retentionMs - 1_000)
    await expectReply(t.tryReserve("r1"), "resolved: released")
    await t.expectCounters({ a: {} })
  })

  test("a held key is never forgotten, however long no call comes", async (t) => {
    await t.reserve("r1", [counter("a", 10, null, { onExpire: 4 })])
    await t.advanceAndWrite(5 * t.retentionMs + 2 * MARGIN_MS)
    await t.expectCounters({ a: { reserved: 10 } })
    await t.expectSwept("r1")
    await t.expectCounters({ a: { spent: 4 } })
    await expectReply(t.settle("r1", [6]), "settled, late")
    await t.expectCounters({ a: { spent: 6 } })
  })

  test("a lost key is charged in its window after that has closed", { rule: "States" }, async (t) => {
    const window = { startsAt: t.clock.now() - DAY_MS, endsAt: t.clock.now() + 1_000 }
    t.prepare("r1", [counter("day.1", 5, 10, window)], t.clock.now() + LEASE_MS)
    await t.clock.advance(1_000)
    await expectReply(t.settle("r1", [4]), "settled, recovered")
    await t.expectCounters({ "day.1": { spent: 4 } })
  })

  test("a settle does not count a forgotten window anew: it changes key and entry, and reports it", {
    rule: "States",
  }, async (t) => {
    const window = { startsAt: t.clock.now(), endsAt: t.clock.now() + 1_000 }
    const counters = [counter("day.1", 5, 10, window), counter("a", 5)]
    await t.charge("r1", counters, [3, 3], { leaseMs: 500 })
    await t.advanceAndWrite(1_000 + t.retentionMs + MARGIN_MS)
    t.prepare("r2", counters)
    await expectReply(t.settle("r2", [4, 4]), "settled, recovered, 1 forgotten")
    await t.expectCounters({ "day.1": {}, a: { spent: 7 } })
    await expectReply(t.settle("r2", [4, 4]), "settled, replayed")
  })

  test("an adjustment sent again after its window has closed is the same one", {
    rule: "Adjustments",
  }, async (t) => {
    const window = { startsAt: t.clock.now(), endsAt: t.clock.now() + 1_000 }
    const adjust = () => t.tryAdjust("a1", "w", "granted", 5, window)
    await expectReply(adjust(), "ok", { applied: 5 })
    await t.advanceAndWrite(t.retentionMs)
    await expectReply(adjust(), "ok, replayed", { applied: 5 })
    await t.expectCounters({ w: { granted: 5 } })
  })

  test("the key of an adjustment without a window is known for at least ninety days", {
    rule: "Adjustments",
  }, async (t) => {
    const grant = () => t.tryAdjust("a1", "a", "granted", 5)
    const correct = () => t.tryAdjust("a2", "idle", "spent", 5, { keepMs: 1_000 })
    for (const adjust of [grant, correct]) await expectReply(adjust(), "ok")
    await t.advanceAndWrite(Math.max(90 * DAY_MS, t.retentionMs) - 1_000)
    for (const adjust of [grant, correct]) await expectReply(adjust(), "ok, replayed", { applied: 5 })
    await t.expectCounters({ a: { granted: 5 }, idle: {} })
  })

  test("memory is bounded: closed windows, resolved keys, adjustments and idle counters are deleted", {
    needs: ["size"],
  }, async (t) => {
    for (const round of ["one", "two", "three", "four"]) {
      const window = { startsAt: t.clock.now(), endsAt: t.clock.now() + 10_000 }
      const calls = Array.from({ length: 100 }, async (_, index) => {
        const id = `${round}.${index}`
        const counters = [counter(`w.${id}`, 1, 9, window), counter(`i.${id}`, 1, 9, { keepMs: 5_000 })]
        await t.reserve(id, counters, { leaseMs: 1_000 })
        if (index % 3 < 2) await t.settle(id, [1, 1], { outcome: index % 3 === 0 ? "settled" : "released" })
        await t.adjust(id, `w.${id}`, "spent", 1, window)
      })
      await Promise.all(calls)
      await t.clock.advance(2_000)
      await t.sweep()
      await t.clock.advance(3 * t.retentionMs + MARGIN_MS)
    }
    // A store may delete records during calls.
    await t.writeElsewhere()
    const found = await t.target.size!(t.partition)
    // The 150 keys of the last writes and their counter remain; of the 1,600 records before, a few may.
    ok(found <= 151 + 40, `size: expected about 151 records, at most 191, got ${found}`)
  })
})
