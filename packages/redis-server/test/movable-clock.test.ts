import { describe, expect, it, onTestFinished } from "vitest"
import { hasMovableClock, redisCommand, startRedis } from "../src/index"

const DAY_S = 86_400

if (!hasMovableClock() && process.env.CI === "true") {
  throw new Error(
    "No movable clock, and CI=true forbids to skip: it needs Linux, and a C compiler (cc, gcc, clang or tcc).",
  )
}

describe.skipIf(!hasMovableClock())("a server with a movable clock", () => {
  it("sees the time ahead, back and behind, while it runs, also in scripts", async () => {
    const server = await startRedis({ movableClock: true })
    onTestFinished(() => server.stop())
    const seconds = async () =>
      Number(((await redisCommand(server, "EVAL", "return redis.call('TIME')", 0)) as string[])[0])
    const apartFromNow = async () => Math.round((await seconds()) - Date.now() / 1_000)
    expect(Math.abs(await apartFromNow())).toBeLessThan(DAY_S / 2)
    for (const days of [2, 0, -3]) {
      server.moveClock(days * DAY_S * 1_000)
      expect(Math.round((await apartFromNow()) / DAY_S) - days).toBeCloseTo(0)
    }
  })

  it("expires keys by the moved clock", async () => {
    const server = await startRedis({ movableClock: true })
    onTestFinished(() => server.stop())
    await redisCommand(server, "SET", "key", "value", "EX", DAY_S)
    server.moveClock(2 * DAY_S * 1_000)
    expect(await redisCommand(server, "GET", "key")).toBe(null)
  })

  it("cannot be moved unless it was requested", async () => {
    const server = await startRedis()
    onTestFinished(() => server.stop())
    expect(() => server.moveClock(1)).toThrow("movableClock: true")
  })
})
