import { equal, match, mistake } from "../expect"
import { createRandom } from "../random"
import { adjustRequest, cell, expectCell, fingerprintOf, hold, reserveRequest, settleRequest } from "../requests"
import { type CaseBench, casesOf } from "../store-case"

const MAX = Number.MAX_SAFE_INTEGER

/** Names that a store must not take: each could leave the root, move a key or merge two. */
const BAD_NAMES: readonly unknown[] = [
  "",
  "a b",
  "a{b}",
  "a}b",
  "a/b",
  "a\\b",
  "a*",
  "a?b",
  "a[b]",
  "a\nb",
  "a\0b",
  "é",
  "e\u0301",
  "\ud800",
  "😀",
  "a'b",
  'a"b',
  "a;b",
  "a,b",
  "a%b",
  undefined,
  null,
  7,
  {},
  ["a"],
]

const BAD_AMOUNTS: readonly unknown[] = [
  -1,
  0.5,
  1e-9,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  MAX + 1,
  "5",
  5n,
  null,
  undefined,
]

/** Names of the alphabet that a careless store confuses. */
const TRICKY_NAMES: readonly string[] = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "valueOf",
  "a",
  "A",
  "a:b",
  "a:b:",
  ":a:b",
  "a::b",
  "a|b",
  "a=b",
  "a.b",
  "a-b",
  "a_b",
  "0",
  "00",
  "1",
  "-1",
  "1e3",
  "1000",
  "c:a",
  "r:a",
  "l",
  "u:",
  "null",
  "undefined",
  "NaN",
  "true",
]

