import { type RedisForTests, redisForTests } from "@p2/redis-server"
import { afterAll, describe, it } from "vitest"
import { defineStoreSuite, type SuiteOptions } from "../../src/testing"
import { bundleScript } from "./bundle-script"
import { redisFactory } from "./redis-target"

/** The suite, or the part of it that the options name, on a server of the calling test file. */
export async function describeRedisSuite(options: SuiteOptions): Promise<void> {
  const redis: RedisForTests | undefined = await redisForTests()
  const child = await bundleScript("store-child")
  afterAll(async () => {
    child.remove()
    await redis?.close()
  })

  describe.skipIf(redis === undefined)("redisStore on a single server", () => {
    const { hostname, port } = new URL(redis?.url ?? "redis://127.0.0.1:6379")
    const factory = redisFactory([{ host: hostname, port: Number(port || 6379) }], child.file)
    defineStoreSuite({ describe, it }, factory, { name: "conformance", ...options })
  })
}
