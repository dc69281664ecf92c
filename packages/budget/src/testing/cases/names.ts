import type { CaseContext } from "../case-context"
import { equal, expectReply, valuesOf } from "../expect"
import { createRandom } from "../random"
import { counter, LARGEST } from "../requests"
import { defineCases } from "../store-case"

/** Names that differ only in what a careless encoding, collation or path drops. */
const SIMILAR_NAMES = [
  ..."aA_.:|=-01",
  ..."aa aA Aa a: :a a:b a::b a|b a=b a.b a-b a_b a..b .. 00 -1 1e3 1000 1e3: c:a r:a a:r l time leases".split(" "),
  ..."damaged entries spent null undefined NaN true __proto__ constructor toString hasOwnProperty".split(" "),
]

/** Similar names and extreme numbers are stored exactly. */
export const nameCases = defineCases({ level: "contract", rule: "Storage" }, (test) => {
  test("names that look alike are different counters", async (t) => {
    for (const [index, name] of SIMILAR_NAMES.entries()) {
      await t.reserve(`r${index}`, [counter(name, index + 1, index + 1)])
      if (index % 2 === 0) await t.settle(`r${index}`, [index + 1])
    }
    for (const [index, name] of SIMILAR_NAMES.entries())
      await t.expectCounters({ [name]: { [index % 2 === 0 ? "spent" : "reserved"]: index + 1 } })
  })

  test("names that look alike are different counters of one call", async (t) => {
    const { maxCounters } = t.store.capabilities
    for (let start = 0; start < SIMILAR_NAMES.length; start += maxCounters) {
      const names = SIMILAR_NAMES.slice(start, start + maxCounters)
      const reserved = names.map((name, index) => counter(name, index + 1))
      await t.charge(`r${start}`, reserved, valuesOf(reserved, "amount"))
      const { counters } = await t.read(...names)
      const expected = names.map((name, index) => ({ name, spent: index + 1, reserved: 0, granted: 0 }))
      equal(counters, expected, "counters")
    }
  })

  test("names that look alike are different keys and different partitions", async (t) => {
    for (const [index, name] of SIMILAR_NAMES.entries()) {
      const counters = [counter("shared", index + 1)]
      await expectReply(t.tryReserve(name, counters), "ok")
      await expectReply(t.tryAdjust(name, name, "granted", 1), "ok")
      await expectReply(t.inPartition(name).tryReserve("r1", counters), "ok")
    }
    for (const [index, name] of SIMILAR_NAMES.entries())
      await t.inPartition(name).expectCounters({ shared: { reserved: index + 1 } }, `the partition ${name}`)
  })

  test("names of 64 characters that differ in the last one are different", async (t) => {
    const start = "n".repeat(63)
    // With the partition of the case, a dot and the end, 64 characters.
    const prefix = "p".repeat(62 - t.partition.length)
    const ends = ["a", "b", "B"]
    for (const [index, end] of ends.entries()) {
      const counters = [counter(start + end, index + 1, 9)]
      await expectReply(t.tryReserve(start + end, counters), "ok")
      await expectReply(t.tryAdjust(start + end, start + end, "granted", 1), "ok")
      await expectReply(t.inPartition(prefix + end).tryReserve("r1", counters), "ok")
    }
    for (const [index, end] of ends.entries()) {
      await t.expectCounters({ [start + end]: { reserved: index + 1, granted: 1 } })
      await t.inPartition(prefix + end).expectCounters({ [start + end]: { reserved: index + 1 } }, `partition ${end}`)
    }
  })

  test("random names never share a counter, for any partition, key and name", async (t) => {
    const random = createRandom(t.seed)
    const randomName = (alphabet: string) =>
      Array.from({ length: random.integer(1, 3) }, () => random.pick([...alphabet])).join("")
    const expected = new Map<string, { at: CaseContext; name: string; reserved: number }>()
    for (let round = 0; round < 150; round++) {
      // Few partitions and characters, so that names that a faulty store merges occur together.
      const at = t.inPartition(random.pick(["a", "A", "a:", "a.b", ":"]))
      const name = randomName("aA:|.-")
      const amount = random.integer(1, 1_000)
      await expectReply(at.tryReserve(`${randomName("aA0_.:|=-")}${round}`, [counter(name, amount)]), "ok")
      const id = `${at.partition} ${name}`
      expected.set(id, { at, name, reserved: (expected.get(id)?.reserved ?? 0) + amount })
    }
    for (const [id, { at, name, reserved }] of expected)
      await at.expectCounters({ [name]: { reserved } }, `seed ${t.seed}: ${id}`)
  })
})

