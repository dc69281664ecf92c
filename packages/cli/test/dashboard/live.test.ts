import { type Budget, type BudgetStore, createBudget, memoryStore, StoreError, type Subject } from "@p2/budget"
import { describe, expect, it } from "vitest"
import { createDashboard } from "../../src/dashboard/create-dashboard"
import type { CallsView } from "../../src/dashboard/view"
import { noonZone } from "../support/noon-zone"
import { soon } from "../support/soon"
import { readSections } from "./support/sections"
import { serveDashboard, signIn } from "./support/served-dashboard"

const ada = { userId: "ada", model: "gpt-5", tags: { team: "search" } }

async function call(budget: Budget, subject: typeof ada, costNanoUsd: number): Promise<void> {
  const result = await budget.reserve({ subject, amount: { nanoUsd: costNanoUsd } })
  if (!result.ok) throw result.error
  await result.reservation.settle({ nanoUsd: costNanoUsd })
}

const timeZone = noonZone()

describe("the stream", () => {
  it("shows what is reserved, spent and denied as it happens", async () => {
    await using served = await serveDashboard([
      { scope: "total", limit: "2.00" },
      { scope: "user", limit: "1.00", per: "day", timeZone },
    ])
    const { budget, dashboard, url } = served
    await using stream = await readSections(url, await signIn(dashboard))
    const { sections } = stream
    const limitOf = (scope: string) => sections.limits?.limits.find((limit) => limit.scope === scope)
    await soon(() => limitOf("total")).toMatchObject({ limit: 2_000_000_000, spent: 0, reserved: 0, window: "total" })
    await soon(() => sections.calls).toEqual({ calls: [], cursor: null, dropped: 0 })

    const result = await budget.reserve({ subject: ada, amount: "0.70" })
    await soon(() => limitOf("total")).toMatchObject({ reserved: 700_000_000, remaining: 1_300_000_000 })
    if (!result.ok) throw result.error
    await result.reservation.settle("0.60", { tokens: { inputTokens: 20, outputTokens: 5 } })
    await soon(() => limitOf("user")).toMatchObject({
      ...{ value: "ada", window: "day", timeZone, unit: "usd" },
      ...{ spent: 600_000_000, reserved: 0, remaining: 400_000_000 },
    })
    await soon(() => sections.totals?.sums).toMatchObject({
      calls: 1,
      costNanoUsd: 600_000_000,
      inputTokens: 20,
      outputTokens: 5,
      denied: 0,
    })

    const denied = await budget.reserve({ subject: ada, amount: "0.50" })
    expect(denied.ok).toBe(false)
    await soon(() => sections.totals?.sums).toMatchObject({ calls: 1, denied: 1 })
    await soon(() => sections.calls?.calls.map(({ status }) => status)).toEqual(["denied", "succeeded"])
    expect(sections.calls!.calls[0]).toMatchObject({ errorCode: "budget-exceeded", deniedBy: null, userId: "ada" })
  })

  it("counts every denial immediately, although the ledger records them once per minute", async () => {
    await using served = await serveDashboard([{ scope: "user", limit: "1.00", per: "day", timeZone }])
    await using stream = await readSections(served.url, await signIn(served.dashboard))
    for (let index = 0; index < 7; index++) await served.budget.reserve({ subject: ada, amount: "1.50" })
    await soon(() => stream.sections.totals?.sums.denied).toBe(7)
    // Two entries if a minute ended meanwhile.
    await soon(() => stream.sections.calls?.calls.reduce((sum, { count }) => sum + count, 0)).toBe(7)
  })

  it("says which limit denied a call that the proxy of this process reported", async () => {
    await using served = await serveDashboard([{ scope: "user", limit: "1.00", per: "day", timeZone }])
    const { budget, dashboard, url } = served
    await using stream = await readSections(url, await signIn(dashboard))
    const denied = await budget.reserve({ subject: ada, amount: "1.50" })
    if (denied.ok) throw new Error("The call was admitted.")
    const nothing = {
      reservedNanoUsd: 0,
      costNanoUsd: 0,
      overrunNanoUsd: 0,
      costSource: "none",
      durationMs: 0,
    } as const
    const unknown = { httpStatus: undefined, inputTokens: undefined, outputTokens: undefined }
    const attempt = { provider: "openai", model: "gpt-5", inDoubt: false, isPending: false, ...nothing, ...unknown }
    dashboard.onAttempt({ ...attempt, status: "denied", limits: denied.error.all }, { subject: { userId: "ada" } })
    await soon(() => stream.sections.calls?.calls[0]?.deniedBy).toBe("user, day: $1.00 of $1.00 remaining")
  })

  it("shows the limits of every subject that called, of named ones, and of none twice", async () => {
    await using served = await serveDashboard(
      [
        { scope: "total", limit: 5 },
        { scope: "user", limit: 1, optional: true },
        { scope: { tag: "team" }, limit: { tokens: 100 }, optional: true },
      ],
      { subjects: async () => [{ userId: "idle" }] },
    )
    const { budget, dashboard, url } = served
    for (const [userId, model] of [
      ["ada", "a"],
      ["ada", "b"],
      ["bob", "a"],
    ] as const) {
      const result = await budget.reserve({
        subject: { userId, model, tags: { team: "search" } },
        amount: { usd: "0.10", tokens: 10 },
      })
      if (result.ok) await result.reservation.settle({ usd: "0.10", tokens: 10 })
    }
    await using stream = await readSections(url, await signIn(dashboard))
    await soon(() =>
      stream.sections.limits?.limits.map(({ scope, value, unit, spent }) => [scope, value, unit, spent]),
    ).toEqual([
      ["tag", "search", "tokens", 30],
      ["user", "ada", "usd", 200_000_000],
      ["user", "bob", "usd", 100_000_000],
      ["total", null, "usd", 300_000_000],
      ["user", "idle", "usd", 0],
    ])
  })

  it("shows the limits of named subjects only, where the limits of others are not known", async () => {
    const run = { userId: "ada", tags: { run: "this" } }
    await using served = await serveDashboard([{ scope: { tag: "run" }, limit: 5 }], {
      ...{ subjects: () => [run], onlySubjects: true },
    })
    const { budget, dashboard, url } = served
    for (const id of ["other", "this"]) await call(budget, { ...ada, tags: { run: id } as never }, 100)
    await using stream = await readSections(url, await signIn(dashboard))
    await soon(() => stream.sections.totals?.sums.calls).toBe(2)
    await soon(() => stream.sections.limits?.limits.map(({ value, spent }) => [value, spent])).toEqual([["this", 100]])
  })

  it("skips subjects for which the budget has no limits", async () => {
    const limits = ({ userId }: Subject) => {
      if (userId === undefined) throw new Error("Who are you?")
      return [{ scope: "user", limit: userId === "ada" ? 1 : 2 }] as const
    }
    const budget = createBudget({ store: memoryStore(), limits })
    await using served = await serveDashboard([], { budget })
    await call(budget, ada, 100)
    await using stream = await readSections(served.url, await signIn(served.dashboard))
    await soon(() => stream.sections.limits?.limits.map(({ limit, spent }) => [limit, spent])).toEqual([
      [1_000_000_000, 100],
    ])
    await soon(() => stream.sections.problem).toEqual({ message: null })
  })

  it("shows the limit of a child budget", async () => {
    const parent = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 5 }] })
    const budget = parent.child({ limit: "0.50" })
    await using served = await serveDashboard([], { budget })
    await call(budget, ada, 100_000_000)
    await using stream = await readSections(served.url, await signIn(served.dashboard))
    await soon(() => stream.sections.limits?.limits.map(({ scope, limit, spent }) => [scope, limit, spent])).toEqual([
      ["run", 500_000_000, 100_000_000],
      ["total", 5_000_000_000, 100_000_000],
    ])
    await parent.close()
  })

  it("contains no prompt, answer or fingerprint", async () => {
    await using served = await serveDashboard([{ scope: "total", limit: 5 }])
    const { budget, dashboard, url } = served
    const result = await budget.reserve({ subject: ada, amount: "0.10" })
    if (!result.ok) throw result.error
    await result.reservation.settle("0.10", { prompt: "SECRET PROMPT", answer: "SECRET ANSWER", generationId: "gen-1" })
    const cookie = await signIn(dashboard)
    await using stream = await readSections(url, cookie)
    await soon(() => stream.sections.calls?.calls[0]?.generationId).toBe("gen-1")
    const older = await (await fetch(`${url}/dashboard/calls`, { headers: { cookie } })).text()
    const [entry] = (await budget.usage.list()).entries
    for (const body of [stream.raw, older]) {
      expect(body).toContain("gen-1")
      for (const secret of ["SECRET", entry!.fingerprint!, "fingerprint", "prompt"]) expect(body).not.toContain(secret)
    }
  })

  it("pages through older calls, and rejects a cursor that it did not give", async () => {
    await using served = await serveDashboard([{ scope: "total", limit: 5 }])
    const { budget, dashboard, url } = served
    for (let index = 0; index < 230; index++) await call(budget, ada, index)
    const cookie = await signIn(dashboard)
    await using stream = await readSections(url, cookie)
    await soon(() => stream.sections.calls?.calls.length).toBe(200)
    const page = async (cursor: string) => {
      const response = await fetch(`${url}/dashboard/calls?cursor=${cursor}`, { headers: { cookie } })
      return { status: response.status, body: (await response.json()) as CallsView }
    }
    const { body } = await page(stream.sections.calls!.cursor!)
    const costs = [...stream.sections.calls!.calls, ...body.calls].map(({ costNanoUsd }) => costNanoUsd)
    expect(costs.sort((a, b) => a - b)).toEqual(Array.from({ length: 230 }, (_, index) => index))
    expect(body.cursor).toBeNull()
    expect(await page("1~'; DROP TABLE")).toEqual({ status: 400, body: { message: "Unknown cursor." } })
  })

  it("shares its reads between viewers, and reads nothing without one", async () => {
    const store = memoryStore()
    let lists = 0
    let running = 0
    let mostRunning = 0
    const ledger = {
      ...bound(store.ledger!),
      list: async (request: Parameters<NonNullable<BudgetStore["ledger"]>["list"]>[0]) => {
        lists += 1
        running += 1
        mostRunning = Math.max(mostRunning, running)
        await new Promise((resolve) => setTimeout(resolve, 20))
        running -= 1
        return store.ledger!.list(request)
      },
    }
    const budget = createBudget({ store: { ...bound(store), ledger }, limits: [{ scope: "total", limit: 5 }] })
    await using served = await serveDashboard([], { budget })
    const cookie = await signIn(served.dashboard)
    expect(lists).toBe(0)
    {
      await using first = await readSections(served.url, cookie)
      await using second = await readSections(served.url, cookie)
      await soon(() => first.sections.calls !== undefined && second.sections.calls !== undefined).toBe(true)
      const before = lists
      await soon(() => lists).toBeGreaterThanOrEqual(before + 3)
      expect(mostRunning).toBe(1)
      // What has not changed is not sent again.
      expect([first, second].map(({ raw }) => raw.split("event: calls").length - 1)).toEqual([1, 1])
    }
    // The last read may still run after the viewers have disconnected.
    let seen = -1
    await soon(
      () => {
        const isSame = lists === seen
        seen = lists
        return isSame
      },
      { interval: 1_500 },
    ).toBe(true)
  })

  it("reports a store that fails, without what the error quotes, and works again when the store is back", async () => {
    const store = memoryStore()
    let failure: Error | undefined
    const read: BudgetStore["read"] = async (request) => {
      if (failure !== undefined) throw failure
      return store.read(request)
    }
    const warnings: string[] = []
    const budget = createBudget({ store: { ...bound(store), read }, limits: [{ scope: "total", limit: 5 }] })
    await using served = await serveDashboard([], { budget, onWarning: (message) => warnings.push(message) })
    await using stream = await readSections(served.url, await signIn(served.dashboard))
    await soon(() => stream.sections.problem).toEqual({ message: null })
    failure = new StoreError("The store is full.", { code: "store-unavailable", applied: "no" })
    await soon(() => stream.sections.problem).toEqual({ message: "The store is full." })
    failure = new Error("redis://user:sesame@host failed")
    await soon(() => stream.sections.problem?.message).not.toBe("The store is full.")
    expect(stream.raw).not.toContain("sesame")
    failure = undefined
    await soon(() => stream.sections.problem).toEqual({ message: null })
    expect(warnings).toEqual(["The dashboard could not read the store."])
  })

  it("shows the limits of a store that keeps no ledger", async () => {
    const { ledger: _ledger, ...store } = bound(memoryStore())
    const budget = createBudget({ store, limits: [{ scope: "total", limit: 5 }] })
    await using served = await serveDashboard([], { budget })
    await using stream = await readSections(served.url, await signIn(served.dashboard))
    await call(budget, ada, 100)
    await soon(() => stream.sections.limits?.limits[0]?.spent).toBe(100)
    await soon(() => stream.sections.problem).toEqual({ message: null })
    expect(stream.sections.totals).toBeUndefined()
  })

  it("ends when the dashboard is closed, so that its server can close", async () => {
    await using served = await serveDashboard([{ scope: "total", limit: 5 }])
    const cookie = await signIn(served.dashboard)
    await using stream = await readSections(served.url, cookie)
    served.dashboard.close()
    await stream.ended
    await expect(readSections(served.url, cookie)).rejects.toThrow("Status 401")
  })

  it("reports nothing when the budget is closed after the dashboard", async () => {
    const store = memoryStore()
    let waiting: (() => void) | undefined
    let isHeld = false
    const read: BudgetStore["read"] = async (request) => {
      if (!isHeld) return store.read(request)
      await new Promise<void>((resolve) => {
        waiting = resolve
      })
      throw new StoreError("The budget is closed.", { code: "store-unavailable", applied: "no" })
    }
    const warnings: string[] = []
    const budget = createBudget({ store: { ...bound(store), read }, limits: [{ scope: "total", limit: 5 }] })
    await using served = await serveDashboard([], { budget, onWarning: (message) => warnings.push(message) })
    await using stream = await readSections(served.url, await signIn(served.dashboard))
    await soon(() => stream.sections.totals).toBeDefined()
    isHeld = true
    await soon(() => waiting).toBeDefined()
    served.dashboard.close()
    await budget.close()
    waiting!()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(warnings).toEqual([])
  })

  it("ends the stream of a reader who disconnected before it began", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 5 }] })
    const origin = "http://127.0.0.1:4310"
    const dashboard = createDashboard({ budget, origin })
    const opened = await dashboard.handle(new Request(dashboard.createLink()))
    const cookie = opened.headers.get("set-cookie")!.split(";")[0]!
    const request = new Request(`${origin}/dashboard/events?range=1h`, {
      headers: { cookie },
      signal: AbortSignal.abort(),
    })
    const response = await dashboard.handle(request)
    expect(await response.text()).toBe("retry: 1000\n\n")
  })

  it("rejects an unknown range", async () => {
    await using served = await serveDashboard([])
    const cookie = await signIn(served.dashboard)
    for (const range of ["", "2h", "__proto__", "constructor"])
      await expect(readSections(served.url, cookie, range as never)).rejects.toThrow("Status 400")
  })
})

/** A copy of an object whose members do not need `this`. */
function bound<T extends object>(object: T): T {
  const copy: Record<string, unknown> = {}
  for (let level: object = object; level !== Object.prototype; level = Object.getPrototypeOf(level))
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name === "constructor" || name in copy) continue
      const value = (object as Record<string, unknown>)[name]
      copy[name] = typeof value === "function" ? value.bind(object) : value
    }
  return copy as T
}
