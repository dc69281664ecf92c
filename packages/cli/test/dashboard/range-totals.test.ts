import { type Budget, createBudget, memoryStore } from "@p2/budget"
import { sqliteStore } from "@p2/budget-sqlite"
import { describe, expect, it } from "vitest"
import { RangeTotals } from "../../src/dashboard/range-totals"
import { RANGES, type Range, type TotalsView } from "../../src/dashboard/view"
import { soon } from "../support/soon"

const START = Date.UTC(2026, 10, 30, 12)
const MINUTE = 60_000

function newLedger() {
  const clock = { now: START }
  const budget = createBudget({
    store: memoryStore({ now: () => clock.now }),
    limits: [{ scope: "total", limit: null }],
  })
  const call = async (userId: string, model: string, cost: number, tags?: Record<string, string>) => {
    const result = await budget.reserve({ subject: { userId, model, tags }, amount: { nanoUsd: 1_000_000 } })
    if (!result.ok) throw result.error
    await result.reservation.settle({ nanoUsd: cost }, { tokens: { inputTokens: 3, outputTokens: 1 } })
  }
  return { clock, budget, call }
}

/** Reads until the whole range has been read, however slow the machine is. */
async function readAll(totals: RangeTotals, now: number, tags: readonly string[] = []): Promise<TotalsView> {
  for (;;) {
    const view = await totals.read(now, tags)
    if (view.isComplete) return view
  }
}

/** The totals of the ledger itself, in the same form. */
async function ledgerSums(budget: Budget, from: number) {
  const [row] = await budget.usage.totals({ filter: { from } })
  const byUser = await budget.usage.totals({ filter: { from }, groupBy: ["userId"] })
  return {
    calls: (row?.attempts ?? 0) - (row?.denied ?? 0),
    denied: row?.denied ?? 0,
    costNanoUsd: row?.costNanoUsd ?? 0,
    inDoubt: row?.inDoubt ?? 0,
    users: Object.fromEntries(byUser.map(({ group, costNanoUsd }) => [group[0], costNanoUsd])),
  }
}

function shown({ sums, groups }: TotalsView) {
  const { calls, denied, costNanoUsd, inDoubt } = sums
  const users = groups.find(({ kind }) => kind === "user")!.rows
  return {
    calls,
    denied,
    costNanoUsd,
    inDoubt,
    users: Object.fromEntries(users.map(({ value, costNanoUsd: cost }) => [value, cost])),
  }
}

function seriesSum({ series }: TotalsView): number {
  return series.flatMap(({ costsNanoUsd }) => costsNanoUsd).reduce((sum, cost) => sum + cost, 0)
}

