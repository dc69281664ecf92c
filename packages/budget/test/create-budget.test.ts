import { afterEach, describe, expect, it, vi } from "vitest"
import {
  type Budget,
  type BudgetAlert,
  type BudgetExceededError,
  createBudget,
  IdMismatchError,
  memoryStore,
  type Reservation,
  ReservationHeldError,
  ReservationResolvedError,
  type ReserveOptions,
  type ReserveRequest,
  SettleMismatchError,
} from "../src"
import { budgetOn, NOON, world } from "./budget-world"

const USD = 1_000_000_000
const subject = { userId: "ada", clientId: "web" }

afterEach(() => {
  vi.useRealTimers()
})

async function held(budget: Budget, options: ReserveOptions): Promise<Reservation> {
  const outcome = await budget.reserve(options)
  if (!outcome.ok) throw outcome.error
  return outcome.reservation
}

async function refused(budget: Budget, options: ReserveOptions): Promise<BudgetExceededError> {
  const outcome = await budget.reserve(options)
  if (outcome.ok) throw new Error("expected a refusal")
  return outcome.error
}

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
      expect([user?.reserved, client?.reserved]).toEqual([5 * USD, 5 * USD])
      await budget.close()
    }
  })

  it("adds up a million random charges like bigints do", async () => {
    const store = memoryStore({ maxIds: 2_000_000, maxEntries: 0 })
    let state = 12345
    let sum = 0n
    for (let index = 0; index < 1_000_000; index++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      const amount = state * 2
      sum += BigInt(amount)
      const cell = { key: "total|nanoUsd|total", startsAt: null, endsAt: null, keepMs: null, reserved: 0, amount }
      await store.settle({
        root: "m",
        id: `i${index}`,
        fingerprint: "f",
        outcome: "commit",
        revision: 0,
        cells: [cell],
        expiresAt: null,
      })
    }
    const { cells } = await store.read({ root: "m", keys: ["total|nanoUsd|total"] })
    expect(BigInt(cells[0]!.spent)).toBe(sum)
  })

  it("sends one call to the store for a reserve and one for a settle", async () => {
    const at = world(Date.now())
    const budget = budgetOn(at, {
      limits: [
        { scope: "user", limit: 1, per: "day" },
        { scope: "total", limit: 9 },
      ],
    })
    const reservation = await held(budget, { subject, amount: { usd: 0.5 } })
    await reservation.settle({ usd: 0.2 })
    expect(at.calls).toEqual(["reserve", "settle"])
  })

  it("changes nothing when the clock of this process is wrong", async () => {
    const limits = [{ scope: "user", limit: 1, per: "day", timeZone: "Asia/Kolkata" } as const]
    const at = world(NOON)
    const budget = budgetOn(at, { limits })
    const reservation = await held(budget, { subject, amount: { usd: 1 } })
    // 2 March, 17:30 in India: the day ends at 18:30 UTC.
    expect(reservation.cells[0]!.resetsAt).toBe(Date.UTC(2026, 2, 2, 18, 30))
    expect(at.calls).toEqual(["reserve", "reserve"])
    at.now = Date.UTC(2026, 2, 2, 18, 30) - 1
    expect((await refused(budget, { subject, amount: { usd: 1 } })).resetsAt).toBe(Date.UTC(2026, 2, 2, 18, 30))
    at.now++
    expect((await held(budget, { subject, amount: { usd: 1 } })).cells[0]!.startsAt).toBe(at.now)
  })
})

