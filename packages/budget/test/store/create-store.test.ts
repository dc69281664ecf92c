import { describe, expect, it, vi } from "vitest"
import {
  type BudgetStore,
  checkedStore,
  createStore,
  type ReserveRequest,
  type Storage,
  StoreError,
} from "../../src/store"
import { entryOf } from "./entry-of"
import { TestStorage } from "./test-storage"

const START = 1_000_000
const DAY = 86_400_000
const RETENTION = 3_600_000

function setUp(options: { maxBatch?: number } = {}) {
  const time = { now: START }
  const storage = new TestStorage({ now: () => time.now, ...options })
  return { time, storage, store: checkedStore(createStore(storage)) }
}

const ref = (name: string) => ({ name, startsAt: null, endsAt: null, keepMs: null })

function reserveOf(key: string, name = "a", more: Partial<ReserveRequest> = {}): ReserveRequest {
  const counters = [{ ...ref(name), amount: 10, limit: null, onExpire: 4 }]
  const pendingEntry = entryOf({ requestId: key, status: "expired" })
  return { partition: "p", key, fingerprint: "f", counters, leaseMs: 1_000, pendingEntry, ...more }
}

const settleOf = (key: string, name = "a", amount = 7) => ({
  partition: "p",
  key,
  fingerprint: "f",
  outcome: "settled" as const,
  revision: 0,
  counters: [{ ...ref(name), reserved: 10, amount }],
  expiresAt: null,
  entry: entryOf({ requestId: key }),
})

async function counterIn(store: BudgetStore, name: string) {
  const reply = await store.read({ partition: "p", counters: [name] })
  return reply.counters[0]!
}

describe("a storage that answers immediately", () => {
  const storage: Storage = {
    name: "at once",
    shared: false,
    clock: "process",
    transaction: async (_partition, _reads, decide) => decide({ clock: START, records: [], due: [] }).result,
    read: async () => ({ clock: START, records: [], due: [] }),
    entries: async () => [],
    keys: async () => [],
    prune: async () => 0,
  }
  const store = createStore(storage)
  const { ledger } = store
  const all = { partition: "p", filter: {} }
  it.each<[string, () => Promise<unknown>]>([
    ["read", () => store.read({ partition: "p", counters: ["a"] })],
    ["listDue", () => store.listDue({ partition: "p", limit: 1 })],
    ["listCounters", () => store.listCounters({ partition: "p", cursor: null, limit: 1 })],
    ["reserve", () => store.reserve(reserveOf("r1"))],
    ["list", () => ledger!.list({ ...all, cursor: null, limit: 1, newestFirst: false })],
    ["totals", () => ledger!.totals({ ...all, groupBy: [], buckets: null })],
    ["get", () => ledger!.get({ partition: "p", requestId: "q" })],
    ["prune", () => ledger!.prune({ partition: "p", before: START })],
  ])("a caller that polls %s does not starve others", async (_member, call) => {
    let isOthersTurn = false
    setImmediate(() => {
      isOthersTurn = true
    })
    await call()
    expect(isOthersTurn).toBe(true)
  })
})

