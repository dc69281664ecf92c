import { type StoredEntry, UsageFold, type UsageGroup, type UsageTotals } from "@p2/budget/store"
import { expect, it } from "vitest"
import { entryOf, settleOf } from "../../budget/test/adapters/requests"
import { poolOf, serverForFile, storeOn } from "./support/server-and-store"

const file = serverForFile()
const MAX = Number.MAX_SAFE_INTEGER

const sorted = (totals: UsageTotals[]) =>
  totals
    .map((each) => ({ ...each, tokens: Object.entries(each.tokens).sort() }))
    .sort((a, b) => compare(a.group, b.group))
const compare = (a: unknown, b: unknown) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

it("sums like a fold over the entries: strings of any kind, kinds of tokens without a column, sums beyond 2^53", async () => {
  const store = storeOn(poolOf(file.server), { schema: "sums" })
  const ledger = store.ledger!
  const entries = [
    entryOf("r1", {
      userId: "\0\ud800",
      tokens: { inputTokens: 5, webSearches: 2, __proto__: 1 },
      tags: { team: "a" },
    }),
    entryOf("r1", { attempt: 2, userId: "\0\ud800", status: "failed", tokens: { webSearches: 0, '\0"kind': 7 } }),
    entryOf("r2", {
      userId: "ada",
      tokens: { reasoningTokens: 0, ["__proto__"]: 3 },
      tags: { team: "b", __proto__: "c" },
    }),
    entryOf("r3", { userId: "ada", inDoubt: true, costNanoUsd: 9, tableCostNanoUsd: 4 }),
    entryOf("r4", { costNanoUsd: 0, tableCostNanoUsd: MAX, tokens: { audioSeconds: MAX } }),
    entryOf("r5", { costNanoUsd: 0, tableCostNanoUsd: MAX, tokens: { audioSeconds: MAX }, model: "n" }),
    entryOf("r6", { status: "failed", costNanoUsd: MAX, tableCostNanoUsd: 0, reservedNanoUsd: MAX, inDoubt: true }),
    entryOf("r7", { status: "failed", costNanoUsd: MAX, tableCostNanoUsd: 1, reservedNanoUsd: 3 }),
    entryOf("r8", { tokens: { inputTokens: MAX - 1, outputTokens: 1 } }),
  ]
  for (const [index, entry] of entries.entries()) await store.settle({ ...settleOf(`k${index}`, entry), counters: [] })
  const denied = entryOf("r9", { status: "denied", costNanoUsd: 0, userId: "ada", count: 3 })
  for (const count of [3, MAX - 5]) await ledger.record({ partition: "main", key: "d", entry: { ...denied, count } })
  const { entries: stored } = await ledger.list({
    ...{ partition: "main", filter: {}, cursor: null, limit: 100, newestFirst: false },
  })
  expect(stored).toHaveLength(entries.length + 1)
  const times = stored.map(({ at }) => at)
  const buckets = [0, times[3]!, Math.max(...times) + 1]
  const groupings: UsageGroup[][] = [
    [],
    ["userId"],
    ["model", "status"],
    [{ tag: "team" }],
    [{ tag: "__proto__" }],
    ["bucket"],
  ]
  for (const groupBy of groupings)
    for (const [filter, matches] of [
      [{}, () => true],
      [{ userId: "\0\ud800" }, ({ userId }: StoredEntry) => userId === "\0\ud800"],
      [{ userId: "nobody" }, () => false],
    ] as const) {
      const fold = new UsageFold({ groupBy, buckets: groupBy.includes("bucket") ? buckets : null })
      for (const entry of stored.filter(matches)) fold.add(entry)
      const totals = await ledger.totals({
        ...{ partition: "main", filter, groupBy, buckets: groupBy.includes("bucket") ? buckets : null },
      })
      expect(sorted(totals), JSON.stringify([groupBy, filter])).toEqual(sorted(fold.totals()))
    }
})

it("sums are exact if the program lets the server round the text of floating-point numbers", async () => {
  const pool = poolOf(file.server, { options: "-c extra_float_digits=-15" })
  const ledger = storeOn(pool, { schema: "rounded" }).ledger!
  const entry = entryOf("r1", { tokens: { inputTokens: MAX }, count: MAX, reservedNanoUsd: 123_456_789 })
  await ledger.record({ partition: "main", key: "k", entry: { ...entry, status: "denied" } })
  expect(await ledger.totals({ partition: "main", filter: {}, groupBy: [], buckets: null })).toMatchObject([
    { reservedNanoUsd: 123_456_789, tokens: { inputTokens: MAX }, requests: MAX },
  ])
})
