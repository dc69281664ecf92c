import { settledBy } from "../bench"
import { equal, match, ok, valuesOf } from "../expect"
import { counter, DAY_MS, LARGEST, LEASE_MS } from "../requests"
import { defineCases } from "../store-case"
import { writeElsewhere } from "./housekeeping"

/** How leases end, by whom, and what that charges. */
export const leaseCases = defineCases({ level: "leases", rule: "States", needs: ["clock"] }, (test) => {
  test("a lease lasts until its end and not beyond", async (bench) => {
    const { store, partition, clock } = bench
    const expire = () => store.expire({ partition, key: "r1", counters: ["a"] })
    await bench.reserve("r1", [counter("a", 10, 10, { onExpire: 0 })])
    await clock.advance(LEASE_MS - 1)
    equal((await store.listDue({ partition, limit: 64 })).due, [], "due one millisecond before its end")
    match(await expire(), { status: "not-due" }, "expire one millisecond before its end")
    await clock.advance(1)
    equal((await store.listDue({ partition, limit: 64 })).due, [{ key: "r1", counters: ["a"] }], "due at its end")
    match(await expire(), { status: "expired" }, "expire at its end")
    await bench.expectCounter("a", {})
  })

  test("no call but expire ends another key's lease; reserve and read say that one is due", async (bench) => {
    const { store, partition } = bench
    await bench.reserve("r1", [counter("a", 10, 10, { onExpire: 4 })])
    await bench.clock.advance(LEASE_MS)
    const now = bench.clock.now()
    const past = { startsAt: now - DAY_MS, endsAt: now }
    match(await bench.tryReserve("r2", [counter("b", 1, 10)]), { status: "ok", due: true }, "a reserve")
    match(await bench.tryReserve("r2", [counter("b", 1, 10)]), { status: "ok", replayed: true, due: true }, "a replay")
    match(await bench.tryReserve("r3", [counter("a", 1, 10)]), { status: "exceeded", due: true }, "a denial")
    match(
      await bench.tryReserve("r4", [counter("w", 1, 10, past)]),
      { status: "stale-window", due: true },
      "a stale window",
    )
    match(await store.extend({ partition, key: "r2", leaseMs: 1 }), { status: "held" }, "extend of another key")
    await bench.adjust("g1", "a", "granted", 1)
    for (const round of [1, 2, 3]) {
      const reply = await store.read({ partition, counters: ["a"] })
      match(reply, { due: true }, `read ${round}`)
      match(reply.counters[0]!, { spent: 0, reserved: 10 }, `read ${round}: counter a`)
    }
    match(await store.expire({ partition, key: "r1", counters: ["a"] }), { status: "expired" }, "expire")
    equal((await store.read({ partition, counters: [] })).due, false, "due afterwards")
    match(
      await bench.tryReserve("r3", [counter("a", 7, 10)]),
      { status: "ok", due: false },
      "a reserve of what was freed",
    )
    await bench.expectCounter("a", { spent: 4, reserved: 7, granted: 1 })
  })

  test("expiry charges each counter its onExpire and frees all of them", async (bench) => {
    const { store, partition } = bench
    const counters = [
      counter("a", 10),
      counter("b", 10, null, { onExpire: 3 }),
      counter("c", 10, null, { onExpire: 0 }),
    ]
    await bench.reserve("r1", counters)
    await bench.clock.advance(LEASE_MS)
    const reply = await store.expire({ partition, key: "r1", counters: ["c", "a", "b"] })
    const change = (name: string, spent: number) => ({
      name,
      spent,
      reserved: 0,
      granted: 0,
      peakBefore: 0,
      peak: spent,
    })
    const expected = {
      status: "expired",
      counters: [change("c", 0), change("a", 10), change("b", 3)],
      charged: [0, 10, 3],
    }
    match(reply, expected, "expire, in the order of the request")
    for (const [name, spent] of [["a", 10] as const, ["b", 3] as const, ["c", 0] as const])
      await bench.expectCounter(name, { spent })
  })

  test("expiry raises the peak, so that thresholds are crossed once", async (bench) => {
    await (await bench.reserve("r0", [counter("a", 5)])).settle([5])
    await bench.reserve("r1", [counter("a", 10, null, { onExpire: 4 })], { leaseMs: 1_000 })
    await bench.reserve("r2", [counter("a", 10, null, { onExpire: 3 })], { leaseMs: 2_000 })
    await bench.clock.advance(2_000)
    const peaks = (await bench.sweep()).map(({ key, counters }) => [key, counters[0]!.peakBefore, counters[0]!.peak])
    equal(
      peaks,
      [
        ["r1", 5, 9],
        ["r2", 9, 12],
      ],
      "peaks",
    )
  })

  test("listDue lists the oldest first, then by key, at most as many as it is asked for", {
    rule: "transaction",
  }, async (bench) => {
    const { store, partition } = bench
    const leases = [
      ["z1", 3_000],
      ["b", 2_000],
      ["a10", 2_000],
      ["a9", 2_000],
      ["z0", 1_000],
      ["B", 2_000],
    ] as const
    for (const [key, leaseMs] of leases) await bench.reserve(key, [counter("a", 1), counter(key, 1)], { leaseMs })
    await bench.reserve("later", [counter("a", 1)], { leaseMs: 9_000 })
    await bench.clock.advance(5_000)
    const { due } = await store.listDue({ partition, limit: 64 })
    equal(valuesOf(due, "key"), ["z0", "B", "a10", "a9", "b", "z1"], "order")
    const counters = due.map((lease) => [...lease.counters].sort())
    equal(
      counters,
      ["z0", "B", "a10", "a9", "b", "z1"].map((key) => ["a", key].sort()),
      "their counters",
    )
    const some = valuesOf((await store.listDue({ partition, limit: 2 })).due, "key")
    ok(some.length > 0 && some.length <= 2, `listDue of at most 2: expected 1 or 2, got ${some.length}`)
    equal(some, ["z0", "B"].slice(0, some.length), "the oldest")
  })

  test("expire ends one lease and leaves the others due", async (bench) => {
    const { store, partition } = bench
    for (const key of ["r1", "r2", "r3"]) await bench.reserve(key, [counter("a", 1)])
    await bench.clock.advance(LEASE_MS)
    match(await store.expire({ partition, key: "r2", counters: ["a"] }), { status: "expired" }, "expire")
    const { due } = await store.listDue({ partition, limit: 64 })
    equal(valuesOf(due, "key"), ["r1", "r3"], "due afterwards")
    await bench.expectCounter("a", { spent: 1, reserved: 2 })
  })

  test("five hundred leases that are due end page by page", async (bench) => {
    const counters = [counter("a", 2, null, { onExpire: 1 })]
    await Promise.all(Array.from({ length: 500 }, (_, index) => bench.reserve(`r${index}`, counters)))
    await bench.clock.advance(LEASE_MS)
    const expired = await bench.sweep()
    equal([expired.length, new Set(valuesOf(expired, "key")).size], [500, 500], "expired")
    await bench.expectCounter("a", { spent: 500 })
  })

  test("leases end in their own partition, and so do extends, settles and adjustments", {
    rule: "transaction",
  }, async (bench) => {
    const [other, third] = [bench.inPartition("other"), bench.inPartition("third")]
    for (const one of [bench, other]) {
      await one.reserve("r1", [counter("a", 10, null, { onExpire: 4 })])
      match(await one.adjust("g1", "a", "granted", 5), { replayed: false }, `a grant in ${one.partition}`)
    }
    const inThird = await third.reserve("r1", [counter("a", 10, null, { onExpire: 4 })])
    const extended = await bench.store.extend({ partition: third.partition, key: "r1", leaseMs: 2 * LEASE_MS })
    match(extended, { status: "held" }, "extend in the third partition")
    await bench.clock.advance(LEASE_MS)
    const due = async ({ store, partition }: typeof bench) =>
      valuesOf((await store.listDue({ partition, limit: 64 })).due, "key")
    equal(await due(third), [], "due in the third partition")
    match(await inThird.settle([7]), { status: "settled", late: false }, "settle in the third partition")
    equal(await due(bench), ["r1"], "due after a settle in another partition")
    equal(valuesOf(await bench.sweep(), "key"), ["r1"], "expired")
    equal([await due(bench), await due(other)], [[], ["r1"]], "due here and in the other partition")
    await bench.expectCounter("a", { spent: 4, granted: 5 })
    await other.expectCounter("a", { reserved: 10, granted: 5 }, "counter a of the other partition")
  })

  test("expire that names other counters than were reserved changes nothing and names them", async (bench) => {
    const { store, partition } = bench
    await bench.reserve("r1", [counter("a", 10), counter("b", 10)])
    await bench.clock.advance(LEASE_MS)
    for (const counters of [["a"], ["a", "c"], ["a", "b", "c"], []]) {
      const reply = await store.expire({ partition, key: "r1", counters })
      match(reply, { status: "other-counters" }, `expire of ${counters}`)
      if (reply.status === "other-counters") equal([...reply.storedCounters].sort(), ["a", "b"], "stored counters")
    }
    await bench.expectCounters({ a: { reserved: 10 }, c: {} })
    match(await store.expire({ partition, key: "r1", counters: ["b", "a"] }), { status: "expired" }, "expire of both")
  })

  test("large amounts keep every digit through expiry, a late settle, a revision and a release", async (bench) => {
    for (const [index, amount] of [2 ** 31 + 1, 1e14 + 1, LARGEST].entries()) {
      const [name, other] = [`a.${index}`, `b.${index}`]
      const first = await bench.reserve(`r${index}`, [counter(name, amount)])
      const second = await bench.reserve(`s${index}`, [counter(other, amount)])
      await bench.clock.advance(LEASE_MS)
      const expired = (await bench.sweep()).map(({ charged, counters }) => [
        charged[0],
        counters[0]!.spent,
        counters[0]!.peak,
      ])
      equal(
        expired,
        [
          [amount, amount, amount],
          [amount, amount, amount],
        ],
        `charged by the expiry of ${amount}`,
      )
      await first.settle([amount - 1])
      await bench.expectCounter(name, { spent: amount - 1 }, `${amount} expired, then ${amount - 1} settled`)
      match(await first.settle([amount - 1]), { replayed: true }, "the same settle again")
      await first.settle([1], { revision: 1 })
      await bench.expectCounter(name, { spent: 1 }, `${amount - 1} replaced by 1`)
      await second.release()
      await bench.expectCounter(other, {}, `${amount} expired, then released`)
    }
  })

  test("extend moves the end to the clock plus the lease, and never back", async (bench) => {
    const { store, partition, clock } = bench
    const { expiresAt } = await bench.reserve("r1", [counter("a", 10)])
    const extend = (leaseMs: number) => store.extend({ partition, key: "r1", leaseMs })
    match(await extend(1_000), { status: "held", expiresAt }, "shorter")
    await clock.advance(LEASE_MS / 2)
    const later = clock.now() + LEASE_MS
    match(await extend(LEASE_MS), { status: "held", expiresAt: later }, "longer")
    const replay = await bench.tryReserve("r1", [counter("a", 10)])
    match(replay, { status: "ok", replayed: true, expiresAt: later }, "a replay afterwards")
    await clock.advance(LEASE_MS - 1)
    equal(await bench.sweep(), [], "expired between the old end and the new one")
    await clock.advance(1)
    equal(valuesOf(await bench.sweep(), "key"), ["r1"], "expired at the new end")
  })

  test("a lease may be longer than the retention, from the start or by extends", async (bench) => {
    const { store, partition, clock } = bench
    const leaseMs = 26 * 3_600_000 + 2 * store.capabilities.retentionMs
    const long = await bench.reserve("long", [counter("a", 10, 100, { onExpire: 3 })], { leaseMs })
    await bench.reserve("extended", [counter("a", 20, 100, { onExpire: 4 })], { leaseMs: 1_000 })
    match(await store.extend({ partition, key: "extended", leaseMs }), { status: "held" }, "extend")
    await clock.advance(leaseMs - 1_000)
    await writeElsewhere(bench)
    equal(await bench.sweep(), [], "expired before their end")
    await bench.expectCounter("a", { reserved: 30 })
    match(await long.settle([5]), { status: "settled", late: false, recovered: false }, "settle just before the end")
    await clock.advance(1_000)
    equal(valuesOf(await bench.sweep(), "key"), ["extended"], "expired at the end")
    await bench.expectCounter("a", { spent: 9 })
  })

  test("a settled or released lease never expires", async (bench) => {
    await (await bench.reserve("r1", [counter("a", 10)])).settle([2])
    await (await bench.reserve("r2", [counter("a", 10)])).release()
    await bench.reserve("r3", [counter("a", 10, null, { onExpire: 5 })])
    await bench.clock.advance(LEASE_MS)
    const { due } = await bench.store.listDue({ partition: bench.partition, limit: 64 })
    equal(valuesOf(due, "key"), ["r3"], "due")
    for (const key of ["r1", "r2"]) {
      const reply = await bench.store.expire({ partition: bench.partition, key, counters: ["a"] })
      match(reply, { status: "not-due" }, `expire of ${key}`)
    }
    equal(valuesOf(await bench.sweep(), "key"), ["r3"], "expired")
    await bench.expectCounter("a", { spent: 7 })
  })

  test("a late settle replaces the charge of every counter, replays, and takes a higher revision", {
    rule: "States",
  }, async (bench) => {
    const counters = [
      counter("a", 10),
      counter("b", 10, null, { onExpire: 2 }),
      counter("c", 10, null, { onExpire: 0 }),
    ]
    const reservation = await bench.reserve("r1", counters)
    await bench.clock.advance(LEASE_MS)
    await bench.sweep()
    const late = settledBy(await reservation.settle([1, 20, 0]), "late settle")
    match(late, { status: "settled", late: true, replayed: false, recovered: false, forgottenCounters: 0 }, "late")
    equal(
      late.counters.map(({ spent, peakBefore, peak }) => [spent, peakBefore, peak]),
      [
        [1, 10, 10],
        [20, 2, 20],
        [0, 0, 0],
      ],
      "counters",
    )
    match(await reservation.settle([1, 20, 0]), { status: "settled", replayed: true }, "again")
    match(
      await reservation.settle([4, 4, 4], { revision: 1 }),
      { status: "settled", replayed: false, late: false },
      "revision 1",
    )
    match(await reservation.release(), { status: "mismatch" }, "a release of what was settled late")
    for (const name of ["a", "b", "c"]) await bench.expectCounter(name, { spent: 4 })
  })

  test("a reservation without counters expires like any other", async (bench) => {
    await bench.reserve("r1", [])
    await bench.clock.advance(LEASE_MS)
    const { due } = await bench.store.listDue({ partition: bench.partition, limit: 64 })
    equal(due, [{ key: "r1", counters: [] }], "due")
    match(
      await bench.store.expire({ partition: bench.partition, key: "r1", counters: [] }),
      { status: "expired", counters: [], charged: [] },
      "expire",
    )
    match(await bench.tryReserve("r1", []), { status: "resolved", state: "expired" }, "reserve afterwards")
  })
})
