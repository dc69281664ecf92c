import { settledBy } from "../bench"
import { equal, match } from "../expect"
import { adjustRequest, counter, LARGEST } from "../requests"
import { defineCases } from "../store-case"

/** Corrections, top-ups and resets. */
export const adjustmentCases = defineCases({ level: "contract", rule: "Adjustments" }, (test) => {
  test("a grant adds to the limit, and a negative one takes from it", async (bench) => {
    const { adjust, reserve, tryReserve } = bench
    await reserve("r1", [counter("a", 10, 10)])
    const grant = await adjust("g1", "a", "granted", 5)
    match(grant, { replayed: false, applied: 5 }, "grant")
    match(grant.counter, { name: "a", spent: 0, reserved: 10, granted: 5 }, "counter of the grant")
    await reserve("r2", [counter("a", 5, 10)])
    match(await tryReserve("r3", [counter("a", 1, 10)]), { status: "exceeded" }, "full")
    await adjust("g2", "a", "granted", 4)
    await adjust("g3", "a", "granted", -3)
    await bench.expectCounter("a", { reserved: 15, granted: 6 })
    match(await tryReserve("r4", [counter("a", 2, 10)]), { status: "exceeded" }, "2 of the last 1")
    await reserve("r5", [counter("a", 1, 10)])
  })

  test("grants below zero make the limit smaller", async ({ adjust, reserve, tryReserve, expectCounter }) => {
    match(await adjust("g1", "a", "granted", -4), { applied: -4 }, "grant")
    await expectCounter("a", { granted: -4 })
    match(await tryReserve("r1", [counter("a", 7, 10)]), { status: "exceeded", which: [0] }, "7 of 10 − 4")
    await reserve("r2", [counter("a", 6, 10)])
    await adjust("g2", "a", "granted", -9)
    const reply = await tryReserve("r3", [counter("a", 1, 10), counter("b", 0, 0)])
    match(reply, { status: "exceeded", which: [0] }, "1 of 10 − 13")
  })

  test("a correction moves spent up and down, below zero too, and raises the peak", async (bench) => {
    const up = await bench.adjust("c1", "a", "spent", 7)
    match(up, { applied: 7 }, "up")
    match(up.counter, { spent: 7, peakBefore: 0, peak: 7 }, "counter after the correction upwards")
    match(await bench.adjust("c2", "a", "spent", -10), { applied: -10 }, "down")
    await bench.expectCounter("a", { spent: -3 })
    await bench.reserve("r1", [counter("a", 13, 10)])
    match(await bench.tryReserve("r2", [counter("a", 1, 10)]), { status: "exceeded" }, "full")
  })

  test("a correction downwards keeps the peak, so that no threshold is crossed twice", async ({ reserve, adjust }) => {
    const spend = async (key: string, amount: number) =>
      settledBy(await (await reserve(key, [counter("a", 10)])).settle([amount]), key).counters[0]!
    await spend("r1", 10)
    match((await adjust("c1", "a", "spent", -6)).counter, { spent: 4, peakBefore: 10, peak: 10 }, "correction")
    match(await spend("r2", 5), { spent: 9, peakBefore: 10, peak: 10 }, "below the old peak")
    match(await spend("r3", 3), { spent: 12, peakBefore: 10, peak: 12 }, "above the old peak")
  })

  test("a reset makes spent and peak zero and keeps what is reserved and granted", async (bench) => {
    await (await bench.reserve("r1", [counter("a", 10)])).settle([9])
    const open = await bench.reserve("r2", [counter("a", 4)])
    await bench.adjust("g1", "a", "granted", 3)
    const reset = await bench.adjust("x1", "a", "reset", 0)
    match(reset, { applied: -9 }, "reset")
    match(reset.counter, { spent: 0, reserved: 4, granted: 3, peakBefore: 9, peak: 0 }, "counter of the reset")
    await bench.expectCounter("a", { reserved: 4, granted: 3 })
    const settled = settledBy(await open.settle([2]), "settle").counters[0]!
    match(settled, { spent: 2, reserved: 0, peakBefore: 0, peak: 2 }, "settle after the reset")
  })

  test("a reset of an unseen counter is ok and applies nothing", async ({ adjust, expectCounter }) => {
    equal((await adjust("x1", "a", "reset", 0)).applied, 0, "applied")
    await expectCounter("a", {})
  })

  test("an adjustment changes its own counter only", async ({ adjust, reserve, expectCounter }) => {
    await reserve("r1", [counter("a", 1), counter("b", 2)])
    await adjust("c1", "a", "spent", 5)
    await adjust("x1", "a", "reset", 0)
    await expectCounter("b", { reserved: 2 })
  })

  test("adjustments and reservations have keys of their own", async ({ adjust, reserve, expectCounter }) => {
    const reservation = await reserve("same", [counter("a", 5)])
    match(await adjust("same", "a", "granted", 2), { replayed: false }, "adjust under the reservation's key")
    match(await reservation.settle([5]), { status: "settled", replayed: false }, "settle under the adjustment's key")
    await expectCounter("a", { spent: 5, granted: 2 })
  })

  test("`applied` is what changed, up to the largest number, also when sent again", async (bench) => {
    const { store, partition } = bench
    for (const kind of ["spent", "granted"] as const) {
      for (const sign of [1, -1]) {
        const name = `${kind}.${sign}`
        const steps = [
          [LARGEST - 1, LARGEST - 1],
          [5, 1],
          [5, 0],
        ] as const
        for (const [index, [delta, change]] of steps.entries()) {
          const request = adjustRequest(partition, `${name}.${index}`, name, kind, sign * delta)
          // + 0, because −0 is 0.
          const applied = sign * change + 0
          const what = `${kind} by ${sign * delta}`
          match(await store.adjust(request), { status: "ok", applied, replayed: false }, what)
          match(await store.adjust(request), { status: "ok", applied, replayed: true }, `${what}, sent again`)
        }
        await bench.expectCounter(name, { [kind]: sign * LARGEST })
      }
    }
  })
})
