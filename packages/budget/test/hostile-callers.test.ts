import { afterEach, describe, expect, it, vi } from "vitest"
import {
  type BudgetAlert,
  type BudgetStore,
  createBudget,
  memoryStore,
  SettleMismatchError,
  type StoredEntry,
} from "../src"
import { budgetOn, changedStore, NOON, reserved, world } from "./budget-world"

const subject = { userId: "ada" }

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe("callbacks that throw", () => {
  const limits = [{ scope: "user", limit: 9, alertAt: [0.1] }] as const

  it("an onError that throws or returns no amount charges the upper bound, and the call's own error is thrown", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const answers = [
      () => {
        throw new Error("of the callback")
      },
      () => ({ usd: Number.NaN }),
      () => ({}),
      () => Promise.resolve({ usd: 0.1 }) as never,
    ]
    for (const onError of answers) {
      const call = budget.run({ subject, amount: { usd: 1 }, onError }, () => Promise.reject(new Error("of the call")))
      await expect(call).rejects.toThrow("of the call")
    }
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 4, reserved: 0 })
    expect(at.warnings).toHaveLength(4)
  })

  it("a call that returns an invalid cost is charged its upper bound, and the usage error is thrown", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const results = [undefined, { value: 1 }, { value: 1, cost: { usd: "a" } }, { value: 1, cost: { nanoUsd: 0.5 } }]
    for (const result of results) {
      const call = budget.run({ subject, amount: { usd: 1 } }, async () => result as never)
      await expect(call).rejects.toMatchObject({ kind: "usage" })
    }
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 4, reserved: 0 })
  })

  it("a call that settled by itself is not charged twice", async () => {
    const budget = budgetOn(world(), { limits })
    const call = budget.run({ subject, amount: { usd: 1 } }, async (reservation) => {
      await reservation.settle({ usd: 0.5 })
      return { value: 1, cost: { usd: 0.75 } }
    })
    await expect(call).rejects.toBeInstanceOf(SettleMismatchError)
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.5, reserved: 0 })
  })

  it("an onAlert or onWarning that throws or rejects fails no call", async () => {
    const printed = vi.spyOn(console, "warn").mockImplementation(() => {})
    const onAlert = async () => {
      throw new Error("of the alert")
    }
    const throwing = () => {
      throw new Error("of the warning")
    }
    for (const onWarning of [throwing, async () => throwing()]) {
      printed.mockClear()
      const budget = createBudget({ store: memoryStore(), limits, onAlert, onWarning })
      expect(await (await reserved(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1 })).toMatchObject({
        status: "settled",
      })
      await vi.waitFor(() =>
        expect(printed.mock.calls.map(([message]) => message)).toEqual([expect.stringContaining("onAlert threw")]),
      )
    }
  })

  it("a heartbeat that meets a usage error ends with a warning, not an unhandled rejection", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const extend = vi.fn(async () => {
      throw Object.assign(new TypeError("no such member"), {})
    })
    const { InvalidArgumentError } = await import("@p2/core")
    const rejected = vi.fn(async () => {
      throw new InvalidArgumentError("key", "a name", 1)
    })
    const budget = budgetOn({ ...at, store: changedStore(at.store, { extend: rejected }) }, { limits, leaseMs: 3_000 })
    await reserved(budget, { subject, amount: { usd: 1 } })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(rejected).toHaveBeenCalledTimes(1)
    expect(at.warnings).toEqual([expect.stringContaining("could not be extended")])
    // Any other error is the store's failure: the next beat tries again.
    const other = budgetOn({ ...at, store: changedStore(at.store, { extend }) }, { limits, leaseMs: 3_000 })
    await reserved(other, { subject, amount: { usd: 1 } })
    await vi.advanceTimersByTimeAsync(2_500)
    expect(extend).toHaveBeenCalledTimes(2)
  })
})

