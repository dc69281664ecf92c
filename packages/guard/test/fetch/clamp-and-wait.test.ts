import { type Budget, createBudget, type Limit, memoryStore } from "@p2/budget"
import { describe, expect, it, vi } from "vitest"
import type { GuardOptions } from "../../src/index"
import { CALL, COMPLETION, deferred, guardOver, json, post } from "./guarded-server"

/** Far longer than any test. */
const LONG = { timeoutMs: 100_000 }
const SHORT = { timeoutMs: 10 }

/** Nano-USD that the 100 output tokens of `CALL` reserve, at $0.60 per million. */
const OUTPUT = 60_000

/** Without an output limit, `CALL` would have to reserve more than every limit here. */
const { max_completion_tokens: _, ...UNLIMITED } = CALL

interface Case {
  limits: Limit[]
  clampTo?: GuardOptions["clampTo"]
  wait?: GuardOptions["wait"]
  /** Nano-USD that others have spent, and reserved until {@link World.end}. */
  spent?: number
  reserved?: number
}

/** A guard, and a budget that others have partly used. */
async function open({ limits, clampTo, wait, spent = 0, reserved = 0 }: Case) {
  // The clock stands still, so no window ends.
  const budget = createBudget({ store: memoryStore({ now: () => Date.UTC(2026, 0, 1) }), limits })
  if (spent > 0) await (await reserve(budget, spent)).settle({ nanoUsd: spent, tokens: 0 })
  const others = reserved > 0 ? await reserve(budget, reserved) : undefined
  const guard = guardOver(() => json(COMPLETION), { budget, clampTo, wait })
  return { ...guard, others: others! }
}

async function reserve(budget: Budget, nanoUsd: number) {
  const result = await budget.reserve({ amount: { nanoUsd, tokens: 0, requests: 1 } })
  if (!result.ok) throw result.error
  return result.reservation
}

const outputLimitOf = ({ sent }: { sent: { body: Record<string, unknown> }[] }) =>
  sent.at(-1)?.body.max_completion_tokens

const total = (nanoUsd: number): Limit => ({ scope: "total", limit: { nanoUsd } })
const daily = (nanoUsd: number): Limit => ({ scope: "total", limit: { nanoUsd }, per: "day" })

describe("other calls have reserved what remains", () => {
  const busy: Case = { limits: [total(100_000)], reserved: 70_000 }

  it("denies immediately, with the time of a retry", async () => {
    const guard = await open(busy)
    const response = await post(guard.fetch)
    expect([response.status, response.headers.get("retry-after")]).toEqual([402, "1"])
  })

  it("clampTo: lowers the output limit to what remains", async () => {
    const guard = await open({ ...busy, clampTo: "budget" })
    expect((await post(guard.fetch)).status).toBe(200)
    expect(outputLimitOf(guard)).toBeLessThan(50)
  })

  it.each([undefined, "budget"] as const)("wait, clampTo %s: waits, and sends the call as it is", async (clampTo) => {
    const guard = await open({ ...busy, clampTo, wait: LONG })
    const response = post(guard.fetch)
    await guard.others.release()
    expect((await response).status).toBe(200)
    expect(outputLimitOf(guard)).toBe(100)
  })

  it("wait that is too short: denies, or lowers the output limit to what remains then", async () => {
    const plain = await open({ ...busy, wait: SHORT })
    expect((await post(plain.fetch)).status).toBe(402)
    const clamped = await open({ ...busy, wait: SHORT, clampTo: "budget" })
    expect((await post(clamped.fetch)).status).toBe(200)
    expect(outputLimitOf(clamped)).toBeLessThan(50)
  })
})

describe("other calls have reserved what remains, and the call exceeds the limit", () => {
  const busy: Case = { limits: [total(OUTPUT)], reserved: OUTPUT, clampTo: "budget" }

  it("clampTo: denies, with the time of a retry, and records it once", async () => {
    const guard = await open(busy)
    const response = await post(guard.fetch)
    expect([response.status, response.headers.get("retry-after")]).toEqual([402, "1"])
    expect(await response.text()).toMatch(/is reserved by other calls: retry when they end\./)
    const { entries } = await guard.budget.usage.list()
    expect(entries.filter(({ status }) => status === "denied")).toHaveLength(1)
  })

  it("wait: denies immediately, because the call never fits", async () => {
    const guard = await open({ ...busy, clampTo: undefined, wait: LONG })
    const response = await post(guard.fetch, UNLIMITED)
    expect([response.status, response.headers.get("retry-after")]).toEqual([402, null])
  })

  it("wait and clampTo: waits, and lowers the output limit to what the others left", async () => {
    const guard = await open({ ...busy, wait: LONG })
    const response = post(guard.fetch, UNLIMITED)
    await guard.others.settle({ nanoUsd: 30_000, tokens: 0 })
    expect((await response).status).toBe(200)
    expect(outputLimitOf(guard)).toBeGreaterThan(20)
    expect(outputLimitOf(guard)).toBeLessThan(50)
  })

  it("wait and clampTo: denies when the others have left nothing", async () => {
    const guard = await open({ ...busy, wait: LONG })
    const response = post(guard.fetch, UNLIMITED)
    await guard.others.settle({ nanoUsd: OUTPUT, tokens: 0 })
    expect((await response).status).toBe(402)
  })

  it("wait and clampTo: denies after the wait", async () => {
    const guard = await open({ ...busy, wait: SHORT })
    expect((await post(guard.fetch, UNLIMITED)).status).toBe(402)
  })

  it("wait and clampTo: sends parallel calls one after another, in order", async () => {
    const answers = [0, 1, 2, 3].map(() => deferred<Response>())
    const guard = guardOver(
      ({ body }) => answers[Number((body.messages as { content: string }[])[0]!.content)]!.promise,
      {
        limit: { nanoUsd: OUTPUT },
        clampTo: "budget",
        wait: LONG,
      },
    )
    const calls = answers.map((_answer, index) =>
      post(guard.fetch, { ...UNLIMITED, messages: [{ role: "user", content: `${index}` }] }),
    )
    for (const [index, answer] of answers.entries()) {
      await vi.waitFor(() => expect(guard.sent).toHaveLength(index + 1), { timeout: 60_000 })
      answer.resolve(json(COMPLETION))
      expect((await calls[index]!).status).toBe(200)
    }
    const limits = guard.sent.map(({ body }) => body.max_completion_tokens as number)
    expect(limits).toEqual([...limits].sort((a, b) => b - a))
    expect(guard.attempts.map(({ status }) => status)).toEqual(Array(4).fill("succeeded"))
  })
})

