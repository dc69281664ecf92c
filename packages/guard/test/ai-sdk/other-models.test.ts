import { createOpenAI } from "@ai-sdk/openai"
import { createBudget, memoryStore } from "@p2/budget"
import { embedMany, generateImage, wrapEmbeddingModel, wrapImageModel } from "ai"
import { MockEmbeddingModelV4, MockImageModelV4 } from "ai/test"
import { createOpenAI as createOpenAI3 } from "ai-sdk-openai3"
import {
  embedMany as embedMany6,
  wrapEmbeddingModel as wrapEmbeddingModel6,
  wrapImageModel as wrapImageModel6,
} from "ai6"
import { MockEmbeddingModelV3, MockImageModelV3 } from "ai6/test"
import { describe, expect, it } from "vitest"
import { type BudgetMiddlewareOptions, budgetMiddleware } from "../../src/ai-sdk"
import type { GuardAttempt } from "../../src/index"
import { failure } from "../failure"
import { balance } from "../fetch/guarded-server"
import { localServer } from "../local-server"

const server = await localServer()

function guardFor(limit: string | number, options: Partial<BudgetMiddlewareOptions> = {}) {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const attempts: GuardAttempt[] = []
  const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
  return { budget, attempts, middleware: budgetMiddleware({ budget, onAttempt, ...options }) }
}

const VALUES = ["one", "two words", "three more words"]

describe("embedding models", () => {
  const MODELS = [
    [
      "ai 7",
      (limit: string) => {
        const { middleware, ...guard } = guardFor(limit)
        const model = createOpenAI({ baseURL: server.baseURL, apiKey: "local" }).embedding("text-embedding-3-small")
        const wrapped = wrapEmbeddingModel({ model, middleware })
        return { ...guard, embed: () => embedMany({ model: wrapped, values: VALUES }) }
      },
    ],
    [
      "ai 6",
      (limit: string) => {
        const { middleware, ...guard } = guardFor(limit)
        const model = createOpenAI3({ baseURL: server.baseURL, apiKey: "local" }).embedding("text-embedding-3-small")
        const wrapped = wrapEmbeddingModel6({ model, middleware })
        return { ...guard, embed: () => embedMany6({ model: wrapped, values: VALUES }) }
      },
    ],
  ] as const

  it.each(MODELS)("of %s are charged what was billed", async (_name, connect) => {
    const { budget, attempts, embed } = connect("1.00")
    await embed()
    expect(server.ledger.calls).toHaveLength(1)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    expect(attempts[0]!.reservedNanoUsd).toBeGreaterThanOrEqual(server.ledger.totalNanoUsd)
  })

  it.each(MODELS)("of %s are denied with the denial itself", async (_name, connect) => {
    const { embed } = connect("0.0000001")
    expect(await failure(embed())).toMatchObject({ code: "budget-exceeded" })
    expect(server.ledger.calls).toEqual([])
  })

  it.each([
    ["v4", wrapEmbeddingModel, MockEmbeddingModelV4],
    ["v3", wrapEmbeddingModel6, MockEmbeddingModelV3],
  ] as const)("of specification %s without usage are charged their bound", async (_name, wrap, Mock) => {
    const { budget, attempts, middleware } = guardFor("1.00")
    const doEmbed = async () => ({ embeddings: [[1]], warnings: [] })
    const fields = { provider: "openai.embedding", modelId: "text-embedding-3-small", doEmbed }
    const model = wrap({ model: new Mock(fields) as never, middleware: middleware as never })
    await model.doEmbed({ values: ["hello"] })
    expect(attempts).toMatchObject([{ inDoubt: true }])
    expect(await balance(budget)).toEqual({ spent: attempts[0]!.reservedNanoUsd, reserved: 0 })
  })
})

const IMAGE = {
  images: ["iVBORw0KGgo="],
  warnings: [],
  response: { timestamp: new Date(0), modelId: "m", headers: {} },
}

describe.each([
  ["v4", wrapImageModel, MockImageModelV4],
  ["v3", wrapImageModel6, MockImageModelV3],
] as const)("image models of specification %s", (_name, wrap, Mock) => {
  function imageModel(modelId: string, result: object, options: Partial<BudgetMiddlewareOptions> = {}) {
    const { middleware, ...guard } = guardFor("10", options)
    const fields = { provider: "openai.image", modelId, doGenerate: async () => result }
    const model = wrap({ model: new Mock(fields as never) as never, middleware: middleware as never })
    return { ...guard, model }
  }
  const call = (n: number): never => ({ prompt: "a cat", n, providerOptions: {} }) as never

  it("that are billed by the image are charged for all that were requested", async () => {
    const { model, budget } = imageModel("dall-e-2", IMAGE)
    await model.doGenerate(call(3))
    expect(await balance(budget)).toEqual({ spent: 3 * 20_000_000, reserved: 0 })
  })

  it("that are billed by the token are rejected without a maximum", async () => {
    const { model } = imageModel("gpt-image-1", IMAGE)
    const error = await failure(model.doGenerate(call(1)))
    expect(error).toMatchObject({ code: "call-rejected", reason: "unbounded-cost" })
    expect(String(error)).toContain("maxImageTokens")
  })

  it("that are billed by the token are charged by their tokens", async () => {
    // $5 per million text tokens, $40 per million image tokens.
    const usage = { inputTokens: 10, outputTokens: 1_000, totalTokens: 1_010 }
    const { model, budget, attempts } = imageModel("gpt-image-1", { ...IMAGE, usage }, { maxImageTokens: 6_240 })
    await model.doGenerate(call(2))
    expect(attempts[0]!.reservedNanoUsd).toBeGreaterThanOrEqual(2 * 6_240 * 40_000)
    expect(await balance(budget)).toEqual({ spent: 10 * 5_000 + 1_000 * 40_000, reserved: 0 })
    const unknown = imageModel("gpt-image-1", IMAGE, { maxImageTokens: 6_240 })
    await unknown.model.doGenerate(call(2))
    expect((await balance(unknown.budget)).spent).toBe(unknown.attempts[0]!.reservedNanoUsd)
  })
})

it("an image model works in generateImage", async () => {
  const { budget, middleware } = guardFor("10")
  const fields = { provider: "openai.image", modelId: "dall-e-2", maxImagesPerCall: 1, doGenerate: async () => IMAGE }
  const model = wrapImageModel({ model: new MockImageModelV4(fields as never) as never, middleware })
  const { images } = await generateImage({ model, prompt: "a cat", n: 2 })
  expect(images).toHaveLength(2)
  expect(await balance(budget)).toEqual({ spent: 2 * 20_000_000, reserved: 0 })
})