describe("callers that change their objects during a call", () => {
  it("change nothing: subject, amount and entry are copied before the first wait", async () => {
    const at = world()
    // The function of limits waits, and then so does the store.
    const budget = budgetOn(at, {
      limits: async () => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        return [
          { scope: "user", limit: { nanoUsd: 9, tokens: 99 } },
          { scope: { tag: "team" }, limit: 9, optional: true },
        ]
      },
    })
    const mine = { userId: "ada", tags: { team: "search" } }
    const amount = { nanoUsd: 5, tokens: 7 }
    const entry = { mode: "text", tokens: { inputTokens: 1 }, tags: { team: "search", shop: "a" }, costs: { input: 1 } }
    const reserving = budget.reserve({ subject: mine, amount, entry })
    Object.assign(mine, { userId: 5, tags: undefined })
    Object.assign(amount, { nanoUsd: 9, tokens: 0 })
    Object.assign(entry.tokens, { inputTokens: -1 })
    Object.assign(entry.tags, { shop: "changed" })
    Object.assign(entry, { mode: 5, costs: null })
    const result = await reserving
    if (!result.ok) throw result.error
    expect(result.reservation.amount).toEqual({ nanoUsd: 5, tokens: 7, requests: 1 })
    const cost = { nanoUsd: 3, tokens: 2 }
    const part = { tokens: { inputTokens: 2 }, tags: { team: "search" }, costs: { input: 3 } }
    const settling = result.reservation.settle(cost, part)
    Object.assign(cost, { nanoUsd: 0 })
    for (const field of [part.tokens, part.tags, part.costs])
      Object.assign(field, { inputTokens: 9, team: "x", input: 9 })
    expect(await settling).toMatchObject({ status: "settled" })
    const { entries } = await budget.usage.list()
    expect(entries).toMatchObject([
      { userId: "ada", mode: "text", tokens: { inputTokens: 2 }, tags: { team: "search" }, costs: { input: 3 } },
    ])
    expect(entries[0]!.charges).toEqual({ "u=ada|usd|total": 3, "u=ada|tok|total": 2, "t=team=search|usd|total": 3 })
    // The caller owns what the ledger returns.
    entries[0]!.tokens.inputTokens = 99
    expect((await budget.usage.list()).entries[0]!.tokens).toEqual({ inputTokens: 2 })
  })

  it("in an entry, name the caller's own argument when a field is invalid", async () => {
    const budget = budgetOn(world(), { limits: [] })
    const invalid = { attempt: 0, tokens: { inputTokens: -1 }, durationMs: -1, prompt: "p".repeat(65_537) }
    for (const [field, value] of Object.entries(invalid))
      await expect(budget.reserve({ amount: 1, entry: { [field]: value } })).rejects.toMatchObject({
        kind: "usage",
        argument: `entry.${field}`,
      })
  })

  it("with more limits than one call of the store may have counters, get a usage error before anything is sent", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [] })
    const limits = Array.from(
      { length: 33 },
      (_, index) => ({ scope: "total", limit: 1, per: `${index + 1}h` as const }) as const,
    )
    await expect(budget.reserve({ amount: 1, limits })).rejects.toMatchObject({ kind: "usage", argument: "limits" })
    expect(at.calls).toEqual([])
  })
})

describe("a store that returns invalid replies", () => {
  const limits = [{ scope: "user", limit: 9, per: "day" }] as const
  const broken = (member: "reserve" | "read" | "settle", change: (reply: object) => unknown): BudgetStore => {
    const store = memoryStore({ now: () => NOON })
    return changedStore(store, { [member]: async (request: never) => change(await store[member](request)) })
  }

  it("is a failure that admits nothing; a possible reservation is released", async () => {
    const invalid: ((reply: object) => unknown)[] = [
      () => undefined,
      (reply) => ({ ...reply, now: Number.NaN }),
      (reply) => ({ ...reply, now: 8.64e15 }),
      (reply) => ({ ...reply, counters: [] }),
      (reply) => ({ ...reply, counters: undefined }),
      (reply) => ({ ...reply, counters: [{ spent: "1", reserved: 0, granted: 0 }] }),
    ]
    for (const change of invalid) {
      const budget = createBudget({ store: broken("reserve", change), limits })
      const failure = { name: "StoreError", code: "store-corrupt", applied: "maybe" }
      await expect(budget.reserve({ subject, amount: { usd: 1 } })).rejects.toMatchObject(failure)
      expect(budget.pending).toBe(1)
      expect(await budget.flush()).toBe(true)
      expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0 })
      const reading = createBudget({ store: broken("read", change), limits })
      await expect(reading.status(subject)).rejects.toMatchObject(failure)
    }
  })

  it("does not fail a call when it settles", async () => {
    const budget = createBudget({ store: broken("settle", () => ({})), limits })
    expect(await (await reserved(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1 })).toMatchObject({
      status: "pending",
    })
  })
})

