import { inspect } from "node:util"
import { describe, expect, it, onTestFinished } from "vitest"
import { redisStore } from "../../src/redis"
import type { BudgetStore, ReserveRequest } from "../../src/store/budget-store"
import { checkedStore } from "../../src/store/checked-store"
import { adjustRequest, counter, reserveRequest, settleRequest, usageEntry } from "../../src/testing/requests"
import { eventually, failureOf, noServer, PATIENT, serverAndStore } from "./own-server"

const LIMIT = 100

const request = (key: string, amount = 10): ReserveRequest => reserveRequest("main", key, [counter("a", amount, LIMIT)])
const counterOf = async (store: BudgetStore) => (await store.read({ partition: "main", counters: ["a"] })).counters[0]

/** Repeats a call until it fails: the connection notices its end after a while. */
async function failure(call: () => Promise<unknown>): Promise<void> {
  while (
    await call().then(
      () => true,
      () => false,
    )
  );
}

/** Every operation that changes a counter. Each must fail. */
async function everyCallFails(store: BudgetStore): Promise<("no" | "maybe")[]> {
  const calls = [
    () => store.reserve(request("r-down")),
    () => store.settle(settleRequest(request("r-down"), [5])),
    () => store.settle(settleRequest(request("r-gone"), [], { outcome: "released" })),
    () => store.adjust(adjustRequest("main", "a-down", "a", "spent", 5)),
  ]
  const outcomes: ("no" | "maybe")[] = []
  for (const call of calls) {
    const failed = await failureOf(call())
    expect(failed.code).toBe("store-unavailable")
    outcomes.push(failed.applied)
  }
  return outcomes
}

