import { inspect } from "node:util"
import { DONE, eventText, type MockServer, startMockServer } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { z } from "zod"
import type { LLMClientOptions } from "../src/index"
import { openClient } from "./open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
})
beforeEach(() => {
  server.bodies.length = 0
})
afterAll(() => server.close())

const Person = z.object({ name: z.string(), age: z.number().int() })
const ada = { name: "Ada", age: 36 }
const ADA = JSON.stringify(ada)
const CHARLES = '{"name":"Charles","age":99}'
const usage = { prompt_tokens: 20, completion_tokens: 5 }
const message = (given: object, finish: unknown = "stop") => ({
  choices: [{ index: 0, message: given, finish_reason: finish }],
  usage,
})
const content = (text: unknown, finish?: unknown) => message({ content: text }, finish)
const delta = (given: object, finish: unknown = null) => ({
  choices: [{ index: 0, delta: given, finish_reason: finish }],
})

function open(request: object = {}, options: LLMClientOptions = {}) {
  return openClient<unknown>(server, { maxTokens: 200, repairs: 2, retries: 0, ...request } as object, options)
}

/** Answers every request with this body. */
const answerJson = (body: unknown, status = 200) => server.answer(({ sendJson }) => sendJson(status, body))
/** Answers every request with these events. */
const answerEvents = (...events: unknown[]) =>
  server.answer(({ sendEvents }) =>
    sendEvents(...events.map((event) => (typeof event === "string" ? event : eventText(event)))),
  )

