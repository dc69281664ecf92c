import { Redis } from "ioredis"
import { describe, expect, it, onTestFinished } from "vitest"
import { redisStore } from "../../src/redis"
import { counter, reserveRequest, settleRequest } from "../../src/testing/requests"
import { noServer, PATIENT, serverAndStore } from "./own-server"

const MAX = Number.MAX_SAFE_INTEGER
const request = reserveRequest("main", "r1", [counter("a", MAX - 1, MAX)])

/** A store on a client with these options, of the same server. */
async function storeWith(options: object, store = {}) {
  const { server, client: admin } = await serverAndStore()
  const client = new Redis({ port: server.port, host: server.host, lazyConnect: true, ...options })
  const made = redisStore({ client, ...PATIENT, ...store })
  onTestFinished(async () => {
    await made.close?.()
    client.disconnect()
  })
  return { admin, store: made, server }
}

describe("the client of a Redis store", () => {
  it.each([
    ["nothing", undefined],
    ["an address", "redis://127.0.0.1:6379"],
    ["a node-redis client", { isOpen: true, duplicate: () => {}, connect: () => {}, sendCommand: () => {} }],
    ["an @upstash/redis client", { get: () => {}, evalsha: () => {}, pipeline: () => {} }],
  ])("is rejected immediately if it is %s", (_, client) => {
    expect(() => redisStore({ client: client as never })).toThrow("ioredis")
    expect(() => redisStore({ client: client as never })).toThrow(expect.objectContaining({ kind: "usage" }))
  })

  it("an unknown option is a usage error, with the nearest known option", () => {
    const client = new Redis({ lazyConnect: true })
    expect(() => redisStore({ client, retentionMS: 1_000 } as never)).toThrow("Did you mean `retentionMs`?")
    expect(() => redisStore({ client, ledger: false } as never)).toThrow("Unknown option `ledger`")
  })

  it.each([
    { prefix: "a{b" },
    { prefix: "" },
    { prefix: "a b" },
    { prefix: "x".repeat(65) },
    { retentionMs: 0 },
    { retentionMs: 1.5 },
    { ledgerRetentionMs: -1 },
    { timeoutMs: 0 },
    { timeoutMs: "500" },
  ])("%j is a usage error that names the option", (options) => {
    const client = new Redis({ lazyConnect: true })
    expect(() => redisStore({ client, ...options } as never)).toThrow(`Invalid \`${Object.keys(options)[0]}\``)
  })

  it("a keyPrefix with a brace or a space is a usage error: it would choose another shard", () => {
    const client = new Redis({ lazyConnect: true, keyPrefix: "{other}" })
    expect(() => redisStore({ client })).toThrow("keyPrefix")
  })

  describe.skipIf(noServer)("on a server", () => {
    it("its keyPrefix comes before the store's prefix, so that two applications share no budget", async () => {
      const { admin, store, server } = await storeWith({ keyPrefix: "app1:" })
      const other = new Redis({ port: server.port, keyPrefix: "app2:", lazyConnect: true })
      const otherStore = redisStore({ client: other, ...PATIENT })
      await store.reserve(request)
      expect((await store.listCounters({ partition: "main", cursor: null, limit: 10 })).counters).toHaveLength(1)
      expect(await otherStore.reserve(request)).toMatchObject({ status: "ok", replayed: false })
      const keys = await admin.keys("*")
      expect(keys.filter((key) => key.startsWith("app1:p2:{main}:"))).toHaveLength(keys.length / 2)
      expect(keys.filter((key) => key.startsWith("app2:p2:{main}:"))).toHaveLength(keys.length / 2)
      await otherStore.close?.()
      other.disconnect()
    })

    it.each([
      ["stringNumbers", { stringNumbers: true }],
      ["replyMapping resp3", { protocol: 3, replyMapping: "resp3" }],
      ["protocol 2", { protocol: 2 }],
      ["auto-pipelining", { enableAutoPipelining: true }],
      ["a command timeout of a millisecond", { commandTimeout: 1 }],
      ["an offline queue and resending", { enableOfflineQueue: true, autoResendUnfulfilledCommands: true }],
    ])("%s changes no reply", async (_, options) => {
      const { store } = await storeWith(options)
      expect(await store.reserve(request)).toMatchObject({
        status: "ok",
        replayed: false,
        due: false,
        counters: [{ name: "a", spent: 0, reserved: MAX - 1, granted: 0 }],
      })
      expect(await store.settle(settleRequest(request, [MAX]))).toMatchObject({
        status: "settled",
        recovered: false,
        counters: [{ spent: MAX, peak: MAX, peakBefore: 0 }],
      })
      const [entry] = await store.ledger!.get({ partition: "main", requestId: "r1" })
      expect(entry!.charges).toEqual({ a: MAX })
      expect(await store.check({ partition: "main" })).toMatchObject({ ok: true, damaged: [], clockBehindMs: 0 })
    })

    it("keeps the database and the name of the client", async () => {
      const { admin, store } = await storeWith({ db: 3 })
      await store.reserve(request)
      expect(await admin.dbsize()).toBe(0)
      await admin.select(3)
      expect(await admin.dbsize()).toBeGreaterThan(0)
    })

    it("without a ledger nothing of an entry is written", async () => {
      const { admin, store } = await storeWith({}, { ledgerRetentionMs: 0 })
      expect(store.ledger).toBeUndefined()
      await store.reserve(request)
      await store.settle(settleRequest(request, [5]))
      const keys = await admin.keys("*")
      expect(keys.sort()).toEqual(["p2:{main}:c:a", "p2:{main}:r:r1", "p2:{main}:time"])
    })
  })
})
