import { describe, expect, it } from "vitest"
import { budgetOn, denied, reserved, world } from "./budget-world"

const subject = { userId: "ada", clientId: "web" }

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

  it("list every limit that denied the call, the one with the longest wait first", async () => {
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
  it("of a call apply as they are at that call, unless the list is frozen with its limits", async () => {
    const budget = budgetOn(world(), { limits: [] })
    const limit = { scope: "total" as const, limit: { usd: 1 } }
    const lists = [[limit], Object.freeze([limit]), Object.freeze([Object.freeze(limit)])]
    for (const limits of lists) {
      limit.limit.usd = 1
      await denied(budget, { limits, amount: 5 })
      limit.limit.usd = 9
      await (await reserved(budget, { limits, amount: 5 })).release()
    }
    const frozen = Object.freeze([Object.freeze({ scope: "total" as const, limit: Object.freeze({ usd: 1 }) })])
    for (let call = 0; call < 3; call++) expect((await denied(budget, { limits: frozen, amount: 5 })).limit).toBe(1)
  })

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

  it("of one call are added to those of the budget, and the smallest limit of a counter decides", async () => {
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
  ])("that are invalid are immediate usage errors: %j", (limit) => {
    expect(() => budgetOn(world(), { limits: [limit as never] })).toThrowError(/`limits\[0\]/)
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
