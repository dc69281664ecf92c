import type { Bench } from "../bench"
import { equal, match, storeError, valuesOf } from "../expect"
import { adjustRequest, counter, DAY_MS, LEASE_MS, reserveRequest, settleRequest, usageEntry } from "../requests"
import { defineCases } from "../store-case"

/** Every member, as a call that would get a reply if the store were well. */
function everyMember({ store, partition }: Bench): Record<string, () => Promise<unknown>> {
  const request = reserveRequest(partition, "fault", [counter("a", 5, 10), counter("b", 5, 10)])
  const entry = usageEntry("q", 0, { status: "denied" })
  const { ledger } = store
  return {
    reserve: () => store.reserve(request),
    settle: () => store.settle(settleRequest(request, [3, 3])),
    extend: () => store.extend({ partition, key: "open", leaseMs: 1_000 }),
    expire: () => store.expire({ partition, key: "open", counters: ["a"] }),
    listDue: () => store.listDue({ partition, limit: 10 }),
    read: () => store.read({ partition, counters: ["a"] }),
    adjust: () => store.adjust(adjustRequest(partition, "fault", "a", "spent", 3)),
    listCounters: () => store.listCounters({ partition, cursor: null, limit: 10 }),
    acceptClock: () => store.acceptClock({ partition }),
    ...(ledger && {
      "ledger.record": () => ledger.record({ partition, key: "fault", entry }),
      "ledger.get": () => ledger.get({ partition, requestId: "q" }),
      "ledger.list": () => ledger.list({ partition, filter: {}, cursor: null, limit: 10, newestFirst: false }),
      "ledger.totals": () => ledger.totals({ partition, filter: {}, groupBy: [], buckets: null }),
      "ledger.prune": () => ledger.prune({ partition, before: 0 }),
    }),
  }
}

