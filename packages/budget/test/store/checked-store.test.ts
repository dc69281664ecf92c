import { InvalidArgumentError, P2Error } from "@p2/core"
import { afterEach, describe, expect, it, vi } from "vitest"
import { memoryStore } from "../../src/memory/memory-store"
import { type BudgetStore, checkedStore, StoreError } from "../../src/store"
import { entryOf } from "../adapters/requests"

const PARTITION = "p"
const entry = entryOf("r", { tokens: { inputTokens: 1 }, tags: { team: "search" } })
const ref = { name: "a", startsAt: null, endsAt: null, keepMs: null }
const reserve = {
  partition: PARTITION,
  key: "k",
  fingerprint: "f",
  counters: [{ ...ref, amount: 5, limit: null, onExpire: 1 }],
  leaseMs: 100,
  pendingEntry: entry,
}
const settleRequest = {
  partition: PARTITION,
  key: "k",
  fingerprint: "f",
  outcome: "settled" as const,
  revision: 0,
  counters: [{ ...ref, reserved: 5, amount: 3 }],
  expiresAt: null,
  entry,
}

/** The memory store with other members. */
function storeWith(members: Partial<Record<keyof BudgetStore, unknown>>): BudgetStore {
  const memory = memoryStore({ now: () => 1_000 })
  const { name, capabilities, ledger } = memory
  const bound = Object.fromEntries(
    ["reserve", "settle", "extend", "expire", "listDue", "read", "adjust", "listCounters", "acceptClock", "check"].map(
      (member) => [member, (request: never) => (memory[member as "read"] as (request: never) => unknown)(request)],
    ),
  )
  return { name, capabilities, ledger, ...bound, ...members } as unknown as BudgetStore
}

afterEach(() => {
  // A spy on a fake timer is removed before the timer.
  vi.restoreAllMocks()
  vi.useRealTimers()
})

describe("requests", () => {
  it("belong to the store: it receives the object itself", async () => {
    const received: unknown[] = []
    const memory = memoryStore({ now: () => 1_000 })
    const receive = (member: "reserve" | "settle") => async (request: never) => {
      received.push(request)
      return memory[member](request)
    }
    const store = checkedStore(storeWith({ reserve: receive("reserve"), settle: receive("settle") }))
    await store.reserve(reserve)
    await store.settle(settleRequest)
    expect(received[0]).toBe(reserve)
    expect(received[1]).toBe(settleRequest)
  })

  it("that are invalid are usage errors, and reach no store", async () => {
    const called = vi.fn()
    const store = checkedStore(storeWith({ reserve: called, settle: called }))
    const wrong: [argument: string, call: () => Promise<unknown>][] = [
      ["partition", () => store.reserve({ ...reserve, partition: "a b" })],
      ["key", () => store.reserve({ ...reserve, key: "k".repeat(65) })],
      ["fingerprint", () => store.reserve({ ...reserve, fingerprint: "f".repeat(65) })],
      ["leaseMs", () => store.reserve({ ...reserve, leaseMs: 0 })],
      ["counters[0].amount", () => store.reserve({ ...reserve, counters: [{ ...reserve.counters[0]!, amount: 0.5 }] })],
      [
        "counters[0].onExpire",
        () => store.reserve({ ...reserve, counters: [{ ...reserve.counters[0]!, onExpire: 6 }] }),
      ],
      ["counters[1]", () => store.reserve({ ...reserve, counters: [reserve.counters[0]!, reserve.counters[0]!] })],
      ["pendingEntry.costNanoUsd", () => store.reserve({ ...reserve, pendingEntry: { ...entry, costNanoUsd: -1 } })],
      ["entry.status", () => store.settle({ ...settleRequest, entry: { ...entry, status: "paid" as never } })],
      ["entry.requestId", () => store.settle({ ...settleRequest, entry: { ...entry, requestId: "" } })],
      ["revision", () => store.settle({ ...settleRequest, revision: -1 })],
      ["outcome", () => store.settle({ ...settleRequest, outcome: "expired" as never })],
    ]
    for (const [argument, call] of wrong) {
      const error = await call().catch((reason: unknown) => reason)
      expect(error).toMatchObject({ kind: "usage", code: "invalid-argument", argument })
    }
    expect(called).not.toHaveBeenCalled()
  })

  it("are not validated for a caller that builds them from validated values, as the budget does", async () => {
    const memory = memoryStore({ now: () => 1_000 })
    const settle = vi.fn(memory.settle.bind(memory))
    const store = checkedStore(storeWith({ settle }), { trustsRequests: true })
    const trusted = { ...settleRequest, revision: 0.5 }
    expect(await store.settle(trusted)).toMatchObject({ status: "settled" })
    expect(settle).toHaveBeenCalledWith(trusted)
    // Replies are validated in any case.
    const broken = checkedStore(storeWith({ settle: async () => ({}) }), { trustsRequests: true })
    await expect(broken.settle(settleRequest)).rejects.toMatchObject({ code: "store-corrupt" })
  })

  it("never show the content of an entry in an error", async () => {
    const store = checkedStore(memoryStore())
    const secret = "sk-secret ".repeat(10_000)
    const error = await store
      .settle({ ...settleRequest, entry: { ...entry, prompt: secret } })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(InvalidArgumentError)
    expect(String(error)).not.toContain("secret ")
  })
})

