import { parseJson } from "@p2/core"
import { describe, expect, test } from "vitest"
import { ChatCompletion } from "../../../src/protocols/openai-chat/chat-completion"

/** A completion from the data of server-sent events: strings unchanged, other values as JSON. */
function fromEvents(...events: unknown[]): ChatCompletion {
  const completion = new ChatCompletion({ provider: "openai" })
  for (const event of events) addEvent(completion, event)
  completion.end()
  return completion
}

function addEvent(completion: ChatCompletion, event: unknown, name = "message") {
  const text = typeof event === "string" ? event : JSON.stringify(event)
  return completion.add({ event: name, data: parseJson(text), text })
}

function fromBody(body: unknown): ChatCompletion {
  const completion = new ChatCompletion({ provider: "openai" })
  const text = typeof body === "string" ? body : JSON.stringify(body)
  completion.add({ event: undefined, data: parseJson(text), text })
  completion.end()
  return completion
}

const chunk = (delta: object, more: object = {}) => ({ choices: [{ index: 0, delta, ...more }] })
const content = (text: string) => chunk({ content: text })
const stop = chunk({}, { finish_reason: "stop" })
const body = (message: object, more: object = {}) => ({
  choices: [{ index: 0, message, finish_reason: "stop", ...more }],
})
const usage = (prompt: number, output: number) => ({ prompt_tokens: prompt, completion_tokens: output })

describe("an answer in a stream", () => {
  test("grows; roles, empty chunks and usage are not content", () => {
    const completion = new ChatCompletion({ provider: "openai" })
    const added = [
      { id: "gen-1", model: "m", service_tier: "flex", ...chunk({ role: "assistant", content: "" }) },
      content("He"),
      content("llo"),
      stop,
      { choices: [], usage: usage(3, 2) },
    ].map((event) => addEvent(completion, event))
    expect(added.map(({ hasContent }) => hasContent)).toEqual([false, true, true, false, false])
    expect(added.map(({ usageOnly }) => usageOnly)).toEqual([false, false, false, false, true])
    expect(completion).toMatchObject({ text: "Hello", finishReason: "stop", answerEnd: "complete" })
    expect(completion.read()).toMatchObject({
      state: "complete",
      generationId: "gen-1",
      model: "m",
      serviceTier: "flex",
      usage: { usage: { inputTokens: 3, outputTokens: 2 } },
      error: undefined,
    })
  })

  test("is open until its end is marked", () => {
    expect(fromEvents(content("a")).read().state).toBe("open")
    for (const mark of [stop, "[DONE]", " [done] ", '"[DONE]"'])
      expect(fromEvents(content("a"), mark).read().state).toBe("complete")
  })

  test("that ended badly does not become whole by a later finish reason", () => {
    const failed = fromEvents(content("a"), chunk({}, { finish_reason: "error" }), content("b"), stop, "[DONE]")
    expect(failed).toMatchObject({ finishReason: "error", answerEnd: "failed" })
    expect(fromEvents(content("a"), stop, chunk({}, { finish_reason: "length" }))).toMatchObject({
      answerEnd: "truncated",
    })
  })

  test("contains reasoning that is content for the deadlines and not part of the answer", () => {
    const completion = new ChatCompletion({ provider: "openai" })
    for (const delta of [
      { reasoning: "hm" },
      { reasoning_content: "hm" },
      { reasoning_details: [{ type: "reasoning.text", text: "hm" }] },
      { content: [{ type: "thinking", thinking: [{ type: "text", text: "hm" }] }] },
      { content: [{ type: "reasoning", text: "hm" }] },
    ])
      expect(addEvent(completion, chunk(delta)).hasContent).toBe(true)
    addEvent(completion, content("42"))
    expect(completion.text).toBe("42")
  })

  test.each([
    ["MiniMax: the whole message at the end", [content("He"), content("llo"), body({ content: "Hello" })]],
    [
      "Perplexity: the message so far beside each delta",
      [
        { choices: [{ index: 0, delta: { content: "He" }, message: { content: "He" } }] },
        { choices: [{ index: 0, delta: { content: "llo" }, message: { content: "Hello" }, finish_reason: "stop" }] },
      ],
    ],
    ["`message` in place of `delta`", [body({ content: "He" }, { finish_reason: null }), body({ content: "llo" })]],
    ["`text` in place of `delta`", [{ choices: [{ index: 0, text: "He" }] }, { choices: [{ text: "llo" }] }, stop]],
    ["an index other than 0", [{ choices: [{ index: 1, delta: { content: "Hello" }, finish_reason: "stop" }] }]],
    [
      "two choices",
      [
        {
          choices: [
            { index: 0, delta: { content: "Hello" } },
            { index: 1, delta: { content: "Bye" } },
          ],
        },
        { choices: [{ index: 1, delta: {}, finish_reason: "length" }] },
        stop,
      ],
    ],
    ["a list with one chunk", [[content("Hello")], [stop]]],
  ])("%s", (_name, events) => {
    expect(fromEvents(...events)).toMatchObject({ text: "Hello", answerEnd: "complete" })
  })
})

