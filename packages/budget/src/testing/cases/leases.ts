import { equal, expectReply, match, ok, valuesOf } from "../expect"
import { counter, DAY_MS, LARGEST, LEASE_MS } from "../requests"
import { defineCases } from "../store-case"

/** Counters that are charged these amounts on expiry. */
const countersCharging = (amounts: Record<string, number>) =>
  Object.entries(amounts).map(([name, onExpire]) => counter(name, 10, null, { onExpire }))

/** How leases end, by which calls, and what that charges. */
export const leaseCases = defineCases({ level: "leases", rule: "States", needs: ["clock"] }, (test) => {
  test("a lease lasts until its end and not beyond", async (t) => {
    const { store, partition } = t
    await t.reserve("r1", [counter("a", 10, 10, { onExpire: 0 })])
    await t.clock.advance(LEASE_MS - 1)
    equal(await t.due(), [], "due one millisecond before its end")
    await expectReply(t.expire("r1"), "not-due")
    await t.clock.advance(1)
    equal((await store.listDue({ partition, limit: 64 })).due, [{ key: "r1", counters: ["a"] }], "due at its end")
    await expectReply(t.expire("r1"), "expired")
    await t.expectCounters({ a: {} })
  })

  test("no call but expire ends another key's lease; reserve and read report that one is due", async (t) => {
    await t.reserve("r1", [counter("a", 10, 10, { onExpire: 4 })])
    await t.clock.advance(LEASE_MS)
    const past = { startsAt: t.clock.now() - DAY_MS, endsAt: t.clock.now() }
    await expectReply(t.tryReserve("r2", [counter("b", 1, 10)]), "ok", { due: true })
    await expectReply(t.tryReserve("r2"), "ok, replayed", { due: true })
    await expectReply(t.tryReserve("r3", [counter("a", 1, 10)]), "exceeded: 0", { due: true })
    await expectReply(t.tryReserve("r4", [counter("w", 1, 10, past)]), "stale-window: 0", { due: true })
    await expectReply(t.extend("r2", 1), "held")
    await t.adjust("g1", "a", "granted", 1)
    const counters = [{ name: "a", spent: 0, reserved: 10, granted: 1 }]
    for (const round of [1, 2, 3]) match(await t.read("a"), { due: true, counters }, `read ${round}`)
    await expectReply(t.expire("r1"), "expired")
    equal((await t.read()).due, false, "due afterwards")
    await expectReply(t.tryReserve("r3", [counter("a", 7, 10)]), "ok", { due: false })
    await t.expectCounters({ a: { spent: 4, reserved: 7, granted: 1 } })
  })

  test("expiry charges each counter its onExpire and frees all of them", async (t) => {
    const onExpire = { a: 10, b: 3, c: 0 }
    await t.reserve("r1", countersCharging(onExpire))
    await t.clock.advance(LEASE_MS)
    const changed = (name: "a" | "b" | "c") => {
      const spent = onExpire[name]
      return { name, spent, reserved: 0, granted: 0, peakBefore: 0, peak: spent }
    }
    const counters = [changed("c"), changed("a"), changed("b")]
    // In the order of the request.
    await expectReply(t.expire("r1", ["c", "a", "b"]), "expired", { counters, charged: [0, 10, 3] })
    await t.expectCounters({ a: { spent: 10 }, b: { spent: 3 }, c: {} })
  })

  test("expiry raises the peak, so that thresholds are crossed once", async (t) => {
    await t.charge("r0", [counter("a", 5)], [5])
    await t.reserve("r1", [counter("a", 10, null, { onExpire: 4 })])
    await t.reserve("r2", [counter("a", 10, null, { onExpire: 3 })])
    await t.clock.advance(LEASE_MS)
    await expectReply(t.expire("r1"), "expired", { counter: { peakBefore: 5, peak: 9 } })
    await expectReply(t.expire("r2"), "expired", { counter: { peakBefore: 9, peak: 12 } })
  })

  test("listDue lists the oldest first, then by key, up to its limit", { rule: "transaction" }, async (t) => {
    const leases = { z1: 3_000, b: 2_000, a10: 2_000, a9: 2_000, z0: 1_000, B: 2_000 }
    for (const [key, leaseMs] of Object.entries(leases))
      await t.reserve(key, [counter("a", 1), counter(key, 1)], { leaseMs })
    await t.reserve("later", [counter("a", 1)], { leaseMs: 9_000 })
    await t.clock.advance(5_000)
    const { due } = await t.store.listDue({ partition: t.partition, limit: 64 })
    const keys = ["z0", "B", "a10", "a9", "b", "z1"]
    equal(valuesOf(due, "key"), keys, "order")
    for (const { key, counters } of due) equal([...counters].sort(), ["a", key].sort(), `counters of ${key}`)
    const some = await t.due(2)
    ok(some.length > 0 && some.length <= 2, `listDue with the limit 2: expected 1 or 2, got ${some.length}`)
    equal(some, ["z0", "B"].slice(0, some.length), "the oldest")
  })

  test("expire ends one lease and leaves the others due", async (t) => {
    for (const key of ["r1", "r2", "r3"]) await t.reserve(key, [counter("a", 1)])
    await t.clock.advance(LEASE_MS)
    await expectReply(t.expire("r2"), "expired")
    equal(await t.due(), ["r1", "r3"], "due afterwards")
    await t.expectCounters({ a: { spent: 1, reserved: 2 } })
  })

  test("five hundred leases that are due end page by page", async (t) => {
    const counters = [counter("a", 2, null, { onExpire: 1 })]
    await Promise.all(Array.from({ length: 500 }, (_, index) => t.reserve(`r${index}`, counters)))
    await t.clock.advance(LEASE_MS)
    const expired = await t.sweep()
    equal([expired.length, new Set(valuesOf(expired, "key")).size], [500, 500], "expired")
    await t.expectCounters({ a: { spent: 500 } })
  })

  test("leases end in their own partition, and so do extends, settles and adjustments", {
    rule: "transaction",
  }, async (t) => {
    const [other, third] = [t.inPartition("other"), t.inPartition("third")]
    for (const one of [t, other, third]) {
      await one.reserve("r1", [counter("a", 10, null, { onExpire: 4 })])
      await expectReply(one.tryAdjust("g1", "a", "granted", 5), "ok")
    }
    await expectReply(third.extend("r1", 2 * LEASE_MS), "held")
    await t.clock.advance(LEASE_MS)
    equal(await third.due(), [], "due in the third partition")
    await expectReply(third.settle("r1", [7]), "settled")
    equal(await t.due(), ["r1"], "due after a settle in another partition")
    await t.expectSwept("r1")
    equal([await t.due(), await other.due()], [[], ["r1"]], "due here and in the other partition")
    await t.expectCounters({ a: { spent: 4, granted: 5 } })
    await other.expectCounters({ a: { reserved: 10, granted: 5 } }, "counters of the other partition")
  })

  test("expire that names other counters than were reserved changes nothing and names them", async (t) => {
    await t.reserve("r1", [counter("a", 10), counter("b", 10)])
    await t.clock.advance(LEASE_MS)
    for (const counters of [["a"], ["a", "c"], ["a", "b", "c"], []]) {
      const reply = await expectReply(t.expire("r1", counters), "other-counters")
      if (reply.status === "other-counters") equal([...reply.storedCounters].sort(), ["a", "b"], "storedCounters")
    }
    await t.expectCounters({ a: { reserved: 10 }, b: { reserved: 10 }, c: {} })
    await expectReply(t.expire("r1", ["b", "a"]), "expired")
  })

  test("large amounts keep every digit through expiry, a late settle, a revision and a release", async (t) => {
    for (const [index, amount] of [2 ** 31 + 1, 1e14 + 1, LARGEST].entries()) {
      const [settled, released] = [`a.${index}`, `b.${index}`]
      for (const name of [settled, released]) await t.reserve(name, [counter(name, amount)])
      await t.clock.advance(LEASE_MS)
      for (const name of [settled, released])
        await expectReply(t.expire(name), "expired", { charged: [amount], counter: { spent: amount, peak: amount } })
      await expectReply(t.settle(settled, [amount - 1]), "settled, late", { counter: { spent: amount - 1 } })
      await expectReply(t.settle(settled, [amount - 1]), "settled, replayed", { counter: { spent: amount - 1 } })
      await expectReply(t.settle(settled, [1], { revision: 1 }), "settled")
      await expectReply(t.release(released), "released, late")
      await t.expectCounters({ [settled]: { spent: 1 }, [released]: {} })
    }
  })

  test("extend moves the end to the clock plus the lease, and never back", async (t) => {
    const { expiresAt } = await t.reserve("r1", [counter("a", 10)])
    await expectReply(t.extend("r1", 1_000), "held", { expiresAt })
    await t.clock.advance(LEASE_MS / 2)
    const later = t.clock.now() + LEASE_MS
    await expectReply(t.extend("r1", LEASE_MS), "held", { expiresAt: later })
    await expectReply(t.tryReserve("r1"), "ok, replayed", { expiresAt: later })
    await t.clock.advance(LEASE_MS - 1)
    await t.expectSwept()
    await t.clock.advance(1)
    await t.expectSwept("r1")
  })

  test("a lease may be longer than the retention, from the start or by extends", async (t) => {
    const leaseMs = 26 * 3_600_000 + 2 * t.retentionMs
    await t.reserve("long", [counter("a", 10, 100, { onExpire: 3 })], { leaseMs })
    await t.reserve("extended", [counter("a", 20, 100, { onExpire: 4 })], { leaseMs: 1_000 })
    await expectReply(t.extend("extended", leaseMs), "held")
    await t.advanceAndWrite(leaseMs - 1_000)
    await t.expectSwept()
    await t.expectCounters({ a: { reserved: 30 } })
    await expectReply(t.settle("long", [5]), "settled")
    await t.clock.advance(1_000)
    await t.expectSwept("extended")
    await t.expectCounters({ a: { spent: 9 } })
  })

  test("a settled or released lease never expires", async (t) => {
    for (const key of ["r1", "r2", "r3"]) await t.reserve(key, [counter("a", 10, null, { onExpire: 5 })])
    await t.settle("r1", [2])
    await t.release("r2")
    await t.clock.advance(LEASE_MS)
    equal(await t.due(), ["r3"], "due")
    for (const key of ["r1", "r2"]) await expectReply(t.expire(key), "not-due")
    await t.expectSwept("r3")
    await t.expectCounters({ a: { spent: 7 } })
  })

  test("a late settle replaces the charge of every counter, replays, and takes a higher revision", async (t) => {
    const onExpire = { a: 10, b: 2, c: 0 }
    await t.reserve("r1", countersCharging(onExpire))
    await t.clock.advance(LEASE_MS)
    await t.sweep()
    const reply = await expectReply(t.settle("r1", [1, 20, 0]), "settled, late")
    const changes = "counters" in reply ? reply.counters : []
    equal(valuesOf(changes, "spent"), [1, 20, 0], "spent")
    equal(valuesOf(changes, "peakBefore"), [10, 2, 0], "peakBefore")
    equal(valuesOf(changes, "peak"), [10, 20, 0], "peak")
    await expectReply(t.settle("r1", [1, 20, 0]), "settled, replayed")
    await expectReply(t.settle("r1", [4, 4, 4], { revision: 1 }), "settled")
    await expectReply(t.release("r1"), "mismatch")
    await t.expectCounters({ a: { spent: 4 }, b: { spent: 4 }, c: { spent: 4 } })
  })

  test("a reservation without counters expires like any other", async (t) => {
    await t.reserve("r1", [])
    await t.clock.advance(LEASE_MS)
    const { due } = await t.store.listDue({ partition: t.partition, limit: 64 })
    equal(due, [{ key: "r1", counters: [] }], "due")
    await expectReply(t.expire("r1"), "expired", { counters: [], charged: [] })
    await expectReply(t.tryReserve("r1"), "resolved: expired")
  })
})