describe("the timeout", () => {
  it("is the store's own: the call fails with `applied: maybe`", async () => {
    vi.useFakeTimers()
    const capabilities = { ...memoryStore().capabilities, timeoutMs: 250 }
    const store = checkedStore(storeWith({ capabilities, reserve: () => new Promise(() => undefined) }))
    const failed = store.reserve(reserve).catch((reason: unknown) => reason)
    await vi.advanceTimersByTimeAsync(249)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(await failed).toMatchObject({ code: "store-unavailable", applied: "maybe", retryable: true })
    expect(String(await failed)).toContain('Store "memory" did not reply within 250 ms.')
  })

  it("starts no timer for a store that replies immediately, and leaves none behind", async () => {
    vi.useFakeTimers()
    const started = vi.spyOn(globalThis, "setTimeout")
    const store = checkedStore(memoryStore())
    await store.reserve(reserve)
    await store.settle(settleRequest)
    expect(started).not.toHaveBeenCalled()
    const slow = checkedStore(
      storeWith({
        read: () => new Promise((resolve) => setTimeout(() => resolve({ now: 5, due: false, counters: [] }), 10)),
      }),
    )
    const read = slow.read({ partition: PARTITION, counters: [] })
    await vi.advanceTimersByTimeAsync(10)
    expect(await read).toMatchObject({ now: 5 })
    expect(vi.getTimerCount()).toBe(0)
  })

  it("gives queries of the ledger 30 seconds", async () => {
    vi.useFakeTimers()
    const ledger = { totals: () => new Promise(() => undefined), record: () => new Promise(() => undefined) }
    const store = checkedStore(storeWith({ ledger }))
    const totals = store.ledger!.totals({ partition: PARTITION, filter: {}, groupBy: [], buckets: null })
    const failed = totals.catch((reason: unknown) => reason)
    const recorded = store.ledger!.record({ partition: PARTITION, key: "k", entry }).catch((reason: unknown) => reason)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await recorded).toMatchObject({ code: "store-unavailable" })
    await vi.advanceTimersByTimeAsync(28_999)
    expect(vi.getTimerCount()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(await failed).toMatchObject({ code: "store-unavailable" })
  })
})

describe("replies", () => {
  const state = { name: "a", spent: 0, reserved: 0, granted: 0 }
  const change = { ...state, peakBefore: 0, peak: 0 }
  const ok = { status: "ok", now: 5, due: false, counters: [state], replayed: false, expiresAt: 5 }
  const done = { status: "settled", now: 5, counters: [change], replayed: false, late: false, recovered: false }
  const settled = { ...done, forgottenCounters: 0 }
  const wrong: [member: keyof BudgetStore, reply: unknown][] = [
    ["reserve", undefined],
    ["reserve", null],
    ["reserve", { ...ok, now: Number.NaN }],
    ["reserve", { ...ok, now: "5" }],
    ["reserve", { ...ok, now: -1 }],
    ["reserve", { ...ok, now: 8_640_000_000_000_001 }],
    ["reserve", { ...ok, due: undefined }],
    ["reserve", { ...ok, counters: [] }],
    ["reserve", { ...ok, counters: [{ ...state, spent: 2 ** 53 }] }],
    ["reserve", { ...ok, counters: [{ ...state, reserved: "0" }] }],
    ["reserve", { ...ok, counters: [{ ...state, name: "b" }] }],
    ["reserve", { ...ok, status: "fine" }],
    ["reserve", { ...ok, expiresAt: undefined }],
    ["reserve", { ...ok, status: "exceeded", which: [1] }],
    ["reserve", { ...ok, status: "exceeded", which: [] }],
    ["reserve", { ...ok, status: "resolved", state: "held" }],
    ["reserve", { ...ok, status: "lease-ended" }],
    ["settle", { ...settled, status: "released" }],
    ["settle", { ...settled, counters: [state] }],
    ["settle", { ...settled, forgottenCounters: undefined }],
    ["settle", { ...settled, late: undefined }],
    ["settle", { now: 5, status: "other-counters", storedCounters: [5] }],
    ["extend", { now: 5, status: "held", expiresAt: 5, fingerprint: "f", counters: [{ name: "a" }] }],
    ["extend", { now: 5, status: "alive" }],
    ["expire", { now: 5, status: "expired", counters: [change], charged: [] }],
    ["listDue", { now: 5, due: [{ key: "k" }] }],
    ["read", { now: 5, due: false, counters: [] }],
    ["adjust", { now: 5, status: "ok", counter: change, replayed: false, applied: 0.5 }],
    ["listCounters", { now: 5, counters: [{ name: "a" }], damaged: [], cursor: null }],
    ["acceptClock", { now: 5 }],
    ["check", { ok: true }],
  ]
  const requests: Partial<Record<keyof BudgetStore, object>> = {
    reserve,
    settle: settleRequest,
    extend: { partition: PARTITION, key: "k", leaseMs: 5 },
    expire: { partition: PARTITION, key: "k", counters: ["a"] },
    listDue: { partition: PARTITION, limit: 5 },
    read: { partition: PARTITION, counters: ["a"] },
    adjust: { partition: PARTITION, key: "k", counter: ref, kind: "spent", delta: 1 },
    listCounters: { partition: PARTITION, cursor: null, limit: 5 },
    acceptClock: { partition: PARTITION },
    check: {},
  }

  for (const [index, [member, reply]] of wrong.entries()) {
    it(`that are invalid are \`store-corrupt\`: ${member}, ${index}`, async () => {
      const store = checkedStore(storeWith({ [member]: async () => reply })) as unknown as Record<
        string,
        (request: unknown) => Promise<unknown>
      >
      const error = await store[member]!(requests[member]).catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: "store-corrupt", applied: "maybe" })
      expect(String(error)).toMatch(/^StoreError: Store "memory" returned an invalid reply: .+\.$/)
    })
  }

  it("that are valid are returned as they are", async () => {
    const store = checkedStore(storeWith({ reserve: async () => ok, settle: async () => settled }))
    expect(await store.reserve(reserve)).toBe(ok)
    expect(await store.settle(settleRequest)).toBe(settled)
  })
})

