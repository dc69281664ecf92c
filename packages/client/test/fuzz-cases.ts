import { inspect } from "node:util"
import type { BudgetStore } from "@p2/budget"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { checkWorld } from "../fuzz/check-world"
import { drawCombinedWorld, drawWorld } from "../fuzz/draw-world"
import { outcomeCode, playWorld } from "../fuzz/play-world"
import { type STORES, type StoreKind, storeKind } from "../fuzz/world-stores"
import type { RunReceipt } from "../src/index"
import { overrideStore } from "./override-store"

/** Seed 22 is the first in which a tool succeeds. */
const WORLDS = { memory: 30, redis: 24, sqlite: 24 }

interface Plant {
  plant: (inner: BudgetStore) => Partial<BudgetStore>
  /** The problem that must be found. */
  problem: RegExp
  /** The first seed, if few worlds show the problem. */
  from?: number
}

/** Defects of a store. */
const PLANTS: Record<string, Plant> = {
  "ignores limits": {
    plant: (inner) => ({
      reserve: (request) =>
        inner.reserve({ ...request, counters: request.counters.map((counter) => ({ ...counter, limit: null })) }),
    }),
    problem: /was admitted, \d+ reserved and \d+ spent of \d+/,
  },
  "does not release": {
    plant: (inner) => ({
      settle: async (request) => {
        if (request.outcome === "settled") return inner.settle(request)
        const { partition } = request
        const { now, counters } = await inner.read({ partition, counters: request.counters.map(({ name }) => name) })
        return {
          now,
          counters: counters.map((counter) => ({ ...counter, peakBefore: counter.spent, peak: counter.spent })),
          status: "released",
          replayed: false,
          late: false,
          recovered: false,
          forgottenCounters: 0,
        }
      },
    }),
    problem: /remains reserved/,
  },
  "charges one nano-USD too little": {
    plant: (inner) => ({
      settle: (request) =>
        inner.settle({
          ...request,
          counters: request.counters.map((counter) => ({ ...counter, amount: Math.max(0, counter.amount - 1) })),
        }),
    }),
    problem: /charged \d+ to .*, and cost \d+/,
  },
  "adds a late settle to the charge of the expired lease": {
    plant: (inner) => ({
      settle: async (request) => {
        const { partition, key, outcome, counters } = request
        const lease = await inner.extend({ partition, key, leaseMs: 1 })
        const reply = await inner.settle(request)
        const counter = counters[0]
        if (lease.status === "expired" && outcome === "settled" && counter !== undefined)
          await inner.adjust({ partition, key, counter, kind: "spent", delta: counter.reserved })
        return reply
      },
    }),
    problem: /spent, \d+ in the ledger/,
    from: 151,
  },
  "loses usage entries": {
    plant: (inner) => ({
      settle: async (request) => {
        const reply = await inner.settle(request)
        await inner.ledger?.prune({ partition: request.partition, before: reply.now + 1 })
        return reply
      },
    }),
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
        return overrideStore(inner, plant(inner))
      }
      return { ...opened, address: undefined, another }
    },
  }
}

/** The cases of clients in random worlds, for each kind of store. */
export function describeFuzz(stores: readonly (typeof STORES)[number][]): void {
  describe.each(stores)("in the %s store", (name) => {
    let kind: StoreKind
    beforeAll(async () => {
      kind = await storeKind(name)
    })
    afterAll(() => kind.close())

    test(`${WORLDS[name]} worlds of random requests, faults, aborts and store failures keep every guarantee`, async () => {
      const failed: string[] = []
      const codes = new Set<string>()
      const tools = new Set<string>()
      let runs = 0
      // A world without calls would keep every guarantee. On a slow machine more of them end by a deadline, so more are played.
      const isCovered = () => codes.size > 5 && tools.has("succeeded") && tools.has("invalid") && runs > 2
      for (let seed = 1; seed <= WORLDS[name] || (!isCovered() && seed <= 5 * WORLDS[name]); seed++) {
        const world = drawWorld(seed)
        const played = await playWorld(world, kind)
        for (const outcome of played.outcomes) codes.add(outcomeCode(outcome))
        for (const { status } of played.outcomes.flatMap(({ receipt }) => receipt?.toolCalls ?? [])) tools.add(status)
        runs += played.runs.length
        for (const what of checkWorld(played))
          failed.push(`pnpm fuzz --store ${name} --seed ${seed}: ${what}\n${inspect(world, { depth: 9 })}`)
      }
      expect(failed).toEqual([])
      expect({ codes, tools, runs, isCovered: isCovered() }).toMatchObject({ isCovered: true })
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
      const { played, line } = await playWorldWithKnownCost(kind)
      expect(checkWorld(played)).toEqual([])
      line.nanoUsd += 1
      expect(checkWorld(played)).toContainEqual(expect.stringContaining("billed"))
      line.nanoUsd -= 1
      line.clientRequestId = "unknown"
      expect(checkWorld(played)).toContainEqual(expect.stringContaining("which no receipt has"))
      const group = [...played.totals.values()].flat().find(({ attempts }) => attempts > 0)!
      group.costNanoUsd += 1
      expect(checkWorld(played)).toContainEqual(expect.stringContaining("in the totals"))
      const [outcome] = played.outcomes
      const client = outcome!.client
      played.world.clients[client]!.runNanoUsd ??= 1
      const requests = played.outcomes.flatMap((each) => (each.client === client ? [each.receipt!] : []))
      const receipt = { requests, costNanoUsd: -1, remainingNanoUsd: 0 } as unknown as RunReceipt
      played.runs = [{ client, receipt }]
      expect(checkWorld(played)).toContainEqual(expect.stringContaining(`run of client ${client}: -1 on its receipt`))
      played.logged.push("PromptSecret")
      expect(checkWorld(played)).toContainEqual(expect.stringContaining("logged"))
    })
  })
}

/** The first world with a billed call whose cost is not in doubt. In doubt, more than the bill may be charged. */
async function playWorldWithKnownCost(kind: Parameters<typeof playWorld>[1]) {
  for (let seed = 1; seed <= 30; seed++) {
    const played = await playWorld(drawWorld(seed), kind)
    const attempts = played.outcomes.flatMap(({ receipt }) => receipt?.attempts ?? [])
    const known = new Set(attempts.filter(({ inDoubt }) => !inDoubt).map(({ id }) => id))
    const line = played.provider.ledger.calls.find((call) => call.nanoUsd > 0 && known.has(call.clientRequestId ?? ""))
    if (line !== undefined) return { played, line }
  }
  throw new Error("None of 30 worlds has a billed call with a known cost.")
}
