import { startRedis } from "@p2/redis-server"
import { Redis } from "ioredis"
import { redisStore } from "../src/redis"
import type { SimulatedServer } from "./servers"

/** The Redis store on this run's own redis-server, with the run's clock in place of the server's. */
export async function startRedisServer(): Promise<{ server: SimulatedServer; close(): Promise<void> }> {
  const redis = await startRedis()
  const client = new Redis(redis.url)
  let now: () => number = () => 0
  // Longer than any call on a busy machine: the timeout of the simulated network decides.
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