describe.skipIf(noServer)("a Redis that fails", () => {
  it("stopped: calls fail, nothing is applied, and they work again once it is back", async () => {
    const { server, store } = await serverAndStore({ args: ["--appendonly", "yes", "--appendfsync", "always"] })
    await eventually(() => store.reserve(request("r1")))
    await server.kill()
    await failure(() => counterOf(store))
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await server.restart()
    expect(await eventually(() => counterOf(store))).toMatchObject({ reserved: 10 })
  })

  it("never started: calls fail, nothing is applied", async () => {
    const { server, store } = await serverAndStore()
    await server.kill()
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
  })

  it("paused: calls fail at the timeout as maybe applied, and each counts once even if it is sent again", async () => {
    const { server, client, store: patient } = await serverAndStore({ store: PATIENT })
    const store = checkedStore(redisStore({ client, timeoutMs: 500 }))
    onTestFinished(() => store.close?.())
    await patient.reserve(request("r1"))
    await eventually(() => counterOf(store))
    server.pause()
    let replies = 0
    const waiting = counterOf(patient).then(() => replies++)
    expect(await everyCallFails(store)).toEqual(["maybe", "maybe", "maybe", "maybe"])
    // The store with a timeout of 20 seconds still waits after four of the shorter timeouts.
    expect(replies).toBe(0)
    server.resume()
    await waiting
    expect(replies).toBe(1)
    // Whichever of them the server applied when it woke up, they count once when they are sent again.
    for (let round = 0; round < 2; round++) {
      await patient.settle(settleRequest(request("r-down"), [5]))
      await patient.adjust(adjustRequest("main", "a-down", "a", "spent", 5))
    }
    expect(await counterOf(patient)).toEqual({ name: "a", spent: 10, reserved: 10, granted: 0 })
  })

  it("read-only after a failover: calls fail, nothing is applied", async () => {
    const { server, client, store } = await serverAndStore({ store: PATIENT })
    const other = await serverAndStore()
    await store.reserve(request("r1"))
    await client.replicaof(other.server.host, other.server.port)
    expect((await failureOf(store.reserve(request("r2")))).applied).toBe("no")
    expect((await failureOf(store.settle(settleRequest(request("r1"), [5])))).applied).toBe("no")
    await client.replicaof("NO", "ONE")
    expect(server.port).not.toBe(other.server.port)
  })

  it("out of memory: calls fail, nothing is partly applied, and open reservations stay open", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("r1"))
    await client.config("SET", "maxmemory", "1mb")
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await client.config("SET", "maxmemory", "0")
    expect(await counterOf(store)).toEqual({ name: "a", spent: 0, reserved: 10, granted: 0 })
    expect(await store.extend({ partition: "main", key: "r-down", leaseMs: 1_000 })).toMatchObject({
      status: "unknown",
    })
    expect(await store.settle(settleRequest(request("r1"), [7]))).toMatchObject({ status: "settled", replayed: false })
  })

  it("out of memory before the first call: calls fail, nothing is applied", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.config("SET", "maxmemory", "1mb")
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await client.config("SET", "maxmemory", "0")
    expect(await store.reserve(request("r1"))).toMatchObject({ status: "ok" })
  })

  it("an error contains no part of the request, unlike the driver's own error", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    const secret = request("r-secret")
    await store.reserve(secret)
    await client.config("SET", "maxmemory", "1mb")
    const settle = settleRequest(secret, [5], { entry: usageEntry("q", 5, { prompt: "PROMPT", userId: "alice" }) })
    const failed = await failureOf(store.settle(settle))
    expect(failed.cause).toMatchObject({ message: expect.stringContaining("OOM") })
    expect(inspect(failed, { depth: 9, showHidden: true })).not.toMatch(/PROMPT|r-secret|alice/)
    await client.config("SET", "maxmemory", "0")
  })

  it("unable to save: calls fail, nothing is applied", async () => {
    const { client, store } = await serverAndStore({ args: ["--min-replicas-to-write", "0"], store: PATIENT })
    await store.reserve(request("r1"))
    await client.config("SET", "min-replicas-to-write", "1")
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await client.config("SET", "min-replicas-to-write", "0")
    expect(await counterOf(store)).toEqual({ name: "a", spent: 0, reserved: 10, granted: 0 })
  })

  it("scripts flushed in the middle: no call fails", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("r1"))
    await client.script("FLUSH")
    expect(await store.reserve(request("r2"))).toMatchObject({ status: "ok", replayed: false })
    await client.script("FLUSH")
    expect(await store.settle(settleRequest(request("r1"), [7]))).toMatchObject({ status: "settled" })
    expect(await counterOf(store)).toEqual({ name: "a", spent: 7, reserved: 10, granted: 0 })
  })

  it("killed and restarted with its append-only file under load: no settle that was replied is lost, none counts twice", async () => {
    const { server, store } = await serverAndStore({
      args: ["--appendonly", "yes", "--appendfsync", "always"],
      store: PATIENT,
    })
    const attempt = (key: string) => ({ ...request(key, 1), counters: [counter("a", 1, null)] })
    const replied = new Set<string>()
    const begun = new Set<string>()
    let enough = () => {}
    const isLoaded = new Promise<void>((resolve) => {
      enough = resolve
    })
    let isDown = false
    const spend = async (lane: number) => {
      for (let turn = 0; !isDown; turn++) {
        const key = `r${lane}.${turn}`
        begun.add(key)
        await store.reserve(attempt(key))
        if ((await store.settle(settleRequest(attempt(key), [1]))).status === "settled") replied.add(key)
        if (replied.size >= 20) enough()
      }
    }
    // Each caller continues until its call fails, so that calls are running when the server is killed.
    const load = Promise.allSettled(Array.from({ length: 32 }, (_, lane) => spend(lane)))
    await isLoaded
    await server.kill()
    isDown = true
    await load
    await server.restart()
    const { spent } = (await eventually(() => counterOf(store)))!
    expect(spent).toBeGreaterThanOrEqual(replied.size)
    expect(spent).toBeLessThanOrEqual(begun.size)
    for (const key of begun) await store.settle(settleRequest(attempt(key), [1]))
    expect(await counterOf(store)).toEqual({ name: "a", spent: begun.size, reserved: 0, granted: 0 })
  })
})
