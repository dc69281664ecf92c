import { findRedisServer, startRedisCluster } from "@p2/redis-server"
import { afterAll, describe, expect, it } from "vitest"
import { defineStoreSuite } from "../../src/testing"
import { bundleScript } from "./bundle-script"
import { redisFactory } from "./redis-target"

const program = await findRedisServer({ fetch: true })
if (program === undefined && process.env.CI === "true") throw new Error("No redis-server, and CI=true forbids to skip.")
const cluster = program === undefined ? undefined : await startRedisCluster({ nodes: 3 })
const child = await bundleScript("store-child")
afterAll(async () => {
  child.remove()
  await cluster?.stop()
})

describe.skipIf(cluster === undefined)("redisStore on a Cluster of three nodes", () => {
  defineStoreSuite({ describe, it }, redisFactory(cluster?.nodes ?? [], child.file), {
    name: "conformance",
    fuzzRuns: 5,
    onReport: (report) => {
      expect(report.levels.map(({ level, status, notClaimed }) => [level, status, notClaimed])).toEqual(
        report.levels.map(({ level }) => [level, "passed", 0]),
      )
    },
  })
})