describe("refusals", () => {
  it("say scope, window, numbers in dollars and when to come back", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: "1.00", per: "day", timeZone: "Europe/Paris" }] })
    await (await held(budget, { subject, amount: { usd: "0.70" } })).settle({ usd: "0.65" })
    const error = await refused(budget, { subject, amount: { usd: "0.50" } })
    expect(error).toMatchObject({
      name: "BudgetExceededError",
      code: "budget-exceeded",
      kind: "denied",
      scope: "user",
      window: "day",
      unit: "nanoUsd",
      limit: USD,
      spent: 0.65 * USD,
      reserved: 0,
      requested: 0.5 * USD,
      remaining: 0.35 * USD,
      resetsAt: Date.UTC(2026, 2, 2, 23),
      retryAfterMs: 11 * 3_600_000,
    })
    expect(error.message).toBe(
      'The budget of scope "user" refuses $0.50: the limit per day (Europe/Paris) is $1.00, $0.65 is spent and $0.00 ' +
        "reserved, so that $0.35 remains. The next window starts at 2026-03-02T23:00:00.000Z.",
    )
    expect(JSON.stringify(error)).not.toContain("ada")
  })

  it("name every limit that refused, the one that holds longest first", async () => {
    const budget = budgetOn(world(), {
      limits: [
        { scope: "user", limit: { usd: 1 }, per: "hour" },
        { scope: "client", limit: { tokens: 10 }, per: "total" },
        { scope: "total", limit: 100 },
      ],
    })
    await (await held(budget, { subject, amount: { usd: 1, tokens: 5 } })).settle({ usd: 1, tokens: 5 })
    const error = await refused(budget, { subject, amount: { usd: 1, tokens: 6 } })
    expect(error.all.map(({ scope, unit, retryAfterMs }) => [scope, unit, retryAfterMs])).toEqual([
      ["client", "tokens", null],
      ["user", "nanoUsd", 3_600_000],
    ])
    expect(error.scope).toBe("client")
  })

  it("leave no trace, and a limit of zero refuses everything but nothing", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: 0 }] })
    await refused(budget, { amount: { nanoUsd: 1 } })
    await held(budget, { amount: { nanoUsd: 0 } })
    expect((await budget.status())[0]).toMatchObject({ limit: 0, spent: 0, reserved: 0, remaining: 0 })
  })
})

