import { afterEach, describe, expect, it, vi } from "vitest"
import { createBudget, memoryStore } from "../src"
import { budgetOn, denied, reserved, world } from "./budget-world"

afterEach(() => {
  vi.useRealTimers()
})

describe("waiting", () => {
  const limits = [{ scope: "total", limit: 1 }] as const

  it("gets the amount that another call releases", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const first = await reserved(budget, { amount: { usd: 1 } })
    const waiting = budget.reserve({ amount: { usd: 1 }, wait: { timeoutMs: 20_000 } })
    await first.release()
    expect((await waiting).ok).toBe(true)
  })

  it("is denied immediately when the amount never fits or the window ends too late", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits: [{ scope: "total", limit: 1, per: "day" }] })
    await denied(budget, { amount: { usd: 2 }, wait: { timeoutMs: 10_000 } })
    await (await reserved(budget, { amount: { usd: 1 } })).settle({ usd: 1 })
    at.calls.length = 0
    await denied(budget, { amount: { usd: 1 }, wait: { timeoutMs: 500 } })
    expect(at.calls.filter((call) => call === "reserve")).toHaveLength(1)
  })

  it("is denied when the time is up, and ends by its signal", async () => {
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

  it("is woken by a settle in this process, without a poll of the store", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    const first = await reserved(budget, { amount: { usd: 1 } })
    const waiting = budget.reserve({ amount: { usd: "0.5" }, wait: { timeoutMs: 60_000 } })
    await vi.advanceTimersByTimeAsync(10_000)
    at.calls.length = 0
    await first.settle("0.5")
    await vi.advanceTimersByTimeAsync(0)
    expect(await waiting).toMatchObject({
      ok: true,
      wait: { limits: [{ scope: "total", window: "total", unit: "usd" }] },
    })
    expect(at.calls).toEqual(["settle", "reserve"])
  })

  it.each(["release", "settle", "top-up", "reset", "expiry"])(
    "is woken by this change of its limit: %s",
    async (what) => {
      vi.useFakeTimers()
      const at = world(Date.now())
      const budget = budgetOn(at, { limits, onExpire: "release" })
      await (await reserved(budget, { amount: "0.5" })).settle("0.25")
      const other = await reserved(budget, { amount: "0.75", leaseMs: 60_000, maxLeaseMs: 1_000 })
      const waiting = budget.reserve({ amount: "0.25", wait: { timeoutMs: 600_000 } })
      // The polls are then a second apart.
      await vi.advanceTimersByTimeAsync(20_000)
      if (what === "release") await other.release()
      if (what === "settle") await other.settle(0)
      if (what === "top-up") await budget.topUp({ scope: "total", amount: 1 })
      if (what === "reset") await budget.reset({ scope: "total" })
      if (what === "expiry") {
        at.now += 120_000
        await budget.sweep()
      }
      await vi.advanceTimersByTimeAsync(0)
      expect(at.calls.at(-1)).toBe("reserve")
      expect((await waiting).ok).toBe(true)
    },
  )

  it("serves the waiting calls of a process in the order in which they came, and a new one after them", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const [first, second] = [await reserved(budget, { amount: "0.5" }), await reserved(budget, { amount: "0.5" })]
    const served: string[] = []
    const call = async (name: string, amount: number) => {
      const result = await budget.reserve({ amount, wait: { timeoutMs: 20_000 } })
      served.push(name)
      if (result.ok) await result.reservation.release()
    }
    const calls = [call("large", 1), call("small", 0.25), call("medium", 0.5)]
    await new Promise(setImmediate)
    // The others would fit, but they came later.
    await first.release()
    calls.push(call("new", 0.25))
    await second.release()
    await Promise.all(calls)
    expect(served).toEqual(["large", "small", "medium", "new"])
  })

  it("does not wait behind a call that waits for another limit", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: 1 }] })
    const ada = await reserved(budget, { subject: { userId: "ada" }, amount: 1 })
    const waiting = budget.reserve({ subject: { userId: "ada" }, amount: 1, wait: { timeoutMs: 20_000 } })
    const bob = await budget.reserve({ subject: { userId: "bob" }, amount: 1, wait: { timeoutMs: 20_000 } })
    expect(bob).toMatchObject({ ok: true, wait: undefined })
    await ada.release()
    expect((await waiting).ok).toBe(true)
  })

  it("polls the store for one call of a queue, however many wait", async () => {
    vi.useFakeTimers()
    const at = world(Date.now())
    const budget = budgetOn(at, { limits })
    await reserved(budget, { amount: 1 })
    const waiting = Array.from({ length: 50 }, () => budget.reserve({ amount: 1, wait: { timeoutMs: 30_000 } }))
    await vi.advanceTimersByTimeAsync(20_000)
    expect(at.calls.filter((call) => call === "reserve").length).toBeLessThan(100)
    await vi.advanceTimersByTimeAsync(20_000)
    for (const result of await Promise.all(waiting)) expect(result).toMatchObject({ ok: false, error: { busy: true } })
  })

  it("notices a release in another process by polling", async () => {
    const store = memoryStore()
    const [one, other] = [createBudget({ store, limits }), createBudget({ store, limits })]
    const first = await reserved(one, { amount: 1 })
    const waiting = other.reserve({ amount: 1, wait: { timeoutMs: 20_000 } })
    await first.release()
    expect((await waiting).ok).toBe(true)
  })

  it("leaves the queue when its signal fires, and the next call is served", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const first = await reserved(budget, { amount: 1 })
    const controller = new AbortController()
    const wait = { timeoutMs: 20_000 }
    const aborted = budget.reserve({ amount: 1, wait, signal: controller.signal })
    const next = budget.reserve({ amount: 1, wait })
    controller.abort()
    await expect(aborted).rejects.toMatchObject({ code: "aborted" })
    await first.release()
    expect((await next).ok).toBe(true)
    expect((await budget.status())[0]).toMatchObject({ reserved: 1 })
  })

  it("says in the denial whether waiting may help", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const first = await reserved(budget, { amount: "0.6" })
    expect(await denied(budget, { amount: "0.6" })).toMatchObject({ busy: true })
    expect(await denied(budget, { amount: "1.1" })).toMatchObject({ busy: false })
    await first.settle("0.6")
    expect(await denied(budget, { amount: "0.6" })).toMatchObject({ busy: false })
  })
})