describe("batches", () => {
  it("calls that arrive during a transaction share the next one", async () => {
    const { storage, store } = setUp()
    await Promise.all(Array.from({ length: 200 }, (_, index) => store.reserve(reserveOf(`k${index}`))))
    expect(await counterIn(store, "a")).toMatchObject({ reserved: 2_000 })
    // The read is the last of them.
    expect(storage.transactions).toBeLessThanOrEqual(8)
    expect(Math.max(...storage.batchSizes)).toBe(64)
  })

  it("have at most `maxBatch` calls, and none across partitions", async () => {
    const { storage, store } = setUp({ maxBatch: 10 })
    await Promise.all(Array.from({ length: 95 }, (_, index) => store.reserve(reserveOf(`k${index}`))))
    expect(Math.max(...storage.batchSizes)).toBe(10)
    const before = storage.transactions
    await Promise.all(["q", "r", "s"].map((partition) => store.reserve({ ...reserveOf("k"), partition })))
    expect(storage.transactions - before).toBe(3)
  })

  it("each call sees the writes of those before it", async () => {
    const { storage, store } = setUp()
    const limited = (key: string) =>
      reserveOf(key, "a", { counters: [{ ...ref("a"), amount: 10, limit: 25, onExpire: 0 }] })
    const replies = await Promise.all(["1", "2", "3", "1"].map((key) => store.reserve(limited(key))))
    expect(replies.map(({ status }) => status)).toEqual(["ok", "ok", "exceeded", "ok"])
    expect(replies[3]).toMatchObject({ replayed: true })
    expect(storage.batchSizes[0]).toBe(4)
    const mixed = await Promise.all([
      store.settle(settleOf("1")),
      store.reserve(limited("4")),
      store.settle(settleOf("1")),
    ])
    expect(mixed).toMatchObject([
      { status: "settled", counters: [{ spent: 7, reserved: 10 }] },
      { status: "exceeded" },
      { replayed: true },
    ])
    expect(await store.ledger!.get({ partition: "p", requestId: "1" })).toHaveLength(1)
  })

  it("64 leases are expired in one transaction, and the rest is due", async () => {
    const { time, storage, store } = setUp()
    await Promise.all(Array.from({ length: 65 }, (_, index) => store.reserve(reserveOf(`k${index}`))))
    time.now += 1_000
    const { due } = await store.listDue({ partition: "p", limit: 64 })
    expect(due).toHaveLength(64)
    const before = storage.transactions
    const replies = await Promise.all(due.map((lease) => store.expire({ partition: "p", ...lease })))
    expect(replies.every(({ status }) => status === "expired")).toBe(true)
    expect(storage.transactions - before).toBeLessThanOrEqual(2)
    expect(await store.read({ partition: "p", counters: ["a"] })).toMatchObject({
      due: true,
      counters: [{ spent: 64 * 4, reserved: 10 }],
    })
  })

  it("a call that follows an expiry in the same batch no longer replies that leases are due", async () => {
    const { time, store } = setUp()
    await store.reserve(reserveOf("k"))
    time.now += 1_000
    const [before, , after] = await Promise.all([
      store.reserve(reserveOf("before")),
      store.expire({ partition: "p", key: "k", counters: ["a"] }),
      store.reserve(reserveOf("after")),
    ])
    expect([before.due, after.due]).toEqual([true, false])
  })

  it("a decision that runs again decides anew", async () => {
    const { storage, store } = setUp()
    storage.conflicts = 3
    expect(await store.reserve(reserveOf("k"))).toMatchObject({ status: "ok", replayed: false })
    expect(storage.decisions).toBe(4)
    expect(await counterIn(store, "a")).toMatchObject({ reserved: 10 })
  })

  it("all calls of a transaction that failed fail as it did", async () => {
    const { storage, store } = setUp()
    storage.failure = new StoreError("down", { code: "store-unavailable", applied: "no" })
    const results = await Promise.allSettled(["a", "b"].map((key) => store.reserve(reserveOf(key))))
    for (const result of results)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "store-unavailable", applied: "no" } })
    storage.failure = undefined
    storage.losesNextAnswer = true
    await expect(store.reserve(reserveOf("c"))).rejects.toMatchObject({ applied: "maybe" })
    expect(await store.reserve(reserveOf("c"))).toMatchObject({ status: "ok", replayed: true })
  })

  it("calls that waited longer than the timeout are not sent any more", async () => {
    const { storage, store } = setUp()
    const transaction = storage.transaction.bind(storage)
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const begun = new Promise<void>((resolve) => {
      storage.transaction = async (...args) => {
        resolve()
        await gate
        return transaction(...args)
      }
    })
    const first = store.reserve(reserveOf("a"))
    await begun
    const second = store.reserve(reserveOf("b")).catch((reason: unknown) => reason)
    const { timeoutMs } = store.capabilities
    const later = performance.now() + timeoutMs + 1
    const clock = vi.spyOn(performance, "now").mockReturnValue(later)
    open()
    expect(await second).toMatchObject({ code: "store-unavailable", applied: "no" })
    clock.mockRestore()
    expect(await first).toMatchObject({ status: "ok" })
    expect(await counterIn(store, "a")).toMatchObject({ reserved: 10 })
  })
})

