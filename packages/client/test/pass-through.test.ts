import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => provider.faults.clear())
afterAll(() => provider.close())

const sent = () => provider.received.at(-1)!
const openrouter = () => ({ baseURL: `${provider.url}/api/v1` })
const boundOf = async (...args: Parameters<typeof openClient>) =>
  (await openClient(...args).getBudgetInfo()).upperBoundCostNanoUsd

test("settings of reasoning and length, other fields and headers are sent", async () => {
  const client = openClient(provider, {
    model: "openai/gpt-5-mini",
    reasoningEffort: "low",
    verbosity: "high",
    extraBody: { logit_bias: { "50256": -100 }, user: "u-1", metadata: { a: "b" } },
    extraHeaders: { "X-Title": "My app" },
  })
  await client.generateResponse()
  expect(sent().body).toMatchObject({
    reasoning_effort: "low",
    verbosity: "high",
    logit_bias: { "50256": -100 },
    user: "u-1",
    metadata: { a: "b" },
  })
  expect(sent().headers["x-title"]).toBe("My app")
})

describe("a field whose cost is not understood", () => {
  test.each([
    ["openai/gpt-4o-mini", { top_k: 5 }, "Unknown field `top_k`"],
    ["openai/gpt-4o-mini", { web_search_options: {} }, "searches"],
    ["openrouter/openai/gpt-4o-mini", { preset: "mine" }, "stored prompt"],
    ["together/meta-llama/Llama-3.3-70B-Instruct-Turbo", { safety_model: "x" }, "second model"],
  ])("of %s is rejected before anything is sent: %j", (model, extraBody, reason) => {
    const open = () => openClient(provider, { model, extraBody })
    expect(open).toThrow(expect.objectContaining({ code: "invalid-argument", kind: "usage" }))
    expect(open).toThrow(reason)
    expect(open).toThrow("`extraCost`")
  })

  test("is checked for each fallback", () => {
    const open = (fallbacks: string[]) =>
      openClient(provider, { model: "openrouter/openai/gpt-4o-mini", extraBody: { top_k: 5 }, fallbacks })
    expect(() => open(["openrouter/openai/gpt-4o"])).not.toThrow()
    expect(() => open(["openai/gpt-4o"])).toThrow(/"openai\/gpt-4o": Unknown field `top_k`/)
  })

  test("is sent if its cost is stated, which is reserved and charged", async () => {
    const plain = { maxTokens: 100, maxBudget: "1" }
    const extended = { ...plain, extraBody: { top_k: 5 }, extraCost: "0.01" }
    expect((await boundOf(provider, extended)) - (await boundOf(provider, plain))).toBe(10_000_000)
    const { receipt } = await openClient(provider, extended).generate()
    expect(sent().body).toMatchObject({ top_k: 5 })
    expect(receipt.costNanoUsd).toBe(provider.ledger.calls.at(-1)!.nanoUsd + 10_000_000)
    expect(receipt.reservedNanoUsd).toBe(await boundOf(provider, extended))
    expect(await openClient(provider, { ...extended, maxBudget: "0.01" }).generate()).toMatchObject({
      error: { code: "budget-exceeded" },
    })
    const unlimited = await openClient(provider, { ...extended, maxTokens: undefined, maxBudget: "0.0101" }).generate()
    expect(unlimited.ok).toBe(true)
    expect(unlimited.receipt.reservedNanoUsd).toBeLessThanOrEqual(10_100_000)
  })
})

test("a prediction is sent with `max_tokens`, because OpenAI rejects it together with `max_completion_tokens`", async () => {
  const prediction = { type: "content", content: "David Copperfield" }
  await openClient(provider, { maxTokens: 100, extraBody: { prediction } }).generate()
  expect(sent().body).toMatchObject({ prediction, max_tokens: 100 })
  expect(sent().body).not.toHaveProperty("max_completion_tokens")
})

test("fields that become input raise the bound by their tokens", async () => {
  const model = "groq/llama-3.3-70b-versatile"
  const plain = await boundOf(provider, { model, maxTokens: 10 })
  const documents = { documents: [{ source: { type: "text", text: "a document of many words ".repeat(200) } }] }
  expect(await boundOf(provider, { model, maxTokens: 10, extraBody: documents })).toBeGreaterThan(plain * 2)
})

test("audio output raises the bound to the price of audio", async () => {
  const model = "openai/gpt-4o-audio-preview"
  const plain = await boundOf(provider, { model, maxTokens: 1000 })
  const extraBody = { modalities: ["text", "audio"], audio: { voice: "alloy", format: "mp3" } }
  expect(await boundOf(provider, { model, maxTokens: 1000, extraBody })).toBeGreaterThan(plain * 2)
})

test("cache marks in messages raise the bound to the price of cache writes", async () => {
  const model = "openrouter/anthropic/claude-sonnet-4.5"
  const text = "A long text. ".repeat(500)
  const bound = (cache_control?: object) =>
    boundOf(openrouter(), {
      model,
      maxTokens: 10,
      messages: [{ role: "user", content: [{ type: "text", text, cache_control } as { type: "text"; text: string }] }],
    })
  const plain = await bound()
  const short = await bound({ type: "ephemeral" })
  expect(short).toBeGreaterThan(plain)
  expect(await bound({ type: "ephemeral", ttl: "1h" })).toBeGreaterThan(short)
})

test("OpenRouter's routing is kept, within the highest prices of the bound", async () => {
  const routing = { order: ["a"], data_collection: "deny", max_price: { prompt: 0.01, completion: 99 } }
  const client = openClient(openrouter(), {
    model: "openrouter/openai/gpt-4o-mini",
    answerModel: Person,
    extraBody: { provider: routing, transforms: [] },
  })
  await client.generate()
  expect(sent().body).toMatchObject({
    transforms: [],
    provider: { order: ["a"], data_collection: "deny", require_parameters: true, max_price: { prompt: 0.01 } },
  })
  const { completion } = (sent().body as { provider: { max_price: { completion: number } } }).provider.max_price
  expect(completion).toBeLessThan(1)
})
