import { byName, equal, expectReply, match, ok, valuesOf } from "../expect"
import { counter, LEASE_MS, settleRequest } from "../requests"
import { defineCases } from "../store-case"

/** Reserves and reads of one caller. */
export const contractCases = defineCases({ level: "contract", rule: "Windows and limits" }, (test) => {
  test("a store states its name, its capabilities and its durability", { rule: "Storage" }, async (t) => {
    const { shared, clock } = t.store.capabilities
    ok(typeof shared === "boolean", "capabilities.shared: expected a boolean")
    ok(clock === "server" || clock === "process", 'capabilities.clock: expected "server" or "process"')
    const check = await t.store.check()
    ok(check.ok, `check: expected ok, got the warnings ${check.warnings.join("; ")}`)
    const durabilities = ["none", "process", "second", "disk"]
    ok(durabilities.includes(check.durability), `check: unknown durability ${check.durability}`)
    const ofPartition = await t.store.check({ partition: t.partition })
    match(ofPartition, { damaged: [], clockBehindMs: 0 }, "check of an empty partition")
  })

  test("an unseen counter reads as zeros", (t) => t.expectCounters({ unseen: {} }))

  test("read replies in the order of the request", async (t) => {
    await t.reserve("r1", [counter("b", 2), counter("a", 1)])
    await t.expectCounters({ a: { reserved: 1 }, missing: {}, b: { reserved: 2 } })
    equal((await t.read("a")).due, false, "due")
  })

  test("reserve sets the amount aside in every counter", async (t) => {
    const before = await t.now()
    const reply = await t.reserve("r1", [counter("a", 30, 100), counter("b", 5, 10)])
    const a = { name: "a", spent: 0, reserved: 30, granted: 0 }
    const b = { name: "b", spent: 0, reserved: 5, granted: 0 }
    const expected = { replayed: false, due: false, expiresAt: reply.now + LEASE_MS, counters: [a, b] }
    match(reply, expected, "reserve")
    ok(reply.now >= before, `now: expected at least ${before}, got ${reply.now}`)
    await t.expectCounters({ a: { reserved: 30 }, b: { reserved: 5 } })
  })

  test("spent and reserved add up to the limit and not beyond it", async (t) => {
    await t.charge("r1", [counter("a", 40, 100)], [40])
    await t.reserve("r2", [counter("a", 59, 100)])
    await expectReply(t.tryReserve("r3", [counter("a", 2, 100)]), "exceeded: 0")
    await t.reserve("r4", [counter("a", 1, 100)])
    await t.expectCounters({ a: { spent: 40, reserved: 60 } })
  })

  test("a denial names every counter that denies, and reports their states", async (t) => {
    await t.reserve("r1", [counter("a", 10, 10), counter("c", 7, 10)])
    const counters = [counter("a", 1, 10), counter("b", 4, 10), counter("c", 4, 10)]
    const states = { a: 10, b: 0, c: 7 }
    const expected = Object.entries(states).map(([name, reserved]) => ({ name, spent: 0, reserved, granted: 0 }))
    await expectReply(t.tryReserve("r2", counters), "exceeded: 0,2", { counters: expected })
  })

  test("a denial stores nothing in any counter, wherever the full counter stands", async (t) => {
    await t.reserve("full", [counter("full", 10, 10)])
    for (const index of [0, 1, 2]) {
      const counters = [0, 1, 2].map((place) => counter(place === index ? "full" : `free.${place}`, 1, 10))
      await expectReply(t.tryReserve(`r${index}`, counters), `exceeded: ${index}`)
      await t.expectCounters({ "free.0": {}, "free.1": {}, "free.2": {}, full: { reserved: 10 } })
    }
  })

  test("a denied key is unknown afterwards and may be reserved with other content", async (t) => {
    await expectReply(t.tryReserve("r1", [counter("a", 11, 10)]), "exceeded: 0")
    await expectReply(t.extend("r1", 1_000), "unknown")
    await t.reserve("r1", [counter("a", 9, 10)])
    await t.expectCounters({ a: { reserved: 9 } })
  })

  test("an amount of zero is never denied, and its key is held", async (t) => {
    await t.charge("r1", [counter("a", 10, 10)], [25])
    await t.reserve("r2", [counter("a", 0, 10), counter("b", 0, 0)])
    await expectReply(t.tryReserve("r2"), "ok, replayed")
    await expectReply(t.settle("r2", [3, 0]), "settled")
    await t.expectCounters({ a: { spent: 28 } })
  })

  test("a limit of zero admits zero and nothing else", async (t) => {
    await t.reserve("r1", [counter("a", 0, 0)])
    await expectReply(t.tryReserve("r2", [counter("a", 1, 0)]), "exceeded: 0")
  })

  test("a counter without a limit only counts", async (t) => {
    await t.reserve("r1", [counter("a", 1_000_000_000_000)])
    await t.charge("r2", [counter("a", 2_000_000_000_000)], [2_500_000_000_000])
    await t.expectCounters({ a: { spent: 2_500_000_000_000, reserved: 1_000_000_000_000 } })
  })

  test("each call states its own limit", async (t) => {
    await t.reserve("r1", [counter("a", 10, 10)])
    await t.reserve("r2", [counter("a", 10, 20)])
    await expectReply(t.tryReserve("r3", [counter("a", 1, 15)]), "exceeded: 0")
  })

  test("one call reserves in maxCounters counters, in all or in none", async (t) => {
    const names = Array.from({ length: t.store.capabilities.maxCounters }, (_, index) => `counter.${index}`)
    const last = names.length - 1
    const counters = names.map((name, index) => counter(name, index, 1_000))
    await t.reserve("r1", counters)
    const tight = names.map((name, index) => counter(name, 1, index === last ? last : 1_000))
    await expectReply(t.tryReserve("r2", tight), `exceeded: ${last}`)
    const amounts = names.map((_, index) => index * 2)
    await expectReply(t.settle("r1", amounts), "settled")
    await t.expectCounters(Object.fromEntries(names.map((name, index) => [name, { spent: index * 2 }])))
  })

  test("a reservation without counters has a key like any other", async (t) => {
    await t.reserve("r1", [])
    await expectReply(t.tryReserve("r1"), "ok, replayed", { counters: [] })
    await expectReply(t.settle("r1", []), "settled", { counters: [] })
    await expectReply(t.settle("r1", []), "settled, replayed")
    await expectReply(t.tryReserve("r1"), "resolved: settled")
  })

  test("partitions do not see each other", { rule: "transaction" }, async (t) => {
    const other = t.inPartition("other")
    await t.reserve("r1", [counter("a", 10, 10)])
    await expectReply(other.tryReserve("r1", [counter("a", 9, 10)]), "ok")
    await other.adjust("a1", "b", "spent", 5)
    await t.expectCounters({ a: { reserved: 10 }, b: {} })
    await other.expectCounters({ a: { reserved: 9 } })
    await expectReply(t.tryAdjust("a1", "b", "spent", 3), "ok")
  })

  test("read writes nothing", { rule: "transaction" }, async (t) => {
    const { store, partition, target } = t
    await t.reserve("r1", [counter("a", 10)])
    const before = await target.size?.(partition)
    for (let round = 0; round < 50; round++) {
      await t.read("a", `unseen.${round}`)
      await t.inPartition(`r${round}`).read("a")
    }
    equal(await target.size?.(partition), before, "number of records after a hundred reads")
    const { counters } = await store.listCounters({ partition, cursor: null, limit: 100 })
    equal(valuesOf(counters, "name"), ["a"], "counters that exist")
    await t.expectCounters({ a: { reserved: 10 } })
  })
})

