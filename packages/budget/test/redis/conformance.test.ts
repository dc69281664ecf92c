import { type RedisForTests, redisForTests } from "@p2/redis-server"
import { afterAll, describe, expect, it } from "vitest"
import { defineStoreSuite, type SuiteFactory } from "../../src/testing"
import { bundleScript } from "./bundle-script"
import { redisFactory } from "./redis-target"

const redis: RedisForTests | undefined = await redisForTests()
const child = await bundleScript("store-child")
afterAll(async () => {
  child.remove()
  await redis?.close()
})

describe.skipIf(redis === undefined)("redisStore on a single server", () => {
  const { hostname, port } = new URL(redis?.url ?? "redis://127.0.0.1:6379")
  const factory: SuiteFactory = redisFactory([{ host: hostname, port: Number(port || 6379) }], child.file)
  defineStoreSuite({ describe, it }, factory, {
    name: "conformance",
    fuzzRuns: 5,
    onReport: (report) => {
      expect(report.levels.map(({ level, status, notClaimed }) => [level, status, notClaimed])).toEqual(
        report.levels.map(({ level }) => [level, "passed", 0]),
      )
    },
  })
})