/** What must not pass, and what must pass unharmed: names and amounts at their edges. */
export const mistakeCases = casesOf("contract", "Rules", [
  [
    "a name outside of the alphabet is a mistake in every member, as root, id and key",
    [],
    async (bench) => {
      const { store, root } = bench
      for (const bad of BAD_NAMES as string[]) {
        const what = `name ${JSON.stringify(bad)}`
        await mistake(
          () => store.reserve({ ...reserveRequest(root, "r1", [cell("a", 1)]), root: bad }),
          `${what}, root`,
        )
        await mistake(() => store.reserve({ ...reserveRequest(root, "r1", [cell("a", 1)]), id: bad }), `${what}, id`)
        await mistake(() => store.reserve(reserveRequest(root, "r1", [cell("a", 1), cell(bad, 1)])), `${what}, key`)
        await mistake(
          () => store.settle(settleRequest(reserveRequest(root, bad, [cell("a", 1)]), [1])),
          `${what}, settle id`,
        )
        await mistake(
          () => store.settle(settleRequest(reserveRequest(root, "r1", [cell(bad, 1)]), [1])),
          `${what}, settle key`,
        )
        await mistake(() => store.extend({ root, id: bad, leaseMs: 1 }), `${what}, extend`)
        await mistake(() => store.read({ root, keys: ["a", bad] }), `${what}, read`)
        await mistake(() => store.read({ root: bad, keys: ["a"] }), `${what}, read root`)
        await mistake(() => store.adjust(adjustRequest(root, bad, "a", "spent", 1)), `${what}, adjust id`)
        await mistake(() => store.adjust(adjustRequest(root, "a1", bad, "spent", 1)), `${what}, adjust key`)
        await mistake(() => store.sweep({ root: bad, max: 1 }), `${what}, sweep`)
      }
      await expectCell(bench, "a", {}, "nothing was reserved by a call that was a mistake")
    },
  ],
  [
    "names of full length pass, longer ones are mistakes",
    [],
    async (bench) => {
      const [id, key, root] = ["i".repeat(64), "k".repeat(200), "r".repeat(64)]
      await hold(bench, id, [cell(key, 3)])
      await expectCell(bench, key, { reserved: 3 })
      match(await bench.store.reserve(reserveRequest(root, id, [cell(key, 1)])), { result: "ok" }, "a root of 64")
      await bench.store.settle(settleRequest(reserveRequest(root, id, [cell(key, 1)]), [], { outcome: "release" }))
      await mistake(() => bench.store.reserve(reserveRequest(bench.root, `${id}i`, [cell("a", 1)])), "an id of 65")
      await mistake(() => bench.store.reserve(reserveRequest(bench.root, "r1", [cell(`${key}k`, 1)])), "a key of 201")
      await mistake(() => bench.store.reserve(reserveRequest(`${root}r`, "r1", [cell("a", 1)])), "a root of 65")
      await mistake(() => bench.store.read({ root: bench.root, keys: ["k".repeat(1_000_000)] }), "a key of a megabyte")
    },
  ],
  [
    "names of full length that differ in their last character are different keys, ids and roots",
    [],
    async (bench) => {
      const { store, root } = bench
      const [key, id] = ["k".repeat(199), "i".repeat(63)]
      for (const [index, end] of ["a", "b", "B"].entries()) {
        const own = `${root}.${"r".repeat(64)}`.slice(0, 63) + end
        const cells = [cell(key + end, index + 1, 9)]
        const answer = await store.reserve(reserveRequest(root, id + end, cells))
        match(answer, { result: "ok", replayed: false }, `the id that ends in ${end}`)
        const adjust = adjustRequest(root, id + end, key + end, "granted", 1)
        match(await store.adjust(adjust), { result: "ok", replayed: false }, `the adjustment that ends in ${end}`)
        match(await store.reserve(reserveRequest(own, "r1", cells)), { result: "ok", replayed: false }, own)
        await expectCell({ store, root: own }, key + end, { reserved: index + 1 }, `the root that ends in ${end}`)
      }
      for (const [index, end] of ["a", "b", "B"].entries())
        await expectCell(bench, key + end, { reserved: index + 1, granted: 1 }, `the key that ends in ${end}`)
    },
  ],
  [
    "names that look alike are different cells",
    [],
    async (bench) => {
      const names = TRICKY_NAMES
      for (const [index, key] of names.entries()) {
        const held = await hold(bench, `r${index}`, [cell(key, index + 1, index + 1)])
        if (index % 2 === 0) await held.commit([index + 1])
      }
      for (const [index, key] of names.entries()) {
        await expectCell(bench, key, index % 2 === 0 ? { spent: index + 1 } : { reserved: index + 1 })
      }
    },
  ],
  [
    "names that look alike are different ids and different roots",
    [],
    async (bench) => {
      for (const [index, name] of TRICKY_NAMES.entries()) {
        const cells = [cell("shared", index + 1)]
        match(
          await bench.store.reserve(reserveRequest(bench.root, name, cells)),
          { result: "ok", replayed: false },
          name,
        )
        match(await bench.store.adjust(adjustRequest(bench.root, name, name, "granted", 1)), { replayed: false }, name)
        const root = `${bench.root}-${name}`
        match(await bench.store.reserve(reserveRequest(root, "r1", cells)), { result: "ok", replayed: false }, root)
      }
      for (const [index, name] of TRICKY_NAMES.entries()) {
        await expectCell({ store: bench.store, root: `${bench.root}-${name}` }, "shared", { reserved: index + 1 })
      }
    },
  ],
  [
    "random names never share a cell, whatever stands in root, id and key",
    [],
    async (bench) => {
      const random = createRandom(bench.seed)
      const part = () => Array.from({ length: random.integer(1, 4) }, () => random.pick([..."aA0_.:|=-"])).join("")
      const expected = new Map<string, { root: string; key: string; reserved: number }>()
      for (let round = 0; round < 150; round++) {
        // Few roots and few characters, so that what a store merges does meet.
        const root = bench.otherRoot(random.pick(["a", "A", "a:", "a.b", ":"]))
        const key = Array.from({ length: random.integer(1, 3) }, () => random.pick([..."aA:|.-"])).join("")
        const amount = random.integer(1, 1_000)
        const answer = await bench.store.reserve(reserveRequest(root, `${part()}${round}`, [cell(key, amount)]))
        match(answer, { result: "ok", replayed: false }, `reserve in ${root}`)
        const known = expected.get(`${root} ${key}`)
        expected.set(`${root} ${key}`, { root, key, reserved: (known?.reserved ?? 0) + amount })
      }
      for (const { root, key, reserved } of expected.values()) {
        await expectCell({ store: bench.store, root }, key, { reserved }, `seed ${bench.seed}: cell ${key} of ${root}`)
      }
    },
  ],
  [
    "the same key twice in one call is a mistake, and reserves nothing",
    [],
    async (bench) => {
      const cells = [cell("a", 1, 10), cell("b", 1, 10), cell("a", 2, 10)]
      await mistake(() => bench.store.reserve(reserveRequest(bench.root, "r1", cells)), "reserve")
      await mistake(
        () => bench.store.settle(settleRequest(reserveRequest(bench.root, "r1", cells), [1, 1, 1])),
        "settle",
      )
      await expectCell(bench, "a", {})
      await expectCell(bench, "b", {})
    },
  ],
  [
    "more cells than maxCells are a mistake",
    [],
    async (bench) => {
      const cells = Array.from({ length: bench.store.capabilities.maxCells + 1 }, (_, index) =>
        cell(`cell.${index}`, 1),
      )
      await mistake(() => bench.store.reserve(reserveRequest(bench.root, "r1", cells)), "reserve")
      await hold(bench, "r2", cells.slice(1))
    },
  ],
  [
    "an amount that is not a safe integer of at least 0 is a mistake, and leaves nothing behind",
    [],
    async (bench) => {
      const { store, root } = bench
      const reserve = (changes: object, fingerprint = "f") =>
        store.reserve({ ...reserveRequest(root, "r1", [cell("a", 1), { ...cell("b", 1), ...changes }]), fingerprint })
      for (const bad of BAD_AMOUNTS as number[]) {
        const what = String(bad)
        await mistake(() => reserve({ amount: bad, onExpire: 0 }), `reserve of ${what}`)
        await mistake(() => reserve({ onExpire: bad }), `onExpire ${what}`)
        if (bad !== null) await mistake(() => reserve({ limit: bad }), `limit ${what}`)
        const settle = settleRequest(reserveRequest(root, "r1", [cell("a", 1), cell("b", 1)]), [1, bad])
        settle.cells[1]!.amount = bad
        await mistake(() => store.settle(settle), `commit of ${what}`)
        await mistake(
          () => store.reserve(reserveRequest(root, "r1", [cell("a", 1)], { leaseMs: bad })),
          `leaseMs ${what}`,
        )
        await mistake(() => store.extend({ root, id: "r1", leaseMs: bad }), `extend by ${what}`)
      }
      await mistake(() => reserve({ amount: 5, onExpire: 6 }), "onExpire over the amount")
      await expectCell(bench, "a", {})
      await expectCell(bench, "b", {})
      equal((await store.extend({ root, id: "r1", leaseMs: 5 })).state, "unknown", "the id of a mistake")
    },
  ],
  [
    "a delta that is not a safe integer is a mistake",
    [],
    async (bench) => {
      for (const bad of [0.5, Number.NaN, Number.NEGATIVE_INFINITY, MAX + 1, -MAX - 1, "5", undefined] as number[]) {
        await mistake(() => bench.store.adjust(adjustRequest(bench.root, "a1", "a", "spent", bad)), `spent ${bad}`)
        await mistake(() => bench.store.adjust(adjustRequest(bench.root, "a1", "a", "granted", bad)), `granted ${bad}`)
      }
      const odd = adjustRequest(bench.root, "a1", "a", "nothing" as "spent", 1)
      await mistake(() => bench.store.adjust(odd), "an unknown kind")
      await expectCell(bench, "a", {})
    },
  ],
  ["large amounts keep every digit", [], largeAmounts],
  [
    "amounts near 2^53 are refused rather than rounded",
    [],
    async (bench) => {
      await hold(bench, "r1", [cell("a", MAX - 1, MAX)])
      const over = await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("a", 2, MAX)]))
      match(over, { result: "exceeded" }, "2 more with a limit of 2^53−1")
      const unlimited = await bench.store.reserve(reserveRequest(bench.root, "r3", [cell("a", MAX, null)]))
      match(unlimited, { result: "exceeded" }, "2^53−1 more without a limit")
      await hold(bench, "r4", [cell("a", 1, null)])
      await expectCell(bench, "a", { reserved: MAX })
    },
  ],
  [
    "a grant on top of the largest limit does not overflow",
    [],
    async (bench) => {
      await adjusted(bench, 1_000)
      await hold(bench, "r1", [cell("a", MAX, MAX)])
      const over = await bench.store.reserve(reserveRequest(bench.root, "r2", [cell("a", 1, MAX)]))
      match(over, { result: "exceeded" }, "beyond 2^53−1")
    },
  ],
  [
    "what is spent stays a safe integer, whatever is charged",
    [],
    async (bench) => {
      const [first, second] = [await hold(bench, "r1", [cell("a", 1)]), await hold(bench, "r2", [cell("a", 1)])]
      match(await first.commit([MAX]), { result: "committed" }, "commit of 2^53−1")
      match(await second.commit([MAX]), { result: "committed" }, "another commit of 2^53−1")
      const { cells } = await bench.store.read({ root: bench.root, keys: ["a"] })
      equal(
        Number.isSafeInteger(cells[0]!.spent) && cells[0]!.spent > 0,
        true,
        `spent ${cells[0]!.spent} is a safe integer`,
      )
      const next = await bench.store.reserve(reserveRequest(bench.root, "r3", [cell("a", 1, MAX)]))
      match(next, { result: "exceeded" }, "reserve in a cell that is full")
    },
  ],
  [
    "what an adjustment applied is told to the end of the numbers and no further, each time that it is sent",
    [],
    async (bench) => {
      for (const [kind, sign] of [
        ["spent", 1],
        ["spent", -1],
        ["granted", 1],
        ["granted", -1],
      ] as const) {
        const key = `${kind}.${sign}`
        const sent = [
          [MAX - 1, MAX - 1],
          [5, 1],
          [5, 0],
        ] as const
        for (const [index, [delta, applied]] of sent.entries()) {
          const adjust = adjustRequest(bench.root, `${key}.${index}`, key, kind, sign * delta)
          const [first, again] = [await bench.store.adjust(adjust), await bench.store.adjust(adjust)]
          // Zero has no sign here: −0 is 0.
          const told = { result: "ok", applied: sign * applied + 0 }
          match(first, { ...told, replayed: false }, `${kind} by ${sign * delta}`)
          match(again, { ...told, replayed: true }, `${kind} by ${sign * delta}, sent again`)
        }
        await expectCell(bench, key, { [kind]: sign * MAX })
      }
    },
  ],
  [
    "sums of small charges are exact",
    [],
    async (bench) => {
      // 0.1 + 0.2 and 1/3 of a dollar in nano-USD: sums that floats lose.
      const amounts = [100_000_000, 200_000_000, 333_333_333, 1, 7]
      let sum = 0
      for (let round = 0; round < 100; round++) {
        const cells = amounts.map((_, index) => cell(`own.${round}.${index}`, 1)).concat(cell("a", 1_000_000_000))
        const held = await hold(bench, `r${round}`, cells)
        const amount = amounts[round % amounts.length]!
        await held.commit([...amounts, amount])
        sum += amount
      }
      await expectCell(bench, "a", { spent: sum })
    },
  ],
])

