import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { startRedisServer } from "../simulate/redis-server"
import { memoryServer, plantedServer } from "../simulate/servers"
import { runSeed, type SimulatedServer } from "../simulate/world"
import { ModelStore } from "../src/testing/model"
import { plants } from "./testing/planted-stores"

const REPLAY = "replay with: pnpm simulate --trace --store"

async function failures(server: SimulatedServer, store: string, first: number, count: number): Promise<string[]> {
  const found: string[] = []
  for (let seed = first; seed < first + count; seed++) {
    const { violations } = await runSeed(seed, server)
    if (violations.length > 0) found.push(`${REPLAY} ${store} --seed ${seed}: ${violations.join("; ")}`)
  }
  return found
}

describe("a simulation of processes, a bad network and crashes", () => {
  it("two hundred seeds on the memory store keep every promise", async () => {
    expect(await failures(memoryServer, "memory", 1, 200)).toEqual([])
  }, 300_000)

  it("the same seed gives the same run", async () => {
    const [first, second] = [await runSeed(7, memoryServer), await runSeed(7, memoryServer)]
    expect(first.trace.length).toBeGreaterThan(100)
    expect(second.trace).toEqual(first.trace)
  })

  it("a store that keeps the rules passes, whoever wrote it", async () => {
    expect(await failures(plantedServer(ModelStore), "model", 1, 20)).toEqual([])
  })

  it.each([
    "one scope at a time",
    "denial that consumes",
    "double commit",
    "late commit dropped",
    "an unknown release without a tombstone",
    "reservations ignored",
    "expiry that never charges",
    "overrun cut off",
    "a peak that goes down",
    "money without its entry",
    "a revision that adds",
  ])("finds what is wrong: %s", async (name) => {
    const plant = plants.find((one) => one.name === name)
    const seeds = Array.from({ length: 60 }, (_, index) => index + 1)
    let found = 0
    for (const seed of seeds) {
      found += (await runSeed(seed, plantedServer(plant!.Store))).violations.length
      if (found > 0) break
    }
    expect(found).toBeGreaterThan(0)
  })

  describe("on a real Redis", () => {
    let redis: Awaited<ReturnType<typeof startRedisServer>>
    beforeAll(async () => {
      redis = await startRedisServer()
    }, 60_000)
    afterAll(() => redis.close())

    it("twenty seeds on the Lua scripts keep every promise", async () => {
      expect(await failures(redis.server, "redis", 1, 20)).toEqual([])
    }, 300_000)
  })
})