describe("the life of a storage", () => {
  const conflict = () => new StoreError("busy", { code: "store-unavailable", applied: "no", conflict: true })

  it("it is opened once before its first call, and again after that failed", async () => {
    const { storage, store } = setUp()
    let opened = 0
    Object.assign(storage, {
      open: async () => {
        opened++
        if (opened === 1) throw new StoreError("no tables", { code: "store-misconfigured", applied: "no" })
      },
    })
    await expect(store.reserve(reserveOf("a"))).rejects.toMatchObject({ code: "store-misconfigured" })
    expect(storage.transactions).toBe(0)
    await Promise.all(["a", "b"].map((key) => store.reserve(reserveOf(key))))
    await counterIn(store, "a")
    expect(opened).toBe(2)
  })

  it.each(["open", "transaction", "read", "prune"] as const)("%s is tried again after a conflict", async (member) => {
    const { storage, store } = setUp()
    const original = (storage as Storage)[member]?.bind(storage) as (...args: unknown[]) => Promise<unknown>
    let conflicts = 3
    const conflicting = async (...args: unknown[]) => {
      if (conflicts-- > 0) throw conflict()
      return original?.(...args)
    }
    Object.assign(storage, { [member]: conflicting })
    await store.reserve(reserveOf("a"))
    expect(await counterIn(store, "a")).toMatchObject({ reserved: 10 })
    expect(await store.ledger!.prune({ partition: "p", before: START })).toEqual({ removed: 0 })
    expect(conflicts).toBeLessThan(0)
  })

  it("a conflict that lasts longer than the timeout rejects, and no other error is tried again", async () => {
    const storage = Object.assign(new TestStorage({ now: () => START }), { timeoutMs: 5 })
    const store = createStore(storage)
    let attempts = 0
    let failure = conflict()
    storage.transaction = async () => {
      attempts++
      throw failure
    }
    await expect(store.reserve(reserveOf("a"))).rejects.toMatchObject({ code: "store-unavailable", applied: "no" })
    expect(attempts).toBeGreaterThan(1)
    attempts = 0
    failure = new StoreError("gone", { code: "store-unavailable", applied: "no" })
    await expect(store.reserve(reserveOf("a"))).rejects.toBe(failure)
    expect(attempts).toBe(1)
  })

  it("a conflict of a call that may have been applied is not tried again", async () => {
    const { storage, store } = setUp()
    let attempts = 0
    const failure = new StoreError("lost", { code: "store-unavailable", applied: "maybe", conflict: true })
    storage.transaction = async () => {
      attempts++
      throw failure
    }
    await expect(store.reserve(reserveOf("a"))).rejects.toBe(failure)
    expect(attempts).toBe(1)
  })

  it("forgets regularly; no caller waits for it or learns that it failed", async () => {
    const { storage, store } = setUp()
    const times: number[] = []
    const forget = async (before: number) => {
      times.push(before)
      throw new Error("in the way")
    }
    Object.assign(storage, { forget })
    for (let index = 0; index < 200; index++) await store.reserve(reserveOf(`k${index}`))
    expect(times).toEqual([START])
  })

  it("forgets in one step at a time, however slow it is", async () => {
    const { storage, store } = setUp()
    let running = 0
    let most = 0
    let steps = 0
    let end = () => {}
    const forget = async () => {
      steps++
      most = Math.max(most, ++running)
      await new Promise<void>((resolve) => {
        end = resolve
      })
      running--
    }
    Object.assign(storage, { forget })
    const write = async () => {
      for (let index = 0; index < 200; index++) await store.reserve(reserveOf(`${steps}.${running}.${index}`))
    }
    await write()
    await write()
    expect([steps, most]).toEqual([1, 1])
    end()
    await vi.waitFor(() => expect(running).toBe(0))
    await write()
    expect([steps, most]).toEqual([2, 1])
    end()
  })

  it("close waits for calls, closes the storage once, and rejects later calls", async () => {
    const { storage, store } = setUp()
    const log: string[] = []
    const close = async () => void log.push("closed")
    Object.assign(storage, { close })
    const read = storage.read.bind(storage)
    storage.read = async (...args) => {
      await new Promise((resolve) => setImmediate(resolve))
      const found = await read(...args)
      log.push("read")
      return found
    }
    const reading = counterIn(store, "a")
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([store.close!(), store.close!()])
    expect(log).toEqual(["read", "closed"])
    expect(await reading).toMatchObject({ reserved: 0 })
    await expect(store.reserve(reserveOf("a"))).rejects.toMatchObject({ code: "store-unavailable", applied: "no" })
  })

  it("close waits for the calls in queues, and rejects later ones", async () => {
    const { storage, store } = setUp({ maxBatch: 4 })
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
    await Promise.all(keys.map((key) => store.reserve(reserveOf(key))))
    const close = vi.fn(async () => {})
    Object.assign(storage, { close })
    const settling = keys.map((key) => store.settle(settleOf(key)))
    const reading = counterIn(store, "a")
    const closing = store.close!()
    await expect(store.reserve(reserveOf("late"))).rejects.toMatchObject({ code: "store-unavailable", applied: "no" })
    for (const settled of await Promise.all(settling)) expect(settled).toMatchObject({ status: "settled" })
    await reading
    await closing
    expect(close).toHaveBeenCalledTimes(1)
  })

  it("close waits for calls that begin while it waits", async () => {
    const { storage, store } = setUp()
    const log: string[] = []
    const close = async () => void log.push("closed")
    Object.assign(storage, { close })
    const ends: (() => void)[] = []
    const read = storage.read.bind(storage)
    storage.read = async (...args) => {
      await new Promise<void>((resolve) => void ends.push(resolve))
      log.push("read")
      return read(...args)
    }
    const first = counterIn(store, "a")
    await vi.waitFor(() => expect(ends).toHaveLength(1))
    const closing = store.close!()
    const second = counterIn(store, "a")
    await vi.waitFor(() => expect(ends).toHaveLength(2))
    ends[0]!()
    await first
    await new Promise((resolve) => setImmediate(resolve))
    ends[1]!()
    await Promise.all([second, closing])
    expect(log).toEqual(["read", "read", "closed"])
  })
})

