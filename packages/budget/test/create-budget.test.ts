import { afterEach, describe, expect, it, vi } from "vitest"
import {
  type Budget,
  type BudgetAlert,
  createBudget,
  IdempotencyKeyMismatchError,
  memoryStore,
  ReservationHeldError,
  ReservationResolvedError,
  SettleMismatchError,
  type UsageEntry,
} from "../src"
import { budgetOn, changedStore, denied, NOON, reserved, USD, world } from "./budget-world"

const subject = { userId: "ada", clientId: "web" }

afterEach(() => {
  vi.useRealTimers()
})

describe("guarantees on memory", () => {
  it("admits exactly 50 of 1,000 parallel reserves of $0.10 against $5, in 3 scopes, 20 times", async () => {
    for (let round = 0; round < 20; round++) {
      const budget = createBudget({
        store: memoryStore(),
        limits: [
          { scope: "user", limit: "5", per: "day", timeZone: "Europe/Paris" },
          { scope: "client", limit: "300", per: "month" },
          { scope: "total", limit: { usd: "1000", requests: 10_000 }, per: "1h" },
        ],
      })
      const all = await Promise.all(
        Array.from({ length: 1_000 }, () => budget.reserve({ subject, amount: { usd: "0.10" } })),
      )
      expect(all.filter((one) => one.ok)).toHaveLength(50)
      const [user, client] = await budget.status(subject)
      expect([user?.reserved, client?.reserved]).toEqual([5, 5])
      await budget.close()
    }
  })

  it("adds a million random charges exactly", async () => {
    const store = memoryStore({ maxReservations: 2_000_000, maxEntries: 0 })
    const entry: UsageEntry = {
      requestId: "r",
      attempt: 1,
      model: "m",
      status: "succeeded",
      tokens: {},
      reservedNanoUsd: 0,
      costNanoUsd: 0,
      costSource: "custom",
    }
    let state = 12345
    let sum = 0n
    for (let index = 0; index < 1_000_000; index++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      const amount = state * 2
      sum += BigInt(amount)
      await store.settle({
        partition: "m",
        key: `i${index}`,
        fingerprint: "f",
        outcome: "settled",
        revision: 0,
        counters: [{ name: "total|usd|total", startsAt: null, endsAt: null, keepMs: null, reserved: 0, amount }],
        expiresAt: null,
        entry,
      })
    }
    const { counters } = await store.read({ partition: "m", counters: ["total|usd|total"] })
    expect(BigInt(counters[0]!.spent)).toBe(sum)
  })

  it("sends one call to the store for a reserve and one for a settle", async () => {
    const at = world(Date.now())
    const budget = budgetOn(at, {
      limits: [
        { scope: "user", limit: 1, per: "day" },
        { scope: "total", limit: 9 },
      ],
    })
    const reservation = await reserved(budget, { subject, amount: { usd: 0.5 } })
    await reservation.settle({ usd: 0.2 })
    expect(at.calls).toEqual(["reserve", "settle"])
  })

  it("changes nothing when the clock of this process is wrong", async () => {
    const limits = [{ scope: "user", limit: 1, per: "day", timeZone: "Asia/Kolkata" } as const]
    const at = world(NOON)
    const budget = budgetOn(at, { limits })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    // 2 March, 17:30 in India: the day ends at 18:30 UTC.
    expect(reservation.limits[0]!.resetsAt).toBe(Date.UTC(2026, 2, 2, 18, 30))
    expect(at.calls).toEqual(["reserve", "reserve"])
    at.now = Date.UTC(2026, 2, 2, 18, 30) - 1
    expect((await denied(budget, { subject, amount: { usd: 1 } })).resetsAt).toBe(Date.UTC(2026, 2, 2, 18, 30))
    at.now++
    expect((await reserved(budget, { subject, amount: { usd: 1 } })).limits[0]!.startsAt).toBe(at.now)
  })
})

