import { Cluster, Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { redisStore } from "../../src/redis"
import { ownConnection } from "../../src/redis/redis-client"
import { adjustRequest, cell, reserveRequest, settleRequest } from "../../src/testing/requests"
import { failureOf, noServer, serverAndStore } from "./own-server"

const ROOT = "main"
/** No test here is about the timeout, and the machine may be busy. */
const PATIENT = { timeoutMs: 20_000 }
const MAX = Number.MAX_SAFE_INTEGER
const request = (id: string, amount = 1, more = {}) => reserveRequest(ROOT, id, [cell("a", amount, null, more)])

describe.skipIf(noServer)("what goes wrong with Redis when nobody looks", () => {
  it("keeps all digits of a number, where Lua's own conversion keeps 14", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    expect(await client.eval("return tostring(1e15 + 1)", 0)).not.toBe("1000000000000001")
    for (const [index, amount] of [1e14 + 1, 1e15 + 1, MAX - 1, MAX].entries()) {
      const own = reserveRequest(ROOT, `r${index}`, [cell(`k${index}`, amount, amount)])
      await store.reserve(own)
      await store.settle(settleRequest(own, [amount]))
      expect((await store.read({ root: ROOT, keys: [`k${index}`] })).cells[0]!.spent).toBe(amount)
    }
  })

  it("a key of another type is damage, not zero, in cells and records", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.hset(`p2:5:{${ROOT}}:c:a`, "spent", "0")
    const cells = [cell("b", 1, 10), cell("a", 1, 10)]
    expect(await failureOf(store.reserve(reserveRequest(ROOT, "r1", cells)))).toMatchObject({
      code: "corrupt",
      applied: "no",
    })
    expect(await failureOf(store.read({ root: ROOT, keys: ["a"] }))).toMatchObject({ code: "corrupt" })
    expect((await store.read({ root: ROOT, keys: ["b"] })).cells[0]!.reserved).toBe(0)
    await client.sadd(`p2:5:{${ROOT}}:r:r2`, "x")
    expect(await failureOf(store.reserve(reserveRequest(ROOT, "r2", [cell("b", 1)])))).toMatchObject({
      code: "corrupt",
    })
    const lost = settleRequest(reserveRequest(ROOT, "r2", [cell("b", 1)]), [1])
    expect(await failureOf(store.settle(lost))).toMatchObject({ code: "corrupt", applied: "no" })
    expect((await store.read({ root: ROOT, keys: ["b"] })).cells[0]).toMatchObject({ spent: 0, reserved: 0 })
  })

  it("a damaged record or cell is set aside, and does not stop the leases behind it", async () => {
    let now = Date.UTC(2060, 0, 1)
    const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    for (const id of ["r1", "r2", "r3"]) {
      await store.reserve(reserveRequest(ROOT, id, [cell(`of.${id}`, 5), cell("a", 5)], { leaseMs: 1_000 }))
    }
    await client.set(`p2:5:{${ROOT}}:r:r1`, "nonsense")
    await client.set(`p2:5:{${ROOT}}:c:of.r2`, "nonsense")
    now += 2_000
    const swept = await store.sweep({ root: ROOT, max: 10 })
    expect(swept.expired.map((one) => one.id)).toEqual(["r3"])
    expect(swept.more).toBe(false)
    // Their money stays reserved, and their ids are at hand for whoever repairs them.
    expect(await client.zrange(`p2:5:{${ROOT}}:q`, "0", "-1")).toEqual(["r1", "r2"])
    expect((await store.read({ root: ROOT, keys: ["a"] })).cells[0]).toMatchObject({ spent: 5, reserved: 10 })
    expect(await client.get(`p2:5:{${ROOT}}:r:r1`)).toBe("nonsense")
    await client.del(`p2:5:{${ROOT}}:c:of.r2`)
    const late = reserveRequest(ROOT, "r2", [cell("of.r2", 5), cell("a", 5)])
    expect(await store.settle(settleRequest(late, [2, 2]))).toMatchObject({ result: "committed" })
    expect(await client.zrange(`p2:5:{${ROOT}}:q`, "0", "-1")).toEqual(["r1"])
  })

  it("every key has the root as its hash tag, whatever the prefix of the user's client", async () => {
    const { server, client } = await serverAndStore({ store: PATIENT })
    const prefixed = new Redis({ port: server.port, host: server.host, keyPrefix: "{other}", lazyConnect: true })
    const store = redisStore({ client: prefixed, prefix: "money", ...PATIENT })
    await store.reserve(request("r1"))
    await store.settle(settleRequest(request("r1"), [1]))
    const keys = await client.keys("*")
    expect(keys.length).toBeGreaterThan(0)
    for (const key of keys) expect(key).toMatch(/^money:5:\{main\}:/)
    await store.close?.()
    prefixed.disconnect()
    for (const prefix of ["a{b", "", "a b", "x".repeat(65)]) {
      expect(() => redisStore({ client, prefix })).toThrow("prefix")
    }
  })

  it("uses the server's time: a client whose clock is wrong changes nothing", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    const [seconds] = (await client.time()) as unknown as [number]
    const answer = await store.reserve(request("r1"))
    expect(Math.abs(answer.now - Number(seconds) * 1_000)).toBeLessThan(60_000)
    const wrong = { startsAt: answer.now + 600_000, endsAt: answer.now + 86_400_000 }
    expect(await store.reserve(request("r2", 1, wrong))).toMatchObject({ result: "stale-window" })
  })

  it("works on a connection of its own that queues and resends nothing, and closes only that", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.ping()
    await store.reserve(request("r1"))
    await store.close?.()
    expect(await client.ping()).toBe("PONG")
    expect(await failureOf(store.reserve(request("r2")))).toMatchObject({ code: "unavailable", applied: "no" })
    const own = ownConnection(client, 500) as unknown as Redis
    expect(own.options).toMatchObject({
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      keyPrefix: "",
    })
    const cluster = new Cluster([{ host: "127.0.0.1", port: 1 }], { lazyConnect: true })
    const ownCluster = ownConnection(cluster, 500) as unknown as Cluster
    expect(ownCluster.options).toMatchObject({
      enableOfflineQueue: false,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      redisOptions: { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
    })
  })

  it("leaves no key without an end but what must not end: open leases and endless cells", async () => {
    let now = Date.UTC(2060, 0, 1)
    const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const day = { startsAt: now, endsAt: now + 86_400_000 }
    const entry = {
      requestId: "q1",
      attempt: 1,
      model: "m",
      reservedNanoUsd: 5,
      status: "succeeded",
      tokens: {},
      costNanoUsd: 3,
      costSource: "table",
    } as const
    const draft = { requestId: "q1", attempt: 1, model: "m", reservedNanoUsd: 5 }
    const cells = [cell("day", 5, 10, day), cell("idle", 5, 10, { keepMs: 1_000 })]
    for (const id of ["committed", "expired", "released"]) {
      await store.reserve(
        reserveRequest(
          ROOT,
          id,
          cells.map((one) => ({ ...one, amount: 3, onExpire: 3 })),
          { draft, leaseMs: 500 },
        ),
      )
    }
    const own = (id: string) =>
      reserveRequest(
        ROOT,
        id,
        cells.map((one) => ({ ...one, amount: 3, onExpire: 3 })),
      )
    await store.settle(settleRequest(own("committed"), [3, 3], { entry }))
    await store.settle(settleRequest(own("released"), [], { outcome: "release" }))
    await store.adjust({ root: ROOT, id: "a1", cell: cells[0]!, kind: "spent", delta: 1 })
    now += 1_000
    await store.sweep({ root: ROOT, max: 10 })
    await store.ledger!.record({ root: ROOT, id: "refused", entry: { ...entry, status: "refused" } })
    const keys = await client.keys("*")
    expect(keys.filter((key) => key.includes(":u:")).length).toBeGreaterThanOrEqual(3)
    for (const key of keys) expect([key, await client.pttl(key)]).toEqual([key, expect.any(Number)])
    const endless = []
    for (const key of keys) if ((await client.pttl(key)) === -1) endless.push(key)
    expect(endless).toEqual([])
  })

  it.each(["held", "expired", "committed"])(
    "a settle that names the cells of the next window moves the money of its own, while %s",
    async (state) => {
      const midnight = Date.UTC(2060, 0, 2)
      let now = midnight - 1_000
      const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
      const day = (key: string, startsAt: number) => cell(key, 10, 10, { startsAt, endsAt: startsAt + 86_400_000 })
      const draft = { requestId: "q1", attempt: 1, model: "m", reservedNanoUsd: 10 }
      const entry = { ...draft, status: "succeeded", tokens: {}, costNanoUsd: 4, costSource: "table" } as const
      const asked = (cells: ReturnType<typeof cell>[]) => reserveRequest(ROOT, "r1", cells, { leaseMs: 500, draft })
      const before = asked([day("day.1", midnight - 86_400_000), cell("total", 10)])
      const after = { ...before, cells: [day("day.2", midnight), cell("total", 10)] }
      const { now: at } = await store.reserve(before)
      if (state === "committed") await store.settle(settleRequest(before, [9, 9], { entry }))
      if (state === "expired") now += 600
      if (state === "expired") expect((await store.sweep({ root: ROOT, max: 1 })).expired).toHaveLength(1)
      now = midnight + 1_000
      const end = await client.pexpiretime(`p2:5:{${ROOT}}:c:day.1`)
      const settled = await store.settle(settleRequest(after, [4, 4], { entry, revision: 1 }))
      expect(settled).toMatchObject({ result: "committed", late: state === "expired" })
      expect(settled.cells.map(({ key, spent, reserved }) => [key, spent, reserved])).toEqual([
        ["day.1", 4, 0],
        ["total", 4, 0],
      ])
      const { cells } = await store.read({ root: ROOT, keys: ["day.1", "day.2", "total"] })
      expect(cells.map(({ spent, reserved }) => [spent, reserved])).toEqual([
        [4, 0],
        [0, 0],
        [4, 0],
      ])
      expect(await client.pexpiretime(`p2:5:{${ROOT}}:c:day.1`)).toBe(end)
      const [stored, ...more] = await store.ledger!.get({ root: ROOT, requestId: "q1" })
      expect(stored).toMatchObject({
        at: state === "expired" ? at + 600 : expect.any(Number),
        charges: { "day.1": 4, total: 4 },
      })
      expect(more).toEqual([])
      const again = await store.settle(settleRequest(after, [4, 4], { entry, revision: 1 }))
      expect(again).toMatchObject({ result: "committed", replayed: true })
      const stranger = { ...after, fingerprint: "another" }
      expect(await store.settle(settleRequest(stranger, [4, 4], { revision: 2 }))).toMatchObject({ result: "mismatch" })
    },
  )

  it("closed with calls on their way: each of them ends, and none is said not to be applied that was", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("first"))
    const ids = Array.from({ length: 50 }, (_, index) => `r${index}`)
    const calls = ids.map((id) => store.reserve(request(id)))
    await store.close?.()
    const outcomes = await Promise.allSettled(calls)
    const other = redisStore({ client, ...PATIENT })
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") continue
      expect(outcome.reason).toMatchObject({ name: "StoreError", code: "unavailable" })
      if (outcome.reason.applied === "maybe") continue
      expect(await other.extend({ root: ROOT, id: ids[index]!, leaseMs: 1 })).toMatchObject({ state: "unknown" })
    }
    await other.close?.()
  })

  it("a cell leaves at the end it was last given, also where most changes leave the end of its key alone", async () => {
    const now = Date.UTC(2060, 0, 1)
    const { client, store } = await serverAndStore({ store: { ...PATIENT, retentionMs: 60_000, now: () => now } })
    const endOf = (key: string) => client.pexpiretime(`p2:5:{${ROOT}}:c:${key}`)
    const take = (id: string, more: object) => reserveRequest(ROOT, id, [cell("a", 1, null, more)], { leaseMs: 1_000 })
    for (const [id, endsAt] of Object.entries({ r1: now + 1_000, r2: now + 1_000, r3: now + 9_000 })) {
      await store.reserve(take(id, { startsAt: now, endsAt }))
      expect(await endOf("a")).toBe(endsAt + 60_000)
    }
    // Endless, then kept for a while: never while something is reserved, and a while after every change that leaves nothing.
    await store.reserve(take("r4", {}))
    expect(await endOf("a")).toBe(-1)
    for (const id of ["r1", "r2", "r3", "r4"]) {
      const kept = { ...take(id, { keepMs: 5_000 }) }
      expect(await endOf("a")).toBe(-1)
      expect(await store.settle(settleRequest(kept, [1]))).toMatchObject({ result: "committed" })
    }
    expect(await endOf("a")).toBe(now + 5_000)
    expect((await store.read({ root: ROOT, keys: ["a"] })).cells[0]).toMatchObject({ spent: 4, reserved: 0 })
    await store.adjust(adjustRequest(ROOT, "a1", "a", "spent", 5))
    expect(await endOf("a")).toBe(-1)
  })

  it.each([
    ["too short", Buffer.alloc(32)],
    ["a part of a unit", Buffer.from(new Float64Array([0.5, 0, 0, 0, 0]).buffer)],
    ["no number", Buffer.from(new Float64Array([Number.NaN, 0, 0, 0, 0]).buffer)],
    ["less than nothing reserved", Buffer.from(new Float64Array([0, -1, 0, 0, 0]).buffer)],
    ["more than can be counted", Buffer.from(new Float64Array([0, 0, 0, 2 ** 53, 0]).buffer)],
  ])("a damaged cell (%s) is refused by every member and stays as it is", async (_, damaged) => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.set(`p2:5:{${ROOT}}:c:a`, damaged)
    const calls = [
      () => store.reserve(request("r1")),
      () => store.settle(settleRequest(request("r1"), [1])),
      () => store.read({ root: ROOT, keys: ["a"] }),
      () => store.adjust(adjustRequest(ROOT, "a1", "a", "reset", 0)),
    ]
    for (const call of calls) expect(await failureOf(call())).toMatchObject({ code: "corrupt", applied: "no" })
    expect(await client.getBuffer(`p2:5:{${ROOT}}:c:a`)).toEqual(damaged)
    expect(await client.exists(`p2:5:{${ROOT}}:r:r1`)).toBe(0)
  })

  it("a clock that goes back gives no money back, ends no lease early and keeps entries in order", async () => {
    let now = Date.UTC(2060, 0, 1)
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const draft = { requestId: "q1", attempt: 1, model: "m", reservedNanoUsd: 1 }
    const entry = { ...draft, status: "succeeded", tokens: {}, costNanoUsd: 1, costSource: "table" } as const
    const limited = (id: string) => reserveRequest(ROOT, id, [cell("a", 1, 3)], { leaseMs: 1_000, draft })
    for (const id of ["r1", "r2"]) await store.reserve(limited(id))
    await store.settle(settleRequest(limited("r1"), [1], { entry }))
    now -= 3_600_000
    expect(await store.reserve(limited("r1"))).toMatchObject({ result: "resolved", state: "committed" })
    expect(await store.reserve(limited("r2"))).toMatchObject({ result: "ok", replayed: true })
    expect(await store.reserve(limited("r3"))).toMatchObject({ result: "ok", expired: [] })
    expect(await store.reserve(limited("r4"))).toMatchObject({ result: "exceeded" })
    for (const id of ["r1", "r2", "r3"]) {
      expect(await store.settle(settleRequest(limited(id), [1], { entry }))).toMatchObject({ result: "committed" })
    }
    expect((await store.read({ root: ROOT, keys: ["a"] })).cells[0]).toMatchObject({ spent: 3, reserved: 0 })
    const entries = await store.ledger!.get({ root: ROOT, requestId: "q1" })
    expect(entries.map(({ id }) => id).sort()).toEqual(["r1", "r2", "r3"])
    expect(Math.min(...entries.map(({ at }) => at))).toBe(now + 3_600_000)
  })

  it("calls of one tick, far more than one write takes, are each answered with their own answer", async () => {
    const { store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("first"))
    const amounts = Array.from({ length: 100 }, (_, index) => index + 1)
    const answers = await Promise.all(
      amounts.map((amount) => store.reserve(reserveRequest(ROOT, `r${amount}`, [cell(`k${amount}`, amount)]))),
    )
    expect(answers.map((answer) => answer.cells[0])).toEqual(
      amounts.map((amount) => ({ key: `k${amount}`, spent: 0, reserved: amount, granted: 0 })),
    )
  })

  it("an option that does not exist is a mistake, with the nearest that does", () => {
    const client = { status: "wait", duplicate: () => undefined }
    expect(() => redisStore({ client, retentionMS: 1_000 } as never)).toThrow("retentionMs")
  })

  it("a lease longer than the retention is a mistake", async () => {
    const { store } = await serverAndStore({ store: { ...PATIENT, retentionMs: 1_000 } })
    await expect(store.reserve({ ...request("r1"), leaseMs: 1_001 })).rejects.toMatchObject({ kind: "usage" })
  })

  it("twenty thousand expired reservations end in steps of at most 32", async () => {
    let now = Date.UTC(2060, 0, 1)
    const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now, ledger: false } })
    const cells = [cell("a", 1), cell("b", 1), cell("c", 1)]
    const waiting = 20_000
    for (let from = 0; from < waiting; from += 2_000) {
      const ids = Array.from({ length: 2_000 }, (_, index) => `r${from + index}`)
      await Promise.all(ids.map((id) => store.reserve(reserveRequest(ROOT, id, cells, { leaseMs: 1_000 }))))
    }
    now += 2_000
    await client.config("RESETSTAT")
    expect(await store.reserve(request("last"))).toMatchObject({ backlog: true, expired: { length: 16 } })
    const { expired, more } = await store.sweep({ root: ROOT, max: waiting })
    expect([expired.length, more]).toEqual([waiting - 16, false])
    // 32 leases a step: the number of calls is the bound, since a time would depend on the machine.
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await client.info("commandstats"))
    expect(Number(calls![1])).toBeLessThanOrEqual(3 + Math.ceil(waiting / 32) + 1)
    expect((await store.read({ root: ROOT, keys: ["a"] })).cells[0]).toMatchObject({ spent: waiting, reserved: 1 })
  })
})
