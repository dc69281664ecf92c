import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { UsageEntry, UsageGroup, UsageTotals } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { QUARTER_MS } from "../src/schema"
import { listQuery } from "../src/sqlite-ledger"
import { queriesOf, repeatsQuery, type TotalsRequest } from "../src/totals"
import { conditionOf, rangeOf } from "../src/usage-filter"
import { openDatabase } from "./support/open-database"

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "p2-sqlite-"))
  path = join(folder, "p2.db")
})
afterEach(() => rmSync(folder, { recursive: true }))

/** The last column of EXPLAIN QUERY PLAN, step by step. */
function planOf({ sql, values }: { sql: string; values: unknown[] }): string[] {
  const database = openDatabase(path)
  const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...(values as never[])) as { detail: string }[]
  database.close()
  return steps.map((step) => step.detail)
}

describe("query plans", () => {
  beforeEach(async () => {
    const store = sqliteStore(path)
    await store.read({ root: "main", keys: [] })
    await store.close!()
  })

  const plansOf = (request: TotalsRequest) =>
    queriesOf(request, conditionOf(request.filter), rangeOf(request.filter)).map(planOf)
  const month = { from: 0, to: QUARTER_MS * 96 * 30 }

  it("by day and model is read from the sums by quarter, in order of their key", () => {
    const plans = plansOf({ root: "main", filter: month, groupBy: ["bucket", "model"] })
    expect(plans).toHaveLength(1)
    expect(plans[0]).toContain("SEARCH p2_usage USING PRIMARY KEY (root=? AND at>? AND at<?)")
  })

  it("only the ends of a range that cut a quarter are read from the entries", () => {
    const plans = plansOf({ root: "main", filter: { from: 1, to: month.to + 1 }, groupBy: ["model"] })
    expect(plans.map((plan) => plan[0])).toEqual([
      "SEARCH p2_usage USING PRIMARY KEY (root=? AND at>? AND at<?)",
      "SEARCH p2_entries USING INDEX p2_entries_at (root=? AND at>? AND at<?)",
      "SEARCH p2_entries USING INDEX p2_entries_at (root=? AND at>? AND at<?)",
    ])
  })

  it("repeated requests are found by their mark, not by reading every entry", () => {
    const request: TotalsRequest = { root: "main", filter: month, groupBy: ["model"] }
    const plan = planOf(repeatsQuery(request, conditionOf({}), month))
    expect(plan.join("\n")).toMatch(/SEARCH p2_entries USING INDEX p2_entries_request \(root=\? AND request_id=\?\)/)
    expect(plan.join("\n")).toMatch(/USING COVERING INDEX p2_entries_again \(root=\? AND at>\? AND at<\?\)/)
    expect(plan.join("\n")).not.toMatch(/SCAN p2_entries/)
  })

  it("one user's or client's month is a range of their own index", () => {
    for (const name of ["user", "client"] as const) {
      const [plan] = plansOf({ root: "main", filter: { ...month, [`${name}Id`]: "x" }, groupBy: ["bucket"] })
      expect(plan).toContain(
        `SEARCH p2_entries USING INDEX p2_entries_${name} (root=? AND ${name}_id=? AND at>? AND at<?)`,
      )
    }
  })

  it("a page goes on from its cursor, in the order of an index, without sorting", () => {
    for (const order of ["oldest", "newest"] as const) {
      for (const filter of [{}, { userId: "ann" }, { clientId: "app" }]) {
        const plan = planOf(listQuery({ root: "main", filter, cursor: "5/r1", limit: 10, order }))
        expect(plan).toHaveLength(1)
        expect(plan[0]).toMatch(/^SEARCH p2_entries USING INDEX/)
      }
    }
  })
})

const START = 1_750_000_000_000 - (1_750_000_000_000 % QUARTER_MS)
const entryArbitrary = fc.record({
  after: fc.constantFrom(0, 1, 60_000, QUARTER_MS - 1, QUARTER_MS, 5 * QUARTER_MS),
  id: fc.integer({ min: 0, max: 30 }),
  entry: fc.record({
    requestId: fc.constantFrom("a", "b", "c", "d", "e", "f"),
    attempt: fc.integer({ min: 1, max: 3 }),
    userId: fc.constantFrom("ann", "bob", undefined),
    clientId: fc.constantFrom("app", undefined),
    model: fc.constantFrom("m", "n"),
    provider: fc.constantFrom("p", "", undefined),
    status: fc.constantFrom("succeeded", "failed", "refused", "expired", "released"),
    tags: fc.constantFrom(undefined, { team: "x" }, { team: 'y"' }),
    tokens: fc.record({ inputTokens: fc.nat(9_999), odd: fc.nat(9) }, { requiredKeys: [] }),
    costNanoUsd: fc.nat(1_000_000_000),
    tableCostNanoUsd: fc.option(fc.nat(1_000_000_000), { nil: undefined }),
    reservedNanoUsd: fc.nat(1_000_000_000),
    costSource: fc.constant("table"),
  }),
})

const groupings: UsageGroup[][] = [
  [],
  ["bucket", "model"],
  ["provider", "status"],
  ["model"],
  ["userId"],
  ["bucket", { tag: "team" }],
]

