import { type MockServer, startMockServer } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { tool } from "../src/index"
import { openClient } from "./open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
})
afterAll(() => server.close())

const usage = { prompt_tokens: 20, completion_tokens: 5 }
const extra = { google: { thought_signature: "c2lnbmF0dXJl" } }
const reasoning = { reasoning_content: "The user wants the weather." }
const now = tool({ execute: () => "noon" })
const called = { id: "c1", type: "function", function: { name: "now", arguments: "{}" } }

/** Calls a tool until the last message is a result. `failures`: statuses of requests with a result, in order. */
function answer(message: object, failures: number[] = []) {
  server.answer(({ sendJson, text }) => {
    const { messages } = JSON.parse(text) as { messages: { role: string }[] }
    const isAnswer = messages.at(-1)!.role === "tool"
    const status = isAnswer ? failures.shift() : undefined
    if (status !== undefined) return sendJson(status, { error: { message: "no", code: "busy" } })
    const choice = isAnswer
      ? { message: { role: "assistant", content: "At noon." }, finish_reason: "stop" }
      : { message, finish_reason: "tool_calls" }
    sendJson(200, { choices: [{ index: 0, ...choice }], usage })
  })
}
const sentCall = (index: number) =>
  (server.bodies[index]!.messages as { role: string }[]).find((each) => each.role === "assistant")

beforeEach(() =>
  answer({ role: "assistant", content: null, ...reasoning, tool_calls: [{ ...called, extra_content: extra }] }),
)

test("the reasoning and the signatures of a call are sent back to the provider that wrote them", async () => {
  const client = openClient(server, {}, { tools: { now }, maxSteps: 3 } as object)
  await client.generateResponse()
  const expected = { ...reasoning, tool_calls: [{ ...called, extra_content: extra }] }
  expect(sentCall(1)).toMatchObject(expected)
  client.msg.addMessageUser("Thanks.")
  await client.generateResponse()
  expect(sentCall(3)).toMatchObject(expected)
})

test("and never to another provider", async () => {
  process.env.GROQ_API_KEY = "local"
  process.env.GROQ_BASE_URL = server.baseURL
  try {
    answer({ role: "assistant", content: null, ...reasoning, tool_calls: [{ ...called, extra_content: extra }] }, [400])
    const request = { fallbacks: ["groq/llama-3.3-70b-versatile"] }
    const client = openClient(server, request, { tools: { now }, maxSteps: 3 } as object)
    const { receipt } = await client.generate()
    expect(receipt.attempts.map(({ provider, status }) => `${provider} ${status}`)).toEqual([
      "openai succeeded",
      "openai failed",
      "groq succeeded",
    ])
    expect(sentCall(1)).toMatchObject(reasoning)
    expect(sentCall(2)).toEqual({ role: "assistant", content: null, tool_calls: [called] })
    const fork = client.run({ maxBudget: 1 }).fork({ model: "groq/llama-3.3-70b-versatile", fallbacks: [] })
    expect(JSON.stringify(fork.msg.getMessages())).not.toMatch(/reasoning|signature/)
  } finally {
    delete process.env.GROQ_API_KEY
    delete process.env.GROQ_BASE_URL
  }
})

test("and is part of the upper bound", async () => {
  const client = openClient(server, { maxTokens: 100 }, { tools: { now }, maxSteps: 3 } as object)
  const { receipt: small } = await client.generate()
  const signature = "x".repeat(10_000)
  answer({
    role: "assistant",
    content: null,
    tool_calls: [{ ...called, extra_content: { google: { thought_signature: signature } } }],
  })
  const large = await openClient(server, { maxTokens: 100 }, { tools: { now }, maxSteps: 3 } as object).generate()
  const difference = large.receipt.attempts[1]!.reservedNanoUsd - small.attempts[1]!.reservedNanoUsd
  // 10,000 bytes at 0.15 USD per million tokens.
  expect(difference).toBeGreaterThan(10_000 * 150)
})
