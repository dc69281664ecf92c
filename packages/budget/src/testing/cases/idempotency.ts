import { equal, expectReply, valuesOf } from "../expect"
import { counter, DAY_MS, LEASE_MS, usageEntry } from "../requests"
import { defineCases } from "../store-case"

/** The same call once more: after a lost reply, out of order, or with other content. */
export const idempotencyCases = defineCases({ level: "idempotency", rule: "States" }, (test) => {
  test("a reserve sent again gets the same decision and the same end of the lease", async (t) => {
    const { expiresAt } = await t.reserve("r1", [counter("a", 10, 10)])
    const counters = [{ name: "a", spent: 0, reserved: 10, granted: 0 }]
    for (let copy = 0; copy < 3; copy++) await expectReply(t.tryReserve("r1"), "ok, replayed", { expiresAt, counters })
    await t.expectCounters({ a: { reserved: 10 } })
  })

  test("a reserve sent again is the same one, though limit and lease have changed", async (t) => {
    const { expiresAt } = await t.reserve("r1", [counter("a", 10, 10)])
    const tighter = t.tryReserve("r1", [counter("a", 10, 3)], { leaseMs: 1_000 })
    await expectReply(tighter, "ok, replayed", { expiresAt })
    await t.expectCounters({ a: { reserved: 10 } })
  })

  test("a key with other content is a mismatch, and changes nothing", async (t) => {
    await t.reserve("r1", [counter("a", 10, 100)])
    await expectReply(t.tryReserve("r1", [counter("a", 11, 100)]), "mismatch")
    await expectReply(t.tryReserve("r1", [counter("b", 10, 100)]), "mismatch")
    await t.expectCounters({ a: { reserved: 10 }, b: {} })
  })

  test("fingerprints that differ in case, or in the last of 64 characters, are different contents", async (t) => {
    const long = "f".repeat(63)
    const pairs = { Fp: "fp", [`${long}a`]: `${long}b`, f: "f ", "1": "01", "1e3": "1000" }
    for (const [index, [one, other]] of Object.entries(pairs).entries()) {
      const key = `r${index}`
      await t.reserve(key, [counter("a", 1)], { fingerprint: one })
      await expectReply(t.tryReserve(key, [counter("a", 1)], { fingerprint: other }), "mismatch")
      await expectReply(t.settle(key, [1], { fingerprint: other }), "mismatch")
      await expectReply(t.settle(key, [0]), "settled")
    }
  })

  test("a denied reserve sent again is decided anew", async (t) => {
    await t.reserve("r1", [counter("a", 10, 10)])
    await expectReply(t.tryReserve("r2", [counter("a", 1, 10)]), "exceeded: 0")
    await t.release("r1")
    await expectReply(t.tryReserve("r2"), "ok")
  })

  test("a settle sent again gets the same reply and charges nothing", async (t) => {
    await t.charge("r1", [counter("a", 10), counter("b", 10)], [3, 12])
    const replayed = { reserved: 0, granted: 0 }
    // No threshold is crossed again: `peakBefore` is the peak.
    const a = { name: "a", spent: 3, peakBefore: 3, peak: 3, ...replayed }
    const b = { name: "b", spent: 12, peakBefore: 12, peak: 12, ...replayed }
    for (let copy = 0; copy < 3; copy++)
      await expectReply(t.settle("r1", [3, 12]), "settled, replayed", { counters: [a, b] })
    await t.expectCounters({ a: { spent: 3 }, b: { spent: 12 } })
  })

  test("a release sent again frees once", async (t) => {
    await t.reserve("other", [counter("a", 4)])
    await t.reserve("r1", [counter("a", 10)])
    await expectReply(t.release("r1"), "released")
    for (let copy = 0; copy < 3; copy++) await expectReply(t.release("r1"), "released, replayed")
    await t.expectCounters({ a: { reserved: 4 } })
  })

  test("a release that overtakes its reserve wins: the reserve is not admitted", async (t) => {
    t.prepare("r1", [counter("a", 10, 10)])
    await expectReply(t.release("r1"), "released")
    await expectReply(t.tryReserve("r1"), "resolved: released")
    await expectReply(t.release("r1"), "released, replayed")
    await t.expectCounters({ a: {} })
  })

  test("a settle of an unknown key sent again charges once, and frees nothing that it did not reserve", async (t) => {
    await t.reserve("other", [counter("a", 10)])
    t.prepare("r1", [counter("a", 10)])
    await expectReply(t.settle("r1", [7]), "settled, recovered")
    await expectReply(t.settle("r1", [7]), "settled, replayed")
    await t.expectCounters({ a: { spent: 7, reserved: 10 } })
  })

  test("revisions replace upwards only, and the peak never falls", async (t) => {
    await t.charge("r1", [counter("a", 10), counter("b", 10)], [10, 10])
    const a = { name: "a", spent: 2, reserved: 0, granted: 0, peakBefore: 10, peak: 10 }
    const b = { name: "b", spent: 12, reserved: 0, granted: 0, peakBefore: 10, peak: 12 }
    await expectReply(t.settle("r1", [2, 12], { revision: 1 }), "settled", { counters: [a, b] })
    await expectReply(t.settle("r1", [2, 12], { revision: 1 }), "settled, replayed")
    await expectReply(t.settle("r1", [10, 10]), "mismatch")
    await expectReply(t.settle("r1", [5, 5], { revision: 1 }), "mismatch")
    await t.expectCounters({ a: { spent: 2 }, b: { spent: 12 } })
  })

  test("an adjustment sent again applies once and gets the same reply", { rule: "Adjustments" }, async (t) => {
    await t.charge("r1", [counter("a", 10)], [10])
    for (const [kind, delta] of Object.entries({ spent: -4, granted: 3, reset: 0 } as const)) {
      const adjust = () => t.adjust(kind, "a", kind as "spent" | "granted" | "reset", delta)
      const { applied, counter: after } = await adjust()
      await expectReply(adjust(), "ok, replayed", { applied, counter: { ...after, peakBefore: after.peak } })
    }
    await t.expectCounters({ a: { granted: 3 } })
  })

  test("a reset sent again does not reset what was spent since", { rule: "Adjustments" }, async (t) => {
    await t.charge("r1", [counter("a", 10)], [10])
    await t.adjust("x1", "a", "reset", 0)
    await t.charge("r2", [counter("a", 10)], [6])
    await expectReply(t.tryAdjust("x1", "a", "reset", 0), "ok, replayed", { applied: -10 })
    await t.expectCounters({ a: { spent: 6 } })
  })

  test("an adjustment's key with other content is a mismatch", { rule: "Adjustments" }, async (t) => {
    await t.adjust("a1", "a", "spent", 5)
    await expectReply(t.tryAdjust("a1", "a", "spent", 6), "mismatch")
    await expectReply(t.tryAdjust("a1", "a", "granted", 5), "mismatch")
    for (const name of ["b", "A"]) await expectReply(t.tryAdjust("a1", name, "spent", 5), "mismatch")
    await t.expectCounters({ a: { spent: 5 }, b: {} })
  })

  // ── A key that is known by its usage entry ──

  for (const state of ["settled", "released", "expired"] as const) {
    test(`a forgotten key is known by its usage entry while that is kept (${state})`, {
      needs: ["ledger", "clock"],
    }, async (t) => {
      await t.reserve("r1", [counter("a", 10, null, { onExpire: 3 })])
      if (state !== "expired") await t.settle("r1", [3], { outcome: state })
      await t.clock.advance(LEASE_MS)
      await t.sweep()
      await t.advanceAndWrite(2 * t.retentionMs + 8 * DAY_MS)
      equal(valuesOf(await t.attempts("r1"), "state"), [state], "the entry, which is kept longer than the key")
      await expectReply(t.tryReserve("r1"), `resolved: ${state}`)
      await expectReply(t.settle("r1", [5], { expiresAt: null }), "forgotten")
      await expectReply(t.settle("r1", [5], { revision: 3 }), "forgotten")
      await t.expectCounters({ a: { spent: state === "released" ? 0 : 3 } })
      await t.expectSums(["a"])
      await t.prune(t.clock.now())
      await expectReply(t.tryReserve("r1"), "ok")
    })
  }

  test("a recorded entry does not make its key known", { needs: ["ledger"] }, async (t) => {
    const denied = usageEntry("q1", 0, { status: "denied", errorCode: "budget-exceeded", costSource: "none" })
    for (const key of ["r1", "r2"]) await t.record(key, denied)
    await t.charge("r1", [counter("a", 5)], [4])
    t.prepare("r2", [counter("a", 5)])
    await expectReply(t.settle("r2", [2]), "settled, recovered")
    await t.expectSums(["a"])
  })
})
