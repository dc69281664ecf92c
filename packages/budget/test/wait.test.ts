import { afterEach, describe, expect, it, vi } from "vitest"
import { createBudget, memoryStore } from "../src"
import { budgetOn, denied, reserved, world } from "./budget-world"

const _subject = { userId: "ada", clientId: "web" }

afterEach(() => {
  vi.useRealTimers()
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
