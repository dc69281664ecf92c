import { memoryStore } from "@p2/budget"
import type { RequestOptions } from "@p2/core"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { priceOf } from "@p2/pricing"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import type { LLMClientOptions } from "../src/index"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.faults.clear()
  provider.received.length = 0
})
afterAll(() => provider.close())

type SentMessages = { role: string; content: string }[]
const sent = (index: number) => provider.received[index]!.body.messages as SentMessages
const rolesOf = (index: number) => sent(index).map(({ role }) => role)

test("turns keep their order, and the answer becomes the assistant's turn", async () => {
  const client = openClient(provider)
  client.msg.addMessageSystem("Be short.")
  const first = await client.generateResponse()
  client.msg.addMessageUser("And his aunt?")
  await client.generateResponse()
  expect(rolesOf(0)).toEqual(["user", "system"])
  expect(rolesOf(1)).toEqual(["user", "system", "assistant", "user"])
  expect(sent(1)[2]?.content).toBe(first)
})

test("messages of the request come first, and a failure adds no turn", async () => {
  const client = openClient(provider, { messages: [{ role: "system", content: "Be kind." }] })
  provider.faults.next({ status: 400 })
  expect((await client.generate()).ok).toBe(false)
  expect(client.msg.getMessages().map(({ role }) => role)).toEqual(["system", "user"])
})

test("two concurrent calls have their own messages, receipts and answers", async () => {
  const client = openClient(provider, { answerModel: Person })
  const one = client.generate()
  client.msg.addMessageUser("And Uriah Heep?")
  const two = client.generate()
  const [first, second] = await Promise.all([one, two])
  expect(first.receipt.requestId).not.toBe(second.receipt.requestId)
  expect(provider.received.map((_, index) => sent(index).length).sort()).toEqual([1, 2])
  expect(client.msg.getMessages().filter(({ role }) => role === "assistant")).toHaveLength(2)
})

test("a message that is added during a call follows the answer", async () => {
  const client = openClient(provider)
  const call = client.generate()
  client.msg.addMessageUser("And his aunt?")
  await call
  await client.generate()
  expect(rolesOf(1)).toEqual(["user", "assistant", "user"])
  await Promise.all([client.generate(), client.generate()])
  expect(client.msg.getMessages().map(({ role }) => role)).toEqual([
    "user",
    "assistant",
    "user",
    "assistant",
    "assistant",
    "assistant",
  ])
})

test("the answer to a cleared conversation is not added to the new one", async () => {
  const client = openClient(provider)
  const call = client.generate()
  client.msg.clear().addMessageUser("Something else")
  expect((await call).ok).toBe(true)
  expect(client.msg.getMessages().map(({ content }) => content)).toEqual(["Something else"])
})

test("neither a full conversation nor a throwing logger loses an answer that was paid for", async () => {
  const fails = () => {
    throw new Error("The log is full.")
  }
  const logger = { debug: fails, warn: fails }
  const client = openClient(provider, { model: "openai/gpt-4.1-mini", userId: "u", userBudget: 5 }, { logger })
  client.msg.addPrompt(Array(9_999).fill({ role: "user", content: "a" }))
  provider.faults.next({ status: 500 })
  const result = await client.generate()
  expect(result).toMatchObject({ ok: true, receipt: { attempts: [{ status: "failed" }, { status: "succeeded" }] } })
  expect(client.msg.getMessages()).toHaveLength(10_000)
})

test("images are sent and counted", async () => {
  const client = openClient(provider)
  const before = client.countTokens()
  const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
  client.msg.addMessageImage(`data:image/png;base64,${pixel}`, { detail: "low" })
  expect(client.countTokens()).toBeGreaterThan(before + 50)
  await client.generateResponse()
  expect(JSON.stringify(provider.received[0]?.body.messages)).toContain(pixel)
})