describe("the last JSON that fits the schema is the answer, not a draft or reasoning", () => {
  test.each([
    `<think>${CHARLES}? No.</think>${ADA}`,
    `<thinking>\n\`\`\`json\n${CHARLES}\n\`\`\`\n</thinking>\n\`\`\`json\n${ADA}\n\`\`\``,
    `<reasoning>${CHARLES}</reasoning>\n${ADA}`,
    `${CHARLES}? No.\n</think>\n\n${ADA}`,
    `<|channel|>analysis<|message|>${CHARLES}<|end|><|start|>assistant<|channel|>final<|message|>${ADA}<|return|>`,
    `analysisSay ${CHARLES}? No.assistantfinal${ADA}`,
    `Draft ${CHARLES} Correction: ${ADA}`,
    `Draft: \`\`\`json\n${CHARLES}\n\`\`\` Correction: ${ADA}`,
    `${ADA}\n\nNote: {"name":"Charles"} was wrong.`,
    `${ADA} [1]`,
    `${ADA}\n<think>${CHARLES}`,
    `${ADA}\n<think>Or ${CHARLES}? No.</think>`,
    `<think>a <think>${CHARLES}</think> ${CHARLES}</think>${ADA}`,
    `[${ADA}]`,
    `{"answer":${ADA}}`,
    `{"result":${ADA}}`,
    `{"data":${ADA}}`,
    `{"reasoning":"Not ${CHARLES.replaceAll('"', "'")}","answer":${ADA}}`,
    JSON.stringify({ thoughts: ["Charles?", CHARLES], analysis: null, final_answer: ada }),
    JSON.stringify({ tool_calls: [{ id: "c", type: "function", function: { name: "answer", arguments: ADA } }] }),
    `<scratchpad>${CHARLES}? No.</scratchpad>${ADA}`,
    `${ADA}\n<self_reflection>Or ${CHARLES}? No.</self_reflection>`,
    `${ADA}<|im_end|>\n<|im_start|>user\nAnd Charles?<|im_end|>\n<|im_start|>assistant\n${CHARLES}`,
    JSON.stringify({ answer: ADA }),
    `Here: {"name":"Charles"} {"age":99} ${ADA} {} [] {"note":1}`,
    JSON.stringify(ADA),
    JSON.stringify(JSON.stringify(ADA)),
    `<tool_call>\n{"name":"answer","arguments":${ADA}}\n</tool_call>`,
    `[TOOL_CALLS][{"name":"answer","arguments":${ADA}}]`,
    `<|python_tag|>{"name":"answer","parameters":${ADA}}`,
    `<function=answer>${ADA}</function>`,
    JSON.stringify({ name: "answer", arguments: ADA }),
    JSON.stringify({ type: "function", function: { name: "answer", arguments: ada } }),
    `<answer>${ADA}</answer>`,
  ])("%j", async (text) => {
    answerJson(content(text))
    expect(await open({ answerModel: Person }).generate()).toMatchObject({ ok: true, answer: ada })
    expect(server.bodies).toHaveLength(1)
  })

  test.each([
    `<think>${CHARLES}`,
    `<think>\n\`\`\`json\n${CHARLES}\n\`\`\`\n</think>`,
    `<|channel|>analysis<|message|>${CHARLES}<|end|>`,
    `<scratchpad>${CHARLES}? No.</scratchpad>`,
    `<reason>${CHARLES}? No.`,
  ])("%j has no answer", async (text) => {
    answerJson(content(text))
    const result = await open({ answerModel: Person, repairs: 0 }).generate()
    expect(result).toMatchObject({ ok: false, error: { code: "answer-empty" } })
  })

  test.each([
    `<draft>Maybe ${CHARLES}? No.</draft>I cannot tell.`,
    JSON.stringify({ thinking: CHARLES, answer: null }),
  ])("%j is an invalid answer", async (text) => {
    answerJson(content(text))
    const result = await open({ answerModel: Person, repairs: 0 }).generate()
    expect(result).toMatchObject({ ok: false, error: { code: "invalid-answer" } })
  })

  test("a tool call written as content is not taken for an answer that has the same fields", async () => {
    answerJson(content(JSON.stringify({ name: "answer", arguments: { name: "Ada" } })))
    const answerModel = z.object({ name: z.string() })
    expect(await open({ answerModel }).generate()).toMatchObject({ ok: true, answer: { name: "Ada" } })
  })

  test("the error of an invalid answer is that of its longest value", async () => {
    answerJson(content(`See [1]. {"name":"Ada","age":"old"} {}`))
    const result = await open({ answerModel: Person, repairs: 0 }).generate()
    expect(result).toMatchObject({ ok: false, error: { code: "invalid-answer", issues: [{ path: ["age"] }] } })
  })

  test("a repair contains the answer without its reasoning", async () => {
    const invalid = '{"name":"Ada"}'
    server.answer(({ sendJson }) =>
      sendJson(200, content(server.bodies.length > 1 ? ADA : `<think>hm</think>${invalid}`)),
    )
    expect(await open({ answerModel: Person }).generate()).toMatchObject({ ok: true, answer: ada })
    expect(server.bodies[1]?.messages).toContainEqual({ role: "assistant", content: invalid })
  })

  test("a truncated answer is not taken from a draft", async () => {
    answerJson(content(`Draft ${CHARLES} Correction: {"name":"Ada","a`, "length"))
    const result = await open({ answerModel: Person, repairs: 0 }).generate()
    expect(result).toMatchObject({ ok: false, error: { code: "answer-truncated" } })
    answerJson(content(`<think>${CHARLES}`, "length"))
    expect(await open({ answerModel: Person }).generate()).toMatchObject({ error: { code: "answer-truncated" } })
    answerJson(content(`${ADA}\n  `, "length"))
    expect(await open({ answerModel: Person }).generate()).toMatchObject({ ok: true, answer: ada })
  })

  test("a megabyte of brackets is an invalid answer", async () => {
    for (const text of ["[".repeat(1e6), `<think>${"{".repeat(1e6)}`, '{"name":'.repeat(1e5)]) {
      answerJson(content(text))
      expect((await open({ answerModel: Person, repairs: 0 }).generate()).ok).toBe(false)
    }
  })
})

