import { rmSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { redisForTests } from "@p2/redis-server"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { bundleFromSources } from "../../../scripts/bundle-from-sources.mjs"
import manifest from "../package.json" with { type: "json" }
import { checkThenCall } from "../src/candidates/check-then-call"
import { p2 } from "../src/candidates/p2"
import { play } from "../src/play"
import { createWorkload } from "../src/workload"

// `play` starts its own server.
const redis = await redisForTests()
await redis?.close()

describe.skipIf(redis === undefined)("the gauntlet", () => {
  const folder = fileURLToPath(new URL(`../node_modules/.cache/test-${process.pid}`, import.meta.url))
  const options = {
    workload: createWorkload({ seed: 3, calls: 120 }),
    limitTokens: 25_000,
    processes: 2,
    lanes: 6,
    program: `${folder}/main.mjs`,
  }
  beforeAll(async () => {
    const external = Object.keys(manifest.devDependencies).filter((name) => !name.startsWith("@p2/"))
    await bundleFromSources({ entry: fileURLToPath(new URL("../src/main.ts", import.meta.url)), folder, external })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("finds that p2 keeps the limit and loses nothing", async () => {
    const result = await play(p2, options)
    expect(result).toMatchObject({ overspend: 0, undercharge: 0, lostAfterCrash: 0, calls: 120 })
    expect(result.billed).toBeGreaterThan(options.limitTokens / 2)
    expect(result.answered).toBeGreaterThan(20)
    expect(result.denied).toBeGreaterThan(0)
    expect(result.falseDenials).toBeLessThan(result.denied)
    // The calls of the killed process are charged their upper bound.
    expect(result.overcharge).toBeGreaterThan(0)
  })

  it("finds that a check before the call spends more, does not count retries, and loses the calls of a killed process", async () => {
    const result = await play(checkThenCall, options)
    expect(result.overspend).toBeGreaterThan(0)
    expect(result.undercharge).toBeGreaterThan(0)
    expect(result.lostAfterCrash).toBeGreaterThan(0)
    expect(result.billed).toBe(result.limit + result.overspend)
    expect(result.falseDenials).toBe(0)
  })
})
