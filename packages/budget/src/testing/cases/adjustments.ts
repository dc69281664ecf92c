import { expectReply } from "../expect"
import { counter, LARGEST } from "../requests"
import { defineCases } from "../store-case"

/** Corrections, top-ups and resets. */
export const adjustmentCases = defineCases({ level: "contract", rule: "Adjustments" }, (test) => {
  test("a grant adds to the limit, and a negative one takes from it", async (t) => {
    await t.reserve("r1", [counter("a", 10, 10)])
    const state = { name: "a", spent: 0, reserved: 10, granted: 5 }
    await expectReply(t.tryAdjust("g1", "a", "granted", 5), "ok", { applied: 5, counter: state })
    await t.reserve("r2", [counter("a", 5, 10)])
    await expectReply(t.tryReserve("r3", [counter("a", 1, 10)]), "exceeded: 0")
    await t.adjust("g2", "a", "granted", 4)
    await t.adjust("g3", "a", "granted", -3)
    await t.expectCounters({ a: { reserved: 15, granted: 6 } })
    await expectReply(t.tryReserve("r4", [counter("a", 2, 10)]), "exceeded: 0")
    await t.reserve("r5", [counter("a", 1, 10)])
  })

  test("grants below zero make the limit smaller", async (t) => {
    await expectReply(t.tryAdjust("g1", "a", "granted", -4), "ok", { applied: -4 })
    await t.expectCounters({ a: { granted: -4 } })
    await expectReply(t.tryReserve("r1", [counter("a", 7, 10)]), "exceeded: 0")
    await t.reserve("r2", [counter("a", 6, 10)])
    await t.adjust("g2", "a", "granted", -9)
    await expectReply(t.tryReserve("r3", [counter("a", 1, 10), counter("b", 0, 0)]), "exceeded: 0")
  })

  test("a correction moves spent up and down, below zero too, and raises the peak", async (t) => {
    const raised = { spent: 7, peakBefore: 0, peak: 7 }
    await expectReply(t.tryAdjust("c1", "a", "spent", 7), "ok", { applied: 7, counter: raised })
    await expectReply(t.tryAdjust("c2", "a", "spent", -10), "ok", { applied: -10 })
    await t.expectCounters({ a: { spent: -3 } })
    await t.reserve("r1", [counter("a", 13, 10)])
    await expectReply(t.tryReserve("r2", [counter("a", 1, 10)]), "exceeded: 0")
  })

  test("a correction downwards keeps the peak, so that no threshold is crossed twice", async (t) => {
    for (const key of ["r1", "r2", "r3"]) await t.reserve(key, [counter("a", 10)])
    await t.settle("r1", [10])
    const corrected = { spent: 4, peakBefore: 10, peak: 10 }
    await expectReply(t.tryAdjust("c1", "a", "spent", -6), "ok", { counter: corrected })
    await expectReply(t.settle("r2", [5]), "settled", { counter: { spent: 9, peakBefore: 10, peak: 10 } })
    await expectReply(t.settle("r3", [3]), "settled", { counter: { spent: 12, peakBefore: 10, peak: 12 } })
  })

  test("a reset makes spent and peak zero and keeps what is reserved and granted", async (t) => {
    await t.charge("r1", [counter("a", 10)], [9])
    await t.reserve("r2", [counter("a", 4)])
    await t.adjust("g1", "a", "granted", 3)
    const state = { spent: 0, reserved: 4, granted: 3, peakBefore: 9, peak: 0 }
    await expectReply(t.tryAdjust("x1", "a", "reset", 0), "ok", { applied: -9, counter: state })
    await t.expectCounters({ a: { reserved: 4, granted: 3 } })
    const settled = { spent: 2, reserved: 0, peakBefore: 0, peak: 2 }
    await expectReply(t.settle("r2", [2]), "settled", { counter: settled })
  })

  test("a reset of an unseen counter is ok and applies nothing", async (t) => {
    await expectReply(t.tryAdjust("x1", "a", "reset", 0), "ok", { applied: 0 })
    await t.expectCounters({ a: {} })
  })

  test("an adjustment changes its own counter only", async (t) => {
    await t.reserve("r1", [counter("a", 1), counter("b", 2)])
    await t.adjust("c1", "a", "spent", 5)
    await t.adjust("x1", "a", "reset", 0)
    await t.expectCounters({ a: { reserved: 1 }, b: { reserved: 2 } })
  })

  test("adjustments and reservations have separate keys", async (t) => {
    await t.reserve("same", [counter("a", 5)])
    await expectReply(t.tryAdjust("same", "a", "granted", 2), "ok", { applied: 2 })
    await expectReply(t.settle("same", [5]), "settled")
    await t.expectCounters({ a: { spent: 5, granted: 2 } })
  })

  test("`applied` is what changed, up to the largest number, also when sent again", async (t) => {
    for (const kind of ["spent", "granted"] as const) {
      for (const sign of [1, -1]) {
        const name = `${kind}.${sign}`
        const changes = [LARGEST - 1, 1, 0]
        for (const [index, delta] of [LARGEST - 1, 5, 5].entries()) {
          // `+ 0` turns −0 into 0.
          const applied = sign * changes[index]! + 0
          const adjust = () => t.tryAdjust(`${name}.${index}`, name, kind, sign * delta)
          await expectReply(adjust(), "ok", { applied })
          await expectReply(adjust(), "ok, replayed", { applied })
        }
        await t.expectCounters({ [name]: { [kind]: sign * LARGEST } })
      }
    }
  })
})
