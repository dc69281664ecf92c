import { describe, expect, it } from "vitest"
import type { BudgetStore } from "../../src/store/budget-store"
import { checkedStore } from "../../src/store/checked-store"
import { ModelStore } from "../../src/testing/model"
import { adjustRequest, counter, LARGEST, reserveRequest, settleRequest, usageEntry } from "../../src/testing/requests"

/** Requests that `checkedStore` rejects before they reach a store. */

const BAD_NAMES: unknown[] = [
  ...["", "a b", "a{b}", "a}b", "a/b", "a\\b", "a*", "a?b", "a[b]", "a\nb", "a\0b", "é", "e\u0301", "\ud800", "😀"],
  ...["a'b", 'a"b', "a;b", "a,b", "a%b", "n".repeat(65), "n".repeat(1_000_000), undefined, null, 7, {}, ["a"]],
]
const BAD_AMOUNTS: unknown[] = [
  -1,
  0.5,
  1e-9,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  LARGEST + 1,
  "5",
  null,
  undefined,
  5n,
  {},
]

/** A store that records which of its members were called. */
function recorded(): { store: BudgetStore; calls: string[] } {
  const calls: string[] = []
  const model = new ModelStore({ clock: () => 1_000 })
  const through = <T extends object>(owner: T): T =>
    new Proxy(owner, {
      get: (target, name) => {
        const value = Reflect.get(target, name)
        if (typeof value !== "function") return name === "ledger" ? through(value as object) : value
        return (request: unknown) => {
          calls.push(String(name))
          return value.call(target, request)
        }
      },
    })
  return { store: checkedStore(through(model)), calls }
}

const usage = { kind: "usage", code: "invalid-argument" }
const reserve = (more: object = {}, counters = [counter("a", 5)]) => ({
  ...reserveRequest("p", "k", counters),
  ...more,
})
const settle = (more: object = {}, counters = [counter("a", 5)]) => ({
  ...settleRequest(reserve({}, counters), [5]),
  ...more,
})

/** The call must be a usage error, and reach no store. */
async function expectRejected(call: (store: BudgetStore) => unknown): Promise<void> {
  const { store, calls } = recorded()
  await expect((async () => call(store))()).rejects.toMatchObject(usage)
  expect(calls).toEqual([])
}