describe("rejections", () => {
  const rejecting = (error: unknown) =>
    checkedStore(
      storeWith({
        read: async () => {
          throw error
        },
      }),
    )
      .read({ partition: PARTITION, counters: [] })
      .catch((reason: unknown) => reason)

  it("that are store errors or usage errors pass", async () => {
    const failure = new StoreError("down", { code: "store-unavailable", applied: "no" })
    expect(await rejecting(failure)).toBe(failure)
    const usage = new InvalidArgumentError("cursor", "a cursor", "x")
    expect(await rejecting(usage)).toBe(usage)
  })

  it("of any other kind become store errors, with the driver's message and without its arguments", async () => {
    const driver = Object.assign(new TypeError("connect ECONNREFUSED"), {
      code: "ECONNREFUSED",
      command: { name: "evalsha", args: ["a prompt of a user"] },
    })
    const error = (await rejecting(driver)) as StoreError
    expect(error).toMatchObject({ code: "store-unavailable", applied: "maybe", retryable: true })
    expect(error.cause).toMatchObject({ message: "connect ECONNREFUSED", name: "TypeError", code: "ECONNREFUSED" })
    expect(JSON.stringify(Object.entries(error.cause as object))).not.toContain("prompt")
    for (const thrown of ["a string", undefined, null, 5, new P2Error("x", { code: "y", kind: "failed" })])
      expect(await rejecting(thrown)).toMatchObject({ code: "store-unavailable", applied: "maybe" })
  })

  it("include what a member throws synchronously", async () => {
    const store = checkedStore(
      storeWith({
        reserve: () => {
          throw new Error("at once")
        },
      }),
    )
    await expect(store.reserve(reserve)).rejects.toMatchObject({ code: "store-unavailable" })
  })
})

describe("a store", () => {
  it("must have every member and its capabilities", () => {
    const cases: [argument: string, store: unknown][] = [
      ["store", undefined],
      ["store", "memory"],
      ["store.name", storeWith({ name: undefined })],
      ["store.settle", storeWith({ settle: undefined })],
      ["store.listDue", storeWith({ listDue: 5 })],
      ["store.capabilities", storeWith({ capabilities: undefined })],
      [
        "store.capabilities.maxCounters",
        storeWith({ capabilities: { ...memoryStore().capabilities, maxCounters: 3 } }),
      ],
      ["store.capabilities.timeoutMs", storeWith({ capabilities: { ...memoryStore().capabilities, timeoutMs: 0 } })],
    ]
    for (const [argument, store] of cases) {
      let error: unknown
      try {
        checkedStore(store as BudgetStore)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toMatchObject({ kind: "usage", argument })
    }
  })

  it("may have no ledger and nothing to close", async () => {
    const store = checkedStore(memoryStore({ maxEntries: 0 }))
    expect(store.ledger).toBeUndefined()
    await store.close!()
  })
})