/** The same sums by reading every entry, one by one. */
async function slowTotals(store: ReturnType<typeof sqliteStore>, request: TotalsRequest): Promise<UsageTotals[]> {
  const { entries } = await store.ledger!.list({ root: "main", filter: request.filter, limit: 1_000 })
  const groups = new Map<string, { total: UsageTotals; requests: Set<string> }>()
  for (const entry of entries) {
    const buckets = request.buckets ?? []
    const bucket = buckets.findIndex((start, index) => start <= entry.at && entry.at < (buckets[index + 1] ?? 0))
    if (request.groupBy.includes("bucket") && bucket < 0) continue
    const group = request.groupBy.map((by) => {
      if (by === "bucket") return buckets[bucket]!
      return typeof by === "object" ? (entry.tags?.[by.tag] ?? null) : (entry[by] ?? null)
    })
    const zeros = { requests: 0, attempts: 0, succeeded: 0, failed: 0, refused: 0, expired: 0, costNanoUsd: 0 }
    const known = groups.get(JSON.stringify(group)) ?? {
      requests: new Set(),
      total: { group, ...zeros, tokens: {}, failedCostNanoUsd: 0, reservedNanoUsd: 0, differenceNanoUsd: 0 },
    }
    groups.set(JSON.stringify(group), known)
    addTo(known.total, entry)
    known.total.requests = known.requests.add(entry.requestId).size
  }
  return [...groups.values()].map(({ total }) => total)
}

function addTo(total: UsageTotals, entry: UsageEntry): void {
  total.attempts++
  if (entry.status !== "released") total[entry.status]++
  for (const [kind, count] of Object.entries(entry.tokens)) total.tokens[kind] = (total.tokens[kind] ?? 0) + count
  total.costNanoUsd += entry.costNanoUsd
  if (entry.status !== "succeeded") total.failedCostNanoUsd += entry.costNanoUsd
  total.reservedNanoUsd += entry.reservedNanoUsd
  if (entry.tableCostNanoUsd !== undefined) total.differenceNanoUsd += entry.costNanoUsd - entry.tableCostNanoUsd
}

/** Whatever the order of groups; a kind of tokens that adds up to 0 may be left out. */
function comparable(totals: UsageTotals[]) {
  const plain = totals.map((total) => ({
    ...total,
    tokens: Object.fromEntries(Object.entries(total.tokens).filter(([, count]) => count > 0)),
  }))
  return plain.sort((a, b) => (JSON.stringify(a.group) < JSON.stringify(b.group) ? -1 : 1))
}

it("totals equal the sums over every entry, whatever was overwritten, pruned or cut by a range", async () => {
  const property = fc.asyncProperty(
    fc.array(entryArbitrary, { maxLength: 40 }),
    fc.constantFrom(...groupings),
    fc.record(
      { from: fc.integer({ min: -5, max: 50 }), to: fc.integer({ min: 0, max: 60 }), userId: fc.constant("ann") },
      { requiredKeys: [] },
    ),
    fc.constantFrom(0, 1, QUARTER_MS / 3),
    fc.option(fc.integer({ min: 0, max: 20 }), { nil: undefined }),
    async (writes, groupBy, range, offset, prune) => {
      let time = START
      const database = openDatabase(":memory:")
      const store = sqliteStore(database, { now: () => time })
      for (const { after, id, entry } of writes) {
        time += after
        const settle = { root: "main", id: `r${id}`, fingerprint: "f", outcome: "commit", cells: [] } as const
        await store.settle({
          ...settle,
          cells: [],
          revision: time - START,
          expiresAt: null,
          entry: entry as UsageEntry,
        })
      }
      const at = (quarter: number) => START + quarter * QUARTER_MS + offset
      if (prune !== undefined) await store.ledger!.prune({ root: "main", before: at(prune) })
      const filter = {
        ...(range.from === undefined ? {} : { from: at(range.from) }),
        ...(range.to === undefined ? {} : { to: at(range.to) }),
        ...(range.userId === undefined ? {} : { userId: range.userId }),
      }
      const request = { root: "main", filter, groupBy, buckets: [-1, 0, 3, 4, 30, 70].map(at) }
      const fast = await store.ledger!.totals(request)
      expect(comparable(fast)).toEqual(comparable(await slowTotals(store, request)))
      database.close()
    },
  )
  await fc.assert(property, { numRuns: 150 })
})

it("sums beyond 2^53 − 1 are that number, as in a cell, never a rounded one", async () => {
  const store = sqliteStore(openDatabase(":memory:"))
  const entry: UsageEntry = {
    requestId: "q",
    attempt: 1,
    model: "m",
    reservedNanoUsd: 0,
    status: "succeeded",
    tokens: {},
    costNanoUsd: Number.MAX_SAFE_INTEGER,
    costSource: "table",
  }
  for (const id of ["r1", "r2", "r3"]) await store.ledger!.record({ root: "main", id, entry })
  const totals = await store.ledger!.totals({ root: "main", filter: {}, groupBy: [] })
  expect(totals).toMatchObject([{ attempts: 3, costNanoUsd: Number.MAX_SAFE_INTEGER }])
  expect((await store.ledger!.get({ root: "main", requestId: "q" })).map((one) => one.costNanoUsd)).toEqual([
    Number.MAX_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
  ])
  await store.close!()
})