describe("an invalid request never reaches the store", () => {
  it.each(BAD_NAMES.map((name) => [String(JSON.stringify(name)).slice(0, 80), name]))(
    "the name %s, as partition, key and counter of every member",
    async (_shown, bad) => {
      const name = bad as string
      const named = [{ ...counter("a", 1), name }]
      await expectRejected((store) => store.reserve(reserve({ partition: name })))
      await expectRejected((store) => store.reserve(reserve({ key: name })))
      await expectRejected((store) => store.reserve(reserve({}, named)))
      await expectRejected((store) => store.settle(settle({ key: name })))
      await expectRejected((store) => store.settle(settle({}, named)))
      await expectRejected((store) => store.extend({ partition: "p", key: name, leaseMs: 1 }))
      await expectRejected((store) => store.expire({ partition: "p", key: name, counters: [] }))
      await expectRejected((store) => store.expire({ partition: "p", key: "k", counters: ["a", name] }))
      await expectRejected((store) => store.listDue({ partition: name, limit: 1 }))
      await expectRejected((store) => store.read({ partition: "p", counters: ["a", name] }))
      await expectRejected((store) => store.read({ partition: name, counters: ["a"] }))
      await expectRejected((store) => store.adjust(adjustRequest("p", name, "a", "spent", 1)))
      await expectRejected((store) => store.adjust(adjustRequest("p", "k", name, "spent", 1)))
      await expectRejected((store) => store.listCounters({ partition: name, cursor: null, limit: 1 }))
      await expectRejected((store) => store.acceptClock({ partition: name }))
      await expectRejected((store) => store.ledger!.record({ partition: "p", key: name, entry: usageEntry("q", 0) }))
      await expectRejected((store) => store.ledger!.get({ partition: name, requestId: "q" }))
    },
  )

  it.each(BAD_AMOUNTS.map((amount) => [amount]))("the amount %s", async (bad) => {
    const amount = bad as number
    const changed = (more: object) => [counter("b", 1), { ...counter("a", 5), ...more }]
    await expectRejected((store) => store.reserve(reserve({}, changed({ amount, onExpire: 0 }))))
    await expectRejected((store) => store.reserve(reserve({}, changed({ onExpire: amount }))))
    if (bad !== null) await expectRejected((store) => store.reserve(reserve({}, changed({ limit: amount }))))
    await expectRejected((store) => store.reserve(reserve({ leaseMs: amount })))
    await expectRejected((store) => store.extend({ partition: "p", key: "k", leaseMs: amount }))
    await expectRejected((store) => store.settle(settle({ counters: [{ ...settle().counters[0]!, amount }] })))
    await expectRejected((store) =>
      store.settle(settle({ counters: [{ ...settle().counters[0]!, reserved: amount }] })),
    )
    await expectRejected((store) => store.settle(settle({ revision: amount })))
    if (bad !== null) await expectRejected((store) => store.settle(settle({ expiresAt: amount })))
  })

  it("an onExpire above the amount, a lease of 0 ms, an unknown outcome, a wrong fingerprint", async () => {
    await expectRejected((store) => store.reserve(reserve({}, [counter("a", 5, null, { onExpire: 6 })])))
    await expectRejected((store) => store.reserve(reserve({ leaseMs: 0 })))
    await expectRejected((store) => store.settle(settle({ outcome: "commit" })))
    for (const fingerprint of ["", "f".repeat(65), "é", 7, undefined]) {
      await expectRejected((store) => store.reserve(reserve({ fingerprint })))
      await expectRejected((store) => store.settle(settle({ fingerprint })))
    }
  })

  it("a counter twice in one call, and more counters than maxCounters", async () => {
    const twice = [counter("a", 1, 10), counter("b", 1, 10), counter("a", 2, 10)]
    await expectRejected((store) => store.reserve(reserve({}, twice)))
    await expectRejected((store) => store.settle(settle({}, twice)))
    await expectRejected((store) => store.expire({ partition: "p", key: "k", counters: ["a", "a"] }))
    const many = Array.from({ length: 33 }, (_, index) => counter(`c.${index}`, 1))
    await expectRejected((store) => store.reserve(reserve({}, many)))
    await expectRejected((store) => store.settle(settle({}, many)))
  })

  it("an adjustment of an unknown kind, or by a delta that is not a safe integer", async () => {
    for (const delta of [
      0.5,
      Number.NaN,
      Number.NEGATIVE_INFINITY,
      LARGEST + 1,
      -LARGEST - 1,
      "5",
      undefined,
    ] as number[]) {
      await expectRejected((store) => store.adjust(adjustRequest("p", "k", "a", "spent", delta)))
      await expectRejected((store) => store.adjust(adjustRequest("p", "k", "a", "granted", delta)))
    }
    await expectRejected((store) => store.adjust(adjustRequest("p", "k", "a", "unknown" as "spent", 1)))
  })

  it.each([
    ["a negative cost", { costNanoUsd: -1 }],
    ["a fraction of a nano-dollar", { costNanoUsd: 0.5 }],
    ["tokens that are not a number", { tokens: { inputTokens: Number.NaN } }],
    ["an unknown status", { status: "done" }],
    ["no request id", { requestId: undefined }],
    ["attempt 0", { attempt: 0 }],
    ["more than 64 KiB of prompt", { prompt: "p".repeat(65_537) }],
    ["more than 64 KiB of answer, in UTF-8", { answer: "é".repeat(32_769) }],
  ])("an entry with %s, pending, settled or recorded", async (_what, changes) => {
    const entry = { ...usageEntry("q", 5), ...changes } as ReturnType<typeof usageEntry>
    await expectRejected((store) => store.reserve(reserve({ pendingEntry: entry })))
    await expectRejected((store) => store.settle(settle({ entry })))
    await expectRejected((store) => store.ledger!.record({ partition: "p", key: "k", entry }))
  })

  it("a page limit of 0, or above the maximum", async () => {
    for (const limit of [0, -1, 0.5, Number.NaN, 1_001]) {
      const list = { partition: "p", filter: {}, cursor: null, limit, newestFirst: false }
      await expectRejected((store) => store.ledger!.list(list))
    }
    for (const limit of [0, 65, 0.5]) await expectRejected((store) => store.listDue({ partition: "p", limit }))
  })
})