/** Settle and release, leases that have not ended, and lists. */
export const settleCases = defineCases({ level: "contract", rule: "States" }, (test) => {
  test("settle replaces the reservation with the actual cost", async (t) => {
    await t.reserve("r1", [counter("a", 30, 100), counter("b", 7, 7)])
    const a = { name: "a", spent: 12, reserved: 0, granted: 0, peakBefore: 0, peak: 12 }
    const b = { name: "b", spent: 7, reserved: 0, granted: 0, peakBefore: 0, peak: 7 }
    await expectReply(t.settle("r1", [12, 7]), "settled", { counters: [a, b] })
    await t.expectCounters({ a: { spent: 12 } })
  })

  test("settle frees only its own reservation", async (t) => {
    await t.reserve("r1", [counter("a", 30)])
    await t.charge("r2", [counter("a", 20)], [20])
    await t.expectCounters({ a: { spent: 20, reserved: 30 } })
  })

  test("a cost above the reservation is recorded in full, even beyond the limit", async (t) => {
    await t.charge("r1", [counter("a", 10, 10)], [35])
    await t.expectCounters({ a: { spent: 35 } })
    await expectReply(t.tryReserve("r2", [counter("a", 1, 10)]), "exceeded: 0")
  })

  test("a settle of zero frees everything", async (t) => {
    await t.charge("r1", [counter("a", 10, 10)], [0])
    await t.expectCounters({ a: {} })
    await t.reserve("r2", [counter("a", 10, 10)])
  })

  test("release frees the reservation and charges nothing", async (t) => {
    const counters = [counter("a", 10, 10), counter("b", 1, 1)]
    await t.reserve("r1", counters)
    const a = { name: "a", spent: 0, reserved: 0, granted: 0, peakBefore: 0, peak: 0 }
    await expectReply(t.release("r1"), "released", { counters: [a, { ...a, name: "b" }] })
    await t.reserve("r2", counters)
  })

  test("settle charges by the names of counters, not by their order", async (t) => {
    await t.reserve("r1", [counter("a", 10), counter("b", 20), counter("c", 30)])
    const [a, b, c] = settleRequest(t.requestOf("r1"), [1, 2, 3]).counters
    const { counters } = (await expectReply(t.settle("r1", [], { counters: [c!, a!, b!] }), "settled")) as {
      counters: { name: string; spent: number }[]
    }
    equal(valuesOf(counters, "name"), ["c", "a", "b"], "counters, in the order of the request")
    equal(valuesOf(counters, "spent"), [3, 1, 2], "spent")
    await expectReply(t.settle("r1", [1, 2, 3]), "settled, replayed")
    await t.expectCounters({ a: { spent: 1 }, b: { spent: 2 }, c: { spent: 3 } })
  })

  for (const outcome of ["settled", "released"] as const) {
    test(`a settle that names other counters than were reserved writes nothing and names them (${outcome})`, async (t) => {
      await t.reserve("r1", [counter("a", 10), counter("b", 20)])
      for (const names of [["a"], ["a", "b", "c"], ["a", "d"], []]) {
        const named = names.map((name) => counter(name, 10))
        const { counters } = settleRequest({ ...t.requestOf("r1"), counters: named }, [])
        const reply = await expectReply(t.settle("r1", [], { counters, outcome }), "other-counters")
        if (reply.status === "other-counters") equal([...reply.storedCounters].sort(), ["a", "b"], "storedCounters")
        await expectReply(t.settle("r1", [], { counters, outcome, fingerprint: "other" }), "mismatch")
      }
      await t.expectCounters({ a: { reserved: 10 }, b: { reserved: 20 }, c: {}, d: {} })
      await expectReply(t.extend("r1", 1), "held")
      await expectReply(t.settle("r1", [3, 4], { outcome }), outcome)
      await t.expectCounters(outcome === "settled" ? { a: { spent: 3 }, b: { spent: 4 } } : { a: {}, b: {} })
    })
  }

  test("the peak is the high-water mark of spent, and each step of it is reported once", async (t) => {
    for (const key of ["r1", "r2", "r3"]) await t.reserve(key, [counter("a", 10)])
    await expectReply(t.settle("r1", [5]), "settled", { counter: { peakBefore: 0, peak: 5 } })
    await expectReply(t.settle("r2", [0]), "settled", { counter: { peakBefore: 5, peak: 5 } })
    await expectReply(t.settle("r3", [7]), "settled", { counter: { peakBefore: 5, peak: 12 } })
  })

  test("extend of a held key names its fingerprint and its counters, so that another process can resume it", async (t) => {
    const counters = [counter("b", 10, 50, { onExpire: 4 }), counter("a", 20, null, { onExpire: 0 })]
    const { expiresAt } = await t.reserve("r1", counters)
    const { fingerprint } = t.requestOf("r1")
    const reply = await expectReply(t.extend("r1", 1), "held", { fingerprint, expiresAt })
    const stored = reply.status === "held" ? reply.counters : []
    equal(byName(stored, "amount"), { a: 20, b: 10 }, "amounts")
    equal(byName(stored, "onExpire"), { a: 0, b: 4 }, "onExpire")
  })

  test("extend of an unknown key reserves nothing", async (t) => {
    await expectReply(t.extend("r1", 1_000), "unknown")
    await expectReply(t.tryReserve("r1", [counter("a", 1)]), "ok")
  })

  test("a lease that has not ended is not listed and cannot be expired", async (t) => {
    await t.reserve("r1", [counter("a", 5)])
    equal([await t.due(), await t.inPartition("empty").due(1)], [[], []], "due here and in an empty partition")
    await expectReply(t.expire("r1"), "not-due")
    await expectReply(t.expire("unknown", ["a"]), "not-due")
    await t.expectCounters({ a: { reserved: 5 } })
  })

  test("listCounters lists every counter at least once, page by page, with its state", {
    rule: "entries, keys, prune",
  }, async (t) => {
    const { store, partition } = t
    for (let index = 0; index < 30; index++) {
      await t.reserve(`r${index}`, [counter(`c.${index}`, index + 1)])
      if (index % 2 === 0) await t.settle(`r${index}`, [index])
    }
    await t.adjust("g1", "granted", "granted", 7)
    await t.inPartition("other").reserve("r1", [counter("elsewhere", 1)])
    const names = [...Array.from({ length: 30 }, (_, index) => `c.${index}`), "granted"]
    for (const limit of [1, 7, 1_000]) {
      const listed: Record<string, unknown> = {}
      let cursor: string | null = null
      for (let pages = 0; pages < 1_000; pages++) {
        const page = await store.listCounters({ partition, cursor, limit })
        equal(page.damaged, [], "damaged counters")
        for (const state of page.counters) listed[state.name] = state
        cursor = page.cursor
        if (cursor === null) break
      }
      equal(cursor, null, `the cursor in the end, ${limit} a page`)
      const { counters } = await t.read(...names)
      equal(listed, Object.fromEntries(counters.map((state) => [state.name, state])), `counters, ${limit} a page`)
    }
    const nothing = await store.listCounters({ partition: `${partition}.empty`, cursor: null, limit: 10 })
    match(nothing, { counters: [], damaged: [], cursor: null }, "an empty partition")
  })

  test("acceptClock of a correct clock changes nothing", { rule: "Time" }, async (t) => {
    await t.reserve("r1", [counter("a", 5)])
    const { now, before } = await t.store.acceptClock({ partition: t.partition })
    ok(now >= before - 60_000 && before >= 0, `acceptClock: expected about the same time, got ${before} and ${now}`)
    await t.expectCounters({ a: { reserved: 5 } })
    await expectReply(t.settle("r1", [2]), "settled")
  })
})
