import { findRedisServer, type RedisServer, startRedis, startRedisCluster } from "@p2/redis-server"
import { Redis } from "ioredis"
import { onTestFinished } from "vitest"
import { type RedisStoreOptions, redisStore } from "../../src/redis"
import type { BudgetStore } from "../../src/store/budget-store"
import { checkedStore } from "../../src/store/checked-store"
import { StoreError } from "../../src/store/store-error"
import { connect } from "./connect"

/** These tests break their server, so they do not use `REDIS_URL`. */
export const noServer = (await findRedisServer({ fetch: true })) === undefined
if (noServer && process.env.CI === "true") throw new Error("No redis-server, and CI=true forbids to skip.")

/** Timeout for tests of other behavior: longer than a busy machine takes. */
export const PATIENT = { timeoutMs: 20_000 }

/** A server, its client, and a store as the budget calls it. All end with the test. */
export async function serverAndStore(
  options: { args?: string[]; store?: Partial<RedisStoreOptions> } = {},
): Promise<{ server: RedisServer; client: Redis; store: BudgetStore }> {
  const server = await startRedis({ args: options.args })
  const client = new Redis({ port: server.port, host: server.host, lazyConnect: true })
  client.on("error", () => {})
  const store = checkedStore(redisStore({ client, ...options.store }))
  onTestFinished(async () => {
    await store.close?.()
    client.disconnect()
    await server.stop()
  })
  return { server, client, store }
}

/** A Cluster of this many nodes, or a single server, and a store as the budget calls it. All end with the test. */
export async function nodesAndStore(
  count: number,
  options: Partial<RedisStoreOptions>,
): Promise<{ urls: string[]; store: BudgetStore }> {
  const cluster = count > 1 ? await startRedisCluster({ nodes: count }) : undefined
  const nodes = cluster?.nodes ?? [await startRedis()]
  const urls = nodes.map(({ url }) => url)
  const client = connect(urls)
  client.on("error", () => {})
  const store = checkedStore(redisStore({ client, ...options }))
  onTestFinished(async () => {
    await store.close?.()
    client.disconnect()
    await Promise.all(nodes.map((node) => node.stop()))
  })
  return { urls, store }
}

/** Repeats a call until it succeeds: a server that was paused needs time. */
export async function eventually<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!StoreError.isInstance(error) || error.code !== "store-unavailable") throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

/** What the call rejected with, which must be a `StoreError`. */
export async function failureOf(call: Promise<unknown>): Promise<StoreError> {
  const outcome = await call.then(
    (value) => new Error(`Expected a StoreError, got ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  if (!StoreError.isInstance(outcome)) throw outcome
  return outcome
}
