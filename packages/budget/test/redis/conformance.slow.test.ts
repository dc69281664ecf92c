import { type RedisForTests, redisForTests } from "@p2/redis-server"
import { afterAll, describe, expect, it } from "vitest"
import { defineStoreSuite } from "../../src/testing"
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
  defineStoreSuite({ describe, it }, redisFactory([{ host: hostname, port: Number(port || 6379) }], child.file), {
    name: "conformance",
    // The seeds after those of the fast test.
    seed: 6,
    fuzzRuns: 15,
    only: ({ title }) => title.startsWith("random programs"),
    onReport: ({ ok }) => expect(ok).toBe(true),
  })
})
