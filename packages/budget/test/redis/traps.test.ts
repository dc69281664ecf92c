import { Cluster, type Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { redisStore } from "../../src/redis"
import { ownConnection } from "../../src/redis/client"
import { adjustRequest, counter, reserveRequest, settleRequest, usageEntry } from "../../src/testing/requests"
import { failureOf, noServer, PATIENT, serverAndStore } from "./own-server"

const MAX = Number.MAX_SAFE_INTEGER
const START = Date.UTC(2060, 0, 1)
const MARGIN_MS = 7 * 86_400_000
const BASE = "p2:{main}:"
const request = (key: string, amount = 1, more = {}) => reserveRequest("main", key, [counter("a", amount, null, more)])

describe.skipIf(noServer)("what can go wrong with Redis unnoticed", () => {
  it("keeps all digits of a number, where Lua's own conversion keeps 14", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    expect(await client.eval("return tostring(1e15 + 1)", 0)).not.toBe("1000000000000001")
    for (const [index, amount] of [1e14 + 1, 1e15 + 1, MAX - 1, MAX].entries()) {
      const name = `k${index}`
      const own = reserveRequest("main", `r${index}`, [counter(name, amount, amount)])
      expect(await store.reserve(own)).toMatchObject({ counters: [{ reserved: amount }] })
      expect(await store.settle(settleRequest(own, [amount]))).toMatchObject({ counters: [{ spent: amount }] })
      expect((await store.read({ partition: "main", counters: [name] })).counters[0]!.spent).toBe(amount)
      const [entry] = await store.ledger!.get({ partition: "main", requestId: `r${index}` })
      expect(entry!.charges).toEqual({ [name]: amount })
      const adjusted = await store.adjust(adjustRequest("main", `a${index}`, `g${index}`, "granted", amount))
      expect(adjusted).toMatchObject({ applied: amount, counter: { granted: amount } })
    }
  })

  it("a key of another type is damage, not zero, in counters and reservations", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.sadd(`${BASE}c:a`, "x")
    const counters = [counter("b", 1, 10), counter("a", 1, 10)]
    expect(await failureOf(store.reserve(reserveRequest("main", "r1", counters)))).toMatchObject({
      code: "store-corrupt",
      applied: "no",
    })
    expect(await failureOf(store.read({ partition: "main", counters: ["a"] }))).toMatchObject({ code: "store-corrupt" })
    expect((await store.read({ partition: "main", counters: ["b"] })).counters[0]!.reserved).toBe(0)
    await client.sadd(`${BASE}r:r2`, "x")
    const r2 = reserveRequest("main", "r2", [counter("b", 1)])
    expect(await failureOf(store.reserve(r2))).toMatchObject({ code: "store-corrupt", applied: "no" })
    expect((await store.read({ partition: "main", counters: ["b"] })).counters[0]!.reserved).toBe(0)
    // The record reads as held, so the settle counts its cost.
    expect(await store.settle(settleRequest(r2, [1]))).toMatchObject({ status: "settled", recovered: true })
    expect((await store.read({ partition: "main", counters: ["b"] })).counters[0]).toMatchObject({
      spent: 1,
      reserved: 0,
    })
  })

  it("a damaged reservation or counter is set aside, and does not stop the leases behind it", async () => {
    let now = START
    const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const countersOf = (key: string) => [counter(`of.${key}`, 5), counter("a", 5)]
    for (const key of ["r1", "r2", "r3"]) {
      await store.reserve(reserveRequest("main", key, countersOf(key), { leaseMs: 1_000 }))
    }
    await client.set(`${BASE}r:r1`, "nonsense")
    await client.set(`${BASE}c:of.r2`, "nonsense")
    now += 2_000
    const { due } = await store.listDue({ partition: "main", limit: 10 })
    expect(due).toEqual([
      { key: "r1", counters: [] },
      { key: "r2", counters: ["of.r2", "a"] },
      { key: "r3", counters: ["of.r3", "a"] },
    ])
    const statuses = await Promise.all(due.map((one) => store.expire({ partition: "main", ...one })))
    expect(statuses.map(({ status }) => status)).toEqual(["damaged", "damaged", "expired"])
    expect((await store.listDue({ partition: "main", limit: 10 })).due).toEqual([])
    // Their amounts stay reserved, and their keys are listed for a repair.
    expect(await store.check({ partition: "main" })).toMatchObject({ ok: true, damaged: ["r1", "r2"] })
    expect((await store.read({ partition: "main", counters: ["a"] })).counters[0]).toMatchObject({
      spent: 5,
      reserved: 10,
    })
    expect(await client.get(`${BASE}r:r1`)).toBe("nonsense")
    await client.del(`${BASE}c:of.r2`)
    const late = reserveRequest("main", "r2", countersOf("r2"))
    expect(await store.settle(settleRequest(late, [2, 2]))).toMatchObject({ status: "settled" })
    expect((await store.check({ partition: "main" })).damaged).toEqual(["r1"])
    const lost = reserveRequest("main", "r1", countersOf("r1"))
    expect(await store.settle(settleRequest(lost, [3, 3]))).toMatchObject({ status: "settled", recovered: true })
    expect((await store.check({ partition: "main" })).damaged).toEqual([])
    const { counters } = await store.read({ partition: "main", counters: ["of.r1", "of.r2", "a"] })
    expect(counters.map(({ spent, reserved }) => [spent, reserved])).toEqual([
      [3, 0],
      [2, 0],
      [10, 0],
    ])
  })

  it.each([
    ["a field of another kind", "spent", "many"],
    ["a part of a unit", "spent", "0.5"],
    ["no number", "granted", "nan"],
    ["infinite", "spent", "inf"],
    ["less than nothing reserved", "reserved", "-1"],
    ["more than can be counted", "spent", "9007199254740992"],
    ["missing", "peak", null],
  ])("a damaged counter (%s) is rejected by every member and stays as it is", async (_, field, value) => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.adjust(adjustRequest("main", "a0", "a", "spent", 5))
    if (value === null) await client.hdel(`${BASE}c:a`, field)
    else await client.hset(`${BASE}c:a`, field, value)
    const damaged = await client.hgetall(`${BASE}c:a`)
    const calls = [
      () => store.reserve(request("r1")),
      () => store.settle(settleRequest(request("r1"), [1])),
      () => store.read({ partition: "main", counters: ["a"] }),
      () => store.adjust(adjustRequest("main", "a1", "a", "reset", 0)),
    ]
    for (const call of calls) expect(await failureOf(call())).toMatchObject({ code: "store-corrupt", applied: "no" })
    expect(await client.hgetall(`${BASE}c:a`)).toEqual(damaged)
    expect(await client.exists(`${BASE}r:r1`)).toBe(0)
    expect(await store.listCounters({ partition: "main", cursor: null, limit: 10 })).toMatchObject({
      counters: [],
      damaged: ["a"],
    })
  })

  it.each([
    ["no revision", "@revision", null],
    ["a revision that is no number", "@revision", "first"],
    ["no end of its retention", "@forgetAt", null],
    ["an end of its retention that is no integer", "@forgetAt", "0.5"],
  ])("a damaged resolved reservation (%s) is rejected by reserve and extend", async (_, field, value) => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("r1"))
    await store.settle(settleRequest(request("r1"), [1]))
    if (value === null) await client.hdel(`${BASE}r:r1`, field)
    else await client.hset(`${BASE}r:r1`, field, value)
    const calls = [store.reserve(request("r1")), store.extend({ partition: "main", key: "r1", leaseMs: 1 })]
    for (const call of calls) expect(await failureOf(call)).toMatchObject({ code: "store-corrupt", applied: "no" })
    expect((await store.read({ partition: "main", counters: ["a"] })).counters[0]).toMatchObject({
      spent: 1,
      reserved: 0,
    })
  })

  it.each([
    ["a state that does not exist", "@state", "lost"],
    ["an end that is no number", "@leaseEnd", "soon"],
    ["no fingerprint", "@fingerprint", null],
    ["an amount that is no number", "a", "x 1 0"],
    ["a counter missing", "a", null],
    ["a counter too many", "b", "1 1 0"],
  ])(
    "a damaged reservation (%s) is rejected by reserve and extend, and set aside when it is due",
    async (_, field, value) => {
      let now = START
      const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
      await store.reserve(request("r1", 5))
      if (value === null) await client.hdel(`${BASE}r:r1`, field)
      else await client.hset(`${BASE}r:r1`, field, value)
      expect(await failureOf(store.reserve(request("r1", 5)))).toMatchObject({ code: "store-corrupt", applied: "no" })
      expect(await failureOf(store.extend({ partition: "main", key: "r1", leaseMs: 1 }))).toMatchObject({
        code: "store-corrupt",
      })
      const expire = { partition: "main", key: "r1", counters: ["a"] }
      expect(await store.expire(expire)).toMatchObject({ status: "not-due" })
      now += 3_600_000
      expect(await store.expire(expire)).toMatchObject({ status: "damaged" })
      expect((await store.check({ partition: "main" })).damaged).toEqual(["r1"])
      expect(await store.settle(settleRequest(request("r1", 5), [4]))).toMatchObject({ recovered: true })
      expect(await store.settle(settleRequest(request("r1", 5), [4]))).toMatchObject({ replayed: true })
      const { counters } = await store.read({ partition: "main", counters: ["a"] })
      expect(counters).toEqual([{ name: "a", spent: 4, reserved: 0, granted: 0 }])
    },
  )

  it("a damaged time stops the partition until the clock is accepted", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("r1"))
    await client.set(`${BASE}time`, "noon")
    expect(await failureOf(store.reserve(request("r2")))).toMatchObject({ code: "store-corrupt", applied: "no" })
    await store.acceptClock({ partition: "main" })
    expect(await store.reserve(request("r2"))).toMatchObject({ status: "ok" })
  })

  it("a damaged entry is rejected, and a lost one is an error rather than a part of the totals", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    for (const key of ["r1", "r2"]) await store.settle(settleRequest(request(key), [1]))
    const totals = () => store.ledger!.totals({ partition: "main", filter: {}, groupBy: [], buckets: null })
    await client.del(`${BASE}e:r1`)
    expect(await failureOf(totals())).toMatchObject({ code: "store-corrupt" })
    await client.set(`${BASE}e:r1`, "nonsense")
    expect(await failureOf(totals())).toMatchObject({ code: "store-corrupt" })
    await client.del(`${BASE}r:r1`)
    expect(await failureOf(store.reserve(request("r1")))).toMatchObject({ code: "store-corrupt", applied: "no" })
  })

  it("every key has the partition as its hash tag, and no field or value of a small hash is longer than 64 bytes", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    const names = Array.from({ length: 32 }, (_, index) => `${index}`.padEnd(64, "x"))
    const large = names.map((name) => counter(name, MAX, null))
    const own = reserveRequest("main", "k".repeat(64), large, { fingerprint: "f".repeat(64) })
    expect(await store.reserve(own)).toMatchObject({ status: "ok" })
    await store.settle(settleRequest(own, Array(32).fill(MAX)))
    await store.adjust(adjustRequest("main", "a1", names[0]!, "spent", -1))
    const keys = await client.keys("*")
    for (const key of keys) expect(key).toMatch(/^p2:\{main\}:/)
    const hashes = keys.filter((key) => /:[cra]:/.test(key))
    expect(hashes).toHaveLength(34)
    for (const key of hashes) expect([key, await client.object("ENCODING", key)]).toEqual([key, "listpack"])
  })

  it("uses the server's time: a client whose clock is wrong changes nothing", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    const [seconds] = (await client.time()) as unknown as [number]
    const reply = await store.reserve(request("r1"))
    expect(Math.abs(reply.now - Number(seconds) * 1_000)).toBeLessThan(60_000)
    const later = { startsAt: reply.now + 600_000, endsAt: reply.now + 86_400_000 }
    const mixed = reserveRequest("main", "r2", [counter("a", 1), counter("b", 1, null, later)])
    expect(await store.reserve(mixed)).toMatchObject({ status: "stale-window", which: [1] })
  })

  it("works on its own connection, which queues and resends nothing, and closes only that", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await client.ping()
    await store.reserve(request("r1"))
    await store.close?.()
    expect(await client.ping()).toBe("PONG")
    expect(await failureOf(store.reserve(request("r2")))).toMatchObject({ code: "store-unavailable", applied: "no" })
    const strict = {
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: 500,
      stringNumbers: false,
      keyPrefix: "",
    }
    const own = ownConnection(client, 500) as unknown as Redis
    expect(own.options).toMatchObject(strict)
    const cluster = new Cluster([{ host: "127.0.0.1", port: 1 }], { lazyConnect: true })
    const ownCluster = ownConnection(cluster, 500) as unknown as Cluster
    expect(ownCluster.options).toMatchObject({
      enableOfflineQueue: false,
      retryDelayOnTryAgain: 0,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      redisOptions: strict,
    })
  })

  it("every key has an expiry except open reservations and endless counters", async () => {
    let now = START
    const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const day = { startsAt: now, endsAt: now + 86_400_000 }
    const counters = [counter("day", 3, 10, day), counter("idle", 3, 10, { keepMs: 1_000 })]
    const own = (key: string) => reserveRequest("main", key, counters, { leaseMs: 500 })
    for (const key of ["settled", "expired", "released"]) await store.reserve(own(key))
    const heldKeys = [`${BASE}c:day`, `${BASE}c:idle`, `${BASE}r:expired`, `${BASE}p:expired`, `${BASE}leases`]
    for (const key of heldKeys) expect([key, await client.pttl(key)]).toEqual([key, -1])
    await store.settle(settleRequest(own("settled"), [3, 3]))
    await store.settle(settleRequest(own("released"), [], { outcome: "released" }))
    await store.adjust(adjustRequest("main", "a1", "day", "spent", 1, day))
    now += 1_000
    const names = counters.map(({ name }) => name)
    expect(await store.expire({ partition: "main", key: "expired", counters: names })).toMatchObject({
      status: "expired",
    })
    await store.ledger!.record({ partition: "main", key: "denied", entry: usageEntry("q", 0, { status: "denied" }) })
    const keys = await client.keys("*")
    expect(keys.filter((key) => key.includes(":e:"))).toHaveLength(4)
    const endless = []
    for (const key of keys) if ((await client.pttl(key)) === -1) endless.push(key)
    expect(endless).toEqual([])
  })

  it.each(["held", "expired", "settled"])(
    "a settle that names the counters of the next window changes nothing while %s, and replies with the stored counters",
    async (state) => {
      const midnight = Date.UTC(2060, 0, 2)
      let now = midnight - 1_000
      const { client, store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
      const day = (name: string, startsAt: number) => counter(name, 10, 10, { startsAt, endsAt: startsAt + 86_400_000 })
      const before = reserveRequest("main", "r1", [day("day.1", midnight - 86_400_000), counter("total", 10)], {
        leaseMs: 500,
      })
      const after = { ...before, counters: [day("day.2", midnight), counter("total", 10)] }
      const { now: at } = await store.reserve(before)
      if (state === "settled") await store.settle(settleRequest(before, [9, 9]))
      if (state === "expired") {
        now += 600
        const expire = { partition: "main", key: "r1", counters: ["day.2", "total"] }
        expect(await store.expire(expire)).toMatchObject({
          status: "other-counters",
          storedCounters: ["day.1", "total"],
        })
        const declared = { ...expire, counters: ["day.1", "total"] }
        expect(await store.expire(declared)).toMatchObject({ status: "expired", charged: [10, 10] })
      }
      now = midnight + 1_000
      const keysBefore = (await client.keys("*")).sort()
      expect(await store.settle(settleRequest(after, [4, 4], { revision: 1 }))).toMatchObject({
        status: "other-counters",
        storedCounters: ["day.1", "total"],
      })
      expect((await client.keys("*")).sort()).toEqual(keysBefore)
      const stranger = { ...after, fingerprint: "another" }
      expect(await store.settle(settleRequest(stranger, [4, 4], { revision: 2 }))).toMatchObject({ status: "mismatch" })
      const settled = await store.settle(settleRequest(before, [4, 4], { revision: 1 }))
      expect(settled).toMatchObject({
        status: "settled",
        late: state === "expired",
        counters: [
          { name: "day.1", spent: 4, reserved: 0 },
          { name: "total", spent: 4, reserved: 0 },
        ],
      })
      const { counters } = await store.read({ partition: "main", counters: ["day.1", "day.2", "total"] })
      expect(counters.map(({ spent, reserved }) => [spent, reserved])).toEqual([
        [4, 0],
        [0, 0],
        [4, 0],
      ])
      const [stored, ...more] = await store.ledger!.get({ partition: "main", requestId: "r1" })
      expect(stored).toMatchObject({
        at: { expired: at + 600, settled: at, held: midnight + 1_000 }[state],
        charges: { "day.1": 4, total: 4 },
      })
      expect(more).toEqual([])
      const again = await store.settle(settleRequest(before, [4, 4], { revision: 1 }))
      expect(again).toMatchObject({ status: "settled", replayed: true })
    },
  )

  it("closed with running calls: each of them ends, and none that was applied reports `no`", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("first"))
    const keys = Array.from({ length: 50 }, (_, index) => `r${index}`)
    const calls = keys.map((key) => store.reserve(request(key)))
    await store.close?.()
    const outcomes = await Promise.allSettled(calls)
    const other = redisStore({ client, ...PATIENT })
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") continue
      expect(outcome.reason).toMatchObject({ name: "StoreError", code: "store-unavailable" })
      if (outcome.reason.applied === "maybe") continue
      const extend = { partition: "main", key: keys[index]!, leaseMs: 1 }
      expect(await other.extend(extend)).toMatchObject({ status: "unknown" })
    }
    await other.close?.()
  })

  it("closed before it was connected: waiting calls end immediately", async () => {
    const { server, store } = await serverAndStore({ store: PATIENT })
    await server.kill()
    const call = failureOf(store.reserve(request("r1")))
    await store.close?.()
    expect(await call).toMatchObject({ code: "store-unavailable", applied: "no" })
  })

  it("Redis deletes a counter a week after its last end, and none in which something is reserved", async () => {
    const now = START
    const { client, store } = await serverAndStore({ store: { ...PATIENT, retentionMs: 60_000, now: () => now } })
    const endOf = async (key: string) => (await client.pexpiretime(`${BASE}${key}`)) as number
    const take = (key: string, more: object) =>
      reserveRequest("main", key, [counter("a", 1, null, more)], { leaseMs: 1_000 })
    const windows = { r1: now + 100_000, r2: now + 100_000, r3: now + 900_000 }
    for (const [key, endsAt] of Object.entries(windows)) {
      await store.reserve(take(key, { startsAt: now, endsAt }))
      expect(await endOf("c:a")).toBe(-1)
    }
    for (const [key, endsAt] of Object.entries(windows)) {
      await store.settle(settleRequest(take(key, { startsAt: now, endsAt }), [1]))
      expect(await endOf(`r:${key}`)).toBe(now + 1_000 + 60_000 + MARGIN_MS)
    }
    expect(await endOf("c:a")).toBe(now + 900_000 + 60_000 + MARGIN_MS)
    // Reserved again: the key does not expire while something is reserved.
    await store.reserve(take("r4", { startsAt: now, endsAt: now + 900_000 }))
    expect(await endOf("c:a")).toBe(-1)
    await store.settle(settleRequest(take("r4", {}), [], { outcome: "released" }))
    // Now it has been named without a window, and stays.
    expect(await endOf("c:a")).toBe(-1)
    expect((await store.read({ partition: "main", counters: ["a"] })).counters[0]).toMatchObject({ spent: 3 })
  })

  it("a clock that is set back frees no money, ends no lease early and keeps entries in order", async () => {
    let now = START
    const { store } = await serverAndStore({ store: { ...PATIENT, now: () => now } })
    const limited = (key: string) =>
      reserveRequest("main", key, [counter("a", 1, 3)], {
        leaseMs: 1_000,
        pendingEntry: usageEntry("q1", 1, { status: "expired", costSource: "bound" }),
      })
    for (const key of ["r1", "r2"]) await store.reserve(limited(key))
    await store.settle(settleRequest(limited("r1"), [1]))
    now -= 3_600_000
    expect(await store.reserve(limited("r1"))).toMatchObject({ status: "resolved", state: "settled" })
    expect(await store.reserve(limited("r2"))).toMatchObject({ status: "ok", replayed: true })
    expect(await store.reserve(limited("r3"))).toMatchObject({ status: "ok", due: false })
    expect(await store.reserve(limited("r4"))).toMatchObject({ status: "exceeded" })
    for (const key of ["r1", "r2", "r3"]) {
      expect(await store.settle(settleRequest(limited(key), [1]))).toMatchObject({ status: "settled" })
    }
    expect((await store.read({ partition: "main", counters: ["a"] })).counters[0]).toMatchObject({
      spent: 3,
      reserved: 0,
    })
    const entries = await store.ledger!.get({ partition: "main", requestId: "q1" })
    expect(entries.map(({ idempotencyKey }) => idempotencyKey).sort()).toEqual(["r1", "r2", "r3"])
    expect(Math.min(...entries.map(({ at }) => at))).toBe(now + 3_600_000)
  })

  it("calls of one tick, far more than fit into one write, each get their own reply", async () => {
    const { store } = await serverAndStore({ store: PATIENT })
    await store.reserve(request("first"))
    const amounts = Array.from({ length: 100 }, (_, index) => index + 1)
    const replies = await Promise.all(
      amounts.map((amount) => store.reserve(reserveRequest("main", `r${amount}`, [counter(`k${amount}`, amount)]))),
    )
    expect(replies.map(({ counters }) => counters[0])).toEqual(
      amounts.map((amount) => ({ name: `k${amount}`, spent: 0, reserved: amount, granted: 0 })),
    )
  })

  it("a lease may be longer than the retention", async () => {
    let now = START
    const { store } = await serverAndStore({ store: { ...PATIENT, retentionMs: 1_000, now: () => now } })
    const day = { startsAt: now, endsAt: now + 3_600_000 }
    const long = reserveRequest("main", "r1", [counter("day", 5, 10, day)], { leaseMs: 26 * 3_600_000 })
    await store.reserve(long)
    now += 25 * 3_600_000
    expect(await store.settle(settleRequest(long, [4]))).toMatchObject({
      status: "settled",
      recovered: false,
      forgottenCounters: 0,
      counters: [{ spent: 4, reserved: 0 }],
    })
  })

  it("two round trips for an admitted attempt", async () => {
    const { client, store } = await serverAndStore({ store: PATIENT })
    const own = request("warm-up")
    await store.reserve(own)
    await store.settle(settleRequest(own, [1]))
    await client.config("RESETSTAT")
    await store.reserve(request("r1"))
    await store.settle(settleRequest(request("r1"), [1]))
    const stats = String(await client.info("commandstats"))
    expect(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]).toBe("2")
    expect(stats).not.toMatch(/cmdstat_(?:eval|hkeys|mget|info):/)
  })
})