describe("the window is spent", () => {
  const spent: Case = { limits: [daily(100_000)], spent: 70_000 }

  it("denies, with the time of the reset", async () => {
    for (const wait of [undefined, LONG]) {
      const guard = await open({ ...spent, wait })
      const response = await post(guard.fetch)
      expect([response.status, response.headers.get("retry-after")]).toEqual([402, "86400"])
    }
  })

  it("clampTo: lowers the output limit to what remains, with and without a wait that ends before the reset", async () => {
    for (const wait of [undefined, LONG]) {
      const guard = await open({ ...spent, wait, clampTo: "budget" })
      expect((await post(guard.fetch)).status).toBe(200)
      expect(outputLimitOf(guard)).toBeLessThan(50)
    }
  })

  it("clampTo: denies a call that exceeds the limit, with the time of the reset", async () => {
    const guard = await open({ limits: [daily(OUTPUT)], spent: OUTPUT, clampTo: "budget" })
    const response = await post(guard.fetch, UNLIMITED)
    expect([response.status, response.headers.get("retry-after")]).toEqual([402, "86400"])
  })

  it("wait that ends after the reset: waits for the reset", async () => {
    const limits: Limit[] = [{ scope: "total", limit: { nanoUsd: 100_000 }, per: "1s" }]
    for (const [call, clampTo] of [
      [CALL, undefined],
      [CALL, "budget"],
      [UNLIMITED, "budget"],
    ] as const) {
      const budget = createBudget({ store: memoryStore(), limits })
      await (await reserve(budget, 100_000)).settle({ nanoUsd: 100_000, tokens: 0 })
      const guard = guardOver(() => json(COMPLETION), { budget, clampTo, wait: LONG })
      expect((await post(guard.fetch, call)).status).toBe(200)
      expect(outputLimitOf(guard)).toBeGreaterThan(90)
    }
  })

  it("waits for the reset of one limit, and lowers the output limit to another one", async () => {
    const limits: Limit[] = [
      { scope: "total", limit: { nanoUsd: 100_000 }, per: "1s" },
      { scope: "total", limit: { nanoUsd: 130_000 } },
    ]
    const budget = createBudget({ store: memoryStore(), limits })
    await (await reserve(budget, 100_000)).settle({ nanoUsd: 100_000, tokens: 0 })
    const guard = guardOver(() => json(COMPLETION), { budget, clampTo: "budget", wait: LONG })
    expect((await post(guard.fetch, UNLIMITED)).status).toBe(200)
    expect(outputLimitOf(guard)).toBeGreaterThan(20)
    expect(outputLimitOf(guard)).toBeLessThan(50)
  })
})

describe("the call never fits", () => {
  const small: Case = { limits: [total(50_000)] }

  it("denies immediately, with and without a wait", async () => {
    for (const wait of [undefined, LONG]) {
      const guard = await open({ ...small, wait })
      const response = await post(guard.fetch)
      expect([response.status, response.headers.get("retry-after")]).toEqual([402, null])
    }
  })

  it("clampTo: lowers the output limit to the limit, with and without a wait", async () => {
    for (const wait of [undefined, LONG]) {
      const guard = await open({ ...small, wait, clampTo: "budget" })
      expect((await post(guard.fetch)).status).toBe(200)
      expect(guard.attempts[0]!.reservedNanoUsd).toBeGreaterThan(50_000 - 600)
    }
  })

  it("clampTo: denies immediately if the input alone exceeds the limit, with and without a wait", async () => {
    for (const wait of [undefined, LONG]) {
      const guard = await open({ limits: [total(100)], wait, clampTo: "budget" })
      expect((await post(guard.fetch)).status).toBe(402)
    }
  })
})

describe("limits in requests", () => {
  const requests = (per?: Limit["per"]): Limit => ({ scope: "total", limit: { requests: 1 }, ...(per && { per }) })

  it("wait and clampTo: waits for the request of another call", async () => {
    const guard = await open({ limits: [requests(), total(50_000)], reserved: 50_000, clampTo: "budget", wait: LONG })
    const response = post(guard.fetch, UNLIMITED)
    await guard.others.release()
    expect((await response).status).toBe(200)
  })

  it("clampTo: denies, because a shorter answer is a request too", async () => {
    const guard = await open({ limits: [requests("day")], reserved: 1, clampTo: "budget" })
    expect((await post(guard.fetch)).status).toBe(402)
  })
})

it("leaves the context window to the provider: the guard sends the call, and an error costs nothing", async () => {
  const guard = guardOver(() => json({ error: { code: "context_length_exceeded" } }, { status: 400 }), {
    clampTo: "budget",
    wait: LONG,
  })
  const response = await post(guard.fetch, { ...CALL, messages: [{ role: "user", content: "word ".repeat(200_000) }] })
  expect(response.status).toBe(400)
  expect(guard.attempts).toMatchObject([{ costNanoUsd: 0 }])
})
