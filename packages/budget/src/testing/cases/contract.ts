import { settledBy, type TestReservation } from "../bench"
import { equal, match, ok, valuesOf } from "../expect"
import { counter, reserveRequest, settleRequest } from "../requests"
import { defineCases } from "../store-case"

/** What a single caller sees of reserve and settle, in the ordinary course of things. */
export const contractCases = defineCases({ level: "contract", rule: "Windows and room" }, (test) => {
  test("a store states its name, its capabilities and its durability", { rule: "Storage" }, async (bench) => {
    const { store, partition } = bench
    ok(store.name.length > 0, "name: expected a string that is not empty")
    const { shared, clock, retentionMs, maxCounters, timeoutMs } = store.capabilities
    ok(typeof shared === "boolean", "capabilities.shared: expected a boolean")
    ok(clock === "server" || clock === "process", 'capabilities.clock: expected "server" or "process"')
    ok(Number.isSafeInteger(retentionMs) && retentionMs > 0, "capabilities.retentionMs: expected a positive integer")
    ok(Number.isSafeInteger(maxCounters) && maxCounters >= 16, "capabilities.maxCounters: expected at least 16")
    ok(Number.isSafeInteger(timeoutMs) && timeoutMs > 0, "capabilities.timeoutMs: expected a positive integer")
    const check = await store.check()
    ok(check.ok, `check: expected ok, got the warnings ${check.warnings.join("; ")}`)
    ok(
      ["none", "process", "second", "disk"].includes(check.durability),
      `check: unknown durability ${check.durability}`,
    )
    const ofPartition = await store.check({ partition })
    match(ofPartition, { damaged: [], clockBehindMs: 0 }, "check of an empty partition")
  })

  test("an unseen counter reads as zeros", async ({ expectCounter }) => expectCounter("nobody", {}))

  test("read replies in the order of the request", async ({ store, partition, reserve }) => {
    await reserve("r1", [counter("b", 2), counter("a", 1)])
    const { counters, due } = await store.read({ partition, counters: ["a", "missing", "b"] })
    const states = counters.map(({ name, reserved }) => [name, reserved])
    equal(
      states,
      [
        ["a", 1],
        ["missing", 0],
        ["b", 2],
      ],
      "counters",
    )
    equal(due, false, "due")
  })

  test("reserve sets the amount aside in every counter", async ({ store, partition, now, expectCounters }) => {
    const before = await now()
    const request = reserveRequest(partition, "r1", [counter("a", 30, 100), counter("b", 5, 10)])
    const reply = await store.reserve(request)
    match(reply, { status: "ok", replayed: false, due: false }, "reserve")
    const states = [
      { name: "a", spent: 0, reserved: 30, granted: 0 },
      { name: "b", spent: 0, reserved: 5, granted: 0 },
    ]
    equal(reply.counters, states, "counters of the reply")
    ok(reply.now >= before, "now: expected time not to run backwards")
    if (reply.status === "ok") equal(reply.expiresAt, reply.now + request.leaseMs, "expiresAt")
    await expectCounters({ a: { reserved: 30 }, b: { reserved: 5 } })
  })

  test("spent and reserved add up to the limit and not beyond it", async ({ reserve, tryReserve, expectCounter }) => {
    const first = await reserve("r1", [counter("a", 40, 100)])
    await first.settle([40])
    await reserve("r2", [counter("a", 59, 100)])
    match(await tryReserve("r3", [counter("a", 2, 100)]), { status: "exceeded", which: [0] }, "2 of the last 1")
    await reserve("r4", [counter("a", 1, 100)])
    await expectCounter("a", { spent: 40, reserved: 60 })
  })

  test("a denial names every counter that denies, and shows how they stand", async ({ reserve, tryReserve }) => {
    await reserve("r1", [counter("a", 10, 10), counter("c", 7, 10)])
    const reply = await tryReserve("r2", [counter("a", 1, 10), counter("b", 1, 10), counter("c", 4, 10)])
    match(reply, { status: "exceeded", which: [0, 2] }, "reserve")
    equal(valuesOf(reply.counters, "reserved"), [10, 0, 7], "reserved in the counters of the reply")
  })

  test("a denial stores nothing in any counter, wherever the denying counter stands", {
    rule: "Windows and room",
  }, async ({ reserve, tryReserve, expectCounter }) => {
    await reserve("full", [counter("full", 10, 10)])
    const orders = [
      ["full", "a", "b"],
      ["a", "full", "b"],
      ["a", "b", "full"],
    ]
    for (const [index, order] of orders.entries()) {
      const reply = await tryReserve(
        `r${index}`,
        order.map((name) => counter(name, 1, 10)),
      )
      match(reply, { status: "exceeded", which: [index] }, `the full counter at ${index}`)
      await expectCounter("a", {}, `counter a with the full one at ${index}`)
      await expectCounter("b", {}, `counter b with the full one at ${index}`)
      await expectCounter("full", { reserved: 10 })
    }
  })

  test("a denied key is unknown afterwards: it may come again with other content", async (bench) => {
    const { store, partition, reserve, tryReserve, expectCounter } = bench
    match(await tryReserve("r1", [counter("a", 11, 10)]), { status: "exceeded" }, "11 of 10")
    match(await store.extend({ partition, key: "r1", leaseMs: 1_000 }), { status: "unknown" }, "extend")
    await reserve("r1", [counter("a", 9, 10)])
    await expectCounter("a", { reserved: 9 })
  })

  test("an amount of zero is never denied, and holds its key", async ({ reserve, tryReserve, expectCounter }) => {
    await (await reserve("r1", [counter("a", 10, 10)])).settle([25])
    const zero = await reserve("r2", [counter("a", 0, 10), counter("b", 0, 0)])
    match(await tryReserve("r2", zero.request.counters), { status: "ok", replayed: true }, "the same again")
    match(await zero.settle([3, 0]), { status: "settled" }, "settle")
    await expectCounter("a", { spent: 28 })
  })

  test("a limit of zero admits zero and nothing else", async ({ reserve, tryReserve }) => {
    await reserve("r1", [counter("a", 0, 0)])
    match(await tryReserve("r2", [counter("a", 1, 0)]), { status: "exceeded", which: [0] }, "1 of 0")
  })

  test("a counter without a limit only counts", async ({ reserve, expectCounter }) => {
    await reserve("r1", [counter("a", 1_000_000_000_000)])
    await (await reserve("r2", [counter("a", 2_000_000_000_000)])).settle([2_500_000_000_000])
    await expectCounter("a", { spent: 2_500_000_000_000, reserved: 1_000_000_000_000 })
  })

  test("the limit is the caller's, call by call", async ({ reserve, tryReserve }) => {
    await reserve("r1", [counter("a", 10, 10)])
    await reserve("r2", [counter("a", 10, 20)])
    match(await tryReserve("r3", [counter("a", 1, 15)]), { status: "exceeded" }, "a smaller limit later")
  })

  test("maxCounters counters in one call, all or none", { rule: "Windows and room" }, async (bench) => {
    const { store, partition, reserve, tryReserve } = bench
    const names = Array.from({ length: store.capabilities.maxCounters }, (_, index) => `counter.${index}`)
    const last = names.length - 1
    const reservation = await reserve(
      "r1",
      names.map((name, index) => counter(name, index, 1_000)),
    )
    const tight = names.map((name, index) => counter(name, 1, index === last ? last : 1_000))
    match(await tryReserve("r2", tight), { status: "exceeded", which: [last] }, "the last denies")
    await reservation.settle(names.map((_, index) => index * 2))
    const { counters } = await store.read({ partition, counters: names })
    const expected = names.map((_, index) => [index * 2, 0])
    equal(
      counters.map(({ spent, reserved }) => [spent, reserved]),
      expected,
      "counters",
    )
  })

  test("a reservation without counters has a key like any other", async ({ reserve, tryReserve }) => {
    const reservation = await reserve("r1", [])
    match(await tryReserve("r1", []), { status: "ok", replayed: true, counters: [] }, "reserve again")
    match(await reservation.settle([]), { status: "settled", replayed: false, counters: [] }, "settle")
    match(await reservation.settle([]), { status: "settled", replayed: true }, "settle again")
    match(await tryReserve("r1", []), { status: "resolved", state: "settled" }, "reserve afterwards")
  })

  test("partitions do not see each other", { rule: "transaction" }, async (bench) => {
    const other = bench.inPartition("other")
    await bench.reserve("r1", [counter("a", 10, 10)])
    match(await other.tryReserve("r1", [counter("a", 9, 10)]), { status: "ok", replayed: false }, "the same key")
    await other.adjust("a1", "b", "spent", 5)
    await bench.expectCounters({ a: { reserved: 10 }, b: {} })
    await other.expectCounter("a", { reserved: 9 })
    match(await bench.adjust("a1", "b", "spent", 3), { replayed: false }, "the same adjustment key")
  })

  test("read writes nothing, whatever it reads", { rule: "transaction" }, async (bench) => {
    const { store, partition, target } = bench
    await bench.reserve("r1", [counter("a", 10)])
    const before = await target.size?.(partition)
    for (let round = 0; round < 50; round++) {
      await store.read({ partition, counters: ["a", `unseen.${round}`] })
      await store.read({ partition: bench.inPartition(`r${round}`).partition, counters: ["a"] })
    }
    equal(await target.size?.(partition), before, "number of records after a hundred reads")
    const { counters } = await store.listCounters({ partition, cursor: null, limit: 100 })
    equal(valuesOf(counters, "name"), ["a"], "counters that exist")
    await bench.expectCounter("a", { reserved: 10 })
  })
})