describe("a finish reason that is not in its field", () => {
  const half = { content: "Half of an ans" }
  test.each([
    ["`stop_reason`", { choices: [{ message: half, stop_reason: "max_tokens" }] }, "truncated"],
    [
      "`stop_reason` beside null",
      { choices: [{ message: half, finish_reason: null, stop_reason: "refusal" }] },
      "filtered",
    ],
    ["`finishReason`", { choices: [{ message: half, finishReason: "MAX_TOKENS" }] }, "truncated"],
    ["in the message", { choices: [{ message: { ...half, finish_reason: "length" } }] }, "truncated"],
    ["`stop_reason` in the message", { choices: [{ message: { ...half, stop_reason: "pause_turn" } }] }, "failed"],
    ["beside the choices", { choices: [{ message: half }], finish_reason: "content_filter" }, "filtered"],
    ["vLLM's token", { choices: [{ message: half, finish_reason: "stop", stop_reason: 128_009 }] }, "complete"],
    ["vLLM's string", { choices: [{ message: half, finish_reason: "stop", stop_reason: "###" }] }, "complete"],
  ])("%s", (_name, given, end) => {
    expect(fromBody(given).answerEnd).toBe(end)
    const [{ message, ...choice }] = given.choices as [{ message: object }]
    expect(fromEvents(content("Half of"), { ...given, choices: [{ ...choice, delta: message }] }).answerEnd).toBe(end)
  })
})

