import { inspect } from "node:util"
import type { BudgetStore, SettleResult } from "@p2/budget"
import { findRedisServer } from "@p2/redis-server"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { checkWorld } from "../fuzz/check-world"
import { drawCrowd, drawWorld } from "../fuzz/draw-world"
import { codeOf, playWorld } from "../fuzz/play-world"
import { membersOf } from "../fuzz/troubled-store"
import { STORES, type StoreKind, storeKind } from "../fuzz/world-stores"

// It is emptied before each world, so that one of `REDIS_URL` will not do.
const noRedis = (await findRedisServer({ fetch: true })) === undefined
if (noRedis && process.env.CI === "true") throw new Error("No redis-server, and CI=true forbids to skip.")

const WORLDS = { memory: 30, redis: 12, sqlite: 12 }

interface Plant {
  plant: (inner: BudgetStore) => Partial<BudgetStore>
  /** What is said of it. */
  said: RegExp
  /** The first seed to look at, where only few worlds can tell. */
  from?: number
}

/** Defects of a store. */
const PLANTS: Record<string, Plant> = {
  "no limits": {
    plant: (inner) => ({
      reserve: (request) =>
        inner.reserve({ ...request, cells: request.cells.map((cell) => ({ ...cell, limit: null })) }),
    }),
    said: /was let in, \d+ reserved and \d+ spent of \d+/,
  },
  "releases that it forgets": {
    plant: (inner) => ({
      settle: async (request) => {
        if (request.outcome === "commit") return inner.settle(request)
        const { now, cells } = await inner.read({ root: request.root, keys: request.cells.map(({ key }) => key) })
        const answer: SettleResult = {
          now,
          cells: cells.map((cell) => ({ ...cell, peakBefore: cell.spent, peak: cell.spent })),
          result: "released",
          replayed: false,
          late: false,
          recovered: false,
        }
        return answer
      },
    }),
    said: /stays reserved/,
  },
  "cells that are a nano too cheap": {
    plant: (inner) => ({
      settle: (request) =>
        inner.settle({
          ...request,
          cells: request.cells.map((cell) => ({ ...cell, amount: Math.max(0, cell.amount - 1) })),
        }),
    }),
    said: /charged \d+ to .*, and cost \d+/,
  },
  "late settles that come on top of what the lease was charged": {
    plant: (inner) => ({
      settle: async (request) => {
        const { root, id, outcome, cells } = request
        const lease = await inner.extend({ root, id, leaseMs: 1 })
        const answer = await inner.settle(request)
        const cell = cells[0]
        if (lease.state === "expired" && outcome === "commit" && cell !== undefined)
          await inner.adjust({ root, id, cell, kind: "spent", delta: cell.reserved })
        return answer
      },
    }),
    said: /spent, \d+ in the ledger/,
    from: 27,
  },
  "money without its entry": {
    plant: (inner) => ({ settle: ({ entry: _entry, ...request }) => inner.settle(request) }),
    said: /is not in the ledger/,
  },
}

/** The same stores with a defect, all of which the clients open as objects. */
function planted(kind: StoreKind, plant: (inner: BudgetStore) => Partial<BudgetStore>): StoreKind {
  return {
    ...kind,
    open: async () => {
      const opened = await kind.open()
      const another = () => {
        const inner = opened.another()
        return { ...membersOf(inner), ...plant(inner) }
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

  test(`${WORLDS[name]} worlds of random requests, faults, aborts and troubled stores keep every promise`, async () => {
    const failed: string[] = []
    const codes = new Set<string>()
    for (let seed = 1; seed <= WORLDS[name]; seed++) {
      const world = drawWorld(seed)
      const played = await playWorld(world, kind)
      for (const outcome of played.outcomes) codes.add(codeOf(outcome))
      for (const what of checkWorld(played))
        failed.push(`pnpm fuzz --store ${name} --seed ${seed}: ${what}\n${inspect(world, { depth: 9 })}`)
    }
    expect(failed).toEqual([])
    // Worlds in which nothing happens would keep every promise too.
    expect(codes.size).toBeGreaterThan(5)
  })

  test("the clients of eight worlds at once, each with a store of its own, keep every promise", async () => {
    const played = await playWorld(drawCrowd(1, 7), kind)
    expect(checkWorld(played)).toEqual([])
    expect(played.outcomes.length).toBeGreaterThan(20)
  })

  test.each(Object.entries(PLANTS))("finds a store that has %s", async (_, { plant, said, from = 1 }) => {
    const found = new Set<string>()
    for (let seed = from; seed < from + 30 && ![...found].some((what) => said.test(what)); seed++) {
      const played = await playWorld({ ...drawWorld(seed), store: [] }, planted(kind, plant))
      for (const what of checkWorld(played)) found.add(what)
    }
    expect([...found].join("\n")).toMatch(said)
  })

  test("what a receipt, the provider, the totals or the log say otherwise is found", async () => {
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

test("a seed draws the same world every time", () => {
  expect(drawWorld(7)).toEqual(drawWorld(7))
  expect(drawWorld(7)).not.toEqual(drawWorld(8))
})