describe("the totals of a range", () => {
  it.each(Object.keys(RANGES) as Range[])("equal the ledger at every time, over %s", async (range) => {
    const { clock, budget, call } = newLedger()
    const totals = new RangeTotals({ budget, partition: undefined, range })
    let seed = 5
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return seed % below
    }
    for (let step = 0; step < 150; step++) {
      clock.now += random(3) === 0 ? random(RANGES[range].bucketMs) : random(20_000)
      await call(`user-${random(4)}`, `model-${random(8)}`, random(1_000_000), { team: `team-${random(2)}` })
      let view = await readAll(totals, clock.now, ["team"])
      // A range longer than the requested one is read again in the background.
      for (let again = 0; again < 3; again++) view = await readAll(totals, clock.now, ["team"])
      expect(shown(view)).toEqual(await ledgerSums(budget, view.from))
      expect(seriesSum(view)).toBe(view.sums.costNanoUsd)
      const teams = view.groups.find(({ tag }) => tag === "team")!.rows
      expect(teams.reduce((sum, { costNanoUsd }) => sum + costNanoUsd, 0)).toBe(view.sums.costNanoUsd)
      expect(clock.now - view.from).toBeLessThan(RANGES[range].bucketMs * (RANGES[range].buckets + 1))
    }
  })

  it("group by a tag that is new once the range has been read again", async () => {
    const { clock, budget, call } = newLedger()
    const totals = new RangeTotals({ budget, partition: undefined, range: "1h" })
    await call("ada", "m", 500, { team: "search" })
    const teamsAt = async (now: number) =>
      (await readAll(totals, now, ["team"])).groups.find(({ tag }) => tag === "team")?.rows
    expect((await readAll(totals, clock.now)).groups.map(({ tag }) => tag)).not.toContain("team")
    clock.now += 30 * MINUTE
    await soon(() => teamsAt(clock.now)).toMatchObject([{ value: "search", costNanoUsd: 500 }])
  })

  it("shows what correcting an old call changed, after a minute", async () => {
    const { clock, budget, call } = newLedger()
    const totals = new RangeTotals({ budget, partition: undefined, range: "1h" })
    await call("ada", "m", 500)
    clock.now += 20 * MINUTE
    expect((await readAll(totals, clock.now)).sums.costNanoUsd).toBe(500)
    const [entry] = (await budget.usage.list()).entries
    await budget.correct({ entry: entry!, cost: { nanoUsd: 70 } })
    clock.now += 30 * MINUTE
    await soon(async () => (await readAll(totals, clock.now)).sums.costNanoUsd).toBe(70)
  })

  it("equal the ledger of a SQLite file, over several pages of one instant", async () => {
    const now = START
    const budget = createBudget({
      store: sqliteStore(":memory:", { now: () => now }),
      limits: [{ scope: "total", limit: null }],
    })
    for (let index = 0; index < 2_100; index++) {
      const result = await budget.reserve({
        subject: { userId: `user-${index % 3}`, model: "m" },
        amount: { nanoUsd: 10 },
      })
      if (result.ok) await result.reservation.settle({ nanoUsd: index % 10 })
    }
    const view = await readAll(new RangeTotals({ budget, partition: undefined, range: "1h" }), now)
    expect(shown(view)).toEqual(await ledgerSums(budget, view.from))
    expect(view.sums.calls).toBe(2_100)
    await budget.close()
  })

  it("counts the denials that are written after the first, and what is in doubt", async () => {
    const { clock, budget } = newLedger()
    const totals = new RangeTotals({ budget, partition: undefined, range: "1h" })
    for (let index = 0; index < 5; index++) await budget.usage.recordDenial({ userId: "ada", model: "m" })
    const result = await budget.reserve({ subject: { userId: "ada", model: "m" }, amount: { nanoUsd: 900 } })
    if (result.ok) await result.reservation.settle(result.reservation.amount)
    expect((await readAll(totals, clock.now)).sums).toMatchObject({
      denied: 1,
      inDoubt: 1,
      inDoubtNanoUsd: 900,
      calls: 1,
    })
    await budget.flush()
    clock.now += MINUTE
    expect((await readAll(totals, clock.now)).sums).toMatchObject({
      denied: 5,
      inDoubt: 1,
      inDoubtNanoUsd: 900,
      calls: 1,
    })
  })

  it("shows the most expensive models, and the others as one", async () => {
    const { clock, budget, call } = newLedger()
    for (let index = 0; index < 8; index++) await call("ada", `model-${index}`, 1_000 * 2 ** index)
    const { series } = await readAll(new RangeTotals({ budget, partition: undefined, range: "24h" }), clock.now)
    expect(series.map(({ model, isRest }) => (isRest ? "rest" : model))).toEqual([
      ...["model-7", "model-6", "model-5", "model-4", "rest"],
    ])
    expect(series.at(-1)!.costsNanoUsd.at(-1)).toBe(1_000 + 2_000 + 4_000 + 8_000)
  })

  it("treats names that objects have as ordinary values", async () => {
    const { clock, budget, call } = newLedger()
    await call("__proto__", "constructor", 10, { __proto__2: "toString" })
    await call("hasOwnProperty", "constructor", 5)
    const view = await readAll(new RangeTotals({ budget, partition: undefined, range: "1h" }), clock.now, [
      "__proto__2",
    ])
    expect(view.groups.map(({ rows }) => rows.map(({ value, costNanoUsd }) => [value, costNanoUsd]))).toEqual([
      [["constructor", 15]],
      [
        ["__proto__", 10],
        ["hasOwnProperty", 5],
      ],
      [[null, 15]],
      [
        ["toString", 10],
        [null, 5],
      ],
    ])
  })

  it("rarely reads the whole range, and a few minutes of it each time", async () => {
    const { clock, budget, call } = newLedger()
    await call("ada", "m", 1)
    const spans: number[] = []
    const usage = {
      ...budget.usage,
      list: (query: Parameters<Budget["usage"]["list"]>[0]) => {
        spans.push((query!.filter!.to ?? clock.now) - query!.filter!.from!)
        return budget.usage.list(query)
      },
    }
    const totals = new RangeTotals({ budget: { ...budget, usage }, partition: undefined, range: "30d" })
    // An hour, two reads per second.
    const ticks = 7_200
    for (let tick = 0; tick < ticks; tick++) {
      clock.now += 500
      await totals.read(clock.now, [])
    }
    const long = spans.filter((span) => span > 2 * MINUTE)
    // Once a minute.
    expect(long.length).toBeLessThanOrEqual(61)
    expect(spans.length - long.length).toBeGreaterThanOrEqual(ticks)
  })

  it("shows what it has read while the first reading takes long, and reports when it is complete", async () => {
    const { clock, budget, call } = newLedger()
    for (let index = 0; index < 1_200; index++) await call("ada", "m", 1)
    clock.now += 10 * MINUTE
    let goOn = () => {}
    let pages = 0
    const usage = {
      ...budget.usage,
      list: async (query: Parameters<Budget["usage"]["list"]>[0]) => {
        if (query!.filter!.to !== undefined && ++pages === 2) await new Promise<void>((resolve) => (goOn = resolve))
        return budget.usage.list(query)
      },
    }
    const totals = new RangeTotals({ budget: { ...budget, usage }, partition: undefined, range: "1h" })
    const partial = await totals.read(clock.now, [])
    expect(partial).toMatchObject({ isComplete: false, sums: { calls: 999, costNanoUsd: 999 } })
    await call("ada", "m", 5)
    expect((await totals.read(clock.now, [])).sums).toMatchObject({ calls: 1_000, costNanoUsd: 1_004 })
    goOn()
    expect((await readAll(totals, clock.now)).sums).toMatchObject({ calls: 1_201, costNanoUsd: 1_205 })
  })

  it("rejects while the store fails, and continues when it is back", async () => {
    const { clock, budget, call } = newLedger()
    await call("ada", "m", 7)
    let isDown = true
    const usage = {
      ...budget.usage,
      list: async (query: Parameters<Budget["usage"]["list"]>[0]) => {
        if (isDown) throw new Error("down")
        return budget.usage.list(query)
      },
    }
    const totals = new RangeTotals({ budget: { ...budget, usage }, partition: undefined, range: "1h" })
    await expect(totals.read(clock.now, [])).rejects.toThrow("down")
    isDown = false
    expect((await readAll(totals, clock.now)).sums.costNanoUsd).toBe(7)
  })
})