describe("denials", () => {
  it("name the scope, the window, the amounts in dollars and when to retry", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: "1.00", per: "day", timeZone: "Europe/Paris" }] })
    await (await reserved(budget, { subject, amount: { usd: "0.70" } })).settle({ usd: "0.65" })
    const error = await denied(budget, { subject, amount: { usd: "0.50" } })
    expect(error).toMatchObject({
      name: "BudgetExceededError",
      code: "budget-exceeded",
      kind: "denied",
      scope: "user",
      window: "day",
      unit: "usd",
      limit: 1,
      spent: 0.65,
      reserved: 0,
      requested: 0.5,
      remaining: 0.35,
      resetsAt: Date.UTC(2026, 2, 2, 23),
      retryAfterMs: 11 * 3_600_000,
    })
    expect(error.message).toBe(
      "Budget exceeded (user, day): requested $0.50, remaining $0.35 of $1.00. Resets 2026-03-03T00:00+01:00.",
    )
    expect(JSON.stringify(error)).not.toContain("ada")
  })

  it("list every limit that denied the call, the one that denies longest first", async () => {
    const budget = budgetOn(world(), {
      limits: [
        { scope: "user", limit: { usd: 1 }, per: "hour" },
        { scope: "client", limit: { tokens: 10 }, per: "total" },
        { scope: "total", limit: 100 },
      ],
    })
    await (await reserved(budget, { subject, amount: { usd: 1, tokens: 5 } })).settle({ usd: 1, tokens: 5 })
    const error = await denied(budget, { subject, amount: { usd: 1, tokens: 6 } })
    expect(error.all.map(({ scope, unit, retryAfterMs }) => [scope, unit, retryAfterMs])).toEqual([
      ["client", "tokens", null],
      ["user", "usd", 3_600_000],
    ])
    expect(error.scope).toBe("client")
  })

  it("store nothing, and a limit of zero denies every amount but zero", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: 0 }] })
    await denied(budget, { amount: { nanoUsd: 1 } })
    await reserved(budget, { amount: { nanoUsd: 0 } })
    expect((await budget.status())[0]).toMatchObject({ limit: 0, spent: 0, reserved: 0, remaining: 0 })
  })
})