/** What lies between the caller and the state breaks. */
export const faultCases = defineCases({ level: "faults", rule: "Errors" }, (test) => {
  test("while the state cannot be reached, every member rejects with store-unavailable; none invents a reply", {
    needs: ["down"],
  }, async (bench) => {
    await bench.reserve("open", [counter("a", 1)])
    await bench.target.faults!.down!()
    for (const [name, call] of Object.entries(everyMember(bench))) {
      await storeError(call, { code: "store-unavailable" }, name)
    }
    await bench.target.faults!.up!()
    await bench.expectCounter("a", { reserved: 1 }, "counter a, once the state can be reached")
  })

  test("a reserve that failed with applied no was not applied, and a release settles either way", {
    needs: ["down"],
  }, async (bench) => {
    const { store, partition, target } = bench
    const request = reserveRequest(partition, "r1", [counter("a", 5, 10)])
    await target.faults!.down!()
    const { applied } = await storeError(() => store.reserve(request), {}, "reserve")
    await target.faults!.up!()
    if (applied === "no") await bench.expectCounter("a", {})
    match(await store.settle(settleRequest(request, [], { outcome: "released" })), { status: "released" }, "release")
    match(await store.reserve(request), { status: "resolved", state: "released" }, "the same reserve, late")
    await bench.expectCounter("a", {})
  })

  test("a settle that failed is sent again and charges once", { needs: ["down"] }, async (bench) => {
    const reservation = await bench.reserve("r1", [counter("a", 5, 10)])
    await bench.target.faults!.down!()
    await storeError(() => reservation.settle([4]), {}, "settle")
    await storeError(() => reservation.settle([4]), {}, "settle again")
    await bench.target.faults!.up!()
    match(await reservation.settle([4]), { status: "settled" }, "settle, once the state can be reached")
    match(await reservation.settle([4]), { status: "settled", replayed: true }, "and again")
    await bench.expectCounter("a", { spent: 4 })
  })

  test("a reserve whose answer was lost may have been applied: sent again it is the same one", {
    needs: ["loseAnswer"],
  }, async (bench) => {
    const { store, partition, target } = bench
    const request = reserveRequest(partition, "r1", [counter("a", 5, 5)])
    await target.faults!.loseAnswer!()
    await storeError(() => store.reserve(request), { applied: "maybe" }, "reserve")
    match(await store.reserve(request), { status: "ok", replayed: true }, "sent again")
    await bench.expectCounter("a", { reserved: 5 })
  })

  test("a reserve whose answer was lost is freed by a release", { needs: ["loseAnswer"] }, async (bench) => {
    const { store, partition, target } = bench
    const request = reserveRequest(partition, "r1", [counter("a", 5, 5)])
    await target.faults!.loseAnswer!()
    await storeError(() => store.reserve(request), {}, "reserve")
    match(await store.settle(settleRequest(request, [], { outcome: "released" })), { status: "released" }, "release")
    await bench.reserve("r2", [counter("a", 5, 5)])
  })

  test("a settle, a release, an adjustment and an expiry whose answers were lost apply once", {
    needs: ["loseAnswer", "clock"],
  }, async (bench) => {
    const { store, partition } = bench
    const loseAnswer = async (call: () => Promise<unknown>, what: string) => {
      await bench.target.faults!.loseAnswer!()
      await storeError(call, { applied: "maybe" }, what)
    }
    const [first, second] = [await bench.reserve("r1", [counter("a", 5)]), await bench.reserve("r2", [counter("a", 5)])]
    await bench.reserve("r3", [counter("a", 5, null, { onExpire: 2 })])
    await loseAnswer(() => first.settle([4]), "settle")
    match(await first.settle([4]), { status: "settled", replayed: true }, "settle sent again")
    await loseAnswer(() => second.release(), "release")
    match(await second.release(), { status: "released", replayed: true }, "release sent again")
    await loseAnswer(() => store.adjust(adjustRequest(partition, "a1", "a", "spent", 3)), "adjust")
    match(await bench.adjust("a1", "a", "spent", 3), { replayed: true, applied: 3 }, "adjust sent again")
    await bench.clock.advance(LEASE_MS)
    const expire = () => store.expire({ partition, key: "r3", counters: ["a"] })
    await loseAnswer(expire, "expire")
    match(await expire(), { status: "not-due" }, "expire sent again")
    await bench.expectCounter("a", { spent: 9 })
  })

  test("a settle whose answer was lost wrote its entry once", { needs: ["loseAnswer", "ledger"] }, async (bench) => {
    const reservation = await bench.reserve("r1", [counter("a", 5)])
    await bench.target.faults!.loseAnswer!()
    await storeError(() => reservation.settle([4], { entry: usageEntry("q1", 4) }), {}, "settle")
    await reservation.settle([4], { entry: usageEntry("q1", 4) })
    equal(valuesOf(await bench.entries(), "charges"), [{ a: 4 }], "charges")
  })

  // ── Restart ──

  test("a restart loses nothing that was confirmed", { needs: ["restart"] }, async (bench) => {
    const settled = await bench.reserve("r1", [counter("a", 10), counter("b", 10)])
    await settled.settle([3, 4])
    const released = await bench.reserve("r2", [counter("a", 10)])
    await released.release()
    const open = await bench.reserve("r3", [counter("a", 10, 20)])
    await bench.adjust("g1", "a", "granted", 5)
    const again = await bench.restart()
    await again.expectCounter("a", { spent: 3, reserved: 10, granted: 5 })
    const { expiresAt } = open
    match(await again.store.reserve(open.request), { status: "ok", replayed: true, expiresAt }, "the held key")
    match(await again.store.reserve(settled.request), { status: "resolved", state: "settled" }, "the settled key")
    match(await again.store.reserve(released.request), { status: "resolved", state: "released" }, "the released key")
    match(await again.adjust("g1", "a", "granted", 5), { replayed: true }, "the grant")
    const reply = await again.store.settle(settleRequest(open.request, [7], { expiresAt }))
    match(reply, { status: "settled", replayed: false, recovered: false }, "settle after the restart")
    if (reply.status === "settled") match(reply.counters[0]!, { peakBefore: 3, peak: 10 }, "peaks after the restart")
    await again.expectCounter("a", { spent: 10, granted: 5 })
  })

  test("a restart keeps extended leases, revisions, releases of unknown keys and resets", {
    needs: ["restart"],
  }, async (bench) => {
    const { store, partition } = bench
    const extended = await bench.reserve("r1", [counter("a", 10)])
    const moved = await store.extend({ partition, key: "r1", leaseMs: 10 * LEASE_MS })
    const revised = await bench.reserve("r2", [counter("b", 10)])
    await revised.settle([3])
    await revised.settle([5], { revision: 2 })
    const unknown = reserveRequest(partition, "r3", [counter("c", 10)])
    await store.settle(settleRequest(unknown, [], { outcome: "released" }))
    await bench.adjust("x1", "b", "reset", 0)
    const again = await bench.restart()
    const expiresAt = moved.status === "held" ? moved.expiresAt : null
    match(await again.store.reserve(extended.request), { status: "ok", expiresAt }, "the end of the extended lease")
    const settle = (revision: number, amount: number) =>
      again.store.settle(settleRequest(revised.request, [amount], { revision, expiresAt: revised.expiresAt }))
    match(await settle(1, 9), { status: "mismatch" }, "a lower revision")
    match(await settle(2, 5), { status: "settled", replayed: true }, "the same revision")
    match(await again.store.reserve(unknown), { status: "resolved", state: "released" }, "the late reserve")
    match(await again.adjust("x1", "b", "reset", 0), { replayed: true, applied: -5 }, "the reset sent again")
    await again.expectCounter("b", {})
  })

  test("a lease that ended while the store was closed is expired afterwards", {
    needs: ["restart", "clock"],
  }, async (bench) => {
    await bench.reserve("r1", [counter("a", 10, null, { onExpire: 6 })])
    const again = await bench.restart()
    await bench.clock.advance(LEASE_MS)
    equal(
      (await again.sweep()).map(({ key, charged }) => [key, charged]),
      [["r1", [6]]],
      "expired",
    )
    await again.expectCounter("a", { spent: 6 })
  })

  test("a lease that ended while the store was closed becomes its pending entry", {
    needs: ["restart", "clock", "ledger"],
  }, async (bench) => {
    const pending = usageEntry("q1", 6, {
      status: "expired",
      costSource: "bound",
      reservedNanoUsd: 10,
      tags: { team: "x" },
    })
    await bench.reserve("r1", [counter("a", 10, null, { onExpire: 6 })], { pendingEntry: pending })
    const again = await bench.restart()
    await bench.clock.advance(LEASE_MS)
    await again.sweep()
    const [entry] = await again.entries()
    match(entry ?? {}, { ...pending, idempotencyKey: "r1", state: "expired", charges: { a: 6 } }, "entry")
  })

  test("a restart keeps the ledger, its order and its times", { needs: ["restart", "ledger"] }, async (bench) => {
    for (let index = 0; index < 5; index++) await bench.spend(`r${index}`, index)
    const before = await bench.entries()
    equal(before.length, 5, "entries before the restart")
    equal(await (await bench.restart()).entries(), before, "entries after the restart")
  })

  test("a restart keeps the partition's latest time", { needs: ["restart", "clock"], rule: "Time" }, async (bench) => {
    await bench.clock.advance(DAY_MS)
    await bench.reserve("r1", [counter("a", 1)])
    const latest = bench.clock.now()
    await bench.clock.advance(-DAY_MS)
    equal(await (await bench.restart()).now(), latest, "now after the restart, with the clock a day behind")
  })
})