async function largeAmounts(bench: CaseBench): Promise<void> {
  for (const [index, amount] of [1e14 + 1, 1e15 + 1, MAX].entries()) {
    const key = `large.${index}`
    const cells = [cell(key, amount, amount)]
    const request = reserveRequest(bench.root, `r${index}`, cells, { fingerprint: fingerprintOf(cells) })
    const answer = await bench.store.reserve(request)
    equal(answer.cells[0], { key, spent: 0, reserved: amount, granted: 0 }, `reserve of ${amount}`)
    await expectCell(bench, key, { reserved: amount })
    const over = await bench.store.reserve(reserveRequest(bench.root, `o${index}`, [cell(key, 1, amount)]))
    match(over, { result: "exceeded" }, `1 over ${amount}`)
    const settled = await bench.store.settle(settleRequest(request, [amount]))
    match(settled.cells[0]!, { spent: amount, reserved: 0, peakBefore: 0, peak: amount }, `commit of ${amount}`)
    await expectCell(bench, key, { spent: amount })
    match(await bench.store.settle(settleRequest(request, [amount])), { replayed: true }, `commit of ${amount} again`)
    const back = await bench.store.adjust(adjustRequest(bench.root, `a${index}`, key, "spent", -(amount - 1)))
    match(back, { result: "ok", applied: -(amount - 1) }, `correction of ${amount}`)
    await expectCell(bench, key, { spent: 1 })
    await bench.store.adjust(adjustRequest(bench.root, `g${index}`, key, "granted", amount))
    await expectCell(bench, key, { spent: 1, granted: amount })
  }
}

async function adjusted(bench: CaseBench, delta: number): Promise<void> {
  await bench.store.adjust(adjustRequest(bench.root, "g1", "a", "granted", delta))
}
