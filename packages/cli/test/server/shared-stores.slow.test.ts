import { startPostgres } from "@p2/postgres-server"
import { startRedis } from "@p2/redis-server"
import { expect, it } from "vitest"
import { soon } from "../support/soon"
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
    await soon(() => statusOf(served, "/ready")).toBe(200)
    // A slow key lookup gives status 503.
    await soon(async () => (await served.call(key)).status).toBe(200)
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
    await soon(() => statusOf(served, "/ready")).toBe(503)
    expect(await statusOf(served, "/health")).toBe(200)
  } finally {
    await served.close()
    if (!isStopped) await database.stop()
  }
})

async function statusOf(served: ServedProvider, path: string): Promise<number> {
  return (await served.call(undefined, { method: "GET", path })).status
}
