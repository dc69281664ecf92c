import { BudgetExceededError, createBudget, memoryStore } from "@p2/budget"
import { upperBound } from "@p2/pricing"
import { APICallError, LoadAPIKeyError } from "ai"
import { describe, expect, it, vi } from "vitest"
import { budgetMiddleware, CallRejectedError } from "../../src/ai-sdk"
import { withBudget } from "../../src/index"
import { failure } from "../failure"
import { balance } from "../fetch/guarded-server"
import { COST, callOf, PARTS, RESULT, readAll, streamOf, USAGE, VERSIONS } from "./mock-models"

const ZERO_USAGE = { inputTokens: { total: 0 }, outputTokens: { total: 0 } }

const apiError = (statusCode: number | undefined, responseBody = "{}") =>
  new APICallError({
    message: "failed",
    url: "https://api.test",
    requestBodyValues: {},
    statusCode: statusCode!,
    responseBody,
  })

describe.each(VERSIONS)("a model of specification $name", ({ wrap }) => {
  it("is charged what it reports, and its result is returned as it is", async () => {
    const { model, budget, attempts } = wrap({})
    expect(await model.doGenerate(callOf())).toBe(RESULT)
    expect(await balance(budget)).toEqual({ spent: COST, reserved: 0 })
    expect(attempts).toMatchObject([
      { status: "succeeded", provider: "openai", model: "gpt-4o-mini", inputTokens: 20, outputTokens: 10 },
    ])
    expect(attempts[0]!.reservedNanoUsd).toBeGreaterThanOrEqual(60_000)
  })

  it("streams its parts as they are, and is settled before its reader sees the end", async () => {
    const { model, budget } = wrap({})
    const { stream } = await model.doStream(callOf())
    const parts: unknown[] = []
    for await (const part of stream) {
      parts.push(part)
      if (part.type === "finish") expect(await balance(budget)).toEqual({ spent: COST, reserved: 0 })
    }
    expect(parts).toEqual(PARTS)
    const { entries } = await budget.usage.list({})
    expect(entries).toMatchObject([{ generationId: "answer-1", modelUsed: "gpt-4o-mini-2024-07-18" }])
  })

  it("is not called if the budget denies it", async () => {
    const { model, calls, attempts } = wrap({ limit: "0.00001" })
    const error = await failure(model.doGenerate(callOf()))
    expect(error).toBeInstanceOf(BudgetExceededError)
    expect(await failure(model.doStream(callOf()))).toBeInstanceOf(BudgetExceededError)
    expect(calls).toEqual([])
    expect(attempts.map(({ status }) => status)).toEqual(["denied", "denied"])
  })

  it.each([
    ["no usage", undefined],
    ["an unknown total", { ...USAGE, inputTokens: { total: undefined } }],
    ["a usage of zero", ZERO_USAGE],
    ["a raw usage of zero", { ...ZERO_USAGE, raw: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } }],
    ["zero output tokens", { inputTokens: { total: 20 }, outputTokens: { total: 0 } }],
    ["zero input tokens", { inputTokens: { total: 0 }, outputTokens: { total: 10 } }],
    ["a usage that is no number", { inputTokens: { total: Number.NaN }, outputTokens: { total: 5 } }],
  ])("is charged its bound after an answer with %s", async (_name, usage) => {
    const { model, budget, attempts } = wrap({ result: () => ({ ...RESULT, usage }) })
    await model.doGenerate(callOf())
    const [{ reservedNanoUsd, inDoubt }] = attempts as [(typeof attempts)[0]]
    expect(inDoubt).toBe(true)
    expect(await balance(budget)).toEqual({ spent: reservedNanoUsd, reserved: 0 })
  })

  it.each([
    ["an error part", [...PARTS.slice(0, 5), { type: "error", error: "overloaded" }, PARTS.at(-1)!], "close"],
    ["no finish part", PARTS.slice(0, 5), "close"],
    ["a lost connection", PARTS.slice(0, 5), "fail"],
    [
      "the reason `error`",
      [...PARTS.slice(0, 5), { ...PARTS.at(-1), finishReason: { unified: "error", raw: "x" } }],
      "close",
    ],
    [
      "no mark of the provider",
      [...PARTS.slice(0, 5), { ...PARTS.at(-1), finishReason: { unified: "other" } }],
      "close",
    ],
    ["an interruption", [...PARTS.slice(0, 5), { ...PARTS.at(-1), finishReason: { unified: "interrupted" } }], "close"],
  ] as const)("is charged its bound after a stream that ends with %s", async (_name, parts, end) => {
    const { model, budget, attempts } = wrap({ stream: () => streamOf(parts, end) })
    const { stream } = await model.doStream(callOf())
    await failure(readAll(stream))
    expect(attempts).toMatchObject([{ status: "failed", inDoubt: true }])
    expect(await balance(budget)).toEqual({ spent: attempts[0]!.reservedNanoUsd, reserved: 0 })
  })

  it("is charged by `charge.abort` if its reader cancels, and its stream is cancelled", async () => {
    const cancelled = vi.fn()
    const endless = () =>
      new ReadableStream<never>({
        start: (c) => c.enqueue(PARTS[3] as never),
        cancel: cancelled,
      }) as ReadableStream<never>
    for (const [abort, spent] of [
      ["nothing", 0],
      ["bound", "bound"],
    ] as const) {
      const { model, budget, attempts } = wrap({ stream: endless, middleware: { charge: { abort } } })
      const { stream } = await model.doStream(callOf())
      const reader = stream.getReader()
      await reader.read()
      await reader.cancel("enough")
      expect(cancelled).toHaveBeenCalledWith("enough")
      const charged = spent === "bound" ? attempts[0]!.reservedNanoUsd : spent
      expect(await balance(budget)).toEqual({ spent: charged, reserved: 0 })
    }
  })

  it("is settled although it ignores its signal", async () => {
    const { model, budget, attempts } = wrap({
      result: () => new Promise(() => {}),
      stream: () => streamOf([], "stall"),
    })
    const reason = new Error("enough")
    const controller = new AbortController()
    const failing = failure(model.doGenerate(callOf({ abortSignal: controller.signal })))
    const { stream } = await model.doStream(callOf({ abortSignal: controller.signal }))
    const reading = failure(readAll(stream))
    controller.abort(reason)
    expect(await failing).toBe(reason)
    expect(await reading).toBe(reason)
    await vi.waitFor(() => expect(attempts).toHaveLength(2), 60_000)
    const bounds = attempts[0]!.reservedNanoUsd + attempts[1]!.reservedNanoUsd
    expect(await balance(budget)).toEqual({ spent: bounds, reserved: 0 })
  })

  it("is settled if nothing reads its stream", async () => {
    const { model, budget, attempts } = wrap({})
    await model.doStream(callOf())
    await vi.waitFor(() => expect(attempts).toHaveLength(1), 60_000)
    expect(await balance(budget)).toEqual({ spent: COST, reserved: 0 })
  })

  it("ends a stream that is too long to be read ahead and that nobody reads", async () => {
    const delta = { type: "text-delta", id: "1", delta: "x".repeat(2 ** 21) }
    const { model, attempts } = wrap({ stream: () => streamOf([delta, delta]), middleware: { streamIdleMs: 5 } })
    const { stream } = await model.doStream(callOf())
    await vi.waitFor(() => expect(attempts).toMatchObject([{ status: "failed", inDoubt: true }]), 60_000)
    expect(await failure(readAll(stream))).toMatchObject({
      message: "The stream was not read for 5 ms. Read it faster, cancel it, or raise `streamIdleMs`.",
    })
  })

  it.each([
    ["400", apiError(400), 0],
    ["429", apiError(429), 0],
    ["429 of AWS", Object.assign(new Error("slow down"), { $metadata: { httpStatusCode: 429 } }), 0],
    ["a missing key", new LoadAPIKeyError({ message: "no key" }), 0],
    ["500", apiError(500), "bound"],
    ["429 with usage", apiError(429, '{"usage":{"total_tokens":3}}'), "bound"],
    ["no connection", apiError(undefined), "bound"],
    [
      "an error of another kind with a status",
      Object.assign(new Error("not found"), { status: 404, statusCode: 404 }),
      "bound",
    ],
    ["any other error", new TypeError("x is undefined"), "bound"],
  ] as const)("is charged %s by the charge policy", async (_name, error, spent) => {
    const fails = () => {
      throw error
    }
    const { model, budget, attempts } = wrap({ result: fails })
    expect(await failure(model.doGenerate(callOf()))).toBe(error)
    const charged = spent === "bound" ? attempts[0]!.reservedNanoUsd : spent
    expect(await balance(budget)).toEqual({ spent: charged, reserved: 0 })
  })

  it("gets the output limit of the middleware", async () => {
    const { model, calls } = wrap({ middleware: { maxOutputTokens: 50, clampTo: "maxOutputTokens" } })
    await model.doGenerate(callOf({ maxOutputTokens: undefined }))
    await model.doGenerate(callOf({ maxOutputTokens: 200 }))
    await model.doGenerate(callOf({ maxOutputTokens: 20 }))
    expect(calls.map(({ maxOutputTokens }) => maxOutputTokens)).toEqual([50, 50, 20])
  })

  it("gets the output limit that the budget can pay", async () => {
    const { model, calls, attempts } = wrap({ limit: "0.0001", middleware: { clampTo: "budget" } })
    await model.doGenerate(callOf({ maxOutputTokens: 10_000 }))
    expect(calls[0]!.maxOutputTokens).toBeGreaterThan(50)
    expect(calls[0]!.maxOutputTokens).toBeLessThan(200)
    expect(attempts[0]!.reservedNanoUsd).toBeLessThanOrEqual(100_000)
  })

  it("is sent the service tier of the middleware, which halves its bound", async () => {
    const dear = wrap({})
    await dear.model.doGenerate(callOf({ providerOptions: { openai: { user: "ada" } } }))
    const { model, calls, attempts } = wrap({ middleware: { serviceTier: "default" } })
    await model.doGenerate(callOf({ providerOptions: { openai: { user: "ada" } } }))
    expect(calls[0]!.providerOptions).toEqual({ openai: { user: "ada", serviceTier: "default" } })
    expect(attempts[0]!.reservedNanoUsd).toBeLessThan(dear.attempts[0]!.reservedNanoUsd)
  })

  it("is charged at the most expensive tier if neither the call nor the answer states one", async () => {
    const { model, budget } = wrap({})
    await model.doGenerate(callOf({ providerOptions: {} }))
    const dearest = upperBound("gpt-4o-mini", { inputTokens: 20, maxOutputTokens: 10 })
    expect((await balance(budget)).spent).toBe(dearest.nanoUsd)
    const stated = wrap({ result: () => ({ ...RESULT, providerMetadata: { openai: { serviceTier: "default" } } }) })
    await stated.model.doGenerate(callOf({ providerOptions: {} }))
    expect((await balance(stated.budget)).spent).toBe(COST)
  })

  it("takes the subject from its headers, and hides them from the provider", async () => {
    const { model, budget, calls } = wrap({ middleware: { subject: { clientId: "web" } } })
    const headers = { "x-p2-user": "ada", "x-p2-tags": "team=search", "x-other": "kept" }
    await withBudget({ limit: "0.50", subject: { requestId: "run-1" } }, () => model.doGenerate(callOf({ headers })))
    const { entries } = await budget.usage.list({})
    expect(entries).toMatchObject([
      { userId: "ada", clientId: "web", requestId: "run-1", tags: { team: "search" }, provider: "openai" },
    ])
    expect(calls[0]!.headers).toEqual({ "x-other": "kept" })
  })
})

