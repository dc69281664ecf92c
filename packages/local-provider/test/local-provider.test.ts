import OpenAI from "openai"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import { z } from "zod"
import { type LocalProvider, startLocalProvider } from "../src/index"

const model = "gpt-4o-mini"
const messages = [{ role: "user" as const, content: "Describe who is David Copperfield" }]
const person = {
  type: "json_schema" as const,
  json_schema: {
    name: "person",
    strict: true,
    schema: {
      type: "object",
      properties: {
        name: { type: "string" },
        age: { type: "integer" },
        interests: { type: "array", items: { type: "string" } },
      },
      required: ["name", "age", "interests"],
      additionalProperties: false,
    },
  },
}

let provider: LocalProvider
let openai: OpenAI

beforeEach(async () => {
  provider = await startLocalProvider()
  openai = new OpenAI({ baseURL: provider.baseURL, apiKey: "local", maxRetries: 0 })
})
afterEach(() => provider.close())

describe("answers", () => {
  it("match the schema, with plausible data, the same for the same prompt", async () => {
    const first = await openai.chat.completions.create({ model, messages, response_format: person })
    const second = await openai.chat.completions.create({ model, messages, response_format: person })
    const answer = JSON.parse(first.choices[0]!.message.content!)
    expect(answer).toMatchObject({ name: "David Copperfield", age: expect.any(Number) })
    expect(answer.interests).toHaveLength(3)
    expect(new Set(answer.interests).size).toBe(3)
    expect(second.choices[0]!.message.content).toBe(first.choices[0]!.message.content)
  })

  it("match nested, recursive, bounded and nullable schemas", async () => {
    const Node = z.object({
      id: z.number().int().min(5).max(7),
      kind: z.enum(["leaf", "branch"]),
      note: z.string().nullable(),
      get children() {
        return z.array(Node)
      },
    })
    const schema = z.toJSONSchema(Node)
    const format = { type: "json_schema" as const, json_schema: { name: "node", schema } }
    const completion = await openai.chat.completions.create({ model, messages, response_format: format })
    expect(Node.safeParse(JSON.parse(completion.choices[0]!.message.content!)).success).toBe(true)
  })

  it("call the tool of a fault, and are text after its result", async () => {
    const tools = ["first", "second"].map((name) => ({ type: "function" as const, function: { name } }))
    provider.faults.next({ toolCalls: [{ name: "second", arguments: { path: "a.txt" } }] })
    const called = await openai.chat.completions.create({ model, messages, tools })
    const { message, finish_reason } = called.choices[0]!
    expect(finish_reason).toBe("tool_calls")
    expect(message.tool_calls).toMatchObject([{ function: { name: "second", arguments: '{"path":"a.txt"}' } }])
    const result = { role: "tool" as const, tool_call_id: message.tool_calls![0]!.id, content: "written" }
    const answered = await openai.chat.completions.create({ model, messages: [...messages, message, result], tools })
    expect(answered.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: expect.any(String) } })
  })

  it("bill a call with empty arguments, because its name is output", async () => {
    const tools = [{ type: "function" as const, function: { name: "search" } }]
    provider.faults.next({ toolCalls: [{ name: "search", arguments: "" }] })
    const { choices, usage } = await openai.chat.completions.create({ model, messages, tools })
    expect(choices[0]).toMatchObject({ finish_reason: "tool_calls", message: { tool_calls: [{}] } })
    expect(usage?.completion_tokens).toBe(1)
  })

  it("are given by tool call and for a schema in the prompt", async () => {
    const tool = { type: "function" as const, function: { name: "person", parameters: person.json_schema.schema } }
    const called = await openai.chat.completions.create({ model, messages, tools: [tool] })
    const call = called.choices[0]!.message.tool_calls![0] as { function: { arguments: string } }
    expect(JSON.parse(call.function.arguments)).toHaveProperty("interests")
    expect(called.choices[0]!.finish_reason).toBe("tool_calls")
    const text = `Answer with JSON of this schema: ${JSON.stringify(person.json_schema.schema)}`
    const prompted = await openai.chat.completions.create({
      model,
      messages: [{ role: "system", content: text }, ...messages],
    })
    expect(JSON.parse(prompted.choices[0]!.message.content!)).toHaveProperty("age")
  })

  it("call the first tool, and answer once they have its result", async () => {
    const weather = { type: "function" as const, function: { name: "weather", parameters: { type: "object" } } }
    const called = await openai.chat.completions.create({ model, messages, tools: [weather] })
    const { message } = called.choices[0]!
    const result = { role: "tool" as const, tool_call_id: message.tool_calls![0]!.id, content: "21 °C" }
    const answered = await openai.chat.completions.create({
      model,
      messages: [...messages, message, result],
      tools: [weather],
      response_format: person,
    })
    expect(JSON.parse(answered.choices[0]!.message.content!)).toHaveProperty("age")
    const forced = { type: "function" as const, function: { name: "weather" } }
    const other = { type: "function" as const, function: { name: "other" } }
    const choices = await openai.chat.completions.create({
      model,
      messages,
      tools: [other, weather],
      tool_choice: forced,
    })
    expect(choices.choices[0]!.message.tool_calls).toMatchObject([{ function: { name: "weather" } }])
  })

  it.each([false, true])("call the tools of a fault, several at once (stream: %s)", async (stream) => {
    const weather = { type: "function" as const, function: { name: "weather" } }
    const toolCalls = [
      { name: "weather", arguments: { city: "Paris" } },
      { name: "weather", arguments: '{"city":"R' },
    ]
    provider.faults.next({ toolCalls, answer: "Let me see." })
    const body = { model, messages, tools: [weather] }
    const { message, finish_reason: reason } = stream
      ? (await openai.chat.completions.stream(body).finalChatCompletion()).choices[0]!
      : (await openai.chat.completions.create(body)).choices[0]!
    expect(reason).toBe("tool_calls")
    expect(message).toMatchObject({
      content: "Let me see.",
      tool_calls: [
        { type: "function", function: { name: "weather", arguments: '{"city":"Paris"}' } },
        { type: "function", function: { name: "weather", arguments: '{"city":"R' } },
      ],
    })
    const ids = message.tool_calls!.map(({ id }) => id)
    expect(new Set(ids).size).toBe(2)
    const unanswered = openai.chat.completions.create({ ...body, messages: [...messages, message, ...messages] })
    await expect(unanswered).rejects.toThrow("must be followed by tool messages")
    const orphan = { role: "tool" as const, tool_call_id: "call_x", content: "" }
    await expect(openai.chat.completions.create({ ...body, messages: [...messages, orphan] })).rejects.toThrow(
      "must be a response to a preceeding message",
    )
  })

  it("stop at max_tokens and bill the generated tokens", async () => {
    const completion = await openai.chat.completions.create({ model, messages, max_tokens: 5 })
    expect(completion.choices[0]!.finish_reason).toBe("length")
    expect(completion.usage!.completion_tokens).toBe(5)
    expect(provider.ledger.calls[0]).toMatchObject({ completionTokens: 5, reported: true })
  })
})

