import { startRedis } from "@p2/redis-server"
import { Redis } from "ioredis"
import { redisStore } from "../src/redis"
import type { SimulatedServer } from "./world"

/** The Lua scripts on a real Redis of our own, with the time of the run in place of the server's. */
export async function startRedisServer(): Promise<{ server: SimulatedServer; close(): Promise<void> }> {
  const redis = await startRedis()
  const client = new Redis(redis.url)
  let now: () => number = () => 0
  const store = redisStore({ client, now: () => now(), onWarning: () => {}, timeoutMs: 5_000 })
  let runs = 0
  const server: SimulatedServer = {
    async open(time) {
      now = time
      await client.flushall()
      return { store, root: `run.${runs++}`, close: async () => {} }
    },
  }
  const close = async () => {
    await store.close?.()
    client.disconnect()
    await redis.stop()
  }
  return { server, close }
}
