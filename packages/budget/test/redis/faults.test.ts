import { inspect } from "node:util"
import { describe, expect, it, onTestFinished } from "vitest"
import { redisStore } from "../../src/redis"
import type { BudgetStore, ReserveRequest } from "../../src/store"
import { adjustRequest, cell, reserveRequest, settleRequest } from "../../src/testing/requests"
import { eventually, failureOf, noServer, serverAndStore } from "./own-server"

const ROOT = "main"
const LIMIT = 100
/** Far beyond what a busy machine takes: where the timeout is not what a test is about. */
const PATIENT = { timeoutMs: 20_000 }

const request = (id: string, amount = 10): ReserveRequest => reserveRequest(ROOT, id, [cell("a", amount, LIMIT)])
const cellOf = async (store: BudgetStore) => (await store.read({ root: ROOT, keys: ["a"] })).cells[0]

/** The first failure of a call that is made again and again: the connection learns of its end in its own time. */
async function failure(call: () => Promise<unknown>): Promise<void> {
  while (
    await call().then(
      () => true,
      () => false,
    )
  );
}

/** Every member that could move money, each of which must fail; that it does at all is what the timeout is for. */
async function everyCallFails(store: BudgetStore): Promise<("no" | "maybe")[]> {
  const calls = [
    () => store.reserve(request("r-down")),
    () => store.settle(settleRequest(request("r-down"), [5])),
    () => store.settle(settleRequest(request("r-gone"), [], { outcome: "release" })),
    () => store.adjust(adjustRequest(ROOT, "a-down", "a", "spent", 5)),
  ]
  const outcomes: ("no" | "maybe")[] = []
  for (const call of calls) {
    const failure = await failureOf(call())
    expect(failure.code).toBe("unavailable")
    outcomes.push(failure.applied)
  }
  return outcomes
}

describe.skipIf(noServer)("a Redis that fails", () => {
  it("stopped: refused, nothing applied, and works again once it is back", async () => {
    const { server, store } = await serverAndStore({ args: ["--appendonly", "yes", "--appendfsync", "always"] })
    await eventually(() => store.reserve(request("r1")))
    await server.kill()
    await failure(() => cellOf(store))
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await server.restart()
    expect(await eventually(() => cellOf(store))).toMatchObject({ reserved: 10 })
  })

  it("never there: refused", async () => {
    const { server, store } = await serverAndStore()
    await server.kill()
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
  })

  it("paused: refused at the timeout as maybe applied, and each call counts once however often it is sent", async () => {
    const { server, client, store: patient } = await serverAndStore({ store: PATIENT })
    const store = redisStore({ client, timeoutMs: 500 })
    onTestFinished(() => store.close?.())
    await patient.reserve(request("r1"))
    await eventually(() => cellOf(store))
    server.pause()
    let answers = 0
    const waiting = cellOf(patient).then(() => answers++)
    expect(await everyCallFails(store)).toEqual(["maybe", "maybe", "maybe", "maybe"])
    // Four timeouts of 500 ms went by, and the store that was given 20 seconds still waits: the option decides.
    expect(answers).toBe(0)
    server.resume()
    await waiting
    expect(answers).toBe(1)
    // Whichever of them were applied while it woke up, sent again they count once.
    for (let round = 0; round < 2; round++) {
      await patient.settle(settleRequest(request("r-down"), [5]))
      await patient.adjust(adjustRequest(ROOT, "a-down", "a", "spent", 5))
    }
    expect(await cellOf(patient)).toEqual({ key: "a", spent: 10, reserved: 10, granted: 0 })
  })

  it("read-only after a failover: refused, not applied", async () => {
    const { server, client, store } = await serverAndStore({ store: PATIENT })
    const other = await serverAndStore()
    await store.reserve(request("r1"))
    await client.replicaof(other.server.host, other.server.port)
    expect((await failureOf(store.reserve(request("r2")))).applied).toBe("no")
    expect((await failureOf(store.settle(settleRequest(request("r1"), [5])))).applied).toBe("no")
    await client.replicaof("NO", "ONE")
    expect(server.port).not.toBe(other.server.port)
  })

  it("out of memory: refused, not applied in part, and what was open stays open", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
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

  it("an error shows nothing of what was sent, as the driver's own would", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    const asked = { ...request("r-secret"), draft: { requestId: "r", attempt: 1, model: "m", reservedNanoUsd: 1 } }
    await store.reserve(asked)
    await client.config("SET", "maxmemory", "1mb")
    const entry = { ...asked.draft, status: "succeeded", tokens: {}, costNanoUsd: 5, costSource: "table" } as const
    const settle = store.settle({ ...settleRequest(asked, [5]), entry: { ...entry, prompt: "PROMPT" } })
    const failure = await failureOf(settle)
    expect(failure.cause).toMatchObject({ message: expect.stringContaining("OOM") })
    expect(inspect(failure, { depth: 9 })).not.toMatch(/PROMPT|r-secret/)
    await client.config("SET", "maxmemory", "0")
  })

  it("unable to save: refused, not applied", async () => {
    const { client, store } = await serverAndStore({ args: ["--min-replicas-to-write", "0"], store: PATIENT })
    await store.reserve(request("r1"))
    await client.config("SET", "min-replicas-to-write", "1")
    expect(await everyCallFails(store)).toEqual(["no", "no", "no", "no"])
    await client.config("SET", "min-replicas-to-write", "0")
    expect(await cellOf(store)).toEqual({ key: "a", spent: 0, reserved: 10, granted: 0 })
  })

  it("scripts flushed in the middle: nobody notices", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("r1"))
    await client.script("FLUSH")
    expect(await store.reserve(request("r2"))).toMatchObject({ result: "ok", replayed: false })
    await client.script("FLUSH")
    expect(await store.settle(settleRequest(request("r1"), [7]))).toMatchObject({ result: "committed" })
    expect(await cellOf(store)).toEqual({ key: "a", spent: 7, reserved: 10, granted: 0 })
  })

  it("killed and restarted with its append-only file under load: no answered commit is lost, none counts twice", async () => {
    const { server, store } = await serverAndStore({
      args: ["--appendonly", "yes", "--appendfsync", "always"],
      store: PATIENT,
    })
    const attempt = (id: string) => ({ ...request(id, 1), cells: [cell("a", 1, null)] })
    const answered = new Set<string>()
    const begun = new Set<string>()
    let enough = () => {}
    const isLoaded = new Promise<void>((resolve) => {
      enough = resolve
    })
    let isDown = false
    const spend = async (lane: number) => {
      for (let turn = 0; !isDown; turn++) {
        const id = `r${lane}.${turn}`
        begun.add(id)
        await store.reserve(attempt(id))
        if ((await store.settle(settleRequest(attempt(id), [1]))).result === "committed") answered.add(id)
        if (answered.size >= 20) enough()
      }
    }
    // Every lane goes on until its call fails, so that the server is killed with calls on their way.
    const load = Promise.allSettled(Array.from({ length: 32 }, (_, lane) => spend(lane)))
    await isLoaded
    await server.kill()
    isDown = true
    await load
    await server.restart()
    const { spent } = (await eventually(() => cellOf(store)))!
    expect(spent).toBeGreaterThanOrEqual(answered.size)
    expect(spent).toBeLessThanOrEqual(begun.size)
    for (const id of begun) await store.settle(settleRequest(attempt(id), [1]))
    expect(await cellOf(store)).toEqual({ key: "a", spent: begun.size, reserved: 0, granted: 0 })
  })
})