describe("an event that is not part of a completion", () => {
  const harmless: [string, unknown][] = [
    ["an empty text", ""],
    ["white space", "  "],
    ["an empty object", {}],
    ["no choices", { choices: [] }],
    ["Azure's prompt filter results", { choices: [], prompt_filter_results: [{ prompt_index: 0 }] }],
    ["choices that are null, with usage", { choices: null, usage: usage(1, 1) }],
    ["usage alone", { usage: usage(1, 1) }],
    ["a chunk without choices", { id: "x", object: "chat.completion.chunk", created: 1 }],
    ["a ping", { type: "ping" }],
    ["error: null", { ...content(""), error: null }],
    ["MiniMax's status 0", { ...content(""), base_resp: { status_code: 0, status_msg: "" } }],
  ]
  test.each(harmless)("%s is ignored", (_name, event) => {
    const completion = fromEvents(content("He"), event, content("llo"), stop, "[DONE]")
    expect(completion.read().state).toBe("complete")
    expect(completion.text).toBe("Hello")
  })

  const damage: [string, unknown, string?][] = [
    ["a cut event", '{"choices":[{"index":0,"delta":{"content":" not'],
    ["a cut event without a brace", '"choices":[{"index"'],
    ["half of a number", '{"choices":[{"index":'],
    ["two objects", '{"choices":[]}{"choices":[]}'],
    ["prose", "upstream connect error or disconnect/reset before headers"],
    ["an HTML page", "<html><body>502 Bad Gateway</body></html>"],
    ["[ERROR] with words", "[ERROR] upstream timeout", "[ERROR] upstream timeout"],
    ["[ERROR]", "[ERROR]", "[ERROR]"],
    ["a string", '"overloaded"', "overloaded"],
    ["a number", "500", "500"],
    ["null", "null"],
    ["true", "true", "true"],
    ["an empty list", "[]"],
    ["OpenAI's error", { error: { message: "no", type: "server_error", code: "x" } }, "no"],
    ["OpenRouter's error beside choices", { error: { code: 502, message: "no" }, ...stop }, "no"],
    ["an error in the choice", { choices: [{ index: 0, delta: {}, error: { message: "no" } }] }, "no"],
    ["an error string (xAI)", { code: "x", error: "no" }, "no"],
    ["vLLM's error", { object: "error", message: "no", type: "BadRequestError", code: 400 }, "no"],
    ["Mistral's error", { object: "Error", message: "no" }, "no"],
    ["Anthropic's error", { type: "error", error: { type: "overloaded_error", message: "no" } }, "no"],
    ["Gemini's list", [{ error: { code: 503, message: "no", status: "UNAVAILABLE" } }], "no"],
    ["FastAPI's detail", { detail: "no" }, "no"],
    ["FastAPI's list of details", { detail: [{ loc: ["body"], msg: "no" }] }, '[{"loc":["body"],"msg":"no"}]'],
    ["Baidu's error", { error_code: 17, error_msg: "no" }, "no"],
    ["MiniMax's error", { choices: null, base_resp: { status_code: 1008, status_msg: "no" } }, "no"],
    ["Zhipu's error", { code: 500, msg: "no", success: false }, "no"],
    ["a list of errors", { errors: [{ message: "no" }] }, "no"],
    ["Cohere's and Groq's message", { message: "no" }, "no"],
    ["DashScope's error", { code: "InternalError", message: "no", request_id: "r" }, "no"],
    ["a status", { status: "error", reason: "no" }, "no"],
    ["a failed chunk", { object: "chat.completion.chunk", choices: [], status: "failed" }],
    ["a chunk with an HTTP status", { object: "chat.completion.chunk", choices: [], status_code: 503 }],
    ["a chunk with a code of 500", { object: "chat.completion.chunk", code: 500 }],
    ["an error of type ping", { type: "ping", error: { message: "no" } }, "no"],
    ["an event of another format", { type: "content_block_delta", delta: { text: "x" } }],
  ]
  test.each(damage)("%s breaks the answer", (_name, event, message) => {
    for (const rest of [[], [content(" two."), stop, "[DONE]"]]) {
      const completion = fromEvents(content("One, "), event, ...rest)
      expect(completion.read().state).toBe("broken")
      if (message !== undefined) expect(completion.read().error?.message).toBe(message)
    }
  })

  test("with the name `error` breaks the answer", () => {
    const completion = fromEvents(content("One, "))
    addEvent(completion, { code: "x", text: "no" }, "error")
    addEvent(completion, stop)
    expect(completion.read()).toMatchObject({ state: "broken", error: { code: "x" } })
  })

  test.each(["error", "exception", "internalServerException", "stream_error"])(
    "with the name %s breaks the answer",
    (name) => {
      for (const data of ["{}", "", "no"]) {
        const completion = fromEvents(content("One, "))
        completion.add({ event: name, data: parseJson(data), text: data })
        addEvent(completion, stop)
        expect(completion.read().state).toBe("broken")
      }
    },
  )

  test("with the name `ping` and an error breaks the answer", () => {
    const completion = fromEvents(content("One, "))
    addEvent(completion, { error: "no" }, "ping")
    addEvent(completion, stop)
    expect(completion.read()).toMatchObject({ state: "broken", error: { message: "no" } })
  })

  test("with the name `error` and no data breaks the answer", () => {
    const completion = fromEvents(content("One, "))
    completion.add({ event: "error", data: undefined, text: "" })
    addEvent(completion, stop)
    expect(completion.read().state).toBe("broken")
  })

  test("with the name `ping` is ignored", () => {
    const completion = fromEvents(content("One"))
    addEvent(completion, "now", "ping")
    expect(completion.read().state).toBe("open")
  })

  test("after the end of the answer breaks it as well", () => {
    expect(fromEvents(content("One"), stop, '{"choices":[],"usage":{"pro').read().state).toBe("broken")
  })

  test("does not hide the usage after it", () => {
    const events = [content("One"), '{"choi', stop, { choices: [], usage: usage(3, 2) }, "[DONE]"]
    expect(fromEvents(...events).read()).toMatchObject({ state: "broken", usage: { usage: { inputTokens: 3 } } })
  })
})

