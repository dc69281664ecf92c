import { DONE, type Exchange, eventText, type MockServer, startMockServer } from "@p2/local-provider"
import { createPriceTable } from "@p2/pricing"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { z } from "zod"
import type { LLMClientOptions } from "../src/index"
import { openClient } from "./open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
})
afterAll(() => server.close())

const Counted = z.object({ count: z.number() })
const USAGE = { prompt_tokens: 20, completion_tokens: 5 }

function open(model: string, request: object = {}, options: LLMClientOptions = {}) {
  return openClient<unknown>(server, { model, maxTokens: 100, retries: 0, repairs: 0, ...request } as object, options)
}

/** The body of the request that is being answered. */
const bodyOf = ({ text }: Exchange) => JSON.parse(text) as Record<string, unknown>

const completion = (content: unknown, finish = "stop") => ({
  choices: [{ index: 0, message: { content }, finish_reason: finish }],
  usage: USAGE,
})
const toolCall = (text: string) =>
  completion(null, "tool_calls").choices.map((choice) => ({
    ...choice,
    message: { tool_calls: [{ function: { arguments: text } }] },
  }))

describe("an error body in a shape other than OpenAI's", () => {
  test.each([
    ["in a list (Gemini)", "gemini/gemini-2.5-flash", [{ error: { code: 400, message: "no response_format here" } }]],
    ["bare (vLLM)", "openai/gpt-4o-mini", { object: "error", message: "no response_format here", code: 400 }],
    [
      "bare, with a list of messages (Mistral)",
      "mistral/mistral-small-latest",
      { object: "Error", message: [{ loc: ["body", "response_format"] }], code: 3001 },
    ],
    [
      "with a string as the error (xAI)",
      "xai/grok-3",
      { code: "Client specified an invalid argument", error: "no response_format here" },
    ],
    ["with `detail` (FastAPI)", "openai/gpt-4o-mini", { detail: [{ loc: ["body", "response_format"] }] }],
  ])("%s keeps its message, and the next mode is tried", async (_shape, model, body) => {
    server.answer((exchange) =>
      bodyOf(exchange).tools === undefined
        ? exchange.sendJson(400, body)
        : exchange.sendJson(200, { choices: toolCall('{"count":3}'), usage: USAGE }),
    )
    // Each case uses a different model name, because modes are remembered.
    const prices_ = createPriceTable({}, { extends: "published", aliases: { [`${model}-${_shape.length}`]: model } })
    const result = await open(`${model}-${_shape.length}`, { answerModel: Counted }, { prices: prices_ }).generate()
    expect(result).toMatchObject({ ok: true, answer: { count: 3 } })
    expect(result.receipt.attempts.map(({ mode }) => mode)).toEqual(["json_schema", "tool"])
    server.answer(({ sendJson }) => sendJson(400, body))
    const failed = await open(model).generate()
    expect(failed).toMatchObject({
      ok: false,
      error: { cause: { providerMessage: expect.stringContaining("response_format") } },
    })
  })

  test("inside a status 200 is an error, not an empty answer", async () => {
    server.answer(({ sendJson }) => sendJson(200, { code: "overloaded", error: "Come back later" }))
    expect(await open("xai/grok-3").generate()).toMatchObject({
      ok: false,
      error: { code: "provider-error", retryable: true, cause: { providerMessage: "Come back later" } },
    })
  })
})

describe("a status 400 that may be billed", () => {
  const rejection = (code: string, more: object = {}) => ({ error: { code, message: "no", ...more } })
  const reject = (code: string, more?: object) => server.answer(({ sendJson }) => sendJson(400, rejection(code, more)))

  test("for a prompt that the filter stopped (Azure) costs the upper bound", async () => {
    reject("content_filter", { innererror: { code: "ResponsibleAIPolicyViolation" } })
    const { receipt, ...result } = await open("azure/gpt-4o-mini").generate()
    expect(result).toMatchObject({ ok: false, error: { code: "content-filtered", cause: { status: 400 } } })
    expect(receipt).toMatchObject({
      costSource: "bound",
      costNanoUsd: receipt.reservedNanoUsd,
      attempts: [{ httpStatus: 400 }],
    })
  })

  test("for a prompt that is too long costs the upper bound at Azure, and nothing elsewhere", async () => {
    reject("context_length_exceeded")
    expect((await open("azure/gpt-4o-mini").generate()).receipt.costSource).toBe("bound")
    expect((await open("openai/gpt-4o-mini").generate()).receipt.costSource).toBe("none")
  })

  test("with an answer that the provider found invalid (Groq) costs the upper bound, and the answer is repaired", async () => {
    server.answer(({ sendJson }) =>
      server.bodies.length > 1
        ? sendJson(200, completion('{"count":3}'))
        : sendJson(400, rejection("json_validate_failed", { failed_generation: '{"count": "three"}' })),
    )
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
    expect(JSON.stringify(server.bodies[1]?.messages)).toContain("three")
  })
})