describe("budgetMiddleware", () => {
  it("rejects options that it does not have", () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
    expect(() => budgetMiddleware({ budget, fetch } as never)).toThrow("Unknown option `fetch`. Pass `guardFetch")
    expect(() => budgetMiddleware({ budget: {} as never })).toThrow("Invalid `budget`")
    expect(() => budgetMiddleware({ budget, freeProviderOptions: ["all"] })).toThrow("Invalid `freeProviderOptions`")
    expect(() => budgetMiddleware({ budget, streamIdleMs: 0 })).toThrow("Invalid `streamIdleMs`")
    expect(() => budgetMiddleware({ budget, models: [1] as never })).toThrow("Invalid `models`")
  })

  it("throws the failure of the store, and calls nothing", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
    const { model, calls } = VERSIONS[0].wrap({ budget })
    await budget.close()
    expect(await failure(model.doGenerate(callOf()))).toMatchObject({ code: expect.stringMatching(/store|closed/) })
    expect(calls).toEqual([])
  })

  it("shows no prompt and no key in a rejection", async () => {
    const secret = "my secret prompt"
    const { model } = VERSIONS[0].wrap({})
    const prompt = [{ role: "user", content: [{ type: secret, text: secret }] }]
    const error = await failure(model.doGenerate(callOf({ prompt, providerOptions: { [secret]: { [secret]: 1 } } })))
    expect(CallRejectedError.isInstance(error)).toBe(true)
    expect(JSON.stringify(error) + String(error)).not.toContain("secret")
  })
})
