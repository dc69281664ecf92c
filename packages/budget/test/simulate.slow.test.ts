import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { startRedisServer } from "../simulate/redis-server"
import { memoryServer, type SimulatedServer } from "../simulate/servers"
import { runSeed } from "../simulate/world"
import { ModelStore } from "../src/testing/model"
import { noServer } from "./redis/own-server"
import type { ModelClass } from "./testing/model-target"
import { leasePlants, timePlants } from "./testing/plants/lease-plants"
import { ledgerPlants } from "./testing/plants/ledger-plants"
import { reservePlants } from "./testing/plants/reserve-plants"
import { settlePlants } from "./testing/plants/settle-plants"

const MEMORY_SEEDS = 50
const REDIS_SEEDS = 5
const MODEL_SEEDS = 5
const MAX_SEEDS = 40

const plants = [...reservePlants, ...settlePlants, ...leasePlants, ...timePlants, ...ledgerPlants]
const modelServer = (Store: ModelClass): SimulatedServer => ({ open: async (now) => new Store({ clock: now }) })

/** Runs the seeds from 1. Resolves to the violations, and to the statuses that the store replied. */
async function runSeeds(server: SimulatedServer, store: string, count: number) {
  const violations: string[] = []
  const replies = new Set<string>()
  for (let seed = 1; seed <= count; seed++) {
    const run = await runSeed(seed, server)
    for (const reply of run.replies) replies.add(reply)
    if (run.violations.length > 0)
      violations.push(
        `replay with: pnpm simulate --trace --store ${store} --seed ${seed}: ${run.violations.join("; ")}`,
      )
  }
  return { violations, replies }
}

/** Planted stores of the suite's own tests. */
const PLANTED = [
  "one scope at a time",
  "a denial that charges",
  "reservations ignored",
  "a replay that charges",
  "a late settle dropped",
  "a cost cut off at the reservation",
  "a revision that adds",
  "a settle after the release",
  "an unknown release that leaves nothing",
  "a forgotten key charged again",
  "other-counters that frees the reservation",
  "a peak that falls",
  "a grant on every retry",
  "expiry that never charges",
  "extend that revives",
  "a denial that does not report that leases are due",
  "time that runs backwards",
  "leases by the latest time",
  "money without its entry",
]

/** Replies that must occur. */
const REPLIES = [
  "reserve ok",
  "reserve ok replayed",
  "reserve exceeded",
  "reserve stale-window",
  "reserve resolved",
  "reserve lease-ended",
  "settle settled",
  "settle settled replayed",
  "settle settled late",
  "settle released",
  "settle released late",
  "settle mismatch",
  "settle forgotten",
  "settle other-counters",
  "extend held",
  "extend expired",
  "extend released",
  "expire expired",
  "expire not-due",
  "adjust ok",
  "adjust ok replayed",
  "acceptClock",
  "ledger.record",
]

describe("a simulation of processes, an unreliable network, crashes and wrong clocks", () => {
  it(`keeps every guarantee on the memory store (${MEMORY_SEEDS} seeds), with every kind of reply`, async () => {
    const { violations, replies } = await runSeeds(memoryServer, "memory", MEMORY_SEEDS)
    expect(violations).toEqual([])
    expect(REPLIES.filter((reply) => !replies.has(reply))).toEqual([])
  })

  it("runs the same way with the same seed", async () => {
    const [first, second] = [await runSeed(7, memoryServer), await runSeed(7, memoryServer)]
    expect(first.trace.length).toBeGreaterThan(100)
    expect(second.trace).toEqual(first.trace)
  })

  it(`keeps every guarantee on the suite's model (${MODEL_SEEDS} seeds)`, async () => {
    expect((await runSeeds(modelServer(ModelStore), "model", MODEL_SEEDS)).violations).toEqual([])
  })

  it.each(PLANTED)("finds the planted store: %s", async (name) => {
    const plant = plants.find((one) => one.name === name)
    expect(plant).toBeDefined()
    let found = 0
    for (let seed = 1; seed <= MAX_SEEDS && found === 0; seed++)
      found = (await runSeed(seed, modelServer(plant!.Store))).violations.length
    expect(found).toBeGreaterThan(0)
  })
})

describe.skipIf(noServer)("the simulation on a real Redis", () => {
  let redis: Awaited<ReturnType<typeof startRedisServer>>
  beforeAll(async () => {
    redis = await startRedisServer()
  })
  afterAll(() => redis.close())

  it(`keeps every guarantee on the Lua scripts (${REDIS_SEEDS} seeds)`, async () => {
    expect((await runSeeds(redis.server, "redis", REDIS_SEEDS)).violations).toEqual([])
  })
})
