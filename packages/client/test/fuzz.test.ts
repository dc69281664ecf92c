import { inspect } from "node:util"
import type { BudgetStore, SettleResult } from "@p2/budget"
import { findRedisServer } from "@p2/redis-server"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { checkWorld } from "../fuzz/check-world"
import { drawCombinedWorld, drawWorld } from "../fuzz/draw-world"
import { asPlainObject } from "../fuzz/faulty-store"
import { outcomeCode, playWorld } from "../fuzz/play-world"
import { STORES, type StoreKind, storeKind } from "../fuzz/world-stores"

// It is emptied before each world, so `REDIS_URL` is not used.
const noRedis = (await findRedisServer({ fetch: true })) === undefined
if (noRedis && process.env.CI === "true") throw new Error("There is no redis-server, and CI=true forbids skipping.")

const WORLDS = { memory: 30, redis: 12, sqlite: 12 }

interface Plant {
  plant: (inner: BudgetStore) => Partial<BudgetStore>
  /** The problem that must be found. */
  problem: RegExp
  /** The first seed, where few worlds show it. */
  from?: number
}

/** Defects of a store. */
const PLANTS: Record<string, Plant> = {
  "ignores limits": {
    plant: (inner) => ({
      reserve: (request) =>
        inner.reserve({ ...request, cells: request.cells.map((cell) => ({ ...cell, limit: null })) }),
    }),
    problem: /was admitted, \d+ reserved and \d+ spent of \d+/,
  },
  "does not release": {
    plant: (inner) => ({
      settle: async (request) => {
        if (request.outcome === "commit") return inner.settle(request)
        const { now, cells } = await inner.read({ root: request.root, keys: request.cells.map(({ key }) => key) })
        const reply: SettleResult = {
          now,
          cells: cells.map((cell) => ({ ...cell, peakBefore: cell.spent, peak: cell.spent })),
          result: "released",
          replayed: false,
          late: false,
          recovered: false,
        }
        return reply
      },
    }),
    problem: /remains reserved/,
  },
  "charges one nano-USD too little": {
    plant: (inner) => ({
      settle: (request) =>
        inner.settle({
          ...request,
          cells: request.cells.map((cell) => ({ ...cell, amount: Math.max(0, cell.amount - 1) })),
        }),
    }),
    problem: /charged \d+ to .*, and cost \d+/,
  },
  "adds a late settle to the charge of the expired lease": {
    plant: (inner) => ({
      settle: async (request) => {
        const { root, id, outcome, cells } = request
        const lease = await inner.extend({ root, id, leaseMs: 1 })
        const reply = await inner.settle(request)
        const cell = cells[0]
        if (lease.state === "expired" && outcome === "commit" && cell !== undefined)
          await inner.adjust({ root, id, cell, kind: "spent", delta: cell.reserved })
        return reply
      },
    }),
    problem: /spent, \d+ in the ledger/,
    from: 27,
  },
  "settles without a usage entry": {
    plant: (inner) => ({ settle: ({ entry: _entry, ...request }) => inner.settle(request) }),
    problem: /is not in the ledger/,
  },
}

/** The same kind of store with a defect. Clients get it as an object. */
function planted(kind: StoreKind, plant: (inner: BudgetStore) => Partial<BudgetStore>): StoreKind {
  return {
    ...kind,
    open: async () => {
      const opened = await kind.open()
      const another = () => {
        const inner = opened.another()
        return { ...asPlainObject(inner), ...plant(inner) }
      }
      return { ...opened, address: undefined, another }
    },
  }
}

describe.each(STORES.filter((name) => name !== "redis" || !noRedis))("in the %s store", (name) => {
  let kind: StoreKind
  beforeAll(async () => {
    kind = await storeKind(name)
  })
  afterAll(() => kind.close())

  test(`${WORLDS[name]} worlds of random requests, faults, aborts and store failures keep every guarantee`, async () => {
    const failed: string[] = []
    const codes = new Set<string>()
    for (let seed = 1; seed <= WORLDS[name]; seed++) {
      const world = drawWorld(seed)
      const played = await playWorld(world, kind)
      for (const outcome of played.outcomes) codes.add(outcomeCode(outcome))
      for (const what of checkWorld(played))
        failed.push(`pnpm fuzz --store ${name} --seed ${seed}: ${what}\n${inspect(world, { depth: 9 })}`)
    }
    expect(failed).toEqual([])
    // Worlds in which nothing happens would keep every guarantee too.
    expect(codes.size).toBeGreaterThan(5)
  })

  test("the clients of eight worlds together, each with its own store, keep every guarantee", async () => {
    const played = await playWorld(drawCombinedWorld(1, 7), kind)
    expect(checkWorld(played)).toEqual([])
    expect(played.outcomes.length).toBeGreaterThan(20)
  })

  test.each(Object.entries(PLANTS))("finds a store that %s", async (_, { plant, problem, from = 1 }) => {
    const found = new Set<string>()
    for (let seed = from; seed < from + 30 && ![...found].some((what) => problem.test(what)); seed++) {
      const played = await playWorld({ ...drawWorld(seed), store: [] }, planted(kind, plant))
      for (const what of checkWorld(played)) found.add(what)
    }
    expect([...found].join("\n")).toMatch(problem)
  })

  test("finds differences between the receipts, the provider's ledger, the totals and the log", async () => {
    const played = await playWorld(drawWorld(1), kind)
    expect(checkWorld(played)).toEqual([])
    const line = played.provider.ledger.calls.find(({ nanoUsd }) => nanoUsd > 0)!
    line.nanoUsd += 1
    expect(checkWorld(played)).toContainEqual(expect.stringContaining("billed"))
    line.nanoUsd -= 1
    line.clientRequestId = "unknown"
    expect(checkWorld(played)).toContainEqual(expect.stringContaining("which no receipt has"))
    const group = [...played.totals.values()].flat().find(({ attempts }) => attempts > 0)!
    group.costNanoUsd += 1
    expect(checkWorld(played)).toContainEqual(expect.stringContaining("in the totals"))
    played.logged.push("PromptSecret")
    expect(checkWorld(played)).toContainEqual(expect.stringContaining("logged"))
  })
})

test("a seed always draws the same world", () => {
  expect(drawWorld(7)).toEqual(drawWorld(7))
  expect(drawWorld(7)).not.toEqual(drawWorld(8))
})