describe("limits", () => {
  it("may be a function of the subject, synchronous or not", async () => {
    const budget = budgetOn(world(), {
      limits: async ({ tags }) => [{ scope: { tag: "team" }, limit: tags?.team === "big" ? 10 : 1, per: "month" }],
    })
    await reserved(budget, { subject: { tags: { team: "big" } }, amount: { usd: 5 } })
    await denied(budget, { subject: { tags: { team: "small" } }, amount: { usd: 5 } })
  })

  it("fail closed when the subject lacks their scope, unless they are optional", async () => {
    const strict = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    await expect(strict.reserve({ subject: { clientId: "web" }, amount: { usd: 0.1 } })).rejects.toMatchObject({
      code: "invalid-argument",
      argument: "subject.userId",
    })
    const lax = budgetOn(world(), { limits: [{ scope: "user", limit: 1, optional: true }] })
    await reserved(lax, { subject: { clientId: "web" }, amount: { usd: 5 } })
    expect(await strict.status({ clientId: "web" })).toEqual([])
  })

  it("of one call are added to those of the budget, and the smallest of a counter decides", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 5, per: "day" }] })
    const extra = [{ scope: "user", limit: 1, per: "day" } as const]
    await denied(budget, { subject, amount: { usd: 2 }, limits: extra })
    const { limits: statuses } = await reserved(budget, { subject, amount: { usd: 1 }, limits: extra })
    expect(statuses).toHaveLength(1)
    expect((await budget.status(subject, { limits: extra })).map(({ limit }) => limit)).toEqual([5, 1])
    await reserved(budget, { subject, amount: { usd: 4 } })
  })

  it("need an amount in their unit, and count one request by default", async () => {
    const tokens = budgetOn(world(), { limits: [{ scope: "total", limit: { tokens: 100 } }] })
    await expect(tokens.reserve({ amount: { usd: 1 } })).rejects.toMatchObject({ argument: "amount.tokens" })
    const requests = budgetOn(world(), { limits: [{ scope: "total", limit: { requests: 2 }, per: "1m" }] })
    await reserved(requests, { amount: {} })
    await reserved(requests, { amount: {} })
    expect((await denied(requests, { amount: {} })).unit).toBe("requests")
  })

  it("only count when they are null", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: null, per: "month" }] })
    await (await reserved(budget, { subject, amount: { usd: 3 } })).settle({ usd: 2 })
    expect((await budget.status(subject))[0]).toMatchObject({ limit: null, remaining: null, spent: 2 })
  })

  it("of a child are one more counter", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "total", limit: 10 }] })
    const run = budget.child({ limit: "0.50" })
    await reserved(run, { amount: { usd: 0.4 } })
    expect((await denied(run, { amount: { usd: 0.2 } })).scope).toHaveProperty("child")
    await reserved(budget, { amount: { usd: 9.6 } })
    await denied(run.child({ limit: 5 }), { amount: { usd: 0.01 } })
  })

  it.each([
    [{ scope: "team", limit: 1 }],
    [{ scope: "user", limit: -1 }],
    [{ scope: "user", limit: {} }],
    [{ scope: "user", limit: { tokens: 0.5 } }],
    [{ scope: "user", limit: { usd: 1, nanoUsd: 1 } }],
    [{ scope: "user", limit: 1, per: "year" }],
    [{ scope: "user", limit: 1, per: "0h" }],
    [{ scope: "user", limit: 1, per: "day", timeZone: "Mars/Olympus" }],
    [{ scope: "user", limit: 1, per: "1h", timeZone: "Europe/Paris" }],
    [{ scope: "user", limit: 1, alertAt: [0] }],
    [{ scope: "user", limit: null, alertAt: [1] }],
    [{ scope: "user", limit: 1, per: "day", forgetAfterMs: 5 }],
    [{ scope: { child: "x" }, limit: 1 }],
    [null],
  ])("that are invalid are usage errors at once: %j", (limit) => {
    expect(() => budgetOn(world(), { limits: [limit as never] })).toThrowError(/`limits\[0\]/)
  })
})

describe("settling", () => {
  it("charges the cost by unit, and units without a cost in full", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: { usd: 10, tokens: 1_000, requests: 9 } }] })
    const units = async () => Object.fromEntries((await budget.status(subject)).map(({ unit, spent }) => [unit, spent]))
    await (await reserved(budget, { subject, amount: { usd: 1, tokens: 100 } })).settle({ usd: 0.5, tokens: 40 })
    expect(await units()).toEqual({ usd: 0.5, tokens: 40, requests: 1 })
    await (await reserved(budget, { subject, amount: { usd: 1, tokens: 100 } })).settle({ usd: 0.5 })
    expect(await units()).toEqual({ usd: 1, tokens: 140, requests: 2 })
    const third = await reserved(budget, { subject, amount: { usd: 1, tokens: 100 } })
    await expect(third.settle({})).rejects.toMatchObject({ argument: "cost" })
  })

  it("records a cost above the reservation in full, and reports the overrun", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const settlement = await (await reserved(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1.5 })
    expect(settlement).toMatchObject({ status: "settled", overrunNanoUsd: 0.5 * USD })
    expect((await budget.status(subject))[0]!.remaining).toBe(-0.5)
  })

  it("is idempotent, rejects other amounts, and is replaced by a higher revision", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    expect(await reservation.settle({ usd: 0.5 })).toMatchObject({ status: "settled", replayed: false })
    expect(await reservation.settle({ usd: 0.5 })).toMatchObject({ status: "settled", replayed: true })
    await expect(reservation.settle({ usd: 0.6 })).rejects.toBeInstanceOf(SettleMismatchError)
    await expect(reservation.release()).rejects.toBeInstanceOf(SettleMismatchError)
    expect(await reservation.settle({ usd: 0.6 }, undefined, { revision: 1 })).toMatchObject({ status: "settled" })
    expect((await budget.status(subject))[0]!.spent).toBe(0.6)
  })

  it("corrects from the stored entry alone, in another process, once", async () => {
    const at = world()
    const limits = [
      { scope: "user", limit: 5, per: "day", timeZone: "Asia/Tokyo" },
      { scope: { tag: "team" }, limit: { usd: 5, tokens: 99 } },
    ] as const
    const one = budgetOn(at, { limits })
    const options = {
      subject: { userId: "a@b.c", tags: { team: "ü" } },
      amount: { usd: 1, tokens: 9 },
      idempotencyKey: "call-1",
    }
    await (await reserved(one, options)).settle({ usd: 1, tokens: 9 })
    const other = budgetOn(at, { limits })
    const [entry] = (await other.usage.list()).entries
    expect(await other.correct({ entry: entry!, cost: { usd: 0.25 }, changes: { costSource: "provider" } })).toEqual({
      status: "corrected",
    })
    expect(await one.correct({ entry: entry!, cost: { usd: 0.25 } })).toEqual({ status: "unchanged" })
    const spent = (await one.status(options.subject)).map((each) => each.spent)
    expect(spent.sort((a, b) => a - b)).toEqual([0.25, 0.25, 9])
    expect((await one.usage.list()).entries).toMatchObject([
      { costNanoUsd: 0.25 * USD, costSource: "provider", revision: 1 },
    ])
    // Long after, the store has forgotten the key: the open windows are corrected, and nothing is charged twice.
    at.now += 2 * 3_600_000
    const [again] = (await one.usage.list()).entries
    expect(await other.correct({ entry: again!, cost: { usd: 0.5 } })).toEqual({ status: "adjusted" })
    expect(await other.correct({ entry: again!, cost: { usd: 0.5 } })).toEqual({ status: "adjusted" })
    expect((await one.status(options.subject)).map((each) => each.spent).sort((a, b) => a - b)).toEqual([0.5, 0.5, 9])
  })
})

describe("idempotency keys", () => {
  it("give the same reservation for the same content, and a usage error for other content", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const first = await reserved(budget, { subject, amount: { usd: 1 }, idempotencyKey: "call-1" })
    const second = await reserved(budget, { subject, amount: { usd: 1 }, idempotencyKey: "call-1" })
    expect([first.replayed, second.replayed]).toEqual([false, true])
    await expect(budget.reserve({ subject, amount: { usd: 0.5 }, idempotencyKey: "call-1" })).rejects.toBeInstanceOf(
      IdempotencyKeyMismatchError,
    )
    await first.settle({ usd: 0 })
    await expect(budget.reserve({ subject, amount: { usd: 1 }, idempotencyKey: "call-1" })).rejects.toMatchObject({
      name: "ReservationResolvedError",
      state: "settled",
    })
  })

  it("are never sent twice at once", async () => {
    const at = world()
    let [running, most] = [0, 0]
    const store = at.store
    at.store = changedStore(store, {
      reserve: async (request) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 1))
        running--
        return store.reserve(request)
      },
    })
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: 1 }] })
    const all = await Promise.all(
      Array.from({ length: 5 }, () => budget.reserve({ amount: { usd: 1 }, idempotencyKey: "x" })),
    )
    expect(most).toBe(1)
    expect(all.map((one) => one.ok && one.reservation.replayed)).toEqual([false, true, true, true, true])
  })

  it("survive midnight: the retry finds the reservation of yesterday and settles it there", async () => {
    const at = world(Date.UTC(2026, 2, 2, 23, 59, 59))
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1, per: "day" }] })
    await reserved(budget, { subject, amount: { usd: 1 }, idempotencyKey: "late" })
    at.now += 2_000
    await (await reserved(budget, { subject, amount: { usd: 1 }, idempotencyKey: "late" })).settle({ usd: 0.5 })
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0, reserved: 0 })
    const [entry] = (await budget.usage.list()).entries
    const day = Date.UTC(2026, 2, 2)
    expect(entry!.charges).toEqual({ [`u=ada|usd|${day.toString(36)}-${(day + 86_400_000).toString(36)}`]: 0.5 * USD })
  })
})

describe("a store that fails", () => {
  const limits = [{ scope: "user", limit: 1 }] as const

  it("denies by a typed failure, within its timeout", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    at.faults.push({ member: "reserve", kind: "hang" })
    const outcome = expect(budget.reserve({ subject, amount: { usd: 1 } })).rejects.toMatchObject({
      name: "StoreError",
      code: "store-unavailable",
      applied: "maybe",
    })
    await vi.advanceTimersByTimeAsync(at.store.capabilities.timeoutMs)
    await outcome
    // What it may have reserved is released.
    await vi.advanceTimersByTimeAsync(200)
    expect(at.calls).toEqual(["reserve", "settle"])
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0 })
  })

  it("releases a reserve without a reply until that is confirmed, and does not admit its key meanwhile", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    at.faults.push(
      { member: "reserve", kind: "lost" },
      { member: "settle", kind: "down" },
      { member: "settle", kind: "down" },
    )
    await expect(budget.reserve({ subject, amount: { usd: 1 }, idempotencyKey: "x" })).rejects.toMatchObject({
      applied: "maybe",
    })
    await expect(budget.reserve({ subject, amount: { usd: 1 }, idempotencyKey: "x" })).rejects.toMatchObject({
      applied: "no",
    })
    await denied(budget, { subject, amount: { usd: 1 } })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(budget.pending).toBe(0)
    await expect(budget.reserve({ subject, amount: { usd: 1 }, idempotencyKey: "x" })).rejects.toBeInstanceOf(
      ReservationResolvedError,
    )
    await reserved(budget, { subject, amount: { usd: 1 } })
  })

  it("does not release what another call has reserved under the key of a lost reserve", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const request = { subject, amount: { usd: 0.4 }, idempotencyKey: "shared" }
    const first = await reserved(budget, request)
    at.faults.push({ member: "reserve", kind: "lost" })
    await expect(budget.reserve(request)).rejects.toMatchObject({ applied: "maybe" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0.4, spent: 0 })
    expect(await first.settle({ usd: 0.3 })).toMatchObject({ status: "settled", replayed: false })
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0.3 })
  })

  it("charges what another process's lost reserve released, once, and under every revision", async () => {
    const at = world()
    const [ours, theirs] = [1, 2].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 9 }] })) as [
      Budget,
      Budget,
    ]
    const reservation = await reserved(ours, { idempotencyKey: "job", amount: { usd: 1 } })
    at.faults.push({ member: "reserve", kind: "lost" })
    await expect(theirs.reserve({ idempotencyKey: "job", amount: { usd: 1 } })).rejects.toMatchObject({
      applied: "maybe",
    })
    expect(await theirs.flush()).toBe(true)
    expect((await ours.status())[0]).toMatchObject({ spent: 0, reserved: 0 })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "settled", recovered: true })
    expect((await ours.status())[0]).toMatchObject({ spent: 1 / 4, reserved: 0 })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "settled", replayed: true })
    await expect(reservation.settle({ usd: 0.5 })).rejects.toBeInstanceOf(SettleMismatchError)
    await reservation.settle({ usd: 0.5 }, {}, { revision: 1 })
    expect((await ours.status())[0]).toMatchObject({ spent: 1 / 2, reserved: 0 })
    expect(at.warnings).toEqual([expect.stringContaining('"job" was released by another caller of its key')])
    const { entries } = await ours.usage.list({})
    expect(entries.map(({ requestId }) => requestId)).toEqual(["job", "job"])
    expect(entries.map(({ costNanoUsd }) => costNanoUsd).sort()).toEqual([0, USD / 2])
  })

  it("charges it in the background too, when the store is down meanwhile", async () => {
    const at = world()
    const [ours, theirs] = [1, 2].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 9 }] })) as [
      Budget,
      Budget,
    ]
    const reservation = await reserved(ours, { idempotencyKey: "job", amount: { usd: 1 } })
    at.faults.push({ member: "reserve", kind: "lost" }, { member: "settle", kind: "down" })
    await expect(theirs.reserve({ idempotencyKey: "job", amount: { usd: 1 } })).rejects.toMatchObject({
      applied: "maybe",
    })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "pending" })
    expect(await theirs.flush()).toBe(true)
    at.faults.push({ member: "settle", kind: "lost" })
    at.faults.push({ member: "extend", kind: "down" })
    await ours.close({ keepStore: true })
    expect((await theirs.status())[0]).toMatchObject({ spent: 1 / 4, reserved: 0 })
  })

  it("does not release what another call is settling under the key of a lost reserve", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const request = { subject, amount: { usd: 0.4 }, idempotencyKey: "shared" }
    const first = await reserved(budget, request)
    at.faults.push({ member: "reserve", kind: "lost" }, { member: "settle", kind: "down" })
    // The settle fails while the reserve is under way: a release now would arrive before it.
    const [second, settled] = await Promise.allSettled([budget.reserve(request), first.settle({ usd: 0.3 })])
    expect(second).toMatchObject({ status: "rejected", reason: { applied: "maybe" } })
    expect(settled).toMatchObject({ status: "fulfilled", value: { status: "pending" } })
    expect(await budget.flush()).toBe(true)
    expect(at.warnings).toEqual([])
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0.3 })
    // A lost reserve of a new key is released as before.
    at.faults.push({ member: "reserve", kind: "lost" })
    await expect(budget.reserve({ ...request, idempotencyKey: "other" })).rejects.toMatchObject({ applied: "maybe" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0 })
  })

  it("does not lose a settle: it is pending, sent again with the same content, and confirmed", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    at.faults.push({ member: "settle", kind: "lost" })
    expect(await reservation.settle({ usd: 0.3 })).toMatchObject({ status: "pending" })
    expect(budget.pending).toBe(1)
    expect(await budget.flush()).toBe(true)
    expect(await reservation.settle({ usd: 0.3 })).toMatchObject({ status: "settled", replayed: true })
    expect((await budget.status(subject))[0]!.spent).toBe(0.3)
  })

  it("may admit calls by choice, up to a cap, which are charged when it is back", async () => {
    const at = world()
    const budget = budgetOn(at, { limits, onStoreFailure: { allowUpTo: { usd: "0.50" } } })
    at.faults.push(...Array.from({ length: 3 }, () => ({ member: "reserve", kind: "down" }) as const))
    const first = await reserved(budget, { subject, amount: { usd: 0.3 } })
    expect(first.expiresAt).toBeNull()
    await expect(budget.reserve({ subject, amount: { usd: 0.3 } })).rejects.toMatchObject({ code: "store-unavailable" })
    at.faults.push({ member: "settle", kind: "down" })
    expect(await first.settle({ usd: 0.2 })).toMatchObject({ status: "pending" })
    // Not released before the store knows.
    await expect(budget.reserve({ subject, amount: { usd: 0.3 } })).rejects.toMatchObject({ code: "store-unavailable" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.2, reserved: 0 })
    at.faults.push({ member: "reserve", kind: "down" })
    await reserved(budget, { subject, amount: { usd: 0.5 } })
  })

  it("is reported by close, which waits no longer than its timeout", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const reservation = await reserved(budget, { subject, amount: { usd: 1 } })
    at.faults.push(...Array.from({ length: 50 }, () => ({ member: "settle", kind: "down" }) as const))
    await reservation.settle({ usd: 1 })
    await budget.close({ timeoutMs: 20 })
    expect(budget.pending).toBe(0)
    expect(at.warnings).toEqual([expect.stringContaining("1 settlement that the store did not confirm")])
  })

  it("that is misconfigured admits nothing", async () => {
    const at = world()
    const check = async () => ({ ok: false, durability: "none" as const, warnings: ["It evicts keys."] })
    at.store = changedStore(at.store, { check })
    const budget = budgetOn(at, { limits, onStoreFailure: { allowUpTo: { usd: 5 } } })
    await expect(budget.reserve({ subject, amount: { usd: 1 } })).rejects.toMatchObject({ code: "store-misconfigured" })
    expect(at.calls).toEqual([])
  })
})

describe("leases", () => {
  it("live by heartbeats until the end of maxLeaseMs, and expire by onExpire", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 9 }], leaseMs: 30_000, maxLeaseMs: 60_000 })
    const advance = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 1_000) {
        at.now += 1_000
        await vi.advanceTimersByTimeAsync(1_000)
      }
    }
    const charge = await reserved(budget, { subject, amount: { usd: 1 } })
    await reserved(budget, { subject, amount: { usd: 2 }, onExpire: 0.5 })
    await reserved(budget, { subject, amount: { usd: 4 }, onExpire: "release" })
    const end = charge.expiresAt!
    await advance(45_000)
    expect(charge.expiresAt).toBeGreaterThan(end)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 7, spent: 0 })
    await advance(60_000)
    expect(await budget.sweep()).toEqual({ expired: 3, more: false })
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 1.5 })
    expect(await charge.settle({ usd: 0.25 })).toMatchObject({ status: "settled", late: true })
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.75 })
  })

  it("that have ended are swept before a call is denied because of them", async () => {
    const at = world()
    const [one, other] = [0, 1].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 1 }], onExpire: "release" }))
    await Promise.all(Array.from({ length: 500 }, () => reserved(one!, { amount: { usd: 0.002 } })))
    at.now += 60_000
    await reserved(other!, { amount: { usd: 1 } })
    expect((await other!.status())[0]).toMatchObject({ reserved: 1, spent: 0 })
  })
})

describe("alerts", () => {
  it("fire once per window over all budgets, expired reservations included", async () => {
    const at = world()
    const alerts: [string, number, unknown, number][] = []
    const make = (name: string) =>
      budgetOn(at, {
        limits: [{ scope: "user", limit: 10, per: "day", alertAt: [0.5, 0.8, 1] }],
        onAlert: ({ threshold, value, spent }: BudgetAlert) => alerts.push([name, threshold, value, spent]),
      })
    const [one, other] = [make("one"), make("other")]
    await (await reserved(one, { subject, amount: { usd: 5 } })).settle({ usd: 4.9 })
    expect(alerts).toEqual([])
    await (await reserved(one, { subject, amount: { usd: 1 } })).settle({ usd: 0.1 })
    await reserved(one, { subject, amount: { usd: 3 } })
    at.now += 60_000
    // The other budget expires the lease in a call of another subject.
    await reserved(other, { subject: { userId: "bob" }, amount: { usd: 1 } })
    await (await reserved(other, { subject, amount: { usd: 1 } })).settle({ usd: 3 })
    expect(alerts).toEqual([
      ["one", 0.5, "ada", 5],
      ["other", 0.8, "ada", 8],
      ["other", 1, "ada", 11],
    ])
    at.now += 24 * 3_600_000
    await (await reserved(one, { subject, amount: { usd: 6 } })).settle({ usd: 6 })
    expect(alerts.at(-1)).toEqual(["one", 0.5, "ada", 6])
  })

  it("fire once for a fraction that is listed twice, the lower before the higher", async () => {
    const fired: number[] = []
    const budget = budgetOn(world(), {
      limits: [{ scope: "user", limit: 1, alertAt: [1, 0.5, 0.8, 0.5] }],
      onAlert: ({ threshold }) => fired.push(threshold),
    })
    await (await reserved(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1 })
    expect(fired).toEqual([0.5, 0.8, 1])
  })

  it("that throw do not fail the settlement", async () => {
    const at = world()
    const budget = budgetOn(at, {
      limits: [{ scope: "total", limit: 1, alertAt: [0.1] }],
      onAlert: () => {
        throw new Error("no mail today")
      },
    })
    expect(await (await reserved(budget, { amount: { usd: 1 } })).settle({ usd: 1 })).toMatchObject({
      status: "settled",
    })
    expect(at.warnings).toHaveLength(1)
  })
})

describe("top-ups and resets", () => {
  it("change the current window only, once per key", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1, per: "day" }] })
    await (await reserved(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1 })
    const target = { subject, scope: "user", amount: { usd: 2 }, idempotencyKey: "gift" } as const
    expect(await budget.topUp(target)).toMatchObject([{ granted: 2, remaining: 2 }])
    expect(await budget.topUp(target)).toMatchObject([{ granted: 2 }])
    await reserved(budget, { subject, amount: { usd: 2 } })
    expect(await budget.reset({ subject, scope: "user" })).toMatchObject([{ spent: 0, reserved: 2 }])
    at.now += 24 * 3_600_000
    expect(await budget.status(subject)).toMatchObject([{ granted: 0, reserved: 0, spent: 0 }])
  })

  it("need `per` when the scope has several windows, and reject limits that do not exist", async () => {
    const budget = budgetOn(world(), {
      limits: [
        { scope: "user", limit: 1, per: "day" },
        { scope: "user", limit: 9, per: "month" },
      ],
    })
    const topUp = (more: object) => budget.topUp({ subject, scope: "user", amount: { usd: 1 }, ...more })
    await expect(topUp({})).rejects.toMatchObject({ argument: "per" })
    await expect(topUp({ scope: "client" })).rejects.toMatchObject({ argument: "scope" })
    await expect(topUp({ per: "day", amount: { tokens: 5 } })).rejects.toMatchObject({ argument: "amount.tokens" })
    expect(await topUp({ per: "month" })).toMatchObject([{ window: "month", granted: 1 }])
  })
})

describe("waiting", () => {
  const limits = [{ scope: "total", limit: 1 }] as const

  it("gets the room that another call releases", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const first = await reserved(budget, { amount: { usd: 1 } })
    const waiting = budget.reserve({ amount: { usd: 1 }, wait: { timeoutMs: 20_000 } })
    await first.release()
    expect((await waiting).ok).toBe(true)
  })

  it("is denied at once when the amount never fits or the window ends too late", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: 1, per: "day" }] })
    await denied(budget, { amount: { usd: 2 }, wait: { timeoutMs: 10_000 } })
    await (await reserved(budget, { amount: { usd: 1 } })).settle({ usd: 1 })
    at.calls.length = 0
    await denied(budget, { amount: { usd: 1 }, wait: { timeoutMs: 500 } })
    expect(at.calls.filter((call) => call === "reserve")).toHaveLength(1)
  })

  it("is denied when the time is over, and ends by its signal", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    await reserved(budget, { amount: { usd: 1 } })
    const waiting = denied(budget, { amount: { usd: 1 }, wait: { timeoutMs: 5_000 } })
    await vi.advanceTimersByTimeAsync(5_000)
    expect((await waiting).code).toBe("budget-exceeded")
    const controller = new AbortController()
    const aborted = expect(
      budget.reserve({ amount: { usd: 1 }, wait: { timeoutMs: 5_000, signal: controller.signal } }),
    ).rejects.toMatchObject({ code: "aborted" })
    await vi.advanceTimersByTimeAsync(100)
    controller.abort()
    await aborted
    expect((await budget.status())[0]!.reserved).toBe(1)
  })

  it("of an aborted reserve leaves nothing reserved", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    const controller = new AbortController()
    at.faults.push({ member: "reserve", kind: "hang" })
    const aborted = expect(budget.reserve({ amount: { usd: 1 }, signal: controller.signal })).rejects.toMatchObject({
      code: "aborted",
    })
    await vi.advanceTimersByTimeAsync(1)
    controller.abort()
    await aborted
    await vi.advanceTimersByTimeAsync(1_000)
    expect((await budget.status())[0]!.reserved).toBe(0)
  })
})

describe("run", () => {
  it("settles the cost of the call and returns its value", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "total", limit: 1 }] })
    const outcome = await budget.run({ amount: { usd: 1 } }, async () => ({ value: "hi", cost: { usd: 0.25 } }))
    expect(outcome).toMatchObject({ ok: true, value: "hi", settlement: { status: "settled" } })
    expect((await budget.run({ amount: { usd: 1 } }, async () => ({ value: 1, cost: { usd: 0 } }))).ok).toBe(false)
  })

  it("calls once per key, whoever else uses it", async () => {
    const here = world()
    const budgets = [1, 2].map(() => budgetOn(here, { limits: [{ scope: "total", limit: 9 }] }))
    const calls: string[] = []
    const outcomes = await Promise.allSettled(
      [...budgets, ...budgets].map((budget) =>
        budget.run({ idempotencyKey: "one", amount: { usd: 1 } }, async ({ idempotencyKey }) => {
          calls.push(idempotencyKey)
          await new Promise((resolve) => setTimeout(resolve, 5))
          return { value: "hi", cost: { usd: 0.25 } }
        }),
      ),
    )
    expect(calls).toEqual(["one"])
    const errors = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []))
    expect(errors.map((error) => [error instanceof ReservationHeldError, error.code, error.idempotencyKey])).toEqual(
      Array(3).fill([true, "reservation-held", "one"]),
    )
    expect((await budgets[0]!.status())[0]).toMatchObject({ spent: 1 / 4, reserved: 0 })
    const again = budgets[1]!.run({ idempotencyKey: "one", amount: { usd: 1 } }, async () => ({
      value: 1,
      cost: { usd: 0 },
    }))
    await expect(again).rejects.toMatchObject({ code: "reservation-resolved", state: "settled" })
  })

  it("goes on when a store replays its own reservation under a random key", async () => {
    const inner = memoryStore()
    const twice = changedStore(inner, {
      reserve: async (request) => inner.reserve(request).then(() => inner.reserve(request)),
    })
    const budget = createBudget({ store: twice, limits: [{ scope: "total", limit: 9 }] })
    const outcome = await budget.run({ amount: { usd: 1 } }, async () => ({ value: "hi", cost: { usd: 0.25 } }))
    expect(outcome).toMatchObject({ ok: true, value: "hi" })
  })

  it("charges the upper bound of a call that throws, unless `onError` says otherwise", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "total", limit: 9 }] })
    const spent = async () => (await budget.status())[0]!.spent
    const fail = async () => {
      throw new Error("cut")
    }
    await expect(budget.run({ amount: { usd: 1 } }, fail)).rejects.toThrow("cut")
    expect(await spent()).toBe(1)
    await expect(budget.run({ amount: { usd: 1 }, onError: "release" }, fail)).rejects.toThrow("cut")
    expect(await spent()).toBe(1)
    await expect(budget.run({ amount: { usd: 1 }, onError: () => ({ usd: 0.5 }) }, fail)).rejects.toThrow("cut")
    expect(await spent()).toBe(1.5)
  })
})

describe("usage", () => {
  it("sums by day of a time zone, exports lines and prunes", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: null }] })
    for (let hour = 0; hour < 48; hour++) {
      await (await reserved(budget, { subject, amount: { nanoUsd: 10 } })).settle({ nanoUsd: 10 })
      at.now += 3_600_000
    }
    const days = await budget.usage.totals({ per: "day", timeZone: "Asia/Kathmandu", groupBy: ["userId"] })
    expect(days.map(({ group, costNanoUsd }) => [group, costNanoUsd])).toEqual([
      [[Date.UTC(2026, 2, 1, 18, 15), "ada"], 70],
      [[Date.UTC(2026, 2, 2, 18, 15), "ada"], 240],
      [[Date.UTC(2026, 2, 3, 18, 15), "ada"], 170],
    ])
    const lines: string[] = []
    for await (const line of budget.usage.export({ from: NOON + 24 * 3_600_000 })) lines.push(line)
    expect(lines).toHaveLength(24)
    expect(JSON.parse(lines[0]!)).toMatchObject({ userId: "ada", costNanoUsd: 10 })
    expect(await budget.usage.prune(NOON + 24 * 3_600_000)).toEqual({ removed: 24 })
    await expect(budget.usage.totals({ per: "1s", filter: { from: 0 } })).rejects.toMatchObject({
      argument: "query.per",
    })
  })

  it("sums by day from any start, without the days before the first entry", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: null }] })
    await (await reserved(budget, { subject, amount: { nanoUsd: 10 } })).settle({ nanoUsd: 7 })
    const since = (from: number) => budget.usage.totals({ per: "day", filter: { from } })
    expect(await since(0)).toMatchObject([{ group: [Date.UTC(2026, 2, 2)], costNanoUsd: 7 }])
    expect(await since(0)).toEqual(await since(NOON - 86_400_000))
    expect(await budget.usage.totals({ per: "day", filter: { from: 0, to: NOON - 86_400_000 } })).toEqual([])
  })

  it("orders its groups by time and value, null last", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: null }] })
    for (const [userId, clientId] of [
      ["zoe", "b"],
      ["ada", undefined],
      ["ada", "b"],
      ["Zed", "a"],
      ["ada", "a"],
    ] as const)
      await (await reserved(budget, { subject: { userId, clientId }, amount: { nanoUsd: 1 } })).settle({ nanoUsd: 1 })
    at.now += 86_400_000
    await (await reserved(budget, { subject: { userId: "ada" }, amount: { nanoUsd: 1 } })).settle({ nanoUsd: 1 })
    const groups = async (per?: "day") =>
      (await budget.usage.totals({ groupBy: ["userId", "clientId"], per })).map(({ group }) => group)
    const first = [
      ["Zed", "a"],
      ["ada", "a"],
      ["ada", "b"],
      ["ada", null],
      ["zoe", "b"],
    ]
    expect(await groups()).toEqual(first)
    const day = Date.UTC(2026, 2, 2)
    expect(await groups("day")).toEqual([...first.map((group) => [day, ...group]), [day + 86_400_000, "ada", null]])
  })

  it("throws a NoLedgerError where the store keeps none", async () => {
    const budget = createBudget({ store: memoryStore({ maxEntries: 0 }), limits: [] })
    expect(budget.usage.available).toBe(false)
    await expect(budget.usage.list()).rejects.toMatchObject({ code: "no-ledger" })
  })
})

describe("partitions", () => {
  it("are tenants: nothing of one counts in another", async () => {
    const budget = budgetOn(world(), {
      partition: ({ tags }) => tags?.tenant ?? "main",
      limits: [{ scope: "total", limit: 1 }],
    })
    for (const tenant of ["a", "a}:{b", "__proto__", "😀"])
      await reserved(budget, { subject: { tags: { tenant } }, amount: { usd: 1 } })
    await denied(budget, { subject: { tags: { tenant: "a" } }, amount: { usd: 1 } })
    expect(budget.partitionOf({ tags: { tenant: "a}:{b" } })).toMatch(/^sha256:[\w-]{43}$/)
  })
})