describe("a body that is not a completion", () => {
  test.each([
    ["an error", { error: { message: "no", code: "c", type: "t" } }, { code: "c", message: "no" }],
    ["a status in the code", { error: { message: "no", code: 502 } }, { status: 502, code: "502", message: "no" }],
    [
      "Baidu's error",
      { error_code: 17, error_msg: "insufficient balance" },
      { code: "17", message: "insufficient balance" },
    ],
    ["a page", "<html>Bad gateway</html>", { message: "<html>Bad gateway</html>" }],
    ["prose", "Come back later", { message: "Come back later" }],
    ["nothing", "", { message: undefined }],
    ["an empty object", {}, { message: "{}" }],
    ["no choices", { choices: [] }, { message: '{"choices":[]}' }],
    ["choices that are null", { id: "x", choices: null }, {}],
    ["a list", [], {}],
    ["null", "null", { message: undefined }],
    ["a number", "3", { message: "3" }],
    ["a login", { login_url: "https://example.org" }, { message: '{"login_url":"https://example.org"}' }],
  ])("%s shows the provider's message", (_name, given, error) => {
    expect(fromBody(given).read()).toMatchObject({ state: "broken", error })
  })

  test("keeps its usage", () => {
    const billed = fromBody({ error: { message: "no" }, usage: usage(10, 5) })
    expect(billed.read()).toMatchObject({ state: "broken", usage: { usage: { inputTokens: 10, outputTokens: 5 } } })
  })

  test("keeps a message to 4,000 characters", () => {
    expect(fromBody("x".repeat(1e6)).read().error?.message).toHaveLength(4_000)
  })
})

const ADA = '{"name":"Ada","age":36}'
const ada = { name: "Ada", age: 36 }
const call = (more: object, inner: object = {}) => ({
  tool_calls: [
    { index: 0, id: "c1", type: "function", function: { name: "answer", arguments: ADA, ...inner }, ...more },
  ],
})

