import { describe, expect, it } from "vitest"
import type { BudgetStore, ReserveRequest } from "../../src/store"
import { adjustRequest, cell, reserveRequest, settleRequest } from "../../src/testing/requests"
import { failureOf, noServer, serverAndStore } from "./own-server"

const ROOT = "main"
const LIMIT = 100
/** The store's timeout, and what a busy machine may take on top of it before a timer runs. */
const IN_TIME_MS = 500 + 250

const request = (id: string, amount = 10): ReserveRequest => reserveRequest(ROOT, id, [cell("a", amount, LIMIT)])
const cellOf = async (store: BudgetStore) => (await store.read({ root: ROOT, keys: ["a"] })).cells[0]

/** Every member that could move money, each of which must fail in time. */
async function everyCallFails(store: BudgetStore): Promise<("no" | "maybe")[]> {
  const calls = [
    () => store.reserve(request("r-down")),
    () => store.settle(settleRequest(request("r-down"), [5])),
    () => store.settle(settleRequest(request("r-gone"), [], { outcome: "release" })),
    () => store.adjust(adjustRequest(ROOT, "a-down", "a", "spent", 5)),
  ]
  const outcomes: ("no" | "maybe")[] = []
  for (const call of calls) {
    const started = performance.now()
    const failure = await failureOf(call())
    expect(performance.now() - started).toBeLessThan(IN_TIME_MS)
    expect(failure.code).toBe("unavailable")
    outcomes.push(failure.applied)
  }
  return outcomes
}

describe.skipIf(noServer)("a Redis that fails", () => {
  it("stopped: refused in time, nothing applied, and works again once it is back", async () => {
    const { server, store } = await serverAndStore({ args: ["--appendonly", "yes", "--appendfsync", "always"] })
    await store.reserve(request("r1"))
    await server.kill()
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await server.restart()
    await expect.poll(() => cellOf(store).catch(() => undefined), { timeout: 10_000 }).toMatchObject({ reserved: 10 })
  })

  it("never there: refused in time", async () => {
    const { server, store } = await serverAndStore()
    await server.kill()
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
  })

  it("paused: refused in time as maybe applied, and each call counts once however often it is sent", async () => {
    const { server, store } = await serverAndStore()
    await store.reserve(request("r1"))
    server.pause()
    expect(await everyCallFails(store)).toEqual(["maybe", "maybe", "maybe", "maybe"])
    server.resume()
    await expect
      .poll(
        () =>
          cellOf(store).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true)
    // Whichever of them were applied while it woke up, sent again they count once.
    for (let round = 0; round < 2; round++) {
      await store.settle(settleRequest(request("r-down"), [5]))
      await store.adjust(adjustRequest(ROOT, "a-down", "a", "spent", 5))
    }
    expect(await cellOf(store)).toEqual({ key: "a", spent: 10, reserved: 10, granted: 0 })
  })

  it("read-only after a failover: refused, not applied", async () => {
    const { server, client, store } = await serverAndStore()
    const other = await serverAndStore()
    await store.reserve(request("r1"))
    await client.replicaof(other.server.host, other.server.port)
    expect((await failureOf(store.reserve(request("r2")))).applied).toBe("no")
    expect((await failureOf(store.settle(settleRequest(request("r1"), [5])))).applied).toBe("no")
    await client.replicaof("NO", "ONE")
    expect(server.port).not.toBe(other.server.port)
  })

  it("out of memory: refused, not applied in part, and what was open stays open", async () => {
    const { client, store } = await serverAndStore()
    await store.reserve(request("r1"))
    await client.config("SET", "maxmemory", "1mb")
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await client.config("SET", "maxmemory", "0")
    expect(await cellOf(store)).toEqual({ key: "a", spent: 0, reserved: 10, granted: 0 })
    expect(await store.extend({ root: ROOT, id: "r-down", leaseMs: 1_000 })).toMatchObject({ state: "unknown" })
    expect(await store.settle(settleRequest(request("r1"), [7]))).toMatchObject({
      result: "committed",
      replayed: false,
    })
  })

  it("unable to save: refused, not applied", async () => {
    const { client, store } = await serverAndStore({ args: ["--min-replicas-to-write", "0"] })
    await store.reserve(request("r1"))
    await client.config("SET", "min-replicas-to-write", "1")
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await client.config("SET", "min-replicas-to-write", "0")
    expect(await cellOf(store)).toEqual({ key: "a", spent: 0, reserved: 10, granted: 0 })
  })

  it("scripts flushed in the middle: nobody notices", async () => {
    const { client, store } = await serverAndStore()
    await store.reserve(request("r1"))
    await client.script("FLUSH")
    expect(await store.reserve(request("r2"))).toMatchObject({ result: "ok", replayed: false })
    await client.script("FLUSH")
    expect(await store.settle(settleRequest(request("r1"), [7]))).toMatchObject({ result: "committed" })
    expect(await cellOf(store)).toEqual({ key: "a", spent: 7, reserved: 10, granted: 0 })
  })

  it("killed and restarted with its append-only file under load: no answered commit is lost, none counts twice", async () => {
    const { server, store } = await serverAndStore({ args: ["--appendonly", "yes", "--appendfsync", "always"] })
    const answered = new Set<string>()
    const spend = async (id: string) => {
      const cells = { ...request(id, 1), cells: [cell("a", 1, null)] }
      await store.reserve(cells)
      if ((await store.settle(settleRequest(cells, [1]))).result === "committed") answered.add(id)
    }
    const ids = Array.from({ length: 400 }, (_, index) => `r${index}`)
    const first = Promise.allSettled(ids.map(spend))
    await expect.poll(() => answered.size, { interval: 1 }).toBeGreaterThan(0)
    await server.kill()
    await first
    await server.restart()
    await expect
      .poll(
        () =>
          cellOf(store).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true)
    const before = (await cellOf(store))!
    expect(before.spent).toBeGreaterThanOrEqual(answered.size)
    for (const id of ids) {
      const cells = { ...request(id, 1), cells: [cell("a", 1, null)] }
      await store.settle(settleRequest(cells, [1]))
    }
    expect(await cellOf(store)).toEqual({ key: "a", spent: ids.length, reserved: 0, granted: 0 })
  })
})