describe("damage", () => {
  it("of a counter fails the calls that need it, and no other of the batch", async () => {
    const { storage, store } = setUp()
    await store.reserve(reserveOf("k", "bad"))
    storage.damage("p", "counter", "bad")
    const results = await Promise.allSettled([
      store.reserve(reserveOf("1", "good")),
      store.reserve(reserveOf("2", "bad")),
      store.settle(settleOf("k", "bad")),
      store.reserve(reserveOf("3", "good")),
      store.read({ partition: "p", counters: ["good", "bad"] }),
    ])
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "fulfilled", "rejected"])
    for (const result of results)
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "store-corrupt", applied: "no" })
    expect(await counterIn(store, "good")).toMatchObject({ reserved: 20 })
    expect(await store.listCounters({ partition: "p", cursor: null, limit: 10 })).toMatchObject({
      counters: [{ name: "good" }],
      damaged: ["bad"],
      cursor: null,
    })
  })

  it("found after a batch may have been applied is not a reason to run its calls again", async () => {
    const { storage, store } = setUp()
    const transaction = storage.transaction.bind(storage)
    storage.transaction = async (...args) => {
      await transaction(...args)
      throw new StoreError("damaged", { code: "store-corrupt", applied: "maybe" })
    }
    const results = await Promise.allSettled(["1", "2"].map((key) => store.reserve(reserveOf(key))))
    for (const result of results)
      expect(result).toMatchObject({ status: "rejected", reason: { code: "store-corrupt", applied: "maybe" } })
    expect(storage.batchSizes).toEqual([2])
  })

  it("that the storage itself reports fails its own call only", async () => {
    const { storage, store } = setUp()
    await store.reserve(reserveOf("bad"))
    const transaction = storage.transaction.bind(storage)
    storage.transaction = async (partition, reads, decide) => {
      if (reads.records.some(({ kind, key }) => kind === "reservation" && key === "bad"))
        throw new StoreError("unreadable", { code: "store-corrupt", applied: "no" })
      return transaction(partition, reads, decide)
    }
    const results = await Promise.allSettled(["1", "bad", "2"].map((key) => store.reserve(reserveOf(key))))
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
    expect(await counterIn(store, "a")).toMatchObject({ reserved: 30 })
  })

  for (const value of [
    "",
    "nonsense",
    "null",
    "7",
    "{}",
    '{"spent":1.5,"reserved":0,"granted":0,"peak":0,"forgetAt":null}',
  ])
    it(`of a counter is noticed: ${value || "no text"}`, async () => {
      const { storage, store } = setUp()
      await store.reserve(reserveOf("k"))
      storage.damage("p", "counter", "a", value)
      await expect(counterIn(store, "a")).rejects.toMatchObject({ code: "store-corrupt", applied: "no" })
      expect(storage.state.get("p/counter")!.byKey.get("a")!.value).toBe(value)
    })

  it("of a reservation sets it aside when it is due: listed by check, ended by a settle", async () => {
    const { time, storage, store } = setUp()
    await store.reserve(reserveOf("k"))
    storage.damage("p", "reservation", "k")
    await expect(store.reserve(reserveOf("k"))).rejects.toMatchObject({ code: "store-corrupt", applied: "no" })
    await expect(store.extend({ partition: "p", key: "k", leaseMs: 5 })).rejects.toMatchObject({
      code: "store-corrupt",
    })
    time.now += 1_000
    expect((await store.listDue({ partition: "p", limit: 64 })).due).toEqual([{ key: "k", counters: [] }])
    const expired = await store.expire({ partition: "p", key: "k", counters: [] })
    expect(expired).toEqual({ now: time.now, status: "damaged" })
    expect((await store.listDue({ partition: "p", limit: 64 })).due).toEqual([])
    expect((await store.read({ partition: "p", counters: ["a"] })).due).toBe(false)
    const check = await store.check({ partition: "p" })
    expect(check).toMatchObject({ damaged: ["k"], warnings: [expect.stringContaining("1 reservation is set aside")] })
    expect(await store.settle(settleOf("k"))).toMatchObject({ status: "settled", recovered: true })
    expect(await counterIn(store, "a")).toMatchObject({ spent: 7, reserved: 0 })
    expect((await store.check({ partition: "p" })).damaged).toEqual([])
    expect(await store.settle(settleOf("k"))).toMatchObject({ replayed: true })
  })

  it("of a counter sets its reservation aside until the counter is repaired", async () => {
    const { time, storage, store } = setUp()
    await store.reserve(reserveOf("k"))
    const sound = storage.state.get("p/counter")!.byKey.get("a")!.value
    storage.damage("p", "counter", "a")
    time.now += 1_000
    const lease = { partition: "p", key: "k", counters: ["a"] }
    expect(await store.expire(lease)).toMatchObject({ status: "damaged" })
    expect(await store.check({ partition: "p" })).toMatchObject({ damaged: ["k"] })
    expect((await store.listDue({ partition: "p", limit: 64 })).due).toEqual([])
    storage.damage("p", "counter", "a", sound)
    expect(await store.expire(lease)).toMatchObject({ status: "expired", charged: [4] })
    expect(await counterIn(store, "a")).toMatchObject({ spent: 4, reserved: 0 })
    expect(await store.check({ partition: "p" })).toMatchObject({ damaged: [] })
  })

  it("of the partition's time fails its calls until the clock is accepted", async () => {
    const { storage, store } = setUp()
    await store.reserve(reserveOf("k"))
    storage.damage("p", "time", "time")
    await expect(store.reserve(reserveOf("l"))).rejects.toMatchObject({ code: "store-corrupt", applied: "no" })
    expect(await store.check({ partition: "p" })).toMatchObject({
      ok: false,
      warnings: [expect.stringContaining("acceptClock()")],
    })
    expect(await store.acceptClock({ partition: "p" })).toEqual({ now: START, before: START })
    expect(await store.reserve(reserveOf("l"))).toMatchObject({ status: "ok" })
  })

  it("of an entry fails queries, never answers part", async () => {
    const { storage, store } = setUp()
    for (const key of ["k", "l"]) await store.settle(settleOf(key))
    storage.damage("p", "entry", "k", '{"prompt":"a secret prompt')
    const queries = [
      () => store.ledger!.totals({ partition: "p", filter: {}, groupBy: [], buckets: null }),
      () => store.ledger!.list({ partition: "p", filter: {}, cursor: null, limit: 5, newestFirst: true }),
      () => store.ledger!.get({ partition: "p", requestId: "l" }),
    ]
    for (const query of queries) {
      const error = await query().catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: "store-corrupt" })
      expect(String(error)).not.toContain("secret")
    }
  })
})