/** Records that cannot be read. */
export const damageCases = defineCases({ level: "faults", rule: "Damage", needs: ["damage"] }, (test) => {
  const corrupt = (call: () => Promise<unknown>, what: string) =>
    storeError(call, { code: "store-corrupt", applied: "no" }, what)

  test("a damaged counter is reported, never read as zero and never overwritten", async (bench) => {
    const { store, partition } = bench
    await (await bench.reserve("r1", [counter("a", 10, 10), counter("b", 10, 10)])).settle([10, 1])
    const inBoth = await bench.reserve("r2", [counter("a", 0), counter("b", 2, 10)])
    const open = await bench.reserve("r3", [counter("b", 1, 10)])
    await bench.target.faults!.damage!({ partition, kind: "counter", key: "a" })
    for (const round of [1, 2]) {
      await corrupt(() => store.read({ partition, counters: ["b", "a"] }), `read ${round}`)
      await corrupt(() => bench.tryReserve("r4", [counter("b", 5, 10), counter("a", 1, 10)]), `reserve ${round}`)
      await corrupt(() => inBoth.settle([0, 2]), `settle ${round}`)
      await corrupt(() => store.adjust(adjustRequest(partition, "a1", "a", "reset", 0)), `adjust ${round}`)
    }
    await bench.expectCounter("b", { spent: 1, reserved: 3 }, "the counter beside it")
    match(await store.extend({ partition, key: "r2", leaseMs: 1 }), { status: "held" }, "the key that was not settled")
    match(await open.settle([2]), { status: "settled" }, "a settle that does not need it")
    const page = await store.listCounters({ partition, cursor: null, limit: 100 })
    equal([valuesOf(page.counters, "name"), page.damaged], [["b"], ["a"]], "counters that are listed")
  })

  test("a damaged counter fails only the callers that need it, also of calls that are sent together", async (bench) => {
    const { partition } = bench
    await bench.reserve("r0", [counter("bad", 1), counter("good", 1)])
    await bench.target.faults!.damage!({ partition, kind: "counter", key: "bad" })
    const calls = Array.from({ length: 20 }, (_, index) =>
      bench.tryReserve(`r${index + 1}`, [counter(index % 4 === 0 ? "bad" : "good", 1)]),
    )
    const results = await Promise.allSettled(calls)
    for (const [index, result] of results.entries()) {
      if (index % 4 === 0) {
        equal(
          result.status === "rejected" && result.reason.code,
          "store-corrupt",
          `reserve ${index} of the damaged one`,
        )
      } else {
        equal(result.status === "fulfilled" && result.value.status, "ok", `reserve ${index} of the good one`)
      }
    }
    await bench.expectCounter("good", { reserved: 16 })
  })

  for (const outcome of ["settled", "released"] as const) {
    test(`a key whose record is damaged is not reserved again, and a settle frees what the request says (${outcome})`, async (bench) => {
      const { store, partition } = bench
      await bench.reserve("other", [counter("a", 4)])
      const reservation = await bench.reserve("r1", [counter("a", 10), counter("b", 20)])
      await bench.target.faults!.damage!({ partition, kind: "reservation", key: "r1" })
      await corrupt(() => store.reserve(reservation.request), "reserve of the damaged key")
      const settle = settleRequest(reservation.request, [3, 7], { outcome, expiresAt: reservation.expiresAt })
      match(await store.settle(settle), { status: outcome, replayed: false, recovered: true, late: false }, outcome)
      const spent = outcome === "settled" ? [3, 7] : [0, 0]
      await bench.expectCounters({ a: { spent: spent[0]!, reserved: 4 }, b: { spent: spent[1]! } })
      match(await store.settle(settle), { status: outcome, replayed: true }, "the same again")
      match(await store.reserve(reservation.request), { status: "resolved", state: outcome }, "reserve afterwards")
      if (store.ledger === undefined) return
      const entries = await bench.entries()
      equal(
        entries.map(({ idempotencyKey, state }) => [idempotencyKey, state]),
        [["r1", outcome]],
        "entries",
      )
      await bench.expectSums(["a", "b"])
    })
  }

  test("sixty-five damaged leases do not block the good one behind them", { needs: ["clock"] }, async (bench) => {
    const { store, partition } = bench
    const damaged = Array.from({ length: 65 }, (_, index) => `bad.${index}`)
    for (const key of damaged) {
      await bench.reserve(key, [counter("a", 1)], { leaseMs: 1_000 })
      await bench.target.faults!.damage!({ partition, kind: "reservation", key })
    }
    await bench.reserve("good", [counter("a", 10, null, { onExpire: 5 })], { leaseMs: 2_000 })
    await bench.clock.advance(2_000)
    const { due } = await store.listDue({ partition, limit: 64 })
    for (const { key, counters } of due) equal(counters, [], `counters of ${key}, which is damaged`)
    equal(valuesOf(await bench.sweep(), "key"), ["good"], "expired")
    equal((await store.listDue({ partition, limit: 64 })).due, [], "due afterwards")
    match(await store.read({ partition, counters: [] }), { due: false }, "read afterwards")
    await bench.expectCounter("a", { spent: 5, reserved: 65 })
    const check = await store.check({ partition })
    equal([...(check.damaged ?? [])].sort(), damaged.sort(), "what check reports")
  })

  test("a lease that is set aside keeps its money reserved until it is settled", {
    needs: ["clock"],
  }, async (bench) => {
    const { store, partition } = bench
    const reservation = await bench.reserve("r1", [counter("a", 10)])
    await bench.target.faults!.damage!({ partition, kind: "reservation", key: "r1" })
    await bench.clock.advance(LEASE_MS)
    const expire = () => store.expire({ partition, key: "r1", counters: [] })
    match(await expire(), { status: "damaged" }, "expire")
    match(await store.read({ partition, counters: [] }), { due: false }, "read")
    await bench.expectCounter("a", { reserved: 10 })
    equal((await store.check({ partition })).damaged, ["r1"], "what check reports")
    await corrupt(() => store.reserve(reservation.request), "reserve")
    match(await reservation.settle([4]), { status: "settled", recovered: true }, "settle")
    await bench.expectCounter("a", { spent: 4 })
    equal((await store.check({ partition })).damaged, [], "what check reports after the settle")
    match(await expire(), { status: "not-due" }, "expire after the settle")
  })

  test("a lease whose counter is damaged is set aside, and the others end", { needs: ["clock"] }, async (bench) => {
    const { store, partition } = bench
    await bench.reserve("r1", [counter("bad", 1), counter("a", 1)], { leaseMs: 1_000 })
    await bench.reserve("r2", [counter("a", 10, null, { onExpire: 3 })], { leaseMs: 2_000 })
    await bench.target.faults!.damage!({ partition, kind: "counter", key: "bad" })
    await bench.clock.advance(2_000)
    match(await store.expire({ partition, key: "r1", counters: ["bad", "a"] }), { status: "damaged" }, "expire")
    equal(valuesOf(await bench.sweep(), "key"), ["r2"], "expired")
    await bench.expectCounter("a", { spent: 3, reserved: 1 })
    equal((await store.check({ partition })).damaged, ["r1"], "what check reports")
  })

  test("damage in one partition does not reach another", async (bench) => {
    const other = bench.inPartition("other")
    for (const one of [bench, other]) await one.reserve("r1", [counter("a", 5)])
    await bench.target.faults!.damage!({ partition: bench.partition, kind: "counter", key: "a" })
    await bench.target.faults!.damage!({ partition: bench.partition, kind: "reservation", key: "r1" })
    await other.expectCounter("a", { reserved: 5 })
    match(await other.tryReserve("r1", [counter("a", 5)]), { status: "ok", replayed: true }, "the same key there")
    match(await other.store.check({ partition: other.partition }), { damaged: [] }, "check")
  })
})