/** Settle and release, leases that have not ended, and lists. */
export const settleCases = defineCases({ level: "contract", rule: "States" }, (test) => {
  test("settle replaces the reservation by the actual cost", async ({ reserve, expectCounter }) => {
    const reservation = await reserve("r1", [counter("a", 30, 100), counter("b", 7, 7)])
    const reply = settledBy(await reservation.settle([12, 7]), "settle")
    const flags = { status: "settled", replayed: false, late: false, recovered: false, forgottenCounters: 0 }
    match(reply, flags, "settle")
    const changes = [
      { name: "a", spent: 12, reserved: 0, granted: 0, peakBefore: 0, peak: 12 },
      { name: "b", spent: 7, reserved: 0, granted: 0, peakBefore: 0, peak: 7 },
    ]
    equal(reply.counters, changes, "counters")
    await expectCounter("a", { spent: 12 })
  })

  test("settle frees only its own reservation", async ({ reserve, expectCounter }) => {
    await reserve("r1", [counter("a", 30)])
    await (await reserve("r2", [counter("a", 20)])).settle([20])
    await expectCounter("a", { spent: 20, reserved: 30 })
  })

  test("a cost above the reservation is recorded in full, even beyond the limit", async (bench) => {
    const { reserve, tryReserve, expectCounter } = bench
    match(await (await reserve("r1", [counter("a", 10, 10)])).settle([35]), { status: "settled" }, "settle")
    await expectCounter("a", { spent: 35 })
    match(await tryReserve("r2", [counter("a", 1, 10)]), { status: "exceeded" }, "reserve after the overrun")
  })

  test("a settle of zero frees everything", async ({ reserve, expectCounter }) => {
    match(await (await reserve("r1", [counter("a", 10, 10)])).settle([0]), { status: "settled" }, "settle")
    await expectCounter("a", {})
    await reserve("r2", [counter("a", 10, 10)])
  })

  test("release frees the reservation and charges nothing", async ({ reserve }) => {
    const reservation = await reserve("r1", [counter("a", 10, 10), counter("b", 1, 1)])
    const reply = settledBy(await reservation.release(), "release")
    match(reply, { status: "released", replayed: false, late: false, forgottenCounters: 0 }, "release")
    equal(reply.counters[0], { name: "a", spent: 0, reserved: 0, granted: 0, peakBefore: 0, peak: 0 }, "counter a")
    await reserve("r2", [counter("a", 10, 10), counter("b", 1, 1)])
  })

  test("settle charges by the names of counters, not by their order", async ({ store, reserve, expectCounters }) => {
    const { request, expiresAt } = await reserve("r1", [counter("a", 10), counter("b", 20), counter("c", 30)])
    const settle = settleRequest(request, [1, 2, 3], { expiresAt })
    const counters = [settle.counters[2]!, settle.counters[0]!, settle.counters[1]!]
    const reply = settledBy(await store.settle({ ...settle, counters }), "settle")
    const spent = reply.counters.map((change) => [change.name, change.spent])
    equal(
      spent,
      [
        ["c", 3],
        ["a", 1],
        ["b", 2],
      ],
      "counters, in the order of the request",
    )
    match(await store.settle(settle), { status: "settled", replayed: true }, "the same in the first order")
    await expectCounters({ a: { spent: 1 }, b: { spent: 2 }, c: { spent: 3 } })
  })

  for (const outcome of ["settled", "released"] as const) {
    test(`a settle that names other counters than were reserved writes nothing and names them (${outcome})`, async (bench) => {
      const { store, partition, reserve, expectCounter, expectCounters } = bench
      const { request, expiresAt } = await reserve("r1", [counter("a", 10), counter("b", 20)])
      const others = [
        [counter("a", 10)],
        [counter("a", 10), counter("b", 20), counter("c", 5)],
        [counter("a", 10), counter("d", 20)],
        [],
      ]
      for (const counters of others) {
        const named = { ...request, counters }
        const settle = settleRequest(
          named,
          counters.map(() => 1),
          { outcome, expiresAt },
        )
        const reply = await store.settle(settle)
        const what = `settle of ${valuesOf(counters, "name")}`
        match(reply, { status: "other-counters" }, what)
        if (reply.status === "other-counters") equal([...reply.storedCounters].sort(), ["a", "b"], `${what}: stored`)
        match(await store.settle({ ...settle, fingerprint: "other" }), { status: "mismatch" }, "another fingerprint")
      }
      for (const name of ["c", "d"]) await expectCounter(name, {})
      await expectCounters({ a: { reserved: 10 }, b: { reserved: 20 } })
      const again = await store.extend({ partition, key: "r1", leaseMs: 1 })
      match(again, { status: "held" }, "the reservation after settles that named other counters")
      match(await store.settle(settleRequest(request, [3, 4], { outcome, expiresAt })), { status: outcome }, "settle")
      const charged = outcome === "settled"
      await expectCounters({ a: { spent: charged ? 3 : 0 }, b: { spent: charged ? 4 : 0 } })
    })
  }

  test("the peak is the high-water mark of spent, and each step of it is reported once", async (bench) => {
    const reservations: TestReservation[] = []
    for (const key of ["r1", "r2", "r3"]) reservations.push(await bench.reserve(key, [counter("a", 10)]))
    const change = async (index: number, amount: number) =>
      settledBy(await reservations[index]!.settle([amount]), `settle ${index}`).counters[0]!
    match(await change(0, 5), { peakBefore: 0, peak: 5 }, "first")
    match(await change(1, 0), { peakBefore: 5, peak: 5 }, "a settle of zero")
    match(await change(2, 7), { peakBefore: 5, peak: 12 }, "third")
  })

  test("extend of a held key names its fingerprint and its counters, so that another process can resume it", async (bench) => {
    const { store, partition, reserve } = bench
    const counters = [counter("b", 10, 50, { onExpire: 4 }), counter("a", 20, null, { onExpire: 0 })]
    const { request, expiresAt } = await reserve("r1", counters)
    const reply = await store.extend({ partition, key: "r1", leaseMs: 1 })
    match(reply, { status: "held", fingerprint: request.fingerprint, expiresAt }, "extend")
    const expected = [
      { name: "a", amount: 20, onExpire: 0 },
      { name: "b", amount: 10, onExpire: 4 },
    ]
    const stored = reply.status === "held" ? reply.counters : []
    equal(
      [...stored].sort((a, b) => (a.name < b.name ? -1 : 1)),
      expected,
      "counters",
    )
  })

  test("extend of an unknown key reserves nothing", async ({ store, partition, reserve }) => {
    match(await store.extend({ partition, key: "r1", leaseMs: 1_000 }), { status: "unknown" }, "an unknown key")
    await reserve("r1", [counter("a", 1)])
    match(await store.extend({ partition, key: "r1", leaseMs: 1_000 }), { status: "held" }, "a held key")
  })

  test("a lease that has not ended is not listed and cannot be expired", async (bench) => {
    const { store, partition } = bench
    await bench.reserve("r1", [counter("a", 5)])
    equal((await store.listDue({ partition, limit: 64 })).due, [], "due")
    match(await store.expire({ partition, key: "r1", counters: ["a"] }), { status: "not-due" }, "expire")
    match(await store.expire({ partition, key: "nobody", counters: ["a"] }), { status: "not-due" }, "an unknown key")
    const empty = bench.inPartition("empty").partition
    equal((await store.listDue({ partition: empty, limit: 1 })).due, [], "due in an empty partition")
    await bench.expectCounter("a", { reserved: 5 })
  })

  test("listCounters lists every counter at least once, page by page, as it stands", {
    rule: "scan, keys, prune",
  }, async (bench) => {
    const { store, partition } = bench
    for (let index = 0; index < 30; index++) {
      const reservation = await bench.reserve(`r${index}`, [counter(`c.${index}`, index + 1)])
      if (index % 2 === 0) await reservation.settle([index])
    }
    await bench.adjust("g1", "granted", "granted", 7)
    await bench.inPartition("other").reserve("r1", [counter("elsewhere", 1)])
    for (const limit of [1, 7, 1_000]) {
      const listed = new Map<string, unknown>()
      let cursor: string | null = null
      for (let pages = 0; pages < 1_000; pages++) {
        const page = await store.listCounters({ partition, cursor, limit })
        equal(page.damaged, [], "damaged counters")
        for (const state of page.counters) listed.set(state.name, state)
        cursor = page.cursor
        if (cursor === null) break
      }
      equal(cursor, null, `the cursor in the end, ${limit} a page`)
      const names = [...Array.from({ length: 30 }, (_, index) => `c.${index}`), "granted"].sort()
      equal([...listed.keys()].sort(), names, `names, ${limit} a page`)
      const states = (await store.read({ partition, counters: names })).counters
      equal(
        names.map((name) => listed.get(name)),
        states,
        `states, ${limit} a page`,
      )
    }
    const empty = bench.inPartition("empty").partition
    const nothing = await store.listCounters({ partition: empty, cursor: null, limit: 10 })
    match(nothing, { counters: [], damaged: [], cursor: null }, "an empty partition")
  })

  test("accepting a clock that is right changes nothing", { rule: "Time" }, async (bench) => {
    const { store, partition, reserve, expectCounter } = bench
    const reservation = await reserve("r1", [counter("a", 5)])
    const { now, before } = await store.acceptClock({ partition })
    ok(now >= before - 60_000 && before >= 0, `acceptClock: expected about the same time, got ${before} and ${now}`)
    await expectCounter("a", { reserved: 5 })
    match(await reservation.settle([2]), { status: "settled" }, "settle")
  })
})