describe("numbers and times at the edge", () => {
  it("an invalid time is a usage error, not an endless search", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [] })
    for (const at of [Number.NaN, Number.POSITIVE_INFINITY, 9e15, 0.5])
      for (const per of ["day", "month", "1h"] as const) {
        const filters = [{ from: at }, { to: at }, { from: at, to: at }]
        for (const filter of filters)
          await expect(budget.usage.totals({ per, filter })).rejects.toMatchObject({ kind: "usage" })
      }
    const entry: StoredEntry = {
      ...{ idempotencyKey: "a", at: 1, revision: 0, requestId: "a", attempt: 1, model: "m", status: "succeeded" },
      ...{ tokens: {}, costNanoUsd: 1, costSource: "table", reservedNanoUsd: 1, state: "settled" },
      charges: { [`total|usd|0-${(2 ** 53 - 1).toString(36)}`]: 1 },
    }
    await expect(budget.correct({ entry, cost: 1 })).rejects.toMatchObject({ argument: "entry.charges" })
  })

  it("2^53 − 1 fits exactly once, −0 is 0, and only integers are amounts", async () => {
    const store = memoryStore()
    const budget = createBudget({ store, limits: [{ scope: "total", limit: null }] })
    const most = Number.MAX_SAFE_INTEGER
    const zero = await reserved(budget, { amount: { nanoUsd: -0 } })
    expect(Object.is(zero.amount.nanoUsd, 0)).toBe(true)
    await zero.settle({ nanoUsd: -0 })
    const all = await reserved(budget, { amount: { nanoUsd: most } })
    expect(await budget.reserve({ amount: { nanoUsd: 1 } })).toMatchObject({ ok: false })
    await all.settle({ nanoUsd: most })
    expect((await budget.status())[0]).toMatchObject({ spentNanoUsd: most, reserved: 0 })
    for (const nanoUsd of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, "1", 1n, null])
      await expect(budget.reserve({ amount: { nanoUsd: nanoUsd as number } })).rejects.toMatchObject({
        kind: "usage",
      })
  })

  it("an entry with an unknown status is a usage error, so that no sum becomes NaN", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [] })
    const entry = { requestId: "r", attempt: 1, model: "m", tokens: {}, costNanoUsd: 0, costSource: "none" as const }
    for (const status of ["paid", "__proto__", undefined])
      await expect(
        budget.usage.record("a", { ...entry, reservedNanoUsd: 0, status: status as "denied" }),
      ).rejects.toMatchObject({ kind: "usage" })
  })
})

describe("statuses", () => {
  it("come in the order of `limits`, even if they share a counter", async () => {
    const limits = [
      { scope: "user", limit: 5, per: "day" },
      { scope: { tag: "team" }, limit: { tokens: 9, usd: 2 } },
      { scope: "client", limit: 7 },
      { scope: "total", limit: 8 },
      { scope: "client", limit: 6 },
    ] as const
    const budget = createBudget({ store: memoryStore(), limits })
    const whole = { userId: "u", clientId: "c", tags: { team: "t" } }
    const order = (list: readonly { limit: number | null; unit: string }[]) =>
      list.map(({ limit, unit }) => (unit === "usd" ? limit! : `${limit} ${unit}`))
    expect(order(await budget.status(whole))).toEqual([5, 2, "9 tokens", 7, 8, 6])
    const reservation = await reserved(budget, { subject: whole, amount: { usd: 1, tokens: 1 } })
    expect(order(reservation.limits)).toEqual([5, 2, "9 tokens", 8, 6])
    expect(order(await budget.child({ limit: 1 }).status(whole))).toEqual([5, 2, "9 tokens", 7, 8, 6, 1])
  })

  it("a top-up of a limit that does not apply to the subject is a usage error, although calls may skip it", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: 5, optional: true }] })
    await expect(budget.topUp({ scope: "user", amount: { usd: 1 } })).rejects.toMatchObject({ kind: "usage" })
    await expect(budget.reset({ scope: "user" })).rejects.toMatchObject({ kind: "usage" })
    expect(await budget.topUp({ scope: "user", subject, amount: { usd: 1 } })).toMatchObject([{ granted: 1 }])
  })
})