describe("the finish reason", () => {
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
    server.answer(({ sendJson }) => sendJson(200, completion("Half of an ans", finish)))
    const result = await open("openai/gpt-4o-mini", { onTruncated: "error" }).generate()
    expect(result).toMatchObject({ ok: false, error: { code }, receipt: { costSource: "table" } })
  })

  test.each(["stop", "STOP", "eos", "tool_calls", "end_turn"])("%s is an answer", async (finish) => {
    server.answer(({ sendJson }) => sendJson(200, completion("Three", finish)))
    expect(await open("openai/gpt-4o-mini").generate()).toMatchObject({ ok: true, answer: "Three" })
  })
})

test("a call that Fireworks only answers as a stream is streamed", async () => {
  const event = { choices: [{ index: 0, delta: { content: "Three" }, finish_reason: "stop" }], usage: USAGE }
  server.answer((exchange) =>
    bodyOf(exchange).stream === true
      ? exchange.sendEvents(eventText(event), DONE)
      : exchange.sendJson(200, completion("Three")),
  )
  const model = "fireworks/accounts/fireworks/models/deepseek-v3p2"
  const short = await open(model, { maxTokens: 4096 }).generate()
  const long = await open(model, { maxTokens: 4097 }).generate()
  expect([short, long].map(({ ok, receipt }) => [ok, receipt.attempts[0]?.streamed])).toEqual([
    [true, false],
    [true, true],
  ])
  expect(server.bodies.map(({ stream, stream_options }) => [stream, stream_options])).toEqual([
    [undefined, undefined],
    [true, { include_usage: true }],
  ])
})

test("fields that only OpenAI knows are sent to gateways for OpenAI's models, not to other servers", async () => {
  server.answer(({ sendJson }) => sendJson(200, completion("Three")))
  const own = createPriceTable(
    {
      "llama-3.3": {
        input: "0.1",
        output: "0.2",
        contextWindow: 8000,
        serviceTiers: { flex: { input: "0.05", output: "0.1" } },
      },
    },
    { extends: "published" },
  )
  await open("llama-3.3", {}, { prices: own }).generate()
  await open("llama-3.3", { serviceTier: "flex" }, { prices: own }).generate()
  await open("gpt-4o-mini").generate()
  expect(server.bodies.map(({ messages: _, ...body }) => body)).toEqual([
    { model: "llama-3.3", max_tokens: 100 },
    { model: "llama-3.3", max_tokens: 100, service_tier: "flex" },
    { model: "gpt-4o-mini", max_completion_tokens: 100, service_tier: "default" },
  ])
})

test("a remembered mode is not used where `providers` excludes it", async () => {
  server.answer((exchange) =>
    exchange.sendJson(
      200,
      bodyOf(exchange).tools === undefined
        ? completion('{"count":3}')
        : { choices: toolCall('{"count":3}'), usage: USAGE },
    ),
  )
  const modes = async (options: LLMClientOptions) =>
    (await open("openai/gpt-4.1-nano", { answerModel: Counted }, options).generate()).receipt.attempts.map(
      ({ mode }) => mode,
    )
  expect(await modes({})).toEqual(["json_schema"])
  expect(await modes({ providers: [{ name: "openai", modes: ["tool", "prompt"] }] })).toEqual(["tool"])
})

test("OpenRouter's `~` aliases of the latest models are valid ids", () => {
  expect(open("openrouter/~openai/gpt-latest").countTokens()).toBeGreaterThan(0)
})

test("an unknown context window is a usage error that says how to state it", () => {
  expect(() => open("ollama/llama3.1")).toThrow(/"ollama\/llama3\.1"[\s\S]*`contextWindow` with `createPriceTable`/)
  const own = createPriceTable({ "ollama/llama3.1": { free: true, input: "0", output: "0", contextWindow: 8192 } })
  expect(open("ollama/llama3.1", {}, { prices: own }).getModelLimits()).toMatchObject({ contextWindow: 8192 })
})