describe("a file", () => {
  const pdf = Buffer.from("%PDF-1.4 a page of words")
  const open = (request: Partial<RequestOptions>, options?: LLMClientOptions) => {
    const client = openClient(provider, { maxTokens: 1000, ...request }, options)
    client.msg.addMessageFile(pdf, { filename: "page.pdf" })
    return client
  }

  test("is sent; the cost of the context window is reserved, and the reported usage is paid", async () => {
    const client = open({ maxBudget: "0.05" })
    const result = await client.generate()
    expect(result).toMatchObject({ ok: true })
    const { contextWindow } = client.getModelLimits()
    const { input, output } = priceOf("openai/gpt-4o-mini").rates
    expect(result.receipt.reservedNanoUsd).toBe(Math.ceil((contextWindow * input + 1000 * output) / 1000))
    expect(result.receipt.costNanoUsd).toBe(provider.ledger.calls.at(-1)?.nanoUsd)
    const file = { filename: "page.pdf", file_data: `data:application/pdf;base64,${pdf.toString("base64")}` }
    expect(provider.received[0]?.body).toMatchObject({ messages: [{}, { content: [{ type: "file", file }] }] })
    expect(provider.received[0]?.body).not.toHaveProperty("plugins")
  })

  test("is denied when the context window costs more than the budget", async () => {
    const result = await open({ maxBudget: "0.001" }).generate()
    expect(result).toMatchObject({ ok: false, error: { code: "budget-exceeded" } })
    expect(provider.received).toHaveLength(0)
  })

  test("is converted by OpenRouter's free engine, together with a search", async () => {
    const request = { model: "openrouter/openai/gpt-4o-mini", maxBudget: "0.05", online: true }
    const { ok } = await open(request, { baseURL: provider.openRouterBaseURL }).generate()
    expect(ok).toBe(true)
    expect(provider.received[0]?.body.plugins).toEqual([
      expect.objectContaining({ id: "web" }),
      { id: "file-parser", pdf: { engine: "cloudflare-ai" } },
    ])
  })
})

test("meta, receipt and cost are those of the last call; before any call the cost is the estimate", async () => {
  const client = openClient(provider, { maxTokens: 500 })
  expect(client.meta).toBeUndefined()
  expect(client.calculateCost()).toBe((await client.getBudgetInfo()).estimatedCost)
  const { receipt } = await client.generate()
  expect(client.receipt).toBe(receipt)
  expect(client.calculateCost()).toBe(receipt.costNanoUsd / 1e9)
  expect(client.meta).toMatchObject({ requestId: receipt.requestId, modelUsed: "gpt-4o-mini" })
  expect(client.meta?.tokenCount).toBe(receipt.usage.inputTokens + receipt.usage.outputTokens)
})

test("countTokens() is what the provider counts", async () => {
  const client = openClient(provider, { answerModel: Person })
  const counted = client.countTokens()
  expect((await client.generate()).receipt.usage.inputTokens).toBe(counted)
})

test("prompts and answers are in the ledger only with `recordContent`, and never in errors", async () => {
  const store = memoryStore()
  const withoutContent = await openClient(provider, {}, { store }).generate()
  const withContent = await openClient(provider, {}, { store, recordContent: true }).generate()
  const entry = async (requestId: string) => (await store.ledger!.get({ partition: "main", requestId }))[0]
  expect(await entry(withoutContent.receipt.requestId)).not.toMatchObject({ prompt: expect.any(String) })
  expect(await entry(withContent.receipt.requestId)).toMatchObject({
    prompt: expect.stringContaining("Copperfield"),
    answer: expect.any(String),
  })
  provider.faults.next({ refusal: "I will not speak of Copperfield." })
  const refused = await openClient(provider).generate()
  expect(JSON.stringify(refused)).not.toContain("Copperfield")
  expect(refused).toMatchObject({
    ok: false,
    error: { code: "answer-refused", refusal: "I will not speak of Copperfield." },
  })
})