describe("closing", () => {
  const limits = [{ scope: "user", limit: 9 }] as const

  it("after close a reserve is a failure, and a settle is tried once", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const [one, other] = [
      await reserved(budget, { subject, amount: { usd: 1 } }),
      await reserved(budget, { subject, amount: { usd: 1 } }),
    ]
    await budget.close({ keepStore: true })
    await expect(budget.reserve({ subject, amount: { usd: 1 } })).rejects.toMatchObject({ name: "StoreError" })
    expect(await one.settle({ usd: 0.5 })).toMatchObject({ status: "settled" })
    at.faults.push({ member: "settle", kind: "down" })
    expect(await other.settle({ usd: 0.5 })).toMatchObject({ status: "pending" })
    expect(budget.pending).toBe(0)
    expect(at.warnings).toEqual([expect.stringContaining("The budget was closed before the settlement")])
  })

  it("a child that is closed leaves its parent open", async () => {
    const close = vi.fn(async () => {})
    const budget = createBudget({ store: changedStore(memoryStore(), { close }), limits })
    const child = budget.child({ limit: 1 })
    const grandchild = child.child({ limit: "0.50" })
    await grandchild.close()
    await child.close()
    expect(close).not.toHaveBeenCalled()
    expect(await grandchild.reserve({ subject, amount: { usd: 0.75 } })).toMatchObject({ ok: false })
    expect(await budget.reserve({ subject, amount: { usd: 0.75 } })).toMatchObject({ ok: true })
    await budget.close()
    expect(close).toHaveBeenCalledTimes(1)
  })

  it("a flush with an infinite timeout waits", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    at.faults.push({ member: "settle", kind: "lost" }, { member: "settle", kind: "lost" })
    await reservation.settle({ usd: 1 })
    expect(await budget.flush({ timeoutMs: Number.POSITIVE_INFINITY })).toBe(true)
    await expect(budget.flush({ timeoutMs: Number.NaN })).rejects.toMatchObject({ kind: "usage" })
  })

  it("an invalid partition is an immediate usage error", () => {
    for (const partition of ["", 5, null])
      expect(() => createBudget({ store: memoryStore(), limits, partition: partition as string })).toThrow("partition")
  })

  it("an adjustment that changes nothing leaves the store as it was, in any partition", async () => {
    const store = memoryStore({ now: () => NOON })
    const counter = { name: "total|usd|0-rs", startsAt: 0, endsAt: 1_000, keepMs: null }
    for (let index = 0; index < 100; index++) {
      const request = { partition: `t${index}`, key: "a", counter, kind: "granted", delta: 1 } as const
      expect(await store.adjust(request)).toMatchObject({ status: "stale-window" })
    }
    expect(store.size()).toEqual({ reservations: 0, counters: 0, adjustments: 0, entries: 0 })
  })
})

describe("windows that end", () => {
  it("alert for the day of the reservation, when a retry settles it after midnight", async () => {
    const at = world(Date.UTC(2026, 2, 2, 23, 59, 59))
    const alerts: BudgetAlert[] = []
    const limits = [{ scope: "user", limit: 1, per: "day", alertAt: [0.5] }] as const
    await reserved(budgetOn(at, { limits }), { subject, amount: { usd: 1 }, idempotencyKey: "late" })
    at.now += 2_000
    const later = budgetOn(at, { limits, onAlert: (alert) => alerts.push(alert) })
    await (await reserved(later, { subject, amount: { usd: 1 }, idempotencyKey: "late" })).settle({ usd: 0.5 })
    expect(alerts).toMatchObject([{ threshold: 0.5, value: "ada", startsAt: Date.UTC(2026, 2, 2) }])
  })

  it("the charge of an expired attempt is its cost in the ledger", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 9 }], leaseMs: 1_000 })
    await reserved(budget, { subject, amount: { usd: 1 } })
    await reserved(budget, { subject, amount: { usd: 2 }, onExpire: 0.5 })
    await reserved(budget, { subject, amount: { usd: 4 }, onExpire: "release" })
    at.now += 60_000
    await budget.sweep()
    const [user] = await budget.status(subject)
    expect(user).toMatchObject({ spent: 1.5, reserved: 0 })
    expect(await budget.usage.totals()).toMatchObject([{ expired: 3, costNanoUsd: user!.spentNanoUsd }])
    const { entries } = await budget.usage.list()
    expect(entries.map((entry) => entry.costSource).sort()).toEqual(["bound", "custom", "none"])
    for (const { costNanoUsd, charges } of entries) expect(Object.values(charges)).toEqual([costNanoUsd])
  })
})
