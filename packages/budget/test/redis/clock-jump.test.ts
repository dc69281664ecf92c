import { hasMovableClock, startRedis } from "@p2/redis-server"
import { Redis } from "ioredis"
import { describe, expect, it, onTestFinished } from "vitest"
import { redisStore } from "../../src/redis"
import { checkedStore } from "../../src/store/checked-store"
import { adjustRequest, counter, reserveRequest, settleRequest } from "../../src/testing/requests"
import { noServer, PATIENT } from "./own-server"

const DAY_MS = 86_400_000

if (!hasMovableClock() && process.env.CI === "true") {
  throw new Error(
    "No movable clock, and CI=true forbids to skip: it needs Linux and a C compiler (cc, gcc, clang or tcc).",
  )
}
if (!hasMovableClock())
  console.warn("\n!!! No C compiler: THE TESTS WITH A SERVER WHOSE CLOCK JUMPS ARE SKIPPED. !!!\n")

async function serverWithClock() {
  const server = await startRedis({ movableClock: true })
  const client = new Redis({ port: server.port, lazyConnect: true })
  const store = checkedStore(redisStore({ client, ...PATIENT }))
  onTestFinished(async () => {
    await store.close?.()
    client.disconnect()
    await server.stop()
  })
  /** A day as the store sees it. */
  const dayOf = (now: number) => ({
    startsAt: Math.floor(now / DAY_MS) * DAY_MS,
    endsAt: Math.floor(now / DAY_MS) * DAY_MS + DAY_MS,
  })
  const now = async () => (await store.read({ partition: "main", counters: [] })).now
  return { server, client, store, dayOf, now }
}

describe.skipIf(noServer || !hasMovableClock())("a redis-server whose clock jumps two days ahead and back", () => {
  it("reopens no spent window, deletes nothing, and tells the operator what to do", async () => {
    const { server, client, store, dayOf, now } = await serverWithClock()
    const today = dayOf(await now())
    const spend = (key: string, window = today) => {
      const name = `day.${window.startsAt / DAY_MS}`
      return reserveRequest("main", key, [counter(name, 10, 10, window), counter("total", 10, null)])
    }
    const names = [`day.${today.startsAt / DAY_MS}`, "total"]
    const state = async () =>
      (await store.read({ partition: "main", counters: names })).counters.map(({ spent, reserved }) => [
        spent,
        reserved,
      ])
    await store.reserve(spend("r1"))
    await store.settle(settleRequest(spend("r1"), [10, 10]))
    expect(await store.reserve(spend("r2"))).toMatchObject({ status: "exceeded" })
    await store.adjust(adjustRequest("main", "a1", "total", "granted", 7))
    const before = (await client.keys("*")).sort()

    server.moveClock(2 * DAY_MS)
    const later = dayOf(await now())
    expect(later.startsAt).toBe(today.startsAt + 2 * DAY_MS)
    expect(await store.reserve(spend("r2"))).toMatchObject({ status: "stale-window", which: [0] })
    expect(await store.reserve(spend("r3", later))).toMatchObject({ status: "ok" })
    // Redis looks for expired keys ten times per second; a read of each key would find them immediately.
    for (const key of before) expect([key, await client.exists(key)]).toEqual([key, 1])

    server.moveClock(0)
    // The store's time did not go back: the spent day stays closed, and the later day stays open.
    expect(await store.reserve(spend("r4"))).toMatchObject({ status: "stale-window", which: [0] })
    expect(await now()).toBeGreaterThanOrEqual(later.startsAt)
    // By the partition's time the day's counter is past its retention; its record is still there.
    expect(await state()).toEqual([
      [0, 0],
      [10, 10],
    ])
    expect(await store.reserve(spend("r4", later))).toMatchObject({ status: "exceeded", which: [0] })
    expect(await store.settle(settleRequest(spend("r3", later), [4, 4]))).toMatchObject({ status: "settled" })
    const check = await store.check({ partition: "main" })
    expect(check.clockBehindMs).toBeGreaterThan(2 * DAY_MS - 3_600_000)
    expect(check.warnings.join()).toContain("acceptClock")
    for (const key of before) expect([key, await client.exists(key)]).toEqual([key, 1])

    // An operator accepts the clock as it is now: the day is open again, and still spent.
    const accepted = await store.acceptClock({ partition: "main" })
    expect(accepted.before - accepted.now).toBeGreaterThan(DAY_MS)
    expect((await store.check({ partition: "main" })).clockBehindMs).toBeLessThan(60_000)
    expect(await store.reserve(spend("r5"))).toMatchObject({ status: "exceeded", which: [0] })
    expect(await state()).toEqual([
      [10, 0],
      [14, 0],
    ])
  })

  it("leases follow the clock only: they end during the jump, and those made during it end when the clock reaches their end", async () => {
    const { server, store } = await serverWithClock()
    const request = (key: string) => reserveRequest("main", key, [counter("a", 10, 100)], { leaseMs: 3_600_000 })
    const expire = (key: string) => store.expire({ partition: "main", key, counters: ["a"] })
    await store.reserve(request("before"))
    expect(await expire("before")).toMatchObject({ status: "not-due" })
    server.moveClock(2 * DAY_MS)
    await store.reserve(request("during"))
    expect((await store.listDue({ partition: "main", limit: 10 })).due).toEqual([{ key: "before", counters: ["a"] }])
    expect(await expire("before")).toMatchObject({ status: "expired", charged: [10] })
    server.moveClock(0)
    await store.reserve(request("after"))
    expect((await store.listDue({ partition: "main", limit: 10 })).due).toEqual([])
    expect(await expire("during")).toMatchObject({ status: "not-due" })
    // An hour and a minute later, the lease that was made after the jump has ended, and the one made during it has not.
    server.moveClock(3_660_000)
    expect((await store.listDue({ partition: "main", limit: 10 })).due).toEqual([{ key: "after", counters: ["a"] }])
    // The owner of the first settles: its cost replaces what the jump charged.
    expect(await store.settle(settleRequest(request("before"), [3]))).toMatchObject({ status: "settled", late: true })
    const { counters } = await store.read({ partition: "main", counters: ["a"] })
    expect(counters).toEqual([{ name: "a", spent: 3, reserved: 20, granted: 0 }])
  })

  it("a key that was resolved before the jump stays resolved during it and after it", async () => {
    const { server, store } = await serverWithClock()
    const request = reserveRequest("main", "r1", [counter("a", 10, 100)])
    await store.reserve(request)
    const { expiresAt } = (await store.reserve(request)) as { expiresAt: number }
    await store.settle(settleRequest(request, [10]))
    for (const offset of [2 * DAY_MS, 0]) {
      server.moveClock(offset)
      expect(await store.reserve(request)).toMatchObject({ status: "resolved", state: "settled" })
      await store.settle(settleRequest(request, [10], { expiresAt }))
      const { counters } = await store.read({ partition: "main", counters: ["a"] })
      expect(counters).toEqual([{ name: "a", spent: 10, reserved: 0, granted: 0 }])
    }
  })
})
