import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { memoryStore } from "@p2/budget"
import { createPriceTable, prices } from "@p2/pricing"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { z } from "zod"
import { LLMClient, type LLMClientOptions } from "../src/index"
import { instantClock } from "./open-client"

let server: Server
let bodies: Record<string, unknown>[]
let answer: (response: ServerResponse, body: Record<string, unknown>) => void

beforeEach(async () => {
  bodies = []
  server = createServer((request, response) => {
    let text = ""
    request.on("data", (piece) => {
      text += piece
    })
    request.on("end", () => {
      const body = JSON.parse(text) as Record<string, unknown>
      bodies.push(body)
      answer(response, body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
const Counted = z.object({ count: z.number() })
const USAGE = { prompt_tokens: 20, completion_tokens: 5 }

function open(model: string, request: object = {}, options: LLMClientOptions = {}) {
  const client = new LLMClient(
    { model, maxTokens: 100, retries: 0, repairs: 0, ...request },
    { baseURL: address(), apiKey: "k", store: memoryStore(), logger: {}, clock: instantClock, ...options },
  )
  client.msg.addMessageUser("How many?")
  return client
}

function asJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
}

function asStream(response: ServerResponse, ...chunks: object[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" })
  for (const chunk of chunks) response.write(`data: ${JSON.stringify(chunk)}\n\n`)
  response.end("data: [DONE]\n\n")
}

const said = (content: unknown, finish = "stop") => ({
  choices: [{ index: 0, message: { content }, finish_reason: finish }],
  usage: USAGE,
})
const called = (text: string) =>
  said(null, "tool_calls").choices.map((choice) => ({
    ...choice,
    message: { tool_calls: [{ function: { arguments: text } }] },
  }))

describe("errors in other shapes than OpenAI's", () => {
  test.each([
    ["in a list (Gemini)", "gemini/gemini-2.5-flash", [{ error: { code: 400, message: "no response_format here" } }]],
    ["bare (vLLM)", "openai/gpt-4o-mini", { object: "error", message: "no response_format here", code: 400 }],
    [
      "bare, a list of messages (Mistral)",
      "mistral/mistral-small-latest",
      { object: "Error", message: [{ loc: ["body", "response_format"] }], code: 3001 },
    ],
    [
      "as a text (xAI)",
      "xai/grok-3",
      { code: "Client specified an invalid argument", error: "no response_format here" },
    ],
    ["as FastAPI does", "openai/gpt-4o-mini", { detail: [{ loc: ["body", "response_format"] }] }],
  ])("%s: its words are kept, and the next mode is tried", async (_shape, model, body) => {
    answer = (response, { tools }) =>
      tools === undefined
        ? asJson(response, 400, body)
        : asJson(response, 200, { choices: called('{"count":3}'), usage: USAGE })
    // A name of its own, because modes are remembered.
    const prices_ = createPriceTable({}, { extends: prices, aliases: { [`${model}-${_shape.length}`]: model } })
    const result = await open(`${model}-${_shape.length}`, { answerModel: Counted }, { prices: prices_ }).generate()
    expect(result).toMatchObject({ ok: true, answer: { count: 3 } })
    expect(result.receipt.attempts.map(({ mode }) => mode)).toEqual(["json_schema", "tool"])
    answer = (response) => asJson(response, 400, body)
    const failed = await open(model).generate()
    expect(failed).toMatchObject({
      ok: false,
      error: { cause: { providerMessage: expect.stringContaining("response_format") } },
    })
  })

  test("a text as the error inside a 200 is an error, not an empty answer", async () => {
    answer = (response) => asJson(response, 200, { code: "overloaded", error: "Come back later" })
    expect(await open("xai/grok-3").generate()).toMatchObject({
      ok: false,
      error: { code: "provider-error", retryable: true, cause: { providerMessage: "Come back later" } },
    })
  })
})

describe("a status 400 that may be billed", () => {
  const refused =
    (code: string, more: object = {}) =>
    (response: ServerResponse) =>
      asJson(response, 400, { error: { code, message: "no", ...more } })

  test("a prompt that a filter stopped (Azure) costs the bound, and is no fault of the request", async () => {
    answer = refused("content_filter", { innererror: { code: "ResponsibleAIPolicyViolation" } })
    const { receipt, ...result } = await open("azure/gpt-4o-mini").generate()
    expect(result).toMatchObject({ ok: false, error: { code: "content-filtered", cause: { status: 400 } } })
    expect(receipt).toMatchObject({
      costSource: "bound",
      costNanoUsd: receipt.reservedNanoUsd,
      attempts: [{ httpStatus: 400 }],
    })
  })

  test("a prompt that is too long costs the bound at Azure, and nothing elsewhere", async () => {
    answer = refused("context_length_exceeded")
    expect((await open("azure/gpt-4o-mini").generate()).receipt.costSource).toBe("bound")
    expect((await open("openai/gpt-4o-mini").generate()).receipt.costSource).toBe("none")
  })

  test("an answer that the provider itself found wrong (Groq) costs the bound, is judged here, and repaired", async () => {
    answer = (response) => {
      if (bodies.length > 1) return asJson(response, 200, said('{"count":3}'))
      return refused("json_validate_failed", { failed_generation: '{"count": "three"}' })(response)
    }
    const result = await open("groq/llama-3.3-70b-versatile", { answerModel: Counted, repairs: 1 }).generate()
    expect(result).toMatchObject({ ok: true, answer: { count: 3 } })
    const [first, second] = result.receipt.attempts
    expect(first).toMatchObject({
      httpStatus: 400,
      errorCode: "invalid-answer",
      costSource: "bound",
      costNanoUsd: first?.reservedNanoUsd,
    })
    expect(second).toMatchObject({ reason: "repair", mode: "json_schema", costSource: "table" })
    expect(JSON.stringify(bodies[1]?.messages)).toContain("three")
  })
})

describe("ends in other words than OpenAI's", () => {
  test.each([
    ["model_length", "answer-truncated"],
    ["MAX_TOKENS", "answer-truncated"],
    ["insufficient_system_resource", "provider-error"],
    ["abort", "provider-error"],
    ["SAFETY", "content-filtered"],
    ["RECITATION", "content-filtered"],
    ["PROHIBITED_CONTENT", "content-filtered"],
    ["content_filter: SAFETY", "content-filtered"],
  ])("%s is %s", async (finish, code) => {
    answer = (response) => asJson(response, 200, said("Half of an ans", finish))
    const result = await open("openai/gpt-4o-mini").generate()
    expect(result).toMatchObject({ ok: false, error: { code }, receipt: { costSource: "table" } })
  })

  test.each(["stop", "STOP", "eos", "tool_calls", "end_turn"])("%s is an answer", async (finish) => {
    answer = (response) => asJson(response, 200, said("Three", finish))
    expect(await open("openai/gpt-4o-mini").generate()).toMatchObject({ ok: true, answer: "Three" })
  })
})

test("Fireworks streams what may be longer than it gives at once", async () => {
  answer = (response, { stream }) =>
    stream === true
      ? asStream(response, {
          choices: [{ index: 0, delta: { content: "Three" }, finish_reason: "stop" }],
          usage: USAGE,
        })
      : asJson(response, 200, said("Three"))
  const model = "fireworks/accounts/fireworks/models/deepseek-v3p2"
  const short = await open(model, { maxTokens: 4096 }).generate()
  const long = await open(model, { maxTokens: 4097 }).generate()
  expect([short, long].map(({ ok, receipt }) => [ok, receipt.attempts[0]?.streamed])).toEqual([
    [true, false],
    [true, true],
  ])
  expect(bodies.map(({ stream, stream_options }) => [stream, stream_options])).toEqual([
    [undefined, undefined],
    [true, { include_usage: true }],
  ])
})

test("a server of one's own is sent nothing that only OpenAI knows, a gateway to OpenAI is", async () => {
  answer = (response) => asJson(response, 200, said("Three"))
  const own = createPriceTable(
    { "llama-3.3": { input: "0.1", output: "0.2", contextWindow: 8000 } },
    { extends: prices },
  )
  await open("llama-3.3", {}, { prices: own }).generate()
  await open("llama-3.3", { serviceTier: "flex" }, { prices: own }).generate()
  await open("gpt-4o-mini").generate()
  expect(bodies.map(({ messages, ...body }) => body)).toEqual([
    { model: "llama-3.3", max_tokens: 100 },
    { model: "llama-3.3", max_tokens: 100, service_tier: "flex" },
    { model: "gpt-4o-mini", max_completion_tokens: 100, service_tier: "default" },
  ])
})

test("a mode that worked is not taken where the provider's row rules it out", async () => {
  answer = (response, { tools }) =>
    asJson(response, 200, tools === undefined ? said('{"count":3}') : { choices: called('{"count":3}'), usage: USAGE })
  const modes = async (options: LLMClientOptions) =>
    (await open("openai/gpt-4.1-nano", { answerModel: Counted }, options).generate()).receipt.attempts.map(
      ({ mode }) => mode,
    )
  expect(await modes({})).toEqual(["json_schema"])
  expect(await modes({ providers: [{ name: "openai", modes: ["tool", "prompt"] }] })).toEqual(["tool"])
})

test("OpenRouter's names of the latest models are names", () => {
  expect(open("openrouter/~openai/gpt-latest").countTokens()).toBeGreaterThan(0)
})

test("a model whose context window is unknown says how to state it", () => {
  expect(() => open("ollama/llama3.1")).toThrow(
    /"ollama\/llama3\.1"[\s\S]*`contextWindow` in a price table of your own/,
  )
  const own = createPriceTable({ "ollama/llama3.1": { free: true, input: "0", output: "0", contextWindow: 8192 } })
  expect(open("ollama/llama3.1", {}, { prices: own }).getModelLimits()).toMatchObject({ contextWindow: 8192 })
})