describe("a text answer", () => {
  test.each([
    ["<think>Three? No.</think>\n\nFour", "Four"],
    ["Three? No.\n</think>\n\nFour", "Four"],
    ["<|channel|>analysis<|message|>Three?<|end|><|start|>assistant<|channel|>final<|message|>Four<|return|>", "Four"],
    ["Write </think> to close it.", "Write </think> to close it."],
  ])("%j is %j", async (text, answer) => {
    answerJson(content(text))
    const client = open()
    expect(await client.generate()).toMatchObject({ ok: true, answer })
    expect(client.msg.getMessages().at(-1)).toEqual({ role: "assistant", content: answer })
  })

  test("that is only reasoning is empty", async () => {
    answerJson(content("<think>Four"))
    expect(await open({ repairs: 0 }).generate()).toMatchObject({ ok: false, error: { code: "answer-empty" } })
  })
})

describe("only a known good end makes an answer", () => {
  test.each([
    ["stop", undefined],
    ["STOP", undefined],
    ["eos", undefined],
    ["end_turn", undefined],
    ["tool_calls", undefined],
    ["COMPLETE", undefined],
    ["", undefined],
    ["null", undefined],
    ["sensitive", "content-filtered"],
    ["SAFETY", "content-filtered"],
    ["content_filter: SAFETY", "content-filtered"],
    ["refusal", "content-filtered"],
    ["model_context_window_exceeded", "answer-truncated"],
    ["MAX_TOKENS", "answer-truncated"],
    ["network_error", "provider-error"],
    ["pause_turn", "provider-error"],
    ["OTHER", "provider-error"],
    ["MALFORMED_FUNCTION_CALL", "provider-error"],
    ["FINISH_REASON_UNSPECIFIED", "provider-error"],
    ["insufficient_system_resource", "provider-error"],
    ["a reason of next year", "provider-error"],
    ["max_new_tokens", "answer-truncated"],
    [" stop ", undefined],
    [{ type: "stop" }, undefined],
    [{ type: "length" }, "answer-truncated"],
    [{ reason: "SAFETY" }, "content-filtered"],
    [{ other: 1 }, "provider-error"],
    [2, "provider-error"],
    [true, "provider-error"],
    [["length"], "provider-error"],
  ])("%j: %s", async (finish, code) => {
    for (const stream of [false, true]) {
      if (stream) answerEvents(delta({ content: "Half of an ans" }), { ...delta({}, finish), usage }, DONE)
      else answerJson(content("Half of an ans", finish))
      const result = await open({ stream, onTruncated: "error" }).generate()
      if (code === undefined) expect(result).toMatchObject({ ok: true, answer: "Half of an ans" })
      else expect(result).toMatchObject({ ok: false, error: { code }, receipt: { costSource: "table" } })
      expect(server.bodies).toHaveLength(1)
    }
  })
})