describe("the answer of a message", () => {
  const messages: [string, object][] = [
    ["content", { content: ADA }],
    ["content as an object", { content: ada }],
    ["content as one part", { content: { type: "text", text: ADA } }],
    [
      "text parts",
      {
        content: [
          { type: "text", text: '{"name":"Ada",' },
          { type: "text", text: '"age":36}' },
        ],
      },
    ],
    ["strings as parts", { content: ['{"name":"Ada",', '"age":36}'] }],
    ["output_text parts", { content: [{ type: "output_text", text: ADA }] }],
    ["text parts with a value", { content: [{ type: "text", text: { value: ADA, annotations: [] } }] }],
    ["a part of JSON", { content: [{ type: "json", json: ada }] }],
    [
      "thinking before the text",
      {
        content: [
          { type: "thinking", thinking: "hm" },
          { type: "text", text: ADA },
        ],
      },
    ],
    ["a tool_use part", { content: [{ type: "tool_use", id: "t", name: "answer", input: ada }] }],
    [
      "text and a tool_use part",
      {
        content: [
          { type: "text", text: "So:" },
          { type: "tool_use", input: ada },
        ],
      },
    ],
    ["a tool call", call({})],
    ["a tool call beside content", { content: "Let me see.", ...call({}) }],
    ["a tool call with arguments as an object", call({}, { arguments: ada })],
    ["a tool call at index 1", call({ index: 1 })],
    ["a tool call at index 7", call({ index: 7 })],
    ["a tool call with a string as index", call({ index: "0" })],
    ["a tool call without an index", call({ index: undefined })],
    ["a tool call without an id", call({ id: undefined })],
    ["a tool call without a type", call({ type: undefined })],
    ["a tool call with parameters", call({}, { arguments: undefined, parameters: ada })],
    ["a tool call with input", call({}, { arguments: null, input: ada })],
    ["a tool call without `function`", { tool_calls: [{ name: "answer", arguments: ADA }] }],
    ["a tool call in `custom`", { tool_calls: [{ type: "custom", custom: { name: "answer", input: ADA } }] }],
    ["one tool call in place of a list", { tool_calls: call({}).tool_calls[0] }],
    [
      "an empty call before it",
      { tool_calls: [{ index: 0, function: { arguments: "" } }, call({ index: 1 }).tool_calls[0]] },
    ],
    [
      "a call with {} before it",
      { tool_calls: [{ index: 0, function: { arguments: "{}" } }, call({ index: 1 }).tool_calls[0]] },
    ],
    ["a list with null", { tool_calls: [null, call({ index: 1 }).tool_calls[0]] }],
    ["arguments {} and the JSON in content", { content: ADA, ...call({}, { arguments: "{}" }) }],
    ["arguments {} as an object and the JSON in content", { content: ADA, ...call({}, { arguments: {} }) }],
    ["arguments null and the JSON in content", { content: ADA, ...call({}, { arguments: null }) }],
    ["arguments that are empty and the JSON in content", { content: ADA, ...call({}, { arguments: " { }\n" }) }],
    ["a list of an object as content", { content: [ada] }],
    [
      "a thought and the text (Gemini)",
      {
        content: [{ text: '{"name":"Charles"}', thought: true }, { type: "summary_text", text: "hm" }, { text: ADA }],
      },
    ],
    ["arguments that are empty and an input", call({}, { arguments: "", input: ada })],
    ["arguments beside the function", { tool_calls: [{ id: "c", function: { name: "answer" }, arguments: ADA }] }],
    ["a function as JSON", { tool_calls: [{ id: "c", function: JSON.stringify({ name: "answer", arguments: ada }) }] }],
    ["a list of a list", { tool_calls: [call({}).tool_calls] }],
    ["calls by id", { tool_calls: { c1: call({}).tool_calls[0] } }],
    [
      "function_call beside an empty tool call",
      { ...call({}, { arguments: "{}" }), function_call: { name: "answer", arguments: ADA } },
    ],
    ["function_call", { content: null, function_call: { name: "answer", arguments: ADA } }],
    ["function_call with an object", { function_call: { name: "answer", arguments: ada } }],
    ["function_call beside no tool calls", { tool_calls: [], function_call: { name: "answer", arguments: ADA } }],
    ["function_call beside the same tool call", { ...call({}), function_call: { name: "answer", arguments: ADA } }],
  ]

  test.each(messages)("%s, in a body", (_name, message) => {
    const completion = fromBody(body(message))
    expect(completion.text).toBe(ADA)
    expect(completion.texts[0]).toBe(ADA)
    expect(completion.read().state).toBe("complete")
  })

  test.each(messages)("%s, in a stream", (_name, message) => {
    expect(fromEvents(chunk({ role: "assistant" }), chunk(message), stop).text).toBe(ADA)
  })

  test.each([
    ["pieces", ["c1", undefined, undefined]],
    ["the id in each piece", ["c1", "c1", "c1"]],
    ["another id in each piece", ["c1", "c2", "c3"]],
  ])("arguments in a stream: %s", (_name, ids) => {
    const pieces = ['{"name":', '"Ada"', ',"age":36}'].map((text, at) =>
      chunk({ tool_calls: [{ index: 0, id: ids[at], function: { name: "answer", arguments: text } }] }),
    )
    expect(fromEvents(...pieces, stop).texts).toEqual([ADA])
  })

  test("two calls at the same index with different ids (Gemini) are two answers", () => {
    const calls = [ADA, '{"name":"Bob","age":3}'].map((text, at) =>
      chunk({ tool_calls: [{ index: 0, id: `c${at}`, function: { name: "answer", arguments: text } }] }),
    )
    expect(fromEvents(...calls, stop).texts).toEqual([ADA, '{"name":"Bob","age":3}'])
  })

  test("the calls of a message have their ids, names and arguments, in a body and in a stream", () => {
    const written = [
      { id: "c1", name: "weather", arguments: '{"city":"Paris"}' },
      { id: "c2", name: "time", arguments: "{}" },
    ]
    const calls = written.map(({ id, ...inner }, index) => ({ index, id, type: "function", function: inner }))
    expect(fromBody(body({ content: "Let me see.", tool_calls: calls })).toolCalls).toEqual(written)
    const pieces = [
      { tool_calls: [{ index: 0, id: "c1", function: { name: "weather", arguments: "" } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] },
      { tool_calls: [{ index: 0, function: { name: "weather", arguments: '"Paris"}' } }] },
      { tool_calls: [{ index: 1, function: { name: "time", arguments: "{}" } }] },
      { tool_calls: [{ index: 1, id: "c2", function: {} }] },
      { tool_calls: [{ index: 2, function: { arguments: "{}" } }] },
    ]
    expect(fromEvents(...pieces.map((delta) => chunk(delta)), stop).toolCalls).toEqual(written)
    expect(fromBody(body({ tool_calls: [{ function: { name: "time", arguments: "" } }] })).toolCalls).toEqual([
      { id: undefined, name: "time", arguments: "" },
    ])
  })

  test("reasoning is kept in the fields of its provider, as a body and in pieces", () => {
    const text = { reasoning_content: "Let me think." }
    expect(fromBody(body({ content: "", ...text })).reasoning).toEqual(text)
    expect(
      fromEvents(chunk({ reasoning_content: "Let me " }), chunk({ reasoning_content: "think." })).reasoning,
    ).toEqual(text)
    expect(fromBody(body({ content: "", reasoning: "Hm." })).reasoning).toEqual({ reasoning: "Hm." })
    const details = [
      { type: "reasoning.text", index: 0, text: "Let me think.", signature: "s1", format: "anthropic-claude-v1" },
      { type: "reasoning.encrypted", index: 1, data: "abc", id: "r1" },
    ]
    expect(fromBody(body({ reasoning: "Let me think.", reasoning_details: details })).reasoning).toEqual({
      reasoning_details: details,
    })
    const pieces = [
      { reasoning: "Let me ", reasoning_details: [{ ...details[0], text: "Let me ", signature: null }] },
      { reasoning: "think.", reasoning_details: [{ ...details[0], text: "think." }] },
      { reasoning_details: [details[1]] },
    ]
    expect(fromEvents(...pieces.map((delta) => chunk(delta)), stop).reasoning).toEqual({ reasoning_details: details })
    expect(fromBody(body({ content: "Hi", reasoning_content: null, reasoning_details: null })).reasoning).toEqual({})
  })

  test("what a server adds to a call is kept (Gemini)", () => {
    const extra = { google: { thought_signature: "sig" } }
    const written = { index: 0, id: "c1", extra_content: extra, function: { name: "weather", arguments: "{}" } }
    const expected = [{ id: "c1", name: "weather", arguments: "{}", extraContent: extra }]
    expect(fromBody(body({ tool_calls: [written] })).toolCalls).toEqual(expected)
    expect(fromEvents(chunk({ tool_calls: [written] }), stop).toolCalls).toEqual(expected)
  })

  test("only calls of the answer's tool are the answer", () => {
    const calls = [
      { index: 0, id: "c1", function: { name: "weather", arguments: '{"city":"Paris"}' } },
      { index: 1, id: "c2", function: { name: "answer", arguments: ADA } },
    ]
    const texts = ["answer", null, undefined].map((answerTool) => {
      const completion = new ChatCompletion({ provider: "openai", answerTool })
      addEvent(completion, chunk({ content: "Let me see.", tool_calls: calls }))
      return [completion.text, completion.texts.length, completion.toolCalls.length]
    })
    expect(texts).toEqual([
      [ADA, 2, 2],
      ["Let me see.", 1, 2],
      ['{"city":"Paris"}', 3, 2],
    ])
  })

  test.each(["functions.answer", "answer<|channel|>commentary", "functions.answer:0", "default_api.answer", "answer"])(
    "a call of %s is a call of the answer's tool",
    (name) => {
      const completion = new ChatCompletion({ provider: "openai", answerTool: "answer" })
      addEvent(completion, chunk({ tool_calls: [{ index: 0, id: "c1", function: { name, arguments: ADA } }] }))
      expect(completion).toMatchObject({ text: ADA, toolCalls: [{ name: "answer" }] })
    },
  )

  test.each([
    ["no arguments", "", ""],
    ["empty objects", "{}", "{}"],
    ["the same arguments", ADA, ADA],
    ["arguments only in the call", ADA, ""],
    ["arguments only in function_call", "", ADA],
  ])("function_call next to the same call is one call: %s", (_name, written, older) => {
    const both = (text: string, olderText: string) => ({
      tool_calls: [{ index: 0, function: { name: "answer", arguments: text } }],
      function_call: { name: "answer", arguments: olderText },
    })
    const expected = [{ name: "answer", arguments: written === "" ? older : written }]
    expect(fromBody(body(both(written, older))).toolCalls).toMatchObject(expected)
    const pieces = [both("", ""), both(written.slice(0, 4), older.slice(0, 4)), both(written.slice(4), older.slice(4))]
    expect(fromEvents(...pieces.map((delta) => chunk(delta)), stop).toolCalls).toMatchObject(expected)
    expect(fromEvents(...pieces.map((delta) => chunk(delta)), stop).toolCalls).toHaveLength(1)
  })

  test("is not extended by parts that have no text", () => {
    const parts = [{ text: ADA }, { thought_signature: "c2ln" }, { inline_data: { data: "aW1n" } }]
    expect(fromBody(body({ content: parts })).text).toBe(ADA)
    const pieces = parts.map((part) => chunk({ content: [part] }))
    expect(fromEvents(...pieces, stop).text).toBe(ADA)
  })

  test("function_call in a stream", () => {
    const pieces = ["", '{"name":"Ada"', ',"age":36}'].map((text) => chunk({ function_call: { arguments: text } }))
    expect(fromEvents(...pieces, stop).text).toBe(ADA)
  })

  test("is in the order: calls, content, empty calls", () => {
    const completion = fromBody(body({ content: "x", ...call({}, { arguments: "{}" }) }))
    expect(completion.texts).toEqual(["x", "{}"])
  })

  test("refusals are collected from the field and from parts", () => {
    expect(fromEvents(chunk({ refusal: "No" }), chunk({ refusal: "." }), stop).refusal).toBe("No.")
    expect(fromBody(body({ content: [{ type: "refusal", refusal: "No." }] })).refusal).toBe("No.")
  })

  test("odd values are ignored", () => {
    for (const odd of [
      { content: 7 },
      { content: true },
      { tool_calls: [3] },
      { tool_calls: "x" },
      { function_call: 3 },
    ])
      expect(fromBody(body(odd)).text).toBe("")
  })
})

describe("the usage", () => {
  const counts = (completion: ChatCompletion) => completion.read().usage?.usage
  test.each([
    ["with the end", [content("a"), { ...stop, usage: usage(3, 2) }]],
    ["after the end", [content("a"), stop, { choices: [], usage: usage(3, 2) }]],
    ["after [DONE] is not needed", [content("a"), { choices: [], usage: usage(3, 2) }, "[DONE]"]],
    ["in every chunk", [{ ...content("a"), usage: usage(3, 1) }, { ...content("b"), usage: usage(3, 2) }, stop]],
    ["in the choice (Moonshot)", [content("a"), chunk({}, { finish_reason: "stop", usage: usage(3, 2) })]],
    ["in x_groq", [content("a"), { ...stop, x_groq: { usage: usage(3, 2) } }]],
    [
      "larger before than after",
      [
        { ...content("a"), usage: usage(3, 2) },
        { ...stop, usage: usage(0, 0) },
      ],
    ],
  ])("%s is that of the call", (_name, events) => {
    expect(counts(fromEvents(...events))).toMatchObject({ inputTokens: 3, outputTokens: 2 })
  })

  test.each([
    ["in the first chunk only", [{ ...content("a"), usage: usage(3, 1) }, content("b"), stop, "[DONE]"]],
    ["before reasoning", [{ choices: [], usage: usage(3, 1) }, chunk({ reasoning: "hm" }), content("a"), stop]],
    ["before a tool call", [{ choices: [], usage: usage(3, 1) }, chunk(call({})), stop]],
    ["before the end is missing", [{ ...content("a"), usage: usage(3, 1) }]],
    ["before an error", [{ ...content("a"), usage: usage(3, 1) }, { error: { message: "no" } }]],
    ["zero output for an answer", [content("a"), { ...stop, usage: usage(3, 0) }]],
  ])("%s is a lower bound", (_name, events) => {
    const reading = fromEvents(...events).read()
    expect(reading.usage).toBeUndefined()
    expect(reading.usageLowerBound).toMatchObject({ usage: { inputTokens: 3 } })
  })

  test("with a field that is not understood is a lower bound", () => {
    const completion = fromBody({ ...body({ content: "a" }), usage: { ...usage(3, 2), dream_tokens: 4 } })
    expect(counts(completion)).toBeUndefined()
    expect(completion.read().usageLowerBound).toMatchObject({ usage: { inputTokens: 3, outputTokens: 2 } })
  })

  test("is undefined if there is none", () => {
    for (const none of [undefined, null, [], {}, "x"])
      expect(fromBody({ ...body({ content: "a" }), usage: none }).read()).toMatchObject({
        usage: undefined,
        usageLowerBound: undefined,
      })
  })
})

describe("receivedOutputTokens", () => {
  const received = (completion: ChatCompletion) => completion.read().receivedOutputTokens
  test("counts the bytes of content, reasoning, calls and refusals, of every choice", () => {
    expect(received(fromEvents(chunk({ role: "assistant" }), stop))).toBe(0)
    expect(received(fromEvents(content("abc"), chunk({ reasoning: "de" }), chunk({ refusal: "f" }), stop))).toBe(6)
    expect(received(fromEvents(content("é"), content("€"), stop))).toBe(5)
    expect(received(fromEvents(content("😀"), stop))).toBeGreaterThanOrEqual(4)
    expect(received(fromEvents(chunk(call({})), stop))).toBe(ADA.length + "answer".length)
    expect(
      received(fromBody({ choices: [{ message: { content: "abc" } }, { index: 1, message: { content: "de" } }] })),
    ).toBe(5)
  })

  test("does not overflow on deep values", () => {
    const deep = JSON.parse(`${'{"a":'.repeat(4_000)}"x"${"}".repeat(4_000)}`)
    expect(received(fromBody(body({ content: deep })))).toBeGreaterThan(4_000)
  })
})