describe("limits", () => {
  it("may be a function of the subject, sync or async", async () => {
    const budget = budgetOn(world(), {
      limits: async ({ tags }) => [{ scope: { tag: "team" }, limit: tags?.team === "big" ? 10 : 1, per: "month" }],
    })
    await held(budget, { subject: { tags: { team: "big" } }, amount: { usd: 5 } })
    await refused(budget, { subject: { tags: { team: "small" } }, amount: { usd: 5 } })
  })

  it("fail closed when the subject lacks their scope, unless they are optional", async () => {
    const strict = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    await expect(strict.reserve({ subject: { clientId: "web" }, amount: { usd: 0.1 } })).rejects.toMatchObject({
      code: "invalid-argument",
      argument: "subject.userId",
    })
    const lax = budgetOn(world(), { limits: [{ scope: "user", limit: 1, optional: true }] })
    await held(lax, { subject: { clientId: "web" }, amount: { usd: 5 } })
    expect(await strict.status({ clientId: "web" })).toEqual([])
  })

  it("of one call join those of the budget, and the smaller one of the same cell wins", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 5, per: "day" }] })
    const extra = [{ scope: "user", limit: 1, per: "day" } as const]
    await refused(budget, { subject, amount: { usd: 2 }, limits: extra })
    const { cells } = await held(budget, { subject, amount: { usd: 1 }, limits: extra })
    expect(cells).toHaveLength(1)
    expect((await budget.status(subject, { limits: extra })).map(({ limit }) => limit)).toEqual([5 * USD, USD])
    await held(budget, { subject, amount: { usd: 4 } })
  })

  it("need an amount of their unit, and count a request without being told", async () => {
    const tokens = budgetOn(world(), { limits: [{ scope: "total", limit: { tokens: 100 } }] })
    await expect(tokens.reserve({ amount: { usd: 1 } })).rejects.toMatchObject({ argument: "amount.tokens" })
    const requests = budgetOn(world(), { limits: [{ scope: "total", limit: { requests: 2 }, per: "1m" }] })
    await held(requests, { amount: {} })
    await held(requests, { amount: {} })
    expect((await refused(requests, { amount: {} })).unit).toBe("requests")
  })

  it("only count when they are null", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: null, per: "month" }] })
    await (await held(budget, { subject, amount: { usd: 3 } })).settle({ usd: 2 })
    expect((await budget.status(subject))[0]).toMatchObject({ limit: null, remaining: null, spent: 2 * USD })
  })

  it("of a child are one more cell, and stop at it", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "total", limit: 10 }] })
    const run = budget.child({ limit: "0.50" })
    await held(run, { amount: { usd: 0.4 } })
    expect((await refused(run, { amount: { usd: 0.2 } })).scope).toHaveProperty("child")
    await held(budget, { amount: { usd: 9.6 } })
    await refused(run.child({ limit: 5 }), { amount: { usd: 0.01 } })
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
  ])("that make no sense are mistakes at once: %j", (limit) => {
    expect(() => budgetOn(world(), { limits: [limit as never] })).toThrowError(/^Expected `limits\[0\]/)
  })
})

describe("settling", () => {
  it("charges what it cost, by unit, and what is not told in full", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: { usd: 10, tokens: 1_000, requests: 9 } }] })
    const units = async () => Object.fromEntries((await budget.status(subject)).map(({ unit, spent }) => [unit, spent]))
    await (await held(budget, { subject, amount: { usd: 1, tokens: 100 } })).settle({ usd: 0.5, tokens: 40 })
    expect(await units()).toEqual({ nanoUsd: 0.5 * USD, tokens: 40, requests: 1 })
    await (await held(budget, { subject, amount: { usd: 1, tokens: 100 } })).settle({ usd: 0.5 })
    expect(await units()).toEqual({ nanoUsd: USD, tokens: 140, requests: 2 })
    const third = await held(budget, { subject, amount: { usd: 1, tokens: 100 } })
    await expect(third.settle({})).rejects.toMatchObject({ argument: "cost" })
  })

  it("records more than was reserved and says so", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const settlement = await (await held(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1.5 })
    expect(settlement).toMatchObject({ status: "settled", overrunNanoUsd: 0.5 * USD })
    expect((await budget.status(subject))[0]!.remaining).toBe(-0.5 * USD)
  })

  it("is the same twice, a mistake with other amounts, and replaced by a higher revision", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const reservation = await held(budget, { subject, amount: { usd: 1 } })
    expect(await reservation.settle({ usd: 0.5 })).toMatchObject({ status: "settled", replayed: false })
    expect(await reservation.settle({ usd: 0.5 })).toMatchObject({ status: "settled", replayed: true })
    await expect(reservation.settle({ usd: 0.6 })).rejects.toBeInstanceOf(SettleMismatchError)
    await expect(reservation.release()).rejects.toBeInstanceOf(SettleMismatchError)
    expect(await reservation.settle({ usd: 0.6 }, undefined, { revision: 1 })).toMatchObject({ status: "settled" })
    expect((await budget.status(subject))[0]!.spent).toBe(0.6 * USD)
  })

  it("corrects from the stored entry alone, in another process, once", async () => {
    const at = world()
    const limits = [
      { scope: "user", limit: 5, per: "day", timeZone: "Asia/Tokyo" },
      { scope: { tag: "team" }, limit: { usd: 5, tokens: 99 } },
    ] as const
    const one = budgetOn(at, { limits })
    const options = { subject: { userId: "a@b.c", tags: { team: "ü" } }, amount: { usd: 1, tokens: 9 }, id: "call-1" }
    await (await held(one, options)).settle({ usd: 1, tokens: 9 })
    const other = budgetOn(at, { limits })
    const [entry] = (await other.usage.list()).entries
    expect(await other.correct({ entry: entry!, cost: { usd: 0.25 }, changes: { costSource: "provider" } })).toEqual({
      status: "corrected",
    })
    expect(await one.correct({ entry: entry!, cost: { usd: 0.25 } })).toEqual({ status: "unchanged" })
    const spent = (await one.status(options.subject)).map((each) => each.spent)
    expect(spent.sort((a, b) => a - b)).toEqual([9, 0.25 * USD, 0.25 * USD])
    expect((await one.usage.list()).entries).toMatchObject([
      { costNanoUsd: 0.25 * USD, costSource: "provider", revision: 1 },
    ])
    // Long after, the store has forgotten the id: the open windows are corrected, and nothing is charged twice.
    at.now += 2 * 3_600_000
    const [again] = (await one.usage.list()).entries
    expect(await other.correct({ entry: again!, cost: { usd: 0.5 } })).toEqual({ status: "adjusted" })
    expect(await other.correct({ entry: again!, cost: { usd: 0.5 } })).toEqual({ status: "adjusted" })
    expect((await one.status(options.subject)).map((each) => each.spent).sort((a, b) => a - b)).toEqual([
      9,
      0.5 * USD,
      0.5 * USD,
    ])
  })
})

describe("ids", () => {
  it("give the same reservation for the same content, and a mistake for other content", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "user", limit: 1 }] })
    const first = await held(budget, { subject, amount: { usd: 1 }, id: "call-1" })
    const second = await held(budget, { subject, amount: { usd: 1 }, id: "call-1" })
    expect([first.replayed, second.replayed]).toEqual([false, true])
    await expect(budget.reserve({ subject, amount: { usd: 0.5 }, id: "call-1" })).rejects.toBeInstanceOf(
      IdMismatchError,
    )
    await first.settle({ usd: 0 })
    await expect(budget.reserve({ subject, amount: { usd: 1 }, id: "call-1" })).rejects.toMatchObject({
      name: "ReservationResolvedError",
      state: "committed",
    })
  })

  it("are never sent twice at once", async () => {
    const at = world()
    let [running, most] = [0, 0]
    const { reserve } = at.store
    at.store = {
      ...at.store,
      reserve: async (request) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 1))
        running--
        return reserve(request)
      },
    }
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: 1 }] })
    const all = await Promise.all(Array.from({ length: 5 }, () => budget.reserve({ amount: { usd: 1 }, id: "x" })))
    expect(most).toBe(1)
    expect(all.map((one) => one.ok && one.reservation.replayed)).toEqual([false, true, true, true, true])
  })

  it("survive midnight: the retry finds the reservation of yesterday and settles it there", async () => {
    const at = world(Date.UTC(2026, 2, 2, 23, 59, 59))
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1, per: "day" }] })
    await held(budget, { subject, amount: { usd: 1 }, id: "late" })
    at.now += 2_000
    await (await held(budget, { subject, amount: { usd: 1 }, id: "late" })).settle({ usd: 0.5 })
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0, reserved: 0 })
    const [entry] = (await budget.usage.list()).entries
    expect(entry!.charges).toEqual({ [`u=ada|nanoUsd|day.UTC.${Date.UTC(2026, 2, 2)}`]: 0.5 * USD })
  })
})

describe("a store that fails", () => {
  const limits = [{ scope: "user", limit: 1 }] as const

  it("refuses by a typed failure, within its timeout", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    at.faults.push({ member: "reserve", kind: "hang" })
    const outcome = expect(budget.reserve({ subject, amount: { usd: 1 } })).rejects.toMatchObject({
      name: "StoreError",
      code: "unavailable",
      applied: "maybe",
    })
    await vi.advanceTimersByTimeAsync(500)
    await outcome
    // What it may hold is given back.
    await vi.advanceTimersByTimeAsync(200)
    expect(at.calls).toEqual(["reserve", "settle"])
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0 })
  })

  it("releases a lost reserve until it is answered, and does not admit its id meanwhile", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    at.faults.push(
      { member: "reserve", kind: "lost" },
      { member: "settle", kind: "down" },
      { member: "settle", kind: "down" },
    )
    await expect(budget.reserve({ subject, amount: { usd: 1 }, id: "x" })).rejects.toMatchObject({ applied: "maybe" })
    await expect(budget.reserve({ subject, amount: { usd: 1 }, id: "x" })).rejects.toMatchObject({ applied: "no" })
    await refused(budget, { subject, amount: { usd: 1 } })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(budget.pending).toBe(0)
    await expect(budget.reserve({ subject, amount: { usd: 1 }, id: "x" })).rejects.toBeInstanceOf(
      ReservationResolvedError,
    )
    await held(budget, { subject, amount: { usd: 1 } })
  })

  it("does not end what another call holds under the id of a lost reserve", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const request = { subject, amount: { usd: 0.4 }, id: "shared" }
    const first = await held(budget, request)
    at.faults.push({ member: "reserve", kind: "lost" })
    await expect(budget.reserve(request)).rejects.toMatchObject({ applied: "maybe" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0.4 * USD, spent: 0 })
    expect(await first.settle({ usd: 0.3 })).toMatchObject({ status: "settled", replayed: false })
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0.3 * USD })
  })

  it("charges what another process's lost reserve released, once, and under every revision", async () => {
    const at = world()
    const [ours, theirs] = [1, 2].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 9 }] })) as [
      Budget,
      Budget,
    ]
    const reservation = await held(ours, { id: "job", amount: { usd: 1 } })
    at.faults.push({ member: "reserve", kind: "lost" })
    await expect(theirs.reserve({ id: "job", amount: { usd: 1 } })).rejects.toMatchObject({ applied: "maybe" })
    expect(await theirs.flush()).toBe(true)
    expect((await ours.status())[0]).toMatchObject({ spent: 0, reserved: 0 })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "settled", recovered: true })
    expect((await ours.status())[0]).toMatchObject({ spent: USD / 4, reserved: 0 })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "settled", replayed: true })
    await expect(reservation.settle({ usd: 0.5 })).rejects.toBeInstanceOf(SettleMismatchError)
    await reservation.settle({ usd: 0.5 }, undefined, { revision: 1 })
    expect((await ours.status())[0]).toMatchObject({ spent: USD / 2, reserved: 0 })
    expect(at.warnings).toEqual([expect.stringContaining('"job" was released by another caller of its id')])
    const { entries } = await ours.usage.list({})
    expect(entries.map(({ requestId, costNanoUsd }) => [requestId, costNanoUsd])).toEqual([["job", USD / 2]])
  })

  it("charges it in the background too, when the store is down meanwhile", async () => {
    const at = world()
    const [ours, theirs] = [1, 2].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 9 }] })) as [
      Budget,
      Budget,
    ]
    const reservation = await held(ours, { id: "job", amount: { usd: 1 } })
    at.faults.push({ member: "reserve", kind: "lost" }, { member: "settle", kind: "down" })
    await expect(theirs.reserve({ id: "job", amount: { usd: 1 } })).rejects.toMatchObject({ applied: "maybe" })
    expect(await reservation.settle({ usd: 0.25 })).toMatchObject({ status: "pending" })
    expect(await theirs.flush()).toBe(true)
    at.faults.push({ member: "settle", kind: "lost" })
    at.faults.push({ member: "extend", kind: "down" })
    await ours.close({ keepStore: true })
    expect((await theirs.status())[0]).toMatchObject({ spent: USD / 4, reserved: 0 })
  })

  it("does not end what another call is settling under the id of a lost reserve", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const request = { subject, amount: { usd: 0.4 }, id: "shared" }
    const first = await held(budget, request)
    at.faults.push({ member: "reserve", kind: "lost" }, { member: "settle", kind: "down" })
    // The settle fails while the reserve is under way: a release now would come before it.
    const [second, settled] = await Promise.allSettled([budget.reserve(request), first.settle({ usd: 0.3 })])
    expect(second).toMatchObject({ status: "rejected", reason: { applied: "maybe" } })
    expect(settled).toMatchObject({ status: "fulfilled", value: { status: "pending" } })
    expect(await budget.flush()).toBe(true)
    expect(at.warnings).toEqual([])
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 0.3 * USD })
    // Nothing of it is remembered: a lost reserve of a new id is given back as ever.
    at.faults.push({ member: "reserve", kind: "lost" })
    await expect(budget.reserve({ ...request, id: "other" })).rejects.toMatchObject({ applied: "maybe" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0 })
  })

  it("does not take the answer: a settle is pending, sent again with the same bytes, and confirmed", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const reservation = await held(budget, { subject, amount: { usd: 1 } })
    at.faults.push({ member: "settle", kind: "lost" })
    expect(await reservation.settle({ usd: 0.3 })).toMatchObject({ status: "pending" })
    expect(budget.pending).toBe(1)
    expect(await budget.flush()).toBe(true)
    expect(await reservation.settle({ usd: 0.3 })).toMatchObject({ status: "settled", replayed: true })
    expect((await budget.status(subject))[0]!.spent).toBe(0.3 * USD)
  })

  it("may be let pass by choice, up to a cap, and is charged when it is back", async () => {
    const at = world()
    const budget = budgetOn(at, { limits, onStoreFailure: { allowUpTo: { usd: "0.50" } } })
    at.faults.push(...Array.from({ length: 3 }, () => ({ member: "reserve", kind: "down" }) as const))
    const first = await held(budget, { subject, amount: { usd: 0.3 } })
    expect(first.expiresAt).toBeNull()
    await expect(budget.reserve({ subject, amount: { usd: 0.3 } })).rejects.toMatchObject({ code: "unavailable" })
    at.faults.push({ member: "settle", kind: "down" })
    expect(await first.settle({ usd: 0.2 })).toMatchObject({ status: "pending" })
    // Not given back before the store knows.
    await expect(budget.reserve({ subject, amount: { usd: 0.3 } })).rejects.toMatchObject({ code: "unavailable" })
    expect(await budget.flush()).toBe(true)
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.2 * USD, reserved: 0 })
    at.faults.push({ member: "reserve", kind: "down" })
    await held(budget, { subject, amount: { usd: 0.5 } })
  })

  it("is named by close, which waits no longer than told", async () => {
    const at = world()
    const budget = budgetOn(at, { limits })
    const reservation = await held(budget, { subject, amount: { usd: 1 } })
    at.faults.push(...Array.from({ length: 50 }, () => ({ member: "settle", kind: "down" }) as const))
    await reservation.settle({ usd: 1 })
    await budget.close({ timeoutMs: 20 })
    expect(budget.pending).toBe(0)
    expect(at.warnings).toEqual([expect.stringContaining("1 settlements that the store did not confirm")])
  })

  it("that is set up wrongly admits nothing", async () => {
    const at = world()
    at.store = { ...at.store, check: async () => ({ ok: false, durability: "none", warnings: ["It evicts keys."] }) }
    const budget = budgetOn(at, { limits, onStoreFailure: { allowUpTo: { usd: 5 } } })
    await expect(budget.reserve({ subject, amount: { usd: 1 } })).rejects.toMatchObject({ code: "misconfigured" })
    expect(at.calls).toEqual([])
  })
})

describe("leases", () => {
  it("live by heartbeats until the end of maxHoldMs, and expire by onExpire", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 9 }], leaseMs: 30_000, maxHoldMs: 60_000 })
    const advance = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 1_000) {
        at.now += 1_000
        await vi.advanceTimersByTimeAsync(1_000)
      }
    }
    const charge = await held(budget, { subject, amount: { usd: 1 } })
    await held(budget, { subject, amount: { usd: 2 }, onExpire: "floor", floor: { usd: 0.5 } })
    await held(budget, { subject, amount: { usd: 4 }, onExpire: "release" })
    const end = charge.expiresAt!
    await advance(45_000)
    expect(charge.expiresAt).toBeGreaterThan(end)
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 7 * USD, spent: 0 })
    await advance(60_000)
    expect(await budget.sweep()).toEqual({ expired: 3, more: false })
    expect((await budget.status(subject))[0]).toMatchObject({ reserved: 0, spent: 1.5 * USD })
    expect(await charge.settle({ usd: 0.25 })).toMatchObject({ status: "settled", late: true })
    expect((await budget.status(subject))[0]).toMatchObject({ spent: 0.75 * USD })
  })

  it("that ran out are swept before anybody is refused because of them", async () => {
    const at = world()
    const [one, other] = [0, 1].map(() => budgetOn(at, { limits: [{ scope: "total", limit: 1 }], onExpire: "release" }))
    await Promise.all(Array.from({ length: 500 }, () => held(one!, { amount: { usd: 0.002 } })))
    at.now += 60_000
    await held(other!, { amount: { usd: 1 } })
    expect((await other!.status())[0]).toMatchObject({ reserved: USD, spent: 0 })
  })
})

describe("alerts", () => {
  it("fire once per window over all budgets, expired reservations included", async () => {
    const at = world()
    const alerts: [string, number, unknown, number][] = []
    const make = (name: string) =>
      budgetOn(at, {
        limits: [{ scope: "user", limit: 10, per: "day", alertAt: [0.5, 0.8, 1] }],
        onAlert: ({ threshold, value, spent }: BudgetAlert) => alerts.push([name, threshold, value, spent / USD]),
      })
    const [one, other] = [make("one"), make("other")]
    await (await held(one, { subject, amount: { usd: 5 } })).settle({ usd: 4.9 })
    expect(alerts).toEqual([])
    await (await held(one, { subject, amount: { usd: 1 } })).settle({ usd: 0.1 })
    await held(one, { subject, amount: { usd: 3 } })
    at.now += 60_000
    // The lease of one's subject runs out in a call of the other, for another subject.
    await held(other, { subject: { userId: "bob" }, amount: { usd: 1 } })
    await (await held(other, { subject, amount: { usd: 1 } })).settle({ usd: 3 })
    expect(alerts).toEqual([
      ["one", 0.5, "ada", 5],
      ["other", 0.8, "ada", 8],
      ["other", 1, "ada", 11],
    ])
    at.now += 24 * 3_600_000
    await (await held(one, { subject, amount: { usd: 6 } })).settle({ usd: 6 })
    expect(alerts.at(-1)).toEqual(["one", 0.5, "ada", 6])
  })

  it("fire once for a fraction that is named twice, the lower before the higher", async () => {
    const fired: number[] = []
    const budget = budgetOn(world(), {
      limits: [{ scope: "user", limit: 1, alertAt: [1, 0.5, 0.8, 0.5] }],
      onAlert: ({ threshold }) => fired.push(threshold),
    })
    await (await held(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1 })
    expect(fired).toEqual([0.5, 0.8, 1])
  })

  it("that throw do not take the settlement with them", async () => {
    const at = world()
    const budget = budgetOn(at, {
      limits: [{ scope: "total", limit: 1, alertAt: [0.1] }],
      onAlert: () => {
        throw new Error("no mail today")
      },
    })
    expect(await (await held(budget, { amount: { usd: 1 } })).settle({ usd: 1 })).toMatchObject({ status: "settled" })
    expect(at.warnings).toHaveLength(1)
  })
})

describe("top-ups and resets", () => {
  it("change the current window only, once per id", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: 1, per: "day" }] })
    await (await held(budget, { subject, amount: { usd: 1 } })).settle({ usd: 1 })
    const target = { subject, scope: "user", amount: { usd: 2 }, id: "gift" } as const
    expect(await budget.topUp(target)).toMatchObject([{ granted: 2 * USD, remaining: 2 * USD }])
    expect(await budget.topUp(target)).toMatchObject([{ granted: 2 * USD }])
    await held(budget, { subject, amount: { usd: 2 } })
    expect(await budget.reset({ subject, scope: "user" })).toMatchObject([{ spent: 0, reserved: 2 * USD }])
    at.now += 24 * 3_600_000
    expect(await budget.status(subject)).toMatchObject([{ granted: 0, reserved: 0, spent: 0 }])
  })

  it("ask which window is meant, and refuse what is not there", async () => {
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
    expect(await topUp({ per: "month" })).toMatchObject([{ window: "month", granted: USD }])
  })
})

describe("waiting", () => {
  const limits = [{ scope: "total", limit: 1 }] as const

  it("gets the room that another call gives back", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const first = await held(budget, { amount: { usd: 1 } })
    const waiting = budget.reserve({ amount: { usd: 1 }, wait: { timeoutMs: 20_000 } })
    await first.release()
    expect((await waiting).ok).toBe(true)
  })

  it("is refused at once when it can never fit or the window ends too late", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: 1, per: "day" }] })
    await refused(budget, { amount: { usd: 2 }, wait: { timeoutMs: 10_000 } })
    await (await held(budget, { amount: { usd: 1 } })).settle({ usd: 1 })
    at.calls.length = 0
    await refused(budget, { amount: { usd: 1 }, wait: { timeoutMs: 500 } })
    expect(at.calls.filter((call) => call === "reserve")).toHaveLength(1)
  })

  it("is refused when the time is over, and ends by its signal", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    await held(budget, { amount: { usd: 1 } })
    const waiting = refused(budget, { amount: { usd: 1 }, wait: { timeoutMs: 5_000 } })
    await vi.advanceTimersByTimeAsync(5_000)
    expect((await waiting).code).toBe("budget-exceeded")
    const controller = new AbortController()
    const aborted = expect(
      budget.reserve({ amount: { usd: 1 }, wait: { timeoutMs: 5_000, signal: controller.signal } }),
    ).rejects.toMatchObject({ code: "aborted" })
    await vi.advanceTimersByTimeAsync(100)
    controller.abort()
    await aborted
    expect((await budget.status())[0]!.reserved).toBe(USD)
  })

  it("an aborted reserve holds nothing", async () => {
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
  it("settles what the call cost and hands its value over", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "total", limit: 1 }] })
    const outcome = await budget.run({ amount: { usd: 1 } }, async () => ({ value: "hi", cost: { usd: 0.25 } }))
    expect(outcome).toMatchObject({ ok: true, value: "hi", settlement: { status: "settled" } })
    expect((await budget.run({ amount: { usd: 1 } }, async () => ({ value: 1, cost: { usd: 0 } }))).ok).toBe(false)
  })

  it("calls once for one id, whoever else asks with it", async () => {
    const here = world()
    const budgets = [1, 2].map(() => budgetOn(here, { limits: [{ scope: "total", limit: 9 }] }))
    const calls: string[] = []
    const outcomes = await Promise.allSettled(
      [...budgets, ...budgets].map((budget) =>
        budget.run({ id: "one", amount: { usd: 1 } }, async ({ id }) => {
          calls.push(id)
          await new Promise((resolve) => setTimeout(resolve, 5))
          return { value: "hi", cost: { usd: 0.25 } }
        }),
      ),
    )
    expect(calls).toEqual(["one"])
    const errors = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []))
    expect(errors.map((error) => [error instanceof ReservationHeldError, error.code, error.id])).toEqual(
      Array(3).fill([true, "reservation-held", "one"]),
    )
    expect((await budgets[0]!.status())[0]).toMatchObject({ spent: USD / 4, reserved: 0 })
    const again = budgets[1]!.run({ id: "one", amount: { usd: 1 } }, async () => ({ value: 1, cost: { usd: 0 } }))
    await expect(again).rejects.toMatchObject({ code: "reservation-resolved", state: "committed" })
  })

  it("goes on when a store finds the reservation that it made itself under an id of ours", async () => {
    const inner = memoryStore()
    const twice = { ...inner, reserve: async (r: ReserveRequest) => inner.reserve(r).then(() => inner.reserve(r)) }
    const budget = createBudget({ store: twice, limits: [{ scope: "total", limit: 9 }] })
    const outcome = await budget.run({ amount: { usd: 1 } }, async () => ({ value: "hi", cost: { usd: 0.25 } }))
    expect(outcome).toMatchObject({ ok: true, value: "hi" })
  })

  it("charges the bound of a call that throws, unless told otherwise", async () => {
    const budget = budgetOn(world(), { limits: [{ scope: "total", limit: 9 }] })
    const spent = async () => (await budget.status())[0]!.spent / USD
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
      await (await held(budget, { subject, amount: { nanoUsd: 10 } })).settle({ nanoUsd: 10 })
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
      argument: "totals.per",
    })
  })

  it("sums by day since ever, which is since the first entry", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "user", limit: null }] })
    await (await held(budget, { subject, amount: { nanoUsd: 10 } })).settle({ nanoUsd: 7 })
    const since = (from: number) => budget.usage.totals({ per: "day", filter: { from } })
    expect(await since(0)).toMatchObject([{ group: [Date.UTC(2026, 2, 2)], costNanoUsd: 7 }])
    expect(await since(0)).toEqual(await since(NOON - 86_400_000))
    expect(await budget.usage.totals({ per: "day", filter: { from: 0, to: NOON - 86_400_000 } })).toEqual([])
  })

  it("has its groups in one order, whatever order the store has them in", async () => {
    const at = world()
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: null }] })
    for (const [userId, clientId] of [
      ["zoe", "b"],
      ["ada", undefined],
      ["ada", "b"],
      ["Zed", "a"],
      ["ada", "a"],
    ] as const)
      await (await held(budget, { subject: { userId, clientId }, amount: { nanoUsd: 1 } })).settle({ nanoUsd: 1 })
    at.now += 86_400_000
    await (await held(budget, { subject: { userId: "ada" }, amount: { nanoUsd: 1 } })).settle({ nanoUsd: 1 })
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

  it("is said to be missing where the store keeps none", async () => {
    const budget = createBudget({ store: memoryStore({ maxEntries: 0 }), limits: [] })
    expect(budget.usage.available).toBe(false)
    await expect(budget.usage.list()).rejects.toMatchObject({ code: "no-ledger" })
  })
})

describe("roots", () => {
  it("are tenants: nothing of one counts in another", async () => {
    const budget = budgetOn(world(), {
      root: ({ tags }) => tags?.tenant ?? "main",
      limits: [{ scope: "total", limit: 1 }],
    })
    for (const tenant of ["a", "a}:{b", "__proto__", "😀"])
      await held(budget, { subject: { tags: { tenant } }, amount: { usd: 1 } })
    await refused(budget, { subject: { tags: { tenant: "a" } }, amount: { usd: 1 } })
    expect(budget.rootOf({ tags: { tenant: "a}:{b" } })).toMatch(/^sha256:[\w-]{43}$/)
  })
})