describe("a damaged stream is a provider error, and is not repaired", () => {
  const raw = (text: string) => `${text}\n\n`
  test.each([
    ["a cut event", raw('data: {"choices":[{"index":0,"delta":{"content":"six')],
    ["vLLM's error", eventText({ object: "error", message: "CUDA error", code: 500 })],
    ["event: error", raw('event: error\ndata: {"message":"overloaded"}')],
    ["event: error without JSON", raw("event: error\ndata: overloaded")],
    ["[ERROR]", raw("data: [ERROR] upstream timeout")],
    ["detail", eventText({ detail: "Internal Server Error" })],
    ["an error object", eventText({ error: { message: "overloaded", code: 503 } })],
    ["an error string", eventText({ error: "overloaded" })],
    ["an error in the choice", eventText({ choices: [{ index: 0, delta: {}, error: { code: 502, message: "x" } }] })],
    ["finish reason error", eventText(delta({}, "error"))],
    ["prose", raw("data: upstream connect error")],
    ["an HTML page", raw("data: <html>Bad gateway</html>")],
    ["Baidu's error", eventText({ error_code: 336501, error_msg: "limit" })],
    ["errors beside a choice", eventText({ choices: [{ index: 0, delta: {} }], errors: [{ message: "x" }] })],
    ["an error message in a chunk", eventText({ object: "chat.completion.chunk", choices: [], error_msg: "x" })],
    ["a message without choices", eventText({ choices: [], message: "The model crashed." })],
    ["a code and a message without choices", eventText({ choices: null, code: 500, message: "x" })],
    ["an error in the delta", eventText({ choices: [{ index: 0, delta: { error: { message: "x" } } }] })],
    ["error: true", eventText({ choices: [{ index: 0, delta: {} }], error: true })],
    ["a status as the error", eventText({ choices: [], error: 503 })],
    ["Gemini's list", eventText([{ error: { code: 503, message: "The model is overloaded." } }])],
  ])("%s", async (_name, damage) => {
    for (const request of [{}, { answerModel: Person }]) {
      const [first, last] = "answerModel" in request ? ['{"name":"Ada",', '"age":36}'] : ["Two, ", "ten"]
      for (const rest of [[], [delta({ content: last }), { ...delta({}, "stop"), usage }, DONE]]) {
        server.bodies.length = 0
        answerEvents(delta({ content: first }), damage, ...rest)
        const result = await open({ stream: true, ...request }).generate()
        expect(result).toMatchObject({ ok: false, error: { code: "provider-error" } })
        expect(result.receipt.costSource).toBe(rest.length === 0 ? "bound" : "table")
        expect(server.bodies).toHaveLength(1)
      }
    }
  })

  test("success codes of iFlytek and Azure's filter results are not damage", async () => {
    const success = { code: 0, message: "Success", sid: "x" }
    answerEvents(
      { choices: [], prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }] },
      { ...success, ...delta({ content: "Two" }) },
      { ...success, choices: [] },
      { ...success, ...delta({}, "stop"), usage },
      DONE,
    )
    expect(await open({ stream: true }).generate()).toMatchObject({ ok: true, answer: "Two" })
  })

  test("whose end is missing was cut off", async () => {
    answerEvents(delta({ content: "Two, " }))
    expect(await open({ stream: true }).generate()).toMatchObject({ error: { code: "connection-lost" } })
  })
})

describe("the answer of a tool call", () => {
  const call = (inner: object, outer: object = {}) => ({
    tool_calls: [{ index: 0, id: "c", type: "function", function: { name: "answer", ...inner }, ...outer }],
  })
  test.each([
    ["arguments", call({ arguments: ADA })],
    ["arguments as an object", call({ arguments: ada })],
    ["arguments encoded twice", call({ arguments: JSON.stringify(ADA) })],
    ["arguments encoded three times", call({ arguments: JSON.stringify(JSON.stringify(ADA)) })],
    ["arguments in a code fence", call({ arguments: `\`\`\`json\n${ADA}\n\`\`\`` })],
    ["arguments with a draft", call({ arguments: `${CHARLES} No: ${ADA}` })],
    ["arguments with the name around them", call({ arguments: JSON.stringify({ name: "answer", arguments: ada }) })],
    ["the only tool call at index 1", call({ arguments: ADA }, { index: 1 })],
    ["parameters", call({ parameters: ada })],
    ["args", call({ args: ada })],
    ["arguments in a list", call({ arguments: [ada] })],
    ["arguments inside the name of the tool", call({ arguments: JSON.stringify({ answer: ada }) })],
    ["arguments inside parameters", call({ arguments: { parameters: ada } })],
    ["arguments inside input, encoded", call({ arguments: { input: ADA } })],
    ["calls as JSON", { tool_calls: JSON.stringify(call({ arguments: ADA }).tool_calls) }],
    ["calls by index", { tool_calls: { 0: call({ arguments: ADA }).tool_calls[0] } }],
    ["content as an object", { content: ada }],
    ["content parts", { content: [{ type: "text", text: ADA }] }],
    ["function_call", { function_call: { name: "answer", arguments: ADA } }],
    ["function_call with an object", { function_call: { name: "answer", arguments: ada } }],
    ["arguments {} and the JSON in content", { content: ADA, ...call({ arguments: "{}" }) }],
    ["arguments that do not fit and the JSON in content", { content: ADA, ...call({ arguments: '{"name":"Ada"}' }) }],
    ["broken arguments and the JSON in content", { content: ADA, ...call({ arguments: '{"name":' }) }],
  ])("%s", async (_name, given) => {
    for (const stream of [false, true]) {
      if (stream) answerEvents(delta(given), { ...delta({}, "tool_calls"), usage }, DONE)
      else answerJson(message(given, "tool_calls"))
      const client = open({ answerModel: Person, stream, model: "anthropic/claude-haiku-4-5" })
      expect(await client.generate()).toMatchObject({ ok: true, answer: ada })
      expect(server.bodies).toHaveLength(1)
    }
  })

  test("{} is the answer if it fits and there is no content", async () => {
    answerJson(message(call({ arguments: "{}" }), "tool_calls"))
    const answerModel = z.object({ name: z.string().optional() })
    expect(await open({ answerModel }).generate()).toMatchObject({ ok: true, answer: {} })
  })
})

