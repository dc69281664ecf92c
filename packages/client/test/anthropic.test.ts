import {
  type Exchange,
  type LocalProvider,
  type MockServer,
  startLocalProvider,
  startMockServer,
} from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { z } from "zod"
import { tool } from "../src/index"
import { chooseProvider } from "../src/providers/choose-provider"
import { providerTable } from "../src/providers/provider"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
let server: MockServer
beforeAll(async () => {
  provider = await startLocalProvider()
  server = await startMockServer()
})
beforeEach(() => provider.faults.clear())
afterAll(() => Promise.all([provider.close(), server.close()]))

const model = "anthropic/claude-sonnet-4-5"
const there = () => ({ baseURL: `${provider.anthropicBaseURL}/v1` })
const sent = () => provider.received.at(-1)!
const billed = () => provider.ledger.calls.at(-1)!

describe("a call of Anthropic's Messages API", () => {
  test("has its own body and headers, and costs what the provider bills", async () => {
    const client = openClient(there(), {
      model,
      system: "You are terse.",
      maxTokens: 300,
      temperature: 1.5,
      stop: "END",
      seed: 5,
      reasoningEffort: "low",
      verbosity: "low",
      extraBody: { top_k: 5 },
      maxBudget: "1",
    })
    const result = await client.generate()
    expect(result).toMatchObject({ ok: true, finishReason: "stop", receipt: { costSource: "table" } })
    expect(result.receipt.costNanoUsd).toBe(billed().nanoUsd)
    expect(result.receipt.costNanoUsd).toBeLessThanOrEqual(result.receipt.reservedNanoUsd)
    expect(result.receipt.attempts[0]).toMatchObject({ modelUsed: "claude-sonnet-4-5", generationId: billed().id })
    expect(sent().path).toBe("/anthropic/v1/messages")
    expect(sent().headers).toMatchObject({ "x-api-key": "local", "anthropic-version": "2023-06-01" })
    expect(sent().headers).not.toHaveProperty("authorization")
    expect(sent().headers["x-client-request-id"]).toMatch(/\.1$/)
    expect(sent().body).toEqual({
      model: "claude-sonnet-4-5",
      system: [{ type: "text", text: "You are terse." }],
      messages: [{ role: "user", content: [{ type: "text", text: "Describe who is David Copperfield" }] }],
      max_tokens: 300,
      temperature: 1,
      stop_sequences: ["END"],
      output_config: { effort: "low" },
      top_k: 5,
    })
  })

  test.each([false, true])("answers by a schema of its structured outputs, streamed: %s", async (stream) => {
    const answerModel = Person.extend({ age: z.number().int().min(1).max(150) })
    const client = openClient(there(), { model, answerModel, stream })
    const result = await client.generate()
    expect(result).toMatchObject({ ok: true, answer: { name: expect.any(String) } })
    expect(result.receipt.attempts).toMatchObject([{ mode: "json_schema", streamed: stream, status: "succeeded" }])
    expect(result.receipt.costNanoUsd).toBe(billed().nanoUsd)
    const { format } = (sent().body as { output_config: { format: { type: string; schema: object } } }).output_config
    expect(format.type).toBe("json_schema")
    // Anthropic rejects bounds in a schema.
    expect(JSON.stringify(format.schema)).not.toMatch(/"(minimum|maximum)":/)
    expect(JSON.stringify(format.schema)).toContain("minimum: 1. maximum: 150.")
  })

  test("with only system messages becomes a user turn", async () => {
    const client = openClient(there(), { model })
    client.msg.clear().addMessageSystem("Say hello.")
    expect(await client.generate()).toMatchObject({ ok: true })
    expect(sent().body).toMatchObject({ messages: [{ role: "user", content: [{ type: "text", text: "Say hello." }] }] })
    expect(sent().body).not.toHaveProperty("system")
  })

  test("grows as a stream, with deltas", async () => {
    provider.faults.next({ chunkDelayMs: 1 })
    const stream = openClient(there(), { model }).stream()
    let text = ""
    let count = 0
    for await (const { delta } of stream.deltas) {
      text += delta
      count++
    }
    const { answer, receipt } = await stream.result
    expect(answer).toBe(text)
    expect(count).toBeGreaterThan(2)
    expect(receipt.costNanoUsd).toBe(billed().nanoUsd)
    const structured = openClient(there(), { model, answerModel: Person }).stream()
    const partials = []
    for await (const partial of structured) partials.push(partial)
    expect(partials.at(-1)).toEqual((await structured.result).answer)
  })

  test("runs tools, whose results follow in one turn", async () => {
    const weather = tool({
      description: "The weather of a city.",
      parameters: z.object({ city: z.string() }),
      execute: ({ city }) => `Sunny in ${city}`,
    })
    const client = openClient(there(), { model, maxBudget: "1" }, { tools: { weather }, maxSteps: 3 } as object)
    const result = await client.generate()
    expect(result).toMatchObject({ ok: true, finishReason: "stop", answer: expect.any(String) })
    expect(result.receipt.attempts).toHaveLength(2)
    expect(result.receipt.costNanoUsd).toBe(
      provider.ledger.calls.slice(-2).reduce((sum, { nanoUsd }) => sum + nanoUsd, 0),
    )
    for (const attempt of result.receipt.attempts)
      expect(attempt.costNanoUsd).toBeLessThanOrEqual(attempt.reservedNanoUsd)
    expect(sent().body).toMatchObject({
      tools: [{ name: "weather", description: "The weather of a city.", input_schema: { type: "object" } }],
      messages: [
        { role: "user" },
        { role: "assistant", content: [{ type: "tool_use", id: "toolu_local_1", name: "weather", input: {} }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_local_1" }] },
      ],
    })
  })

  test("writes the prompt to the cache and reads it again, at its prices", async () => {
    const system = "A stable instruction of many words. ".repeat(300)
    const client = openClient(there(), { model, system, cachePrompt: true, maxBudget: "1" })
    const first = await client.generate()
    expect(sent().body).toMatchObject({ system: [{ cache_control: { type: "ephemeral" } }] })
    expect(first.receipt.usage.cacheWriteTokens).toBeGreaterThan(1000)
    expect(first.receipt.costNanoUsd).toBe(billed().nanoUsd)
    expect(first.receipt.costNanoUsd).toBeLessThanOrEqual(first.receipt.reservedNanoUsd)
    client.msg.addMessageUser("Go on")
    const second = await client.generate()
    expect(second.receipt.usage.cacheReadTokens).toBeGreaterThan(1000)
    expect(second.receipt.costNanoUsd).toBe(billed().nanoUsd)
  })

  test("has images and documents as blocks; audio is a usage error", async () => {
    const client = openClient(there(), { model, maxBudget: "2", maxTokens: 100 })
    client.msg.addMessageImage("https://example.org/a.png")
    client.msg.addMessageFile(Buffer.from("%PDF-1.4 a letter"), { filename: "letter.pdf" })
    client.msg.addMessageFile(Buffer.from("plain"), { mediaType: "text/plain" })
    await client.generate()
    const { messages } = sent().body as { messages: { content: object[] }[] }
    expect(messages[0]?.content.slice(1)).toEqual([
      { type: "image", source: { type: "url", url: "https://example.org/a.png" } },
      {
        type: "document",
        title: "letter.pdf",
        source: { type: "base64", media_type: "application/pdf", data: expect.any(String) },
      },
      { type: "document", title: "file", source: { type: "text", media_type: "text/plain", data: "plain" } },
    ])
    client.msg.addPrompt([
      { role: "user", content: [{ type: "input_audio", input_audio: { data: "AAAA", format: "wav" } }] },
    ])
    await expect(client.generate()).rejects.toMatchObject({ code: "invalid-argument", kind: "usage" })
  })

  test("checks extra fields and headers by Anthropic's rules", () => {
    const open = (extraBody: object, extraHeaders = {}) =>
      openClient(there(), { model, extraBody: extraBody as Record<string, unknown>, extraHeaders })
    expect(() => open({ thinking: { type: "enabled", budget_tokens: 2000 } })).not.toThrow()
    expect(() => open({ mcp_servers: [{ url: "https://example.org" }] })).toThrow(/`extraCost`/)
    expect(() => open({ safe_prompt: true })).toThrow(/Unknown field `safe_prompt`/)
    expect(() => open({}, { "anthropic-beta": "a-new-one-2026-01-01" })).toThrow(/Unknown beta/)
    expect(() => open({}, { "anthropic-beta": "context-1m-2025-08-07" })).not.toThrow()
  })
})

describe("how a call of the Messages API ends", () => {
  test.each([
    ["end_turn", { ok: true, finishReason: "stop" }],
    ["stop_sequence", { ok: true, finishReason: "stop" }],
    ["max_tokens", { ok: true, finishReason: "length" }],
    ["model_context_window_exceeded", { ok: true, finishReason: "length" }],
    ["refusal", { ok: false, error: { code: "content-filtered" } }],
    ["pause_turn", { ok: false, error: { code: "provider-error" } }],
  ])("%s", async (finishReason, expected) => {
    for (const stream of [false, true]) {
      provider.faults.next({ finishReason, answer: "Half of it" })
      const result = await openClient(there(), { model, retries: 0, stream }).generate()
      expect(result).toMatchObject(expected)
      expect(result.receipt.costNanoUsd).toBe(billed().nanoUsd)
    }
  })

  test.each([
    [{ status: 401 }, "provider-auth", 1],
    [{ status: 400, error: { message: "bad", type: "invalid_request_error" } }, "provider-bad-request", 1],
    [{ status: 429, headers: { "retry-after": "1" } }, "provider-rate-limit", 3],
    [{ status: 529 }, "provider-unavailable", 3],
  ])("the error %j", async (fault, code, attempts) => {
    provider.faults.always(fault)
    const result = await openClient(there(), { model }).generate()
    expect(result).toMatchObject({ ok: false, error: { code, status: fault.status } })
    expect(result.receipt.attempts).toHaveLength(attempts)
  })

  test.each([
    ["an error inside", { errorInBody: { message: "overloaded", code: "overloaded_error" } }, "provider-error"],
    ["a cut", { cut: "stream" as const, afterChunks: 2 }, "connection-lost"],
    ["no end", { noFinishReason: true }, "connection-lost"],
    ["no usage", { noUsage: true }, undefined],
  ])("%s of a stream", async (_, fault, code) => {
    provider.faults.next(fault)
    const result = await openClient(there(), { model, retries: 0, maxBudget: "1", stream: true }).generate()
    expect(result.ok ? undefined : result.error.code).toBe(code)
    const { costNanoUsd, costSource, reservedNanoUsd } = result.receipt
    expect(costNanoUsd).toBeGreaterThanOrEqual(code === "provider-error" ? 0 : billed().nanoUsd)
    expect(costNanoUsd).toBeLessThanOrEqual(reservedNanoUsd)
    if ("noUsage" in fault || code === "connection-lost") expect(costSource).toBe("bound")
  })

  test("a model without structured outputs answers by a tool", async () => {
    const message = (content: object[]) => ({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-haiku-4-5",
      content,
      stop_reason: "tool_use",
      usage: { input_tokens: 20, output_tokens: 5 },
    })
    const input = { name: "Ada", age: 5, interests: [] }
    server.answer(({ text, sendJson }: Exchange) => {
      const body = JSON.parse(text) as { tools?: { name: string }[]; tool_choice?: object }
      if (body.tools === undefined)
        return sendJson(400, {
          type: "error",
          error: { type: "invalid_request_error", message: "output_config.format: Extra inputs are not permitted" },
        })
      sendJson(200, message([{ type: "tool_use", id: "toolu_1", name: body.tools[0]!.name, input }]))
    })
    const client = openClient(server, { model: "anthropic/claude-haiku-4-5", answerModel: Person })
    const result = await client.generate()
    expect(result).toMatchObject({ ok: true, answer: input })
    expect(result.receipt.attempts).toMatchObject([
      { errorCode: "provider-bad-request" },
      { mode: "tool", reason: "mode" },
    ])
    expect(server.bodies[1]).toMatchObject({ tool_choice: { type: "tool", name: "answer" } })
    expect(client.msg.getMessages().at(-1)).toMatchObject({ role: "assistant", content: JSON.stringify(input) })
  })

  const usage = { input_tokens: 10, output_tokens: 20 }
  const event = (data: { type: string } & Record<string, unknown>) =>
    `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
  const begin = event({ type: "message_start", message: { type: "message", id: "msg_1", usage } })
  const block = (content_block: object) => event({ type: "content_block_start", index: 0, content_block })
  const delta = (each: object) => event({ type: "content_block_delta", index: 0, delta: each })
  const text = (written: string) => delta({ type: "text_delta", text: written })
  const json = (partial_json: unknown) => delta({ type: "input_json_delta", partial_json })
  const end = (stop_reason: unknown) => event({ type: "message_delta", delta: { stop_reason }, usage })
  const stop = event({ type: "message_stop" })
  const empty = block({ type: "text", text: "" })
  const ada = { name: "Ada", age: 36, interests: [] }
  const tool = (input: object) => block({ type: "tool_use", id: "toolu_1", name: "answer", input })
  const thinking = [
    block({ type: "thinking", thinking: "" }),
    delta({ type: "thinking_delta", thinking: JSON.stringify({ ...ada, name: "Charles" }) }),
    delta({ type: "signature_delta", signature: "x" }),
  ]

  test.each<[string, string[], "Hello" | typeof ada | "provider-error"]>([
    [
      "text in the start of a block",
      [begin, block({ type: "text", text: "Hel" }), text("lo"), end("end_turn"), stop],
      "Hello",
    ],
    [
      "all text in the start of a block",
      [begin, block({ type: "text", text: "Hello" }), end("end_turn"), stop],
      "Hello",
    ],
    ["input in the start of a block", [begin, tool(ada), end("tool_use"), stop], ada],
    ["input in the start, and again", [begin, tool(ada), json(JSON.stringify(ada)), end("tool_use"), stop], ada],
    ["input as an object", [begin, tool({}), json(ada), end("tool_use"), stop], ada],
    ["thinking before", [begin, ...thinking, empty, text(JSON.stringify(ada)), end("end_turn"), stop], ada],
    ["no message_stop", [begin, empty, text("Hello"), end("end_turn")], "Hello"],
    ["[DONE] after the end", [begin, empty, text("Hello"), end("end_turn"), stop, "data: [DONE]\n\n"], "Hello"],
    ["[DONE] instead of the end", [begin, empty, text("Hel"), "data: [DONE]\n\n"], "provider-error"],
    ["no message_delta", [begin, empty, text("Hel"), stop], "provider-error"],
    ["no stop reason", [begin, empty, text("Hel"), end(undefined), stop], "provider-error"],
    ["null for the stop reason", [begin, empty, text("Hel"), end(null), stop], "provider-error"],
    [
      "a second message",
      [begin, empty, text("Hel"), begin, empty, text("Hello"), end("end_turn"), stop],
      "provider-error",
    ],
    [
      "an error after the end",
      [begin, empty, text("Hello"), end("end_turn"), event({ type: "error", error: {} })],
      "provider-error",
    ],
  ])("a stream with %s", async (_name, events, expected) => {
    server.answer(({ sendEvents }) => sendEvents(...events))
    const answerModel = expected === ada ? Person : undefined
    const result = await openClient(server, { model, retries: 0, repairs: 0, stream: true, answerModel }).generate()
    expect(result.ok ? result.answer : result.error.code).toEqual(expected)
  })

  test.each<[string, object, "Hello" | "provider-error"]>([
    ["a string for its content", { content: "Hello" }, "Hello"],
    ["one block for its content", { content: { type: "text", text: "Hello" } }, "Hello"],
    ["no stop reason", { stop_reason: undefined }, "provider-error"],
    ["null for its stop reason", { stop_reason: null }, "provider-error"],
    ["an error in words", { error: "overloaded" }, "provider-error"],
  ])("a message with %s", async (_name, changes, expected) => {
    const content = [{ type: "text", text: "Hello" }]
    const message = { id: "msg_1", type: "message", role: "assistant", model, content, stop_reason: "end_turn", usage }
    server.answer(({ sendJson }) => sendJson(200, { ...message, ...changes }))
    const result = await openClient(server, { model, retries: 0, repairs: 0 }).generate()
    expect(result.ok ? result.answer : result.error.code).toBe(expected)
  })

  test("a body of another format is not an answer", async () => {
    for (const body of [{ hello: 1 }, [], "text", { type: "completion", completion: "x" }]) {
      server.answer(({ sendJson }) => sendJson(200, body))
      const result = await openClient(server, { model, retries: 0 }).generate()
      expect(result).toMatchObject({ ok: false, error: { code: "provider-error" } })
    }
  })
})

test("the variable of Anthropic's own SDK is the URL before `/v1`", () => {
  const choose = (url: string) => chooseProvider(model, {}, providerTable(), { ANTHROPIC_BASE_URL: url }).baseURL
  expect(choose("https://api.anthropic.com")).toBe("https://api.anthropic.com/v1")
  expect(choose("https://gateway.example.org/anthropic/")).toBe("https://gateway.example.org/anthropic/v1")
  expect(choose("https://api.anthropic.com/v1")).toBe("https://api.anthropic.com/v1")
})

test("the compatibility layer remains available", async () => {
  const providers = [{ name: "anthropic", dialect: undefined, modes: ["tool"] as const }]
  server.answer(({ sendJson }) =>
    sendJson(200, {
      choices: [{ index: 0, message: { content: "Hello" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 5, completion_tokens: 1 },
    }),
  )
  const client = openClient(server, { model }, { providers })
  expect(await client.generateResponse()).toBe("Hello")
})
