import { startRedis } from "@p2/redis-server"
import { Redis } from "ioredis"
import { redisStore } from "../src/redis"
import type { SimulatedServer } from "./servers"

/** The Lua scripts on a real Redis of our own, with the time of the run in place of the server's. */
export async function startRedisServer(): Promise<{ server: SimulatedServer; close(): Promise<void> }> {
  const redis = await startRedis()
  const client = new Redis(redis.url)
  let now: () => number = () => 0
  // Longer than a busy machine takes: the network of the simulation has the timeout that counts.
  const store = redisStore({ client, now: () => now(), timeoutMs: 60_000 })
  const server: SimulatedServer = {
    async open(time) {
      now = time
      await client.flushall()
      return store
    },
  }
  const close = async () => {
    await store.close?.()
    client.disconnect()
    await redis.stop()
  }
  return { server, close }
}