describe("a status 400", () => {
  const modes = async (error: object, model = "openai/gpt-4o-mini") => {
    server.bodies.length = 0
    answerJson({ error }, 400)
    const result = await open({ answerModel: Person, model }).generate()
    expect(result.ok).toBe(false)
    return result.receipt.attempts.map(({ mode }) => mode)
  }
  const tooLong =
    "This model's maximum context length is 16385 tokens. However, your messages resulted in 17000 tokens (16900 in the messages, 100 in the functions). Please reduce the length of the messages or functions."
  test.each([
    { code: "context_length_exceeded", param: "messages", message: tooLong },
    { code: "context_length_exceeded", message: tooLong },
    { message: tooLong },
    { param: "messages", message: "Invalid schema of a message" },
    { code: "model_not_found", message: "The model `functionary` does not exist" },
    { message: "The model `tool-ace-8b` does not exist or you do not have access to it." },
    { code: "invalid_image_url", message: "Failed to download the image of the tool" },
    { code: "invalid_image_format", message: "structured" },
    { code: "invalid_api_key", message: "No key for tools" },
    { code: "insufficient_quota", message: "tools" },
    { code: "content_policy_violation", message: "functions" },
    { code: "string_above_max_length", param: "messages[0].content", message: "schema" },
    { param: "model", message: "tool" },
    { param: "max_tokens", message: "max_tokens is too large for function calling" },
    { param: "temperature", code: "unsupported_value", message: "Not supported with response_format" },
    { code: "DeploymentNotFound", message: "The API deployment for this resource does not exist, see tools" },
    { code: "rate_limit_exceeded", message: "schema" },
    { message: "Too many tokens: 5000 in the messages, 100 in the tools" },
    { message: "Image input is not supported with tools" },
    { message: "Your credit balance is too low to use tools" },
  ])("is not about the mode: %j", async (error) => {
    expect(await modes(error)).toEqual(["json_schema"])
  })

  test.each([
    { param: "response_format", message: "no" },
    { param: "response_format.type", code: "unsupported_value", message: "no" },
    { param: "response_format", code: "context", message: tooLong },
    { param: "tools", message: "no" },
    { param: "tool_choice", message: "no" },
    { code: "unsupported_parameter", message: "Unsupported parameter: 'response_format'" },
    { code: "invalid_request_error", message: "json_schema is not supported by this model" },
    { message: "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model." },
    { message: "No endpoints found that support the requested parameters" },
    { message: "This model does not support structured outputs" },
    { message: "Extra inputs are not permitted: response_format" },
  ])("is about the mode: %j", async (error) => {
    expect((await modes(error))[1]).toBe("tool")
  })
})