describe("the ledger", () => {
  it("records the caller's id of a call, and bills the requested service tier", async () => {
    const headers = { "x-client-request-id": "mine.1" }
    await openai.chat.completions.create({ model, messages }, { headers })
    await openai.chat.completions.create({ model, messages, service_tier: "priority" })
    const [first, priority] = provider.ledger.calls
    expect([first!.clientRequestId, priority!.clientRequestId]).toEqual(["mine.1", undefined])
    expect(priority!.nanoUsd).toBeGreaterThan(first!.nanoUsd)
  })

  it("is price times tokens, rounded up, and equals what OpenRouter's shape reports", async () => {
    const router = new OpenAI({ baseURL: provider.openRouterBaseURL, apiKey: "local", maxRetries: 0 })
    const { data, response } = await router.chat.completions
      .create({ model: "openai/gpt-4o-mini", messages })
      .withResponse()
    const usage = data.usage as unknown as { prompt_tokens: number; completion_tokens: number; cost: number }
    const line = provider.ledger.calls[0]!
    // $0.15 and $0.60 per million tokens.
    expect(line.picoUsd).toBe(BigInt(usage.prompt_tokens) * 150_000n + BigInt(usage.completion_tokens) * 600_000n)
    expect(line.nanoUsd).toBe(Math.ceil(usage.prompt_tokens * 150 + usage.completion_tokens * 600))
    expect(usage.cost).toBe(Number(`${line.picoUsd}e-12`))
    expect(response.headers.get("x-generation-id")).toBe(line.id)
    const later = await fetch(`${provider.openRouterBaseURL}/generation?id=${line.id}`, {
      headers: { authorization: "Bearer local" },
    })
    expect(((await later.json()) as { data: { total_cost: number } }).data.total_cost).toBe(usage.cost)
  })

  it("agrees between JSON and stream", async () => {
    const whole = await openai.chat.completions.create({ model, messages, response_format: person })
    const stream = await openai.chat.completions.create({
      model,
      messages,
      response_format: person,
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ""
    let reported: unknown
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ""
      reported = chunk.usage ?? reported
    }
    expect(text).toBe(whole.choices[0]!.message.content)
    expect(reported).toEqual(whole.usage)
    expect(provider.ledger.calls[0]!.picoUsd).toBe(provider.ledger.calls[1]!.picoUsd)
  })
})

it("an unknown option and an unknown fault are usage errors", async () => {
  await expect(startLocalProvider({ delayMs: 5 } as never)).rejects.toThrow("Unknown option `delayMs`. Known options:")
  for (const set of ["next", "always"] as const)
    expect(() => provider.faults[set]({ statuss: 500 } as never)).toThrow("Did you mean `status`?")
})

describe("faults", () => {
  it.each([400, 401, 408, 429, 500, 503])("status %i bills nothing", async (status) => {
    provider.faults.next({ status })
    await expect(openai.chat.completions.create({ model, messages })).rejects.toMatchObject({ status })
    expect(provider.ledger.totalNanoUsd).toBe(0)
  })

  it("a broken body and a broken stream are billed and not reported", async () => {
    provider.faults.next({ cut: "body" })
    await expect(openai.chat.completions.create({ model, messages })).rejects.toThrow()
    provider.faults.next({ cut: "stream" })
    const stream = await openai.chat.completions.create({
      model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })
    await expect(
      (async () => {
        for await (const chunk of stream) void chunk
      })(),
    ).rejects.toThrow()
    expect(provider.ledger.calls.map((call) => call.reported)).toEqual([false, false])
    expect(provider.ledger.calls.every((call) => call.nanoUsd > 0)).toBe(true)
  })

  it("wait for a promise, or until the caller disconnects", async () => {
    const call = (signal?: AbortSignal) => openai.chat.completions.create({ model, messages }, { signal })
    let release = () => {}
    provider.faults.next({ until: new Promise<void>((resolve) => (release = resolve)) })
    const waiting = call()
    await vi.waitFor(() => expect(provider.received).toHaveLength(1), 60_000)
    expect(provider.ledger.calls).toHaveLength(0)
    release()
    await waiting
    expect(provider.ledger.calls).toHaveLength(1)
    provider.faults.next({ until: new Promise(() => {}) })
    const controller = new AbortController()
    const left = call(controller.signal)
    await vi.waitFor(() => expect(provider.received).toHaveLength(2), 60_000)
    controller.abort()
    await expect(left).rejects.toThrow("aborted")
    expect(provider.ledger.calls).toHaveLength(1)
  })

  it("a stall ends when the caller disconnects", async () => {
    provider.faults.next({ stall: "headers" })
    const caller = new AbortController()
    const call = openai.chat.completions.create({ model, messages }, { signal: caller.signal })
    await vi.waitFor(() => expect(provider.ledger.calls).toHaveLength(1), 60_000)
    caller.abort()
    await expect(call).rejects.toThrow()
    expect(provider.ledger.calls[0]).toMatchObject({ reported: false })
  })

  it("can be an error inside a 200, a refusal, invalid JSON, a missing usage, a rejected mode", async () => {
    provider.faults.next({ errorInBody: { message: "upstream", code: 502 } })
    const inside = (await openai.chat.completions.create({ model, messages })) as unknown as { error: { code: number } }
    expect(inside.error.code).toBe(502)
    expect(provider.ledger.totalNanoUsd).toBe(0)
    provider.faults.next({ refusal: "I cannot help with that." })
    const refused = await openai.chat.completions.create({ model, messages, response_format: person })
    expect(refused.choices[0]!.message).toMatchObject({ content: null, refusal: "I cannot help with that." })
    provider.faults.next({ invalidJson: true, noUsage: true })
    const broken = await openai.chat.completions.create({ model, messages, response_format: person })
    expect(() => JSON.parse(broken.choices[0]!.message.content!)).toThrow()
    expect(broken.usage).toBeUndefined()
    provider.faults.next({ rejectModes: ["json_schema"] })
    await expect(openai.chat.completions.create({ model, messages, response_format: person })).rejects.toMatchObject({
      status: 400,
    })
  })
})

describe("bad requests", () => {
  it("are rejected without messages, with an unknown model, or without a key", async () => {
    await expect(openai.chat.completions.create({ model, messages: [] })).rejects.toMatchObject({ status: 400 })
    await expect(openai.chat.completions.create({ model: "no-such-model", messages })).rejects.toMatchObject({
      status: 404,
    })
    const response = await fetch(`${provider.baseURL}/chat/completions`, { method: "POST", body: "{}" })
    expect(response.status).toBe(401)
    expect(provider.ledger.calls).toEqual([])
  })
})
