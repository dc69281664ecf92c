import { startPostgres } from "@p2/postgres-server"
import { startRedis } from "@p2/redis-server"
import { expect, it } from "vitest"
import { type ServedProvider, serveProvider } from "./served-provider"

interface Database {
  url: string
  stop(): Promise<unknown>
}

it.each<[string, () => Promise<Database>]>([
  ["Redis", startRedis],
  ["PostgreSQL", startPostgres],
])("on %s, calls are served while the database answers, and get status 503 when it is gone", async (_name, start) => {
  const database = await start()
  const served = await serveProvider(database.url)
  let isStopped = false
  try {
    const { key } = await served.addKey()
    const fresh = await served.addKey()
    expect(await untilStatus(served, "/ready", 200)).toBe(200)
    expect((await served.call(key)).status).toBe(200)
    await database.stop()
    isStopped = true
    const before = served.provider.ledger.calls.length
    // Without the store no call is admitted, whether or not its key is cached.
    for (const each of [key, fresh.key]) {
      const { status, text } = await served.call(each)
      expect(status).toBe(503)
      expect(text).not.toContain(new URL(database.url).port)
    }
    expect(served.provider.ledger.calls.length).toBe(before)
    expect(await untilStatus(served, "/ready", 503)).toBe(503)
    expect(await untilStatus(served, "/health", 200)).toBe(200)
  } finally {
    await served.close()
    if (!isStopped) await database.stop()
  }
})

/** The readiness is remembered for a second. */
async function untilStatus(served: ServedProvider, path: string, expected: number): Promise<number> {
  let status = 0
  for (let round = 0; round < 200 && status !== expected; round++) {
    status = (await served.call(undefined, { method: "GET", path })).status
    if (status !== expected) await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return status
}