describe("records", () => {
  it("are JSON with names, and carry what the storage orders and deletes by", async () => {
    const { storage, store } = setUp()
    const counters = [{ name: "w", startsAt: 0, endsAt: START + DAY, keepMs: null, amount: 10, limit: 50, onExpire: 4 }]
    await store.reserve(reserveOf("k", "w", { counters }))
    expect(storage.recordOf("p", "counter", "w")).toEqual({
      spent: 0,
      reserved: 10,
      granted: 0,
      peak: 0,
      forgetAt: START + DAY + RETENTION,
    })
    expect(storage.recordOf("p", "reservation", "k")).toMatchObject({
      state: "held",
      fingerprint: "f",
      leaseEnd: START + 1_000,
    })
    expect(storage.recordOf("p", "time", "time")).toBe(START)
    const record = (kind: string, key: string) => storage.state.get(`p/${kind}`)!.byKey.get(key)!
    // A held reservation, or a counter with a reserved amount, must not be deleted.
    expect(record("counter", "w").forgetAt).toBeUndefined()
    expect(record("reservation", "k")).toMatchObject({ at: START + 1_000, forgetAt: undefined })
    const settled = { ...settleOf("k", "w"), counters: [{ ...counters[0]!, reserved: 10, amount: 7 }] }
    expect(await store.settle(settled)).toMatchObject({ status: "settled" })
    expect(record("counter", "w").forgetAt).toBe(START + DAY + RETENTION + 7 * DAY)
    expect(record("reservation", "k")).toMatchObject({ at: undefined, forgetAt: START + 1_000 + RETENTION + 7 * DAY })
    expect(record("entry", "k")).toMatchObject({ at: START, forgetAt: undefined })
    expect(storage.recordOf("p", "entry", "k")).toMatchObject({
      idempotencyKey: "k",
      state: "settled",
      charges: { w: 7 },
    })
  })

  it("that are past their time read as absent although they are there", async () => {
    const { time, storage, store } = setUp()
    await store.reserve(reserveOf("k"))
    await store.settle(settleOf("k"))
    await store.ledger!.prune({ partition: "p", before: START + 1 })
    time.now += 1_000 + RETENTION
    expect(await store.extend({ partition: "p", key: "k", leaseMs: 5 })).toMatchObject({ status: "unknown" })
    expect(storage.recordOf("p", "reservation", "k")).toMatchObject({ state: "settled" })
    expect(await store.reserve(reserveOf("k"))).toMatchObject({ status: "ok", replayed: false })
  })

  it("survive any string", async () => {
    const { store } = setUp()
    const prompt = '\0 "quoted" \ud800 é 😀'
    await store.settle({
      ...settleOf("k"),
      entry: entryOf({ requestId: "k", prompt, tags: { ["__proto__"]: "\udfff" } }),
    })
    const [entry] = await store.ledger!.get({ partition: "p", requestId: "k" })
    expect(entry!.prompt).toBe(prompt)
    expect(Object.entries(entry!.tags!)).toEqual([["__proto__", "\udfff"]])
  })
})

