import { settledBy } from "../bench"
import { equal, match } from "../expect"
import { createRandom } from "../random"
import { counter, LARGEST } from "../requests"
import { defineCases } from "../store-case"

/** Names that differ only in what a careless encoding, collation or path drops. */
const SIMILAR_NAMES = [
  ..."aA_.:|=-01",
  "aa",
  "aA",
  "Aa",
  "a:",
  ":a",
  "a:b",
  "a::b",
  "a|b",
  "a=b",
  "a.b",
  "a-b",
  "a_b",
  "a..b",
  "..",
  "00",
  "-1",
  "1e3",
  "1000",
  "1e3:",
  "c:a",
  "r:a",
  "a:r",
  "l",
  "time",
  "leases",
  "damaged",
  "entries",
  "spent",
  "null",
  "undefined",
  "NaN",
  "true",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
]

/** Names and numbers at their limits, unharmed. */
export const nameCases = defineCases({ level: "contract", rule: "Storage" }, (test) => {
  test("names that look alike are different counters", async ({ reserve, expectCounter }) => {
    for (const [index, name] of SIMILAR_NAMES.entries()) {
      const reservation = await reserve(`r${index}`, [counter(name, index + 1, index + 1)])
      if (index % 2 === 0) await reservation.settle([index + 1])
    }
    for (const [index, name] of SIMILAR_NAMES.entries()) {
      await expectCounter(name, index % 2 === 0 ? { spent: index + 1 } : { reserved: index + 1 })
    }
  })

  test("names that look alike are different counters of one call", async ({ store, partition, reserve }) => {
    const { maxCounters } = store.capabilities
    for (let start = 0; start < SIMILAR_NAMES.length; start += maxCounters) {
      const names = SIMILAR_NAMES.slice(start, start + maxCounters)
      const reservation = await reserve(
        `r${start}`,
        names.map((name, index) => counter(name, index + 1)),
      )
      await reservation.settle(names.map((_, index) => index + 1))
      const { counters } = await store.read({ partition, counters: names })
      const expected = names.map((name, index) => [name, index + 1, 0])
      equal(
        counters.map(({ name, spent, reserved }) => [name, spent, reserved]),
        expected,
        "counters",
      )
    }
  })

  test("names that look alike are different keys and different partitions", async (bench) => {
    for (const [index, name] of SIMILAR_NAMES.entries()) {
      const counters = [counter("shared", index + 1)]
      match(await bench.tryReserve(name, counters), { status: "ok", replayed: false }, `the key ${name}`)
      match(await bench.adjust(name, name, "granted", 1), { replayed: false }, `the adjustment key ${name}`)
      const other = bench.inPartition(name)
      match(await other.tryReserve("r1", counters), { status: "ok", replayed: false }, `the partition ${name}`)
    }
    for (const [index, name] of SIMILAR_NAMES.entries()) {
      await bench.inPartition(name).expectCounter("shared", { reserved: index + 1 }, `the partition ${name}`)
    }
  })

  test("names of 64 characters that differ in the last one are different", async (bench) => {
    const start = "n".repeat(63)
    const prefix = `${bench.partition}.${"p".repeat(64)}`.slice(0, 63)
    for (const [index, end] of ["a", "b", "B"].entries()) {
      const counters = [counter(start + end, index + 1, 9)]
      match(
        await bench.tryReserve(start + end, counters),
        { status: "ok", replayed: false },
        `the key that ends in ${end}`,
      )
      match(
        await bench.adjust(start + end, start + end, "granted", 1),
        { replayed: false },
        `the adjustment that ends in ${end}`,
      )
      const partition = prefix + end
      const request = { key: "r1", partition, counters, fingerprint: "f", leaseMs: 60_000 }
      const pendingEntry = (await bench.reserve(`p${index}`, [])).request.pendingEntry
      const reply = await bench.store.reserve({ ...request, pendingEntry })
      match(reply, { status: "ok", replayed: false }, `the partition that ends in ${end}`)
    }
    for (const [index, end] of ["a", "b", "B"].entries()) {
      await bench.expectCounter(start + end, { reserved: index + 1, granted: 1 }, `the counter that ends in ${end}`)
      const { counters } = await bench.store.read({ partition: prefix + end, counters: [start + end] })
      equal(counters[0]?.reserved, index + 1, `reserved in the partition that ends in ${end}`)
    }
  })

  test("random names never share a counter, whatever stands in partition, key and name", async (bench) => {
    const random = createRandom(bench.seed)
    const randomName = (alphabet: string) =>
      Array.from({ length: random.integer(1, 3) }, () => random.pick([...alphabet])).join("")
    const expected = new Map<string, { at: typeof bench; name: string; reserved: number }>()
    for (let round = 0; round < 150; round++) {
      // Few partitions and few characters, so that what a store merges does meet.
      const at = bench.inPartition(random.pick(["a", "A", "a:", "a.b", ":"]))
      const name = randomName("aA:|.-")
      const amount = random.integer(1, 1_000)
      const reply = await at.tryReserve(`${randomName("aA0_.:|=-")}${round}`, [counter(name, amount)])
      match(reply, { status: "ok", replayed: false }, `reserve in ${at.partition}`)
      const id = `${at.partition} ${name}`
      expected.set(id, { at, name, reserved: (expected.get(id)?.reserved ?? 0) + amount })
    }
    for (const [id, { at, name, reserved }] of expected) {
      await at.expectCounter(name, { reserved }, `seed ${bench.seed}: ${id}`)
    }
  })

  // ── Numbers ──

  test("large amounts keep every digit", { rule: "Windows and room" }, async (bench) => {
    const { reserve, tryReserve, adjust, expectCounter } = bench
    for (const [index, amount] of [2 ** 31 + 1, 1e14 + 1, 1e15 + 1, LARGEST].entries()) {
      const name = `large.${index}`
      const reservation = await reserve(`r${index}`, [counter(name, amount, amount)])
      const again = await tryReserve(`r${index}`, reservation.request.counters)
      equal(again.counters[0], { name, spent: 0, reserved: amount, granted: 0 }, `reserve of ${amount}`)
      await expectCounter(name, { reserved: amount })
      match(await tryReserve(`o${index}`, [counter(name, 1, amount)]), { status: "exceeded" }, `1 beyond ${amount}`)
      const settled = settledBy(await reservation.settle([amount]), `settle of ${amount}`)
      match(settled.counters[0]!, { spent: amount, reserved: 0, peakBefore: 0, peak: amount }, `settle of ${amount}`)
      await expectCounter(name, { spent: amount })
      match(await reservation.settle([amount]), { replayed: true }, `settle of ${amount} again`)
      match(await reservation.settle([amount - 1]), { status: "mismatch" }, `settle of ${amount - 1}`)
      const back = await adjust(`a${index}`, name, "spent", -(amount - 1))
      match(back, { applied: -(amount - 1) }, `correction by −${amount - 1}`)
      await expectCounter(name, { spent: 1 })
      await adjust(`g${index}`, name, "granted", amount)
      await expectCounter(name, { spent: 1, granted: amount })
    }
  })

  test("amounts near 2^53 are denied rather than rounded", { rule: "Windows and room" }, async (bench) => {
    const { reserve, tryReserve, expectCounter } = bench
    await reserve("r1", [counter("a", LARGEST - 1, LARGEST)])
    match(
      await tryReserve("r2", [counter("a", 2, LARGEST)]),
      { status: "exceeded" },
      "2 more, with a limit of 2^53 − 1",
    )
    match(await tryReserve("r3", [counter("a", LARGEST)]), { status: "exceeded" }, "2^53 − 1 more, without a limit")
    await reserve("r4", [counter("a", 1)])
    await expectCounter("a", { reserved: LARGEST })
  })

  test("a grant on top of the largest limit does not overflow", { rule: "Windows and room" }, async (bench) => {
    const { adjust, reserve, tryReserve } = bench
    await adjust("g1", "a", "granted", 1_000)
    await reserve("r1", [counter("a", LARGEST, LARGEST)])
    match(await tryReserve("r2", [counter("a", 1, LARGEST)]), { status: "exceeded" }, "beyond 2^53 − 1")
  })

  test("spent stops at 2^53 − 1, whatever is charged", { rule: "States" }, async (bench) => {
    const { reserve, tryReserve, expectCounter } = bench
    const [first, second] = [await reserve("r1", [counter("a", 1)]), await reserve("r2", [counter("a", 1)])]
    match(await first.settle([LARGEST]), { status: "settled" }, "settle of 2^53 − 1")
    const more = settledBy(await second.settle([LARGEST]), "another settle of 2^53 − 1")
    match(more.counters[0]!, { spent: LARGEST, peakBefore: LARGEST, peak: LARGEST }, "counter")
    await expectCounter("a", { spent: LARGEST })
    match(await tryReserve("r3", [counter("a", 1, LARGEST)]), { status: "exceeded" }, "reserve in a full counter")
  })

  test("sums of small charges are exact", { rule: "States" }, async ({ reserve, expectCounter }) => {
    // $0.10, $0.20 and a third of a dollar in nano-USD: sums that fractions of dollars lose.
    const amounts = [100_000_000, 200_000_000, 333_333_333, 1, 7]
    let sum = 0
    for (let round = 0; round < 50; round++) {
      const amount = amounts[round % amounts.length]!
      await (await reserve(`r${round}`, [counter("a", 1_000_000_000)])).settle([amount])
      sum += amount
    }
    await expectCounter("a", { spent: sum })
  })
})