/** The largest and smallest amounts. */
export const amountCases = defineCases({ level: "contract", rule: "Windows and limits" }, (test) => {
  test("large amounts keep every digit", async (t) => {
    for (const [index, amount] of [2 ** 31 + 1, 1e14 + 1, 1e15 + 1, LARGEST].entries()) {
      const [name, key] = [`large.${index}`, `r${index}`]
      await t.reserve(key, [counter(name, amount, amount)])
      await expectReply(t.tryReserve(key), "ok, replayed", { counter: { spent: 0, reserved: amount } })
      await expectReply(t.tryReserve(`o${index}`, [counter(name, 1, amount)]), "exceeded: 0")
      const state = { spent: amount, reserved: 0, peakBefore: 0, peak: amount }
      await expectReply(t.settle(key, [amount]), "settled", { counter: state })
      await expectReply(t.settle(key, [amount]), "settled, replayed", { counter: { spent: amount } })
      await expectReply(t.settle(key, [amount - 1]), "mismatch")
      await expectReply(t.tryAdjust(key, name, "spent", -(amount - 1)), "ok", { applied: -(amount - 1) })
      await t.adjust(`g${index}`, name, "granted", amount)
      await t.expectCounters({ [name]: { spent: 1, granted: amount } })
    }
  })

  test("amounts near 2^53 are denied rather than rounded", async (t) => {
    await t.reserve("r1", [counter("a", LARGEST - 1, LARGEST)])
    await expectReply(t.tryReserve("r2", [counter("a", 2, LARGEST)]), "exceeded: 0")
    await expectReply(t.tryReserve("r3", [counter("a", LARGEST)]), "exceeded: 0")
    await t.reserve("r4", [counter("a", 1)])
    await t.expectCounters({ a: { reserved: LARGEST } })
  })

  test("a grant on top of the largest limit does not overflow", async (t) => {
    await t.adjust("g1", "a", "granted", 1_000)
    await t.reserve("r1", [counter("a", LARGEST, LARGEST)])
    await expectReply(t.tryReserve("r2", [counter("a", 1, LARGEST)]), "exceeded: 0")
  })

  test("spent saturates at 2^53 − 1", { rule: "States" }, async (t) => {
    for (const key of ["r1", "r2"]) await t.reserve(key, [counter("a", 1)])
    await expectReply(t.settle("r1", [LARGEST]), "settled")
    const full = { spent: LARGEST, peakBefore: LARGEST, peak: LARGEST }
    await expectReply(t.settle("r2", [LARGEST]), "settled", { counter: full })
    await t.expectCounters({ a: { spent: LARGEST } })
    await expectReply(t.tryReserve("r3", [counter("a", 1, LARGEST)]), "exceeded: 0")
  })

  test("sums of small charges are exact", { rule: "States" }, async (t) => {
    // $0.10, $0.20 and a third of a dollar in nano-USD: sums that are inexact in fractions of dollars.
    const amounts = [100_000_000, 200_000_000, 333_333_333, 1, 7]
    for (let round = 0; round < 50; round++)
      await t.charge(`r${round}`, [counter("a", 1_000_000_000)], [amounts[round % amounts.length]!])
    await t.expectCounters({ a: { spent: 10 * amounts.reduce((sum, amount) => sum + amount, 0) } })
  })
})
