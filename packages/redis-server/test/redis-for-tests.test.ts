import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { findRedisServer, redisCommand, redisForTests } from "../src/index"

describe("where the server comes from", () => {
  let empty: string
  beforeEach(() => {
    empty = mkdtempSync(join(tmpdir(), "p2-empty-"))
    for (const name of ["REDIS_URL", "P2_REDIS_SERVER", "CI"]) vi.stubEnv(name, undefined)
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    rmSync(empty, { recursive: true, force: true })
  })

  it("takes the path in P2_REDIS_SERVER, and rejects a path that does not exist", async () => {
    vi.stubEnv("P2_REDIS_SERVER", process.execPath)
    expect(await findRedisServer()).toBe(process.execPath)
    vi.stubEnv("P2_REDIS_SERVER", join(empty, "redis-server"))
    await expect(findRedisServer()).rejects.toThrow("P2_REDIS_SERVER")
  })

  it("finds no server if there is none, and fetches one only if requested", async () => {
    vi.stubEnv("PATH", empty)
    vi.stubEnv("P2_CACHE_DIR", empty)
    expect(await findRedisServer()).toBeUndefined()
  })

  it("without a server, fails under CI and skips with a warning elsewhere", async () => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => {})
    // Without apt on the PATH nothing can be fetched.
    vi.stubEnv("PATH", empty)
    vi.stubEnv("P2_CACHE_DIR", empty)
    expect(await redisForTests()).toBeUndefined()
    expect(warnings.mock.calls.flat().join()).toContain("ARE SKIPPED")
    vi.stubEnv("CI", "true")
    await expect(redisForTests()).rejects.toThrow("may not be skipped")
    warnings.mockRestore()
  })

  it("leaves the server of REDIS_URL to its owner", async () => {
    vi.stubEnv("REDIS_URL", "redis://127.0.0.1:1")
    const redis = await redisForTests()
    expect(redis).toMatchObject({ url: "redis://127.0.0.1:1", server: undefined })
    await redis?.close()
  })

  it("starts its own server otherwise", async () => {
    const redis = await redisForTests()
    if (redis?.server === undefined) return expect(process.env.CI).not.toBe("true")
    expect(await redisCommand(redis.server, "PING")).toBe("PONG")
    await redis.close()
  })
})
