import { createBudget, memoryStore } from "@p2/budget"
import OpenAI from "openai"
import { describe, expect, it, vi } from "vitest"
import { type GuardAttempt, type GuardOptions, guardFetch } from "../../src/index"
import { localServer } from "../local-server"
import { balance, guardOver, json } from "./guarded-server"

const server = await localServer()

const CALL = {
  model: "gpt-4o-mini",
  input: "Hi",
  max_output_tokens: 300,
  service_tier: "default",
  background: true,
} as const

/** Simulates another process with its own guard: the modules are loaded again. */
async function anotherProcess(options: GuardOptions): Promise<OpenAI> {
  vi.resetModules()
  const { guardFetch: guard } = await import("../../src/index")
  return openaiWith(guard(options))
}

function openaiWith(fetch: typeof globalThis.fetch): OpenAI {
  return new OpenAI({ baseURL: server.baseURL, apiKey: "local", maxRetries: 0, fetch })
}

function setUp(limit: string | { nanoUsd: number } = "1.00") {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const attempts: GuardAttempt[] = []
  const options = { budget, provider: "openai", onAttempt: (attempt: GuardAttempt) => attempts.push(attempt) }
  return { budget, attempts, options, openai: openaiWith(guardFetch(options)) }
}

async function pollToTheEnd(openai: OpenAI, id: string) {
  for (let polls = 0; polls < 20; polls++) {
    const response = await openai.responses.retrieve(id)
    if (response.status !== "queued" && response.status !== "in_progress") return response
  }
  throw new Error("It did not end.")
}

describe("a background response", () => {
  it("stays reserved until a poll settles it", async () => {
    const { budget, attempts, openai } = setUp()
    const { id, status } = await openai.responses.create(CALL)
    expect(status).toMatch(/queued|in_progress/)
    const { spent, reserved } = await balance(budget)
    expect(spent).toBe(0)
    expect(attempts).toMatchObject([{ status: "continued", reservedNanoUsd: reserved }])
    expect((await pollToTheEnd(openai, id)).status).toBe("completed")
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    await openai.responses.retrieve(id)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    const { entries } = await budget.usage.list()
    expect(attempts).toHaveLength(2)
    expect(attempts[1]).toMatchObject({
      status: "succeeded",
      provider: "openai",
      model: expect.stringContaining("gpt-4o-mini"),
      httpStatus: 200,
      reservedNanoUsd: reserved,
      costNanoUsd: server.ledger.totalNanoUsd,
      costSource: "table",
      inDoubt: false,
      isPending: false,
      overrunNanoUsd: 0,
      inputTokens: expect.any(Number),
      outputTokens: expect.any(Number),
    })
    expect(entries.filter((entry) => entry.status === "succeeded")).toMatchObject([
      { generationId: id, provider: "openai", costNanoUsd: server.ledger.totalNanoUsd },
    ])
  })

  it("is settled by a poll in another process", async () => {
    const { budget, options, openai } = setUp()
    const { id } = await openai.responses.create(CALL)
    const other = await anotherProcess(options)
    await pollToTheEnd(other, id)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("keeps its first reservation if the budget does not cover a second one, and this process settles it", async () => {
    const probe = setUp()
    await probe.openai.responses.create(CALL)
    const bound = (await balance(probe.budget)).reserved
    server.ledger.clear()
    const { budget, openai } = setUp({ nanoUsd: Math.floor(bound * 1.5) })
    const { id } = await openai.responses.create(CALL)
    expect(await balance(budget)).toEqual({ spent: 0, reserved: bound })
    await pollToTheEnd(openai, id)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("is charged at least what was billed when it is cancelled", async () => {
    const { budget, openai } = setUp()
    const { id } = await openai.responses.create(CALL)
    await openai.responses.cancel(id)
    await openai.responses.retrieve(id)
    const { spent, reserved } = await balance(budget)
    expect(reserved).toBe(0)
    expect(spent).toBeGreaterThanOrEqual(server.ledger.totalNanoUsd)
  })

  it("changes nothing if a poll fails, or the response belongs to another caller", async () => {
    const { budget, openai } = setUp()
    await expect(openai.responses.retrieve("resp_unknown")).rejects.toMatchObject({ status: 404 })
    const elsewhere = setUp()
    const { id } = await elsewhere.openai.responses.create(CALL)
    await pollToTheEnd(await anotherProcess({ budget, provider: "openai" }), id)
    expect(await balance(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  describe("whose id another call has", () => {
    const body = {
      id: "resp_same",
      object: "response",
      model: "gpt-4o-mini",
      background: true,
      status: "queued",
      output: [],
    }
    const call = (fetch: typeof globalThis.fetch, fields = {}) =>
      fetch("https://api.openai.com/v1/responses", { method: "POST", body: JSON.stringify({ ...CALL, ...fields }) })
    const ended = { ...body, status: "completed", usage: { input_tokens: 10, output_tokens: 5, total_tokens: 15 } }

    it.each([{}, { max_output_tokens: 400 }])("is charged its own bound (%j)", async (fields) => {
      const id = `resp_${crypto.randomUUID()}`
      const guard = guardOver(({ url }) => json({ ...(url.endsWith(id) ? ended : body), id }), {
        subject: { requestId: "r1" },
        charge: { serverError: "nothing" },
      })
      await call(guard.fetch)
      const first = await balance(guard.budget)
      expect(first.spent).toBe(0)
      await call(guard.fetch, fields)
      const second = guard.attempts[1]!
      expect(second).toMatchObject({ status: "failed", inDoubt: true, costNanoUsd: second.reservedNanoUsd })
      expect(second.reservedNanoUsd).toBeGreaterThanOrEqual(first.reserved)
      expect(await balance(guard.budget)).toEqual({ spent: second.reservedNanoUsd, reserved: first.reserved })
      // In another process, and after the first response has ended.
      vi.resetModules()
      const { guardFetch: another } = await import("../../src/index")
      const fetch = another({
        budget: guard.budget,
        subject: { requestId: "r1" },
        fetch: async (url) => json({ ...(String(url).endsWith(id) ? ended : body), id }),
      })
      await call(fetch, fields)
      expect((await balance(guard.budget)).spent).toBe(2 * second.reservedNanoUsd)
      await fetch(`https://api.openai.com/v1/responses/${id}`)
      const { spent, reserved } = await balance(guard.budget)
      expect([spent > 2 * second.reservedNanoUsd, reserved]).toEqual([true, 0])
      await call(fetch, fields)
      expect((await balance(guard.budget)).spent).toBe(spent + second.reservedNanoUsd)
    })
  })

  it("is charged its bound if no poll comes for a day", async () => {
    let now = Date.UTC(2026, 10, 30)
    const budget = createBudget({ store: memoryStore({ now: () => now }), limits: [{ scope: "total", limit: 1 }] })
    await openaiWith(guardFetch({ budget, provider: "openai" })).responses.create(CALL)
    const { reserved } = await balance(budget)
    now += 23 * 3_600_000
    await budget.sweep()
    expect(await balance(budget)).toEqual({ spent: 0, reserved })
    now += 2 * 3_600_000
    await budget.sweep()
    expect(await balance(budget)).toEqual({ spent: reserved, reserved: 0 })
  })
})