it("a clock that is not a time fails calls instead of opening every window", async () => {
  const storage = new TestStorage({ now: () => Number.NaN })
  const store = checkedStore(createStore(storage))
  await expect(store.reserve(reserveOf("k"))).rejects.toMatchObject({ code: "store-misconfigured", applied: "no" })
})

it("rejects options that are unknown or out of range", () => {
  const storage = new TestStorage({ now: () => START })
  expect(() => createStore(storage, { retentionMS: 5 } as never)).toThrow("Did you mean `retentionMs`?")
  expect(() => createStore(storage, { maxCounters: 3 })).toThrow("Invalid `maxCounters`")
  expect(() => createStore(storage, { retentionMs: 0 })).toThrow("Invalid `retentionMs`")
  for (const timeoutMs of [0, 1.5, 2 ** 31])
    expect(() => createStore(Object.assign(storage, { timeoutMs }))).toThrow("Invalid `timeoutMs`")
})

it("states what it can do by what the storage says", () => {
  const storage = Object.assign(new TestStorage({ now: () => START }), { timeoutMs: 700 })
  const { name, capabilities } = createStore(storage, { retentionMs: 5, maxCounters: 20 })
  expect(name).toBe("test")
  expect(capabilities).toEqual({ shared: false, clock: "process", retentionMs: 5, maxCounters: 20, timeoutMs: 1_700 })
})
