import { settledBy } from "../bench"
import { equal, match } from "../expect"
import { adjustRequest, counter, DAY_MS, LEASE_MS, reserveRequest, settleRequest, usageEntry } from "../requests"
import { defineCases } from "../store-case"
import { writeElsewhere } from "./housekeeping"

/** The same call once more: after a lost answer, out of order, or with other content. */
export const idempotencyCases = defineCases({ level: "idempotency", rule: "States" }, (test) => {
  test("a reserve sent again gets the same decision and the same end of the lease", async (bench) => {
    const { store, reserve, expectCounter } = bench
    const { request, expiresAt } = await reserve("r1", [counter("a", 10, 10)])
    for (let round = 0; round < 3; round++) {
      const reply = await store.reserve(request)
      match(reply, { status: "ok", replayed: true, expiresAt }, `copy ${round}`)
      equal(reply.counters, [{ name: "a", spent: 0, reserved: 10, granted: 0 }], `counters of copy ${round}`)
    }
    await expectCounter("a", { reserved: 10 })
  })

  test("a reserve sent again is the same one, though limit and lease have changed", async (bench) => {
    const { store, reserve, expectCounter } = bench
    const { request, expiresAt } = await reserve("r1", [counter("a", 10, 10)])
    const tighter = { ...request, leaseMs: 1_000, counters: [counter("a", 10, 3)] }
    match(await store.reserve(tighter), { status: "ok", replayed: true, expiresAt }, "a smaller limit")
    await expectCounter("a", { reserved: 10 })
  })

  test("a key with other content is a mismatch, and changes nothing", async (bench) => {
    const { reserve, tryReserve, expectCounters } = bench
    await reserve("r1", [counter("a", 10, 100)])
    match(await tryReserve("r1", [counter("a", 11, 100)]), { status: "mismatch" }, "another amount")
    match(await tryReserve("r1", [counter("b", 10, 100)]), { status: "mismatch" }, "another counter")
    await expectCounters({ a: { reserved: 10 }, b: {} })
  })

  test("fingerprints that differ in case, or in the last of 64 characters, are different contents", async (bench) => {
    const long = "f".repeat(63)
    const pairs = [
      ["Fp", "fp"],
      [`${long}a`, `${long}b`],
      ["f", "f "],
      ["1", "01"],
      ["1e3", "1000"],
    ] as const
    for (const [index, [one, other]] of pairs.entries()) {
      const counters = [counter("a", 1)]
      const reservation = await bench.reserve(`r${index}`, counters, { fingerprint: one })
      const again = reserveRequest(bench.partition, `r${index}`, counters, { fingerprint: other })
      match(await bench.store.reserve(again), { status: "mismatch" }, `reserve with ${other} instead of ${one}`)
      match(await bench.store.settle(settleRequest(again, [1])), { status: "mismatch" }, `settle with ${other}`)
      match(await reservation.settle([0]), { status: "settled", replayed: false }, `settle with ${one}`)
    }
  })

  test("a denied reserve sent again is decided anew", async ({ reserve, tryReserve }) => {
    const first = await reserve("r1", [counter("a", 10, 10)])
    match(await tryReserve("r2", [counter("a", 1, 10)]), { status: "exceeded" }, "full")
    await first.release()
    match(await tryReserve("r2", [counter("a", 1, 10)]), { status: "ok", replayed: false }, "room again")
  })

  test("a settle sent again gets the same reply and charges nothing", async ({ reserve, expectCounters }) => {
    const reservation = await reserve("r1", [counter("a", 10), counter("b", 10)])
    const first = settledBy(await reservation.settle([3, 12]), "settle")
    for (let round = 0; round < 3; round++) {
      const again = settledBy(await reservation.settle([3, 12]), `copy ${round}`)
      match(again, { status: "settled", replayed: true }, `copy ${round}`)
      const expected = first.counters.map((change) => ({ ...change, peakBefore: change.peak }))
      equal(again.counters, expected, `counters of copy ${round}: as they are, with no threshold crossed`)
    }
    await expectCounters({ a: { spent: 3 }, b: { spent: 12 } })
  })

  test("a release sent again frees once", async ({ reserve, expectCounter }) => {
    await reserve("other", [counter("a", 4)])
    const reservation = await reserve("r1", [counter("a", 10)])
    match(await reservation.release(), { status: "released", replayed: false }, "release")
    for (let round = 0; round < 3; round++)
      match(await reservation.release(), { status: "released", replayed: true }, "again")
    await expectCounter("a", { reserved: 4 })
  })

  test("a release that overtakes its reserve wins: the reserve is not admitted", async (bench) => {
    const { store, partition, expectCounter } = bench
    const request = reserveRequest(partition, "r1", [counter("a", 10, 10)])
    const release = settleRequest(request, [], { outcome: "released" })
    match(await store.settle(release), { status: "released", replayed: false }, "release first")
    match(await store.reserve(request), { status: "resolved", state: "released" }, "reserve afterwards")
    match(await store.settle(release), { status: "released", replayed: true }, "release again")
    await expectCounter("a", {})
  })

  test("a settle of an unknown key sent again charges once, and frees nothing that it did not reserve", async (bench) => {
    await bench.reserve("other", [counter("a", 10)])
    const settle = settleRequest(reserveRequest(bench.partition, "r1", [counter("a", 10)]), [7])
    match(await bench.store.settle(settle), { status: "settled", recovered: true, replayed: false }, "settle")
    match(await bench.store.settle(settle), { status: "settled", replayed: true }, "again")
    await bench.expectCounter("a", { spent: 7, reserved: 10 })
  })

  test("revisions replace upwards only, and the peak never falls", async ({ reserve, expectCounters }) => {
    const reservation = await reserve("r1", [counter("a", 10), counter("b", 10)])
    await reservation.settle([10, 10])
    const first = settledBy(await reservation.settle([2, 12], { revision: 1 }), "revision 1")
    match(first, { status: "settled", replayed: false, late: false }, "revision 1")
    match(first.counters[0]!, { spent: 2, peakBefore: 10, peak: 10 }, "counter a, corrected down")
    match(first.counters[1]!, { spent: 12, peakBefore: 10, peak: 12 }, "counter b, corrected up")
    match(await reservation.settle([2, 12], { revision: 1 }), { status: "settled", replayed: true }, "revision 1 again")
    match(await reservation.settle([10, 10]), { status: "mismatch" }, "revision 0, late")
    match(await reservation.settle([5, 5], { revision: 1 }), { status: "mismatch" }, "revision 1 with other amounts")
    await expectCounters({ a: { spent: 2 }, b: { spent: 12 } })
  })

  test("an adjustment sent again applies once and gets the same reply", { rule: "Adjustments" }, async (bench) => {
    await (await bench.reserve("r1", [counter("a", 10)])).settle([10])
    const adjustments = [
      ["c1", "spent", -4],
      ["g1", "granted", 3],
      ["x1", "reset", 0],
    ] as const
    for (const [key, kind, delta] of adjustments) {
      const first = await bench.adjust(key, "a", kind, delta)
      const again = await bench.adjust(key, "a", kind, delta)
      match(again, { replayed: true, applied: first.applied }, `${kind} again`)
      equal(again.counter.peakBefore, again.counter.peak, "a replay crosses no threshold")
    }
    await bench.expectCounter("a", { granted: 3 })
  })

  test("a reset sent again does not reset what was spent since", { rule: "Adjustments" }, async (bench) => {
    await (await bench.reserve("r1", [counter("a", 10)])).settle([10])
    await bench.adjust("x1", "a", "reset", 0)
    await (await bench.reserve("r2", [counter("a", 10)])).settle([6])
    match(await bench.adjust("x1", "a", "reset", 0), { replayed: true, applied: -10 }, "again")
    await bench.expectCounter("a", { spent: 6 })
  })

  test("an adjustment's key with other content is a mismatch", { rule: "Adjustments" }, async (bench) => {
    await bench.adjust("a1", "a", "spent", 5)
    const others = [
      ["a", "spent", 6],
      ["a", "granted", 5],
      ["b", "spent", 5],
      ["A", "spent", 5],
    ] as const
    for (const [name, kind, delta] of others) {
      const reply = await bench.store.adjust(adjustRequest(bench.partition, "a1", name, kind, delta))
      match(reply, { status: "mismatch" }, `${kind} by ${delta} of ${name}`)
    }
    await bench.expectCounters({ a: { spent: 5 }, b: {} })
  })

  // ── A key that is known by its usage entry ──

  for (const state of ["settled", "released", "expired"] as const) {
    test(`a forgotten key is known by its usage entry while that is kept (${state})`, {
      needs: ["ledger", "clock"],
    }, async (bench) => {
      const reservation = await bench.reserve("r1", [counter("a", 10, null, { onExpire: 3 })])
      if (state === "settled") await reservation.settle([3])
      if (state === "released") await reservation.release()
      await bench.clock.advance(LEASE_MS)
      await bench.sweep()
      await bench.clock.advance(2 * bench.store.capabilities.retentionMs + 8 * DAY_MS)
      await writeElsewhere(bench)
      const entries = await bench.ledger.get({ partition: bench.partition, requestId: "r1" })
      equal(
        entries.map((entry) => entry.state),
        [state],
        "the entry, which the ledger keeps longer than the key",
      )
      match(await bench.store.reserve(reservation.request), { status: "resolved", state }, "reserve")
      const never = { expiresAt: null }
      match(await reservation.settle([5], never), { status: "forgotten" }, "a settle that says it never reserved here")
      match(await reservation.settle([5], { revision: 3 }), { status: "forgotten" }, "a settle of a higher revision")
      await bench.expectCounter("a", { spent: state === "released" ? 0 : 3 })
      await bench.expectSums(["a"])
      await bench.ledger.prune({ partition: bench.partition, before: bench.clock.now() })
      match(
        await bench.store.reserve(reservation.request),
        { status: "ok", replayed: false },
        "reserve once the entry is pruned",
      )
    })
  }

  test("a recorded entry does not make its key known", { needs: ["ledger"] }, async (bench) => {
    const denied = usageEntry("q1", 0, { status: "denied", errorCode: "budget-exceeded", costSource: "none" })
    for (const key of ["r1", "r2"]) await bench.ledger.record({ partition: bench.partition, key, entry: denied })
    match(
      await (await bench.reserve("r1", [counter("a", 5)])).settle([4]),
      { status: "settled", recovered: false },
      "settle",
    )
    const lost = settleRequest(reserveRequest(bench.partition, "r2", [counter("a", 5)]), [2])
    match(await bench.store.settle(lost), { status: "settled", recovered: true }, "settle of a lost key")
    await bench.expectSums(["a"])
  })
})