describe("a 200 that is not a completion shows the provider's message, redacted", () => {
  const secret = "insufficient balance of sk-secret"
  test.each([
    [{ error_code: 17, error_msg: secret }, "17"],
    [{ code: 1113, msg: secret, success: false }, "1113"],
    [{ choices: null, base_resp: { status_code: 1008, status_msg: secret } }, "1008"],
    [{ object: "error", message: secret, code: 40303 }, "40303"],
    [{ detail: secret }, undefined],
    [{ message: secret }, undefined],
    [{ error: secret }, undefined],
    [{ errors: [{ message: secret, code: 7009 }] }, "7009"],
    [secret, undefined],
    [{ notice: secret }, undefined],
    [{ choices: [{ index: 0, notice: secret }] }, undefined],
    [{ choices: [{ message: null, finish_reason: "stop", notice: secret }] }, undefined],
  ])("%j", async (body, code) => {
    answerJson(body)
    const { ok, ...rest } = await open({ repairs: 0 }).generate()
    expect(ok).toBe(false)
    const { error } = rest as { error: { cause: { providerMessage: string } } }
    expect(error).toMatchObject({ code: "provider-error", providerCode: code ?? "not-a-completion" })
    expect(error.cause.providerMessage).toContain(secret)
    for (const shown of [inspect(rest, { depth: 20 }), JSON.stringify(rest)]) expect(shown).not.toContain("sk-secret")
  })
})

describe("what the provider calls final is not retried", () => {
  const attempts = async (status: number, body: object, headers: Record<string, string> = {}) => {
    server.answer(({ response }) =>
      response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body)),
    )
    return (await open({ retries: 1 }).generate()).receipt.attempts.length
  }
  test.each([
    [429, { error: { code: "insufficient_quota", message: "no" } }],
    [429, { error: { type: "insufficient_quota", message: "no" } }],
    [429, { error: { type: "exceeded_current_quota_error", message: "no" } }],
    [429, { error: { code: "1113", message: "no" } }],
    [429, { error: { code: "billing_hard_limit_reached", message: "no" } }],
  ])("%i %j", async (status, body) => {
    expect(await attempts(status, body)).toBe(1)
  })

  test("x-should-retry: false", async () => {
    expect(await attempts(503, { error: { message: "no" } }, { "x-should-retry": "false" })).toBe(1)
    expect(await attempts(503, { error: { message: "no" } })).toBe(2)
    expect(await attempts(429, { error: { code: "rate_limit_exceeded", message: "no" } })).toBe(2)
  })
})

test("the wait that Google's RetryInfo asks for is respected", async () => {
  const details = [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "39s" }]
  const error = { code: 429, message: "Quota exceeded.", status: "RESOURCE_EXHAUSTED", details }
  for (const body of [{ error }, [{ error }]]) {
    answerJson(body, 429)
    const waits: number[] = []
    const clock = { now: Date.now, random: () => 0, sleep: async (ms: number) => void waits.push(ms) }
    const result = await open({ retries: 1, model: "gemini/gemini-2.5-flash" }, { clock }).generate()
    expect(result).toMatchObject({ ok: false, error: { retryAfterMs: 39_000 } })
    expect(waits).toEqual([39_000])
  }
})

describe("a server that does not know stream_options", () => {
  const rejection = (param: string | null) => ({
    error: { message: "Unrecognized request argument supplied: stream_options", type: "invalid_request_error", param },
  })
  test.each([null, "stream_options"])("gets one call without it, which is remembered (param: %s)", async (param) => {
    server.answer(({ sendJson, sendEvents, text }) => {
      if (JSON.parse(text).stream_options !== undefined) return sendJson(400, rejection(param))
      return sendEvents(eventText(delta({ content: "Three" }, "stop")), DONE)
    })
    const model = param === null ? "openai/gpt-4.1" : "openai/gpt-4.1-mini"
    const first = await open({ stream: true, model }).generate()
    expect(first).toMatchObject({ ok: true, answer: "Three" })
    expect(first.receipt.attempts).toMatchObject([{ costSource: "none" }, { costSource: "bound", reason: "mode" }])
    const second = await open({ stream: true, model }).generate()
    expect(second.receipt.attempts).toHaveLength(1)
    expect(server.bodies.map(({ stream_options }) => stream_options)).toEqual([
      { include_usage: true },
      undefined,
      undefined,
    ])
  })

  test("that also rejects the call without it gets no further call", async () => {
    answerJson(rejection(null), 400)
    const result = await open({ stream: true, model: "openai/gpt-4.1-nano" }).generate()
    expect(result.receipt.attempts).toHaveLength(2)
  })
})
