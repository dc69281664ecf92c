import { createBudget, memoryStore } from "@p2/budget"
import { jsonSchema, type RequestOptions } from "@p2/core"
import { type Fault, type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { z } from "zod"
import { LLMClient, type LLMClientOptions, type Receipt, type ToolSet, tool } from "../src/index"
import { instantClock, Person } from "./open-client"
import { overrideStore } from "./override-store"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.faults.clear()
  provider.received.length = 0
  provider.ledger.clear()
})
afterAll(() => provider.close())

const City = z.object({ city: z.string() })
const degrees: Record<string, number> = { Paris: 21, Rome: 27 }
const weather = tool({
  description: "The weather in a city",
  parameters: City,
  execute: async ({ city }) => ({ celsius: degrees[city] ?? 0 }),
})
const call = (name: string, input: string | Record<string, unknown>) => ({ name, arguments: input })
const calls = (...toolCalls: NonNullable<Fault["toolCalls"]>): Fault => ({ toolCalls })

function open<Tools extends ToolSet, Answer = string>(
  options: LLMClientOptions<Tools>,
  request: Partial<RequestOptions<Answer>> = {},
) {
  const client = new LLMClient<Answer, Tools>({ model: "openai/gpt-4o-mini", ...request } as RequestOptions<Answer>, {
    baseURL: provider.baseURL,
    apiKey: "local",
    store: memoryStore(),
    logger: {},
    clock: instantClock,
    ...options,
  })
  client.msg.addMessageUser("How warm is it in Paris and in Rome?")
  return client
}

type SentMessage = { role: string; content: string | null; tool_calls?: unknown[]; tool_call_id?: string }
const sent = (index: number) => provider.received[index]!.body.messages as SentMessage[]
const results = (index: number) => sent(index).filter(({ role }) => role === "tool")
const rolesOf = (messages: readonly { role: string }[]) => messages.map(({ role }) => role)

/** The receipt is what the provider billed plus what the tools cost. */
function expectExact(receipt: Receipt, toolNanoUsd = 0) {
  const billed = provider.ledger.calls.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0)
  expect(receipt.costNanoUsd).toBe(billed + toolNanoUsd)
}

describe("calls are returned", () => {
  test("by default, with typed arguments, and the conversation continues with their results", async () => {
    const client = open({ tools: { weather } })
    provider.faults.next({ ...calls(call("weather", { city: "Paris" }), call("weather", { city: "Rome" })) })
    const result = await client.generate()
    if (!result.ok) throw result.error
    expect(result).toMatchObject({ finishReason: "tool-calls", toolResults: [] })
    expect(result).not.toHaveProperty("answer")
    expect(result.toolCalls).toEqual([
      { id: expect.any(String), name: "weather", input: { city: "Paris" } },
      { id: expect.any(String), name: "weather", input: { city: "Rome" } },
    ])
    expect(result.receipt.attempts).toMatchObject([{ status: "succeeded", step: 1, finishReason: "tool_calls" }])
    for (const { id, input } of result.toolCalls) client.msg.addToolResult(id, `${degrees[input.city]} °C`)
    const next = await client.generate()
    expect(next).toMatchObject({ ok: true, finishReason: "stop", answer: expect.any(String) })
    expect(rolesOf(sent(1))).toEqual(["user", "assistant", "tool", "tool"])
    expect(rolesOf(client.msg.getMessages())).toEqual(["user", "assistant", "tool", "tool", "assistant"])
  })

  test("of a tool without `execute`; the others of the same message run", async () => {
    const ask = tool({ description: "Asks the user", parameters: z.object({ question: z.string() }) })
    const client = open({ tools: { weather, ask }, maxSteps: 5 })
    provider.faults.next(calls(call("ask", { question: "Which day?" }), call("weather", { city: "Rome" })))
    const result = await client.generate()
    if (!result.ok) throw result.error
    expect(result.toolCalls).toMatchObject([{ name: "ask", input: { question: "Which day?" } }])
    expect(result.toolResults).toMatchObject([{ status: "succeeded", name: "weather", output: { celsius: 27 } }])
    client.msg.addToolResult(result.toolCalls[0]!.id, "today")
    expect(await client.generate()).toMatchObject({ ok: true, finishReason: "stop" })
  })

  test("when `maxSteps` is reached", async () => {
    provider.faults.always(calls(call("weather", { city: "Rome" })))
    const result = await open({ tools: { weather }, maxSteps: 3 }).generate()
    expect(result).toMatchObject({ ok: true, finishReason: "tool-calls", toolCalls: [{ input: { city: "Rome" } }] })
    expect(result.receipt.attempts.map(({ step, reason }) => [step, reason])).toEqual([
      [1, "first"],
      [2, "tools"],
      [3, "tools"],
    ])
    expect(result.receipt.toolCalls).toHaveLength(2)
    expectExact(result.receipt)
  })

  test("calls without results are answered, so that another message can follow", async () => {
    const client = open({ tools: { weather } })
    provider.faults.next(calls(call("weather", { city: "Paris" }), call("weather", { city: "Rome" })))
    const first = await client.generate()
    if (!first.ok) throw first.error
    const [paris, rome] = first.toolCalls!
    client.msg.addToolResult(paris!.id, "21 °C").addMessageUser("Never mind. Who are you?")
    const counted = client.countTokens()
    const second = await client.generate()
    // The local provider calls a tool again.
    expect(second.ok).toBe(true)
    expect(rolesOf(sent(1))).toEqual(["user", "assistant", "tool", "tool", "user"])
    expect(results(1)).toEqual([
      { role: "tool", tool_call_id: paris!.id, content: "21 °C" },
      { role: "tool", tool_call_id: rome!.id, content: "This tool was not run." },
    ])
    expect(rolesOf(client.msg.getMessages())).toEqual(["user", "assistant", "tool", "user", "assistant"])
    expect(second.receipt.usage.inputTokens).toBe(counted)
  })

  test("generateResponse() throws, because there is no answer", async () => {
    provider.faults.next(calls(call("weather", { city: "Rome" })))
    const error = await open({ tools: { weather } })
      .generateResponse()
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: "tool-calls-returned", receipt: { attempts: [{ status: "succeeded" }] } })
    expect((error as Error).message).toContain("called weather")
  })

  test("after a repair, if the arguments do not fit or the tool does not exist", async () => {
    provider.faults.next(calls(call("weather", { city: 3 })))
    const repaired = await open({ tools: { weather } }).generate()
    expect(repaired).toMatchObject({ ok: true, finishReason: "tool-calls" })
    expect(repaired.receipt.attempts.map(({ status, reason }) => [status, reason])).toEqual([
      ["failed", "first"],
      ["succeeded", "repair"],
    ])
    provider.faults.next(calls(call("time", {})), 2)
    const failed = await open({ tools: { weather } }).generate()
    expect(failed).toMatchObject({ ok: false, error: { code: "invalid-answer" } })
    if (!failed.ok) expect(failed.error.message).toBe("The model called a tool that does not exist.")
  })
})

function hostileError(): unknown {
  return Object.defineProperty({}, "message", {
    get: () => {
      throw new Error("secret")
    },
  })
}

describe("tools run", () => {
  test("in parallel; their results are sent in the order of the calls, and one receipt sums all steps", async () => {
    let running = 0
    let most = 0
    const slow = tool({
      parameters: City,
      execute: async ({ city }) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, city === "Paris" ? 20 : 0))
        running--
        return `${city}: ${degrees[city]} °C`
      },
    })
    const client = open({ tools: { slow }, maxSteps: 3 })
    provider.faults.next({
      ...calls(call("slow", { city: "Paris" }), call("slow", { city: "Rome" })),
      answer: "I look.",
    })
    const result = await client.generate()
    if (!result.ok) throw result.error
    expect(most).toBe(2)
    expect(result).toMatchObject({ finishReason: "stop", answer: expect.any(String), toolCalls: [] })
    expect(result.toolResults.map((each) => (each.status === "succeeded" ? each.output : each.status))).toEqual([
      "Paris: 21 °C",
      "Rome: 27 °C",
    ])
    const [, assistant, ...others] = sent(1)
    expect(assistant).toMatchObject({ content: "I look.", tool_calls: [{ type: "function" }, { type: "function" }] })
    expect(others.map(({ content }) => content)).toEqual(["Paris: 21 °C", "Rome: 27 °C"])
    expect(rolesOf(client.msg.getMessages())).toEqual(["user", "assistant", "tool", "tool", "assistant"])
    const { attempts, toolCalls, costNanoUsd } = result.receipt
    expect(attempts.map(({ attempt, step, id }) => [attempt, step, id.split(".")[1]])).toEqual([
      [1, 1, "1"],
      [2, 2, "2"],
    ])
    expect(toolCalls).toMatchObject([
      { name: "slow", status: "succeeded", step: 1, costNanoUsd: 0, settlement: "none" },
      { name: "slow", status: "succeeded" },
    ])
    expect(costNanoUsd).toBe(attempts[0]!.costNanoUsd + attempts[1]!.costNanoUsd)
    expectExact(result.receipt)
  })

  test("with parameters as a plain JSON Schema", async () => {
    const parameters = jsonSchema<{ city: string }>({
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    })
    const plain = tool({ parameters, execute: ({ city }) => city.toUpperCase() })
    provider.faults.next(calls(call("plain", { city: "Rome" }), call("plain", { city: 3 })))
    const result = await open({ tools: { plain }, maxSteps: 2 }).generate()
    if (!result.ok) throw result.error
    expect(result.toolResults).toMatchObject([{ status: "succeeded", output: "ROME" }, { status: "invalid" }])
  })

  test("with the description of their schema, if they have none", async () => {
    const described = tool({ parameters: City.describe("Finds a city"), execute: () => "found" })
    const own = tool({ description: "Own", parameters: City.describe("Finds a city"), execute: () => "found" })
    await open({ tools: { described, own } }).generate()
    const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
    expect(provider.received[0]!.body.tools).toMatchObject([
      { type: "function", function: { name: "described", description: "Finds a city", strict: true, parameters } },
      { type: "function", function: { name: "own", description: "Own", parameters } },
    ])
  })

  test("with the context of the call", async () => {
    const seen: unknown[] = []
    const now = tool({ execute: (input, context) => void seen.push(input, context) })
    const result = await open({ tools: { now }, maxSteps: 2 }).generate()
    if (!result.ok) throw result.error
    const { requestId } = result.receipt
    expect(seen).toEqual([
      {},
      { requestId, step: 1, toolCallId: result.toolResults[0]!.id, signal: expect.any(AbortSignal) },
    ])
    expect(results(1)[0]!.content).toBe("(no result)")
  })

  test.each([
    ["an object", { a: 1, b: ["x"] }, "a: 1\nb:\n  - x"],
    ["a number", 3, "3"],
    ["an empty string", "", "(empty result)"],
    ["null", null, "null"],
  ])("and %s is sent as text", async (_name, output, content) => {
    const get = tool({ execute: () => output })
    await open({ tools: { get }, maxSteps: 2 }).generate()
    expect(results(1)[0]!.content).toBe(content)
  })

  test("a result that cannot be converted to text becomes an error for the model, and is kept for the caller", async () => {
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    const throws = Object.defineProperty({}, "a", {
      enumerable: true,
      get: () => {
        throw new Error("secret")
      },
    })
    const outputs: unknown[] = [cycle, throws]
    const get = tool({ parameters: z.object({ index: z.number() }), execute: ({ index }) => outputs[index] })
    provider.faults.next(calls(...outputs.map((_, index) => call("get", { index }))))
    const result = await open({ tools: { get }, maxSteps: 2 }).generate()
    if (!result.ok) throw result.error
    for (const { content } of results(1))
      expect(content).toBe("Error: The result of the tool cannot be converted to text.")
    expect(result.toolResults[0]).toMatchObject({ status: "succeeded", output: cycle })
  })

  test("and a long result is cut off, and the model is informed", async () => {
    const get = tool({ execute: () => "😀".repeat(100), maxResultLength: 5 })
    await open({ tools: { get }, maxSteps: 2 }).generate()
    expect(results(1)[0]!.content).toBe("😀😀\n[cut off: 4 of 200 characters]")
  })

  test("and half of a surrogate pair is replaced, because some servers reject it", async () => {
    const half = "😀 half: 😀".slice(0, -1)
    const get = tool({ execute: () => half })
    const fails = tool({
      execute: () => {
        throw new Error(half)
      },
    })
    provider.faults.next(calls(call("get", {}), call("fails", {})))
    await open({ tools: { get, fails }, maxSteps: 2 }).generate()
    expect(results(1).map(({ content }) => content)).toEqual(["😀 half: \uFFFD", "Error: 😀 half: \uFFFD"])
  })

  test("and an error becomes a result: its message, never its stack or its cause", async () => {
    const fails = tool({
      parameters: City,
      execute: ({ city }) => {
        throw new Error(`No station in ${city}.`, { cause: new Error("password=secret") })
      },
    })
    const result = await open({ tools: { fails }, maxSteps: 2 }).generate()
    if (!result.ok) throw result.error
    expect(results(1)[0]!.content).toMatch(/^Error: No station in .*\.$/)
    expect(JSON.stringify(provider.received[1])).not.toMatch(/secret|tools\.test/)
    expect(result.toolResults).toMatchObject([{ status: "failed", error: { cause: { message: "password=secret" } } }])
    expect(result.receipt.toolCalls).toMatchObject([{ status: "failed", errorCode: "tool-failed", inDoubt: false }])
  })

  test.each<[string, unknown, string]>([
    ["a string", "No station.", "Error: No station."],
    ["nothing", undefined, "Error: The tool failed."],
    ["an error without a message", new Error(), "Error: The tool failed."],
    ["a hostile object", hostileError(), "Error: The tool failed."],
  ])("and may throw %s", async (_name, thrown, content) => {
    const fails = tool({ execute: () => Promise.reject(thrown) })
    await open({ tools: { fails }, maxSteps: 2 }).generate()
    expect(results(1)[0]!.content).toBe(content)
  })

  test("and the model sees arguments that do not fit, no JSON, and an unknown name", async () => {
    const client = open({ tools: { weather }, maxSteps: 2 })
    provider.faults.next(calls(call("weather", { city: 3 }), call("weather", '{"city'), call("time", { zone: "UTC" })))
    const result = await client.generate()
    if (!result.ok) throw result.error
    const contents = results(1).map(({ content }) => content)
    expect(contents[0]).toMatch(/^Error: The tool was not run\.\n- city: .*string/)
    expect(contents[1]).toBe("Error: The arguments are not valid JSON. The tool was not run.")
    expect(contents[2]).toContain("There is no tool of this name. The tools are: weather.")
    expect(result.toolResults.map(({ status }) => status)).toEqual(["invalid", "invalid", "invalid"])
    expect(result.receipt.toolCalls).toMatchObject([{ status: "invalid", errorCode: "invalid-answer" }, {}, {}])
    // Servers reject arguments that are not an object.
    expect(sent(1)[1]!.tool_calls).toMatchObject([{}, { function: { arguments: "{}" } }, {}])
  })

  test("with the defaults, optional fields and transforms of their schema", async () => {
    const seen: unknown[] = []
    const search = tool({
      parameters: z.object({
        query: z.string().transform((text) => text.toUpperCase()),
        limit: z.number().default(5),
        after: z.date().optional(),
      }),
      execute: (input) => void seen.push(input),
    })
    provider.faults.next(calls(call("search", { query: "a", limit: null, after: "2026-01-01T00:00:00Z" })))
    await open({ tools: { search }, maxSteps: 2 }).generate()
    expect(seen).toEqual([{ query: "A", limit: 5, after: new Date("2026-01-01T00:00:00Z") }])
  })

  test("and a later failure keeps their results in the conversation, so that no tool runs twice", async () => {
    let runs = 0
    const count = tool({ execute: () => ++runs })
    const client = open({ tools: { count }, maxSteps: 3 }, { retries: 0 })
    provider.faults.next({})
    provider.faults.next({ status: 500 })
    expect(await client.generate()).toMatchObject({ ok: false, receipt: { attempts: [{}, { httpStatus: 500 }] } })
    expect(rolesOf(client.msg.getMessages())).toEqual(["user", "assistant", "tool"])
    expect(await client.generate()).toMatchObject({ ok: true, finishReason: "stop" })
    expect(runs).toBe(1)
  })

  test("and retries, repairs and fallbacks belong to their step", async () => {
    const client = open(
      { tools: { weather }, maxSteps: 3 },
      { answerModel: Person, fallbacks: ["openai/gpt-4.1-nano"], retries: 1 },
    )
    provider.faults.next({ status: 500 })
    provider.faults.next(calls(call("weather", { city: "Rome" })))
    provider.faults.next({ wrongShape: true })
    const result = await client.generate()
    expect(result).toMatchObject({ ok: true, finishReason: "stop", answer: { name: expect.any(String) } })
    expect(result.receipt.attempts.map(({ step, reason, status }) => `${step} ${reason} ${status}`)).toEqual([
      "1 first failed",
      "1 retry succeeded",
      "2 tools failed",
      // The local provider calls a tool until the last message is a result.
      "2 repair succeeded",
      "3 tools succeeded",
    ])
  })

  test("and two concurrent calls keep their turns apart", async () => {
    const client = open({ tools: { weather }, maxSteps: 2 })
    const one = client.generate()
    client.msg.addMessageUser("And tomorrow?")
    await Promise.all([one, client.generate()])
    const roles = rolesOf(client.msg.getMessages())
    expect(roles).toEqual(["user", "assistant", "tool", "assistant", "user", "assistant", "tool", "assistant"])
    expect(await client.generate()).toMatchObject({ ok: true })
    expect(client.msg.getFormattedPrompt()).toContain("[call weather")
    expect(client.msg.clear().getMessages()).toEqual([])
  })
})

describe("with an answer schema", () => {
  test.each(["json_schema", "tool", "json_object", "prompt"] as const)("in the mode %s", async (mode) => {
    const client = open(
      { tools: { weather }, maxSteps: 3, providers: [{ name: "openai", modes: [mode] }] },
      { answerModel: Person },
    )
    const result = await client.generate()
    if (!result.ok) throw result.error
    expect(result).toMatchObject({
      finishReason: "stop",
      answer: { name: expect.any(String), age: expect.any(Number) },
    })
    expect(result.toolResults).toMatchObject([{ status: "succeeded", name: "weather" }])
    expect(result.receipt.attempts.map((each) => each.mode)).toEqual([mode, mode])
    expectExact(result.receipt)
  })

  test("an answer that is called together with a tool waits for the tool", async () => {
    const client = open(
      { tools: { weather }, maxSteps: 3, providers: [{ name: "openai", modes: ["tool"] }] },
      { answerModel: Person },
    )
    provider.faults.next(
      calls(call("answer", { name: "Ada", age: 3, interests: [] }), call("weather", { city: "Rome" })),
    )
    expect(await client.generate()).toMatchObject({
      ok: true,
      finishReason: "stop",
      toolResults: [{ name: "weather" }],
    })
    expect(sent(1)[1]!.tool_calls).toHaveLength(1)
  })
})

describe("the choice of a tool", () => {
  const choices = () => provider.received.map(({ body }) => body.tool_choice)

  test("applies to the first step, so that the model can answer", async () => {
    for (const toolChoice of ["required", { tool: "weather" }] as const) {
      provider.received.length = 0
      const result = await open({ tools: { weather }, toolChoice, maxSteps: 4 }).generate()
      expect(result).toMatchObject({ ok: true, finishReason: "stop" })
      const first = toolChoice === "required" ? "required" : { type: "function", function: { name: "weather" } }
      expect(choices()).toEqual([first, undefined])
    }
  })

  test("`none` applies to every step", async () => {
    expect(await open({ tools: { weather }, toolChoice: "none" }).generate()).toMatchObject({ finishReason: "stop" })
    expect(choices()).toEqual(["none"])
  })

  test("in the mode `tool`, the answer is one of the tools that must be called", async () => {
    const providers = [{ name: "openai", modes: ["tool" as const] }]
    const names = () =>
      provider.received.map(({ body }) =>
        (body.tools as { function: { name: string } }[]).map((each) => each.function.name),
      )
    await open({ tools: { weather }, maxSteps: 3, providers }, { answerModel: Person }).generate()
    expect(choices()).toEqual(["required", "required"])
    expect(names()).toEqual([
      ["weather", "answer"],
      ["weather", "answer"],
    ])
    provider.received.length = 0
    await open(
      { tools: { weather }, toolChoice: "required", maxSteps: 3, providers },
      { answerModel: Person },
    ).generate()
    expect(names()).toEqual([["weather"], ["weather", "answer"]])
    provider.received.length = 0
    await open({ tools: { weather }, toolChoice: "none", providers }, { answerModel: Person }).generate()
    expect(choices()).toEqual([{ type: "function", function: { name: "answer" } }])
  })
})

describe("tokens of tools", () => {
  test.each(["json_schema", "tool"] as const)("are counted as the provider counts them (%s)", async (mode) => {
    const providers = [{ name: "openai", modes: [mode] }]
    const client = open({ tools: { weather }, maxSteps: 2, providers }, { answerModel: Person })
    const counted = client.countTokens()
    expect(counted).toBeGreaterThan(open({ tools: { weather } }).countTokens())
    const { receipt } = await client.generate()
    expect(receipt.attempts[0]!.usage!.inputTokens).toBe(counted)
    expect(receipt.attempts[1]!.usage!.inputTokens).toBeGreaterThan(counted)
  })

  test.each([
    ["openai/gpt-4o-mini", "baseURL"],
    ["openrouter/anthropic/claude-sonnet-4.5", "openRouterBaseURL"],
    ["openrouter/google/gemini-2.5-flash", "openRouterBaseURL"],
  ] as const)("and bounded: every step covers what a provider with other rules bills (%s)", async (model, address) => {
    const other = await startLocalProvider({ ownRules: true })
    const fields = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`größe${index}`, z.string().describe("ß")]),
    )
    const long = tool({
      description: "Wörter ".repeat(200),
      parameters: z.object(fields),
      execute: () => "ß".repeat(3_000),
    })
    const tools: ToolSet = { long, weather, "a-b_c": tool({ description: '{}[]"\\' }) }
    for (const answerModel of [undefined, Person]) {
      const request = { model, maxTokens: 2_000, answerModel } as object
      const { receipt } = await open({ tools, maxSteps: 3, baseURL: other[address] }, request).generate()
      expect(receipt.attempts.length).toBeGreaterThan(1)
      for (const attempt of receipt.attempts) {
        const billed = other.ledger.calls.find(({ clientRequestId }) => clientRequestId === attempt.id)
        expect(billed!.nanoUsd).toBeLessThanOrEqual(attempt.reservedNanoUsd)
      }
    }
    await other.close()
  })
})

describe("one budget for all steps", () => {
  test("a step that `maxBudget` does not cover is denied, with the receipt of the steps before", async () => {
    provider.faults.always(calls(call("weather", { city: "Rome" })))
    const client = open({ tools: { weather }, maxSteps: 50 }, { maxBudget: "0.001", maxTokens: 500 })
    const result = await client.generate()
    expect(result).toMatchObject({ ok: false, error: { code: "budget-exceeded", scope: "request" } })
    expect(result.receipt.attempts.length).toBeGreaterThan(3)
    expect(result.receipt.costNanoUsd).toBeLessThanOrEqual(1_000_000)
    expectExact(result.receipt)
  })

  test("the total deadline covers steps and tools", async () => {
    const slow = tool({ execute: () => new Promise((resolve) => setTimeout(resolve, 10_000)) })
    const client = open({ tools: { slow }, maxSteps: 3 }, { timeoutMs: 1_000 })
    const result = await client.generate()
    expect(result).toMatchObject({ ok: false, error: { code: "deadline-exceeded", deadline: "total" } })
    expect(result.receipt.toolCalls).toMatchObject([{ status: "failed", errorCode: "deadline-exceeded" }])
    expect(rolesOf(client.msg.getMessages())).toEqual(["user"])
    await client.close()
  })

  test("an abort during a tool ends the call, and the tool sees it", async () => {
    const controller = new AbortController()
    let wasAborted = false
    const waits = tool({
      cost: "0.01",
      execute: (_input, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            wasAborted = true
            reject(new Error("Stopped."))
          })
          controller.abort()
        }),
    })
    const client = open({ tools: { waits }, maxSteps: 3 }, { maxBudget: 1 })
    const result = await client.generate({ signal: controller.signal })
    expect(wasAborted).toBe(true)
    expect(result).toMatchObject({ ok: false, error: { code: "aborted" } })
    expect(result.receipt.toolCalls).toMatchObject([{ status: "failed", errorCode: "aborted", inDoubt: true }])
    expectExact(result.receipt, 10_000_000)
  })
})

describe("a paid tool", () => {
  const search = (cost: NonNullable<Parameters<typeof tool>[0]["cost"]>, execute = () => "result") =>
    tool({ execute, cost: cost as "0" })
  const spent = async (client: LLMClient<string, ToolSet>) => (await client.getBudgetInfo()).scopes[0]!.spentNanoUsd

  test("with a fixed cost is reserved and settled in every scope, and is in the ledger", async () => {
    const client = open<ToolSet>({ tools: { search: search("0.005") }, maxSteps: 3 }, { userId: "ada", userBudget: 1 })
    const result = await client.generate()
    if (!result.ok) throw result.error
    const { receipt } = result
    const [paid] = receipt.toolCalls
    expect(paid).toMatchObject({
      id: `${receipt.requestId}.1.1`,
      status: "succeeded",
      costNanoUsd: 5_000_000,
      costSource: "custom",
      reservedNanoUsd: 5_000_000,
      inDoubt: false,
      settlement: "settled",
    })
    expectExact(receipt, 5_000_000)
    expect(await spent(client)).toBe(receipt.costNanoUsd)
    const details = await client.usageTracker.getRequestDetails(receipt.requestId)
    expect(details).toMatchObject({
      status: "succeeded",
      model: "openai/gpt-4o-mini",
      costNanoUsd: receipt.costNanoUsd,
    })
    expect(details!.attempts.map(({ model, status }) => [model, status])).toEqual([
      ["openai/gpt-4o-mini", "succeeded"],
      ["tool/search", "succeeded"],
      ["openai/gpt-4o-mini", "succeeded"],
    ])
  })

  test("with an actual cost pays that, and releases the rest of its maximum", async () => {
    const paged = tool({
      parameters: z.object({ pages: z.number() }),
      execute: ({ pages }) => ({ pages }),
      cost: { max: "0.05", actual: (output, input) => (output.pages + input.pages) * 0.001 },
    })
    const client = open({ tools: { paged }, maxSteps: 3 }, { userId: "ada", userBudget: 1 })
    provider.faults.next(calls(call("paged", { pages: 2 }), call("paged", { pages: 3 })))
    const { receipt } = await client.generate()
    expect(receipt.toolCalls).toMatchObject([
      { costNanoUsd: 4_000_000, reservedNanoUsd: 50_000_000 },
      { costNanoUsd: 6_000_000, reservedNanoUsd: 50_000_000 },
    ])
    expectExact(receipt, 10_000_000)
  })

  test("that costs more than its maximum is charged in full", async () => {
    const client = open<ToolSet>(
      { tools: { search: search({ max: "0.01", actual: () => "0.02" }) }, maxSteps: 3 },
      { userId: "ada", userBudget: 1 },
    )
    const { receipt } = await client.generate()
    expect(receipt.toolCalls).toMatchObject([{ costNanoUsd: 20_000_000, reservedNanoUsd: 10_000_000 }])
    expect(await spent(client)).toBe(receipt.costNanoUsd)
  })

  test("that throws, or whose `actual` throws, is charged its maximum, in doubt", async () => {
    const throws = () => {
      throw new Error("Broken.")
    }
    for (const paid of [
      search("0.01", throws),
      search({ max: "0.01", actual: throws }),
      search({ max: "0.01", actual: () => Number.NaN }),
    ]) {
      provider.ledger.clear()
      const { receipt } = await open<ToolSet>({ tools: { paid }, maxSteps: 2 }).generate()
      expect(receipt.toolCalls).toMatchObject([{ costNanoUsd: 10_000_000, costSource: "bound", inDoubt: true }])
      expect(receipt.toolCalls[0]!.errorCode).toMatch(/^tool(-cost)?-failed$/)
      expect(receipt).toMatchObject({ costSource: "bound", inDoubtNanoUsd: 10_000_000 })
      expectExact(receipt, 10_000_000)
    }
  })

  test("that the budget does not cover is not run, and the model is informed", async () => {
    let runs = 0
    const paid = search("0.40", () => String(++runs))
    const client = open<ToolSet>({ tools: { paid }, maxSteps: 2 }, { maxBudget: "0.50" })
    provider.faults.next(calls(call("paid", {}), call("paid", {})))
    const result = await client.generate()
    if (!result.ok) throw result.error
    expect(runs).toBe(1)
    expect(result.toolResults).toMatchObject([
      { status: "succeeded" },
      { status: "denied", error: { code: "budget-exceeded", scope: "request", requested: 0.4 } },
    ])
    expect(results(1)[1]!.content).toBe("Error: This tool was not run, because the budget does not cover its cost.")
    expectExact(result.receipt, 400_000_000)
    const limited = open<ToolSet>({ tools: { paid }, maxSteps: 2 }, { userId: "ada", userBudget: "0.30" })
    const denied = await limited.generate()
    if (!denied.ok) throw denied.error
    expect(denied.toolResults).toMatchObject([{ status: "denied", error: { scope: "user" } }])
    expect(runs).toBe(1)
  })

  test("waits for budget that others have reserved, with `wait`", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
    const other = await budget.reserve({ amount: "0.9" })
    if (!other.ok) throw other.error
    const runs: string[] = []
    const waiting = tool({ cost: "0.5", execute: () => runs.push("run") })
    const client = open<ToolSet>({
      tools: { waiting },
      maxSteps: 2,
      store: undefined,
      budget,
      wait: { timeoutMs: 5_000 },
    })
    const result = client.generate()
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(runs).toEqual([])
    await other.reservation.release()
    expect(await result).toMatchObject({ ok: true, toolResults: [{ status: "succeeded" }] })
  })

  test("is not run when the store fails", async () => {
    let runs = 0
    const inner = memoryStore()
    const store = overrideStore(inner, {
      reserve: async (request) => {
        if (request.key.split(".").length === 3) throw new Error("The store is down.")
        return inner.reserve(request)
      },
    })
    const client = open<ToolSet>(
      { tools: { paid: search("0.01", () => String(++runs)) }, maxSteps: 2, store },
      { userId: "ada", userBudget: 1 },
    )
    const result = await client.generate()
    expect(result).toMatchObject({ ok: false, error: { code: "store-unavailable" } })
    expect(result.receipt.toolCalls).toMatchObject([{ status: "released", costNanoUsd: 0 }])
    expect(runs).toBe(0)
  })
})

describe("a stream with tools", () => {
  test.each([false, true])("yields the text of the answer, and never arguments (schema: %s)", async (structured) => {
    const client = open(
      { tools: { weather }, maxSteps: 3, providers: [{ name: "openai", modes: ["tool"] }] },
      structured ? ({ answerModel: Person } as object) : {},
    )
    const stream = client.stream()
    const partials: string[] = []
    for await (const partial of stream) partials.push(JSON.stringify(partial))
    const result = await stream.result
    expect(result).toMatchObject({ finishReason: "stop", toolResults: [{ name: "weather" }] })
    expect(partials.length).toBeGreaterThan(0)
    expect(partials.filter((partial) => /city/.test(partial))).toEqual([])
    expectExact(result.receipt)
  })

  test("resolves with the calls that were not run", async () => {
    const stream = open({ tools: { weather } }).stream()
    for await (const _ of stream);
    expect(await stream.result).toMatchObject({ finishReason: "tool-calls", toolCalls: [{ name: "weather" }] })
  })
})

test("each tool call is logged, without its arguments and its result", async () => {
  const logged: unknown[] = []
  const log = (message: string, fields: unknown) => void logged.push(message, fields)
  const paid = tool({ parameters: City, execute: ({ city }) => `secret of ${city}`, cost: "0.01" })
  provider.faults.next(calls(call("paid", { city: "Rome" }), call("paid", { city: 3 })))
  await open({ tools: { paid }, maxSteps: 2, logger: { debug: log, warn: log } }).generate()
  const messages = logged.filter((each) => typeof each === "string")
  expect(messages).toEqual([
    "p2: attempt succeeded",
    "p2: tool call succeeded",
    "p2: tool call invalid",
    "p2: attempt succeeded",
  ])
  expect(logged).toContainEqual(expect.objectContaining({ name: "paid", status: "succeeded", costNanoUsd: 10_000_000 }))
  expect(JSON.stringify(logged)).not.toMatch(/Rome|secret/)
})

test("the record of a request that ended with paid tools is that of its attempt", async () => {
  const ask = tool({ description: "Asks the user" })
  const search = tool({ execute: () => "result", cost: "0.01" })
  const client = open({ tools: { search, ask }, maxSteps: 3 })
  provider.faults.next(calls(call("search", {}), call("ask", {})))
  const { receipt } = await client.generate()
  expect(receipt.toolCalls).toMatchObject([{ costNanoUsd: 10_000_000 }])
  const details = await client.usageTracker.getRequestDetails(receipt.requestId)
  expect(details).toMatchObject({ model: "openai/gpt-4o-mini", status: "succeeded", costNanoUsd: receipt.costNanoUsd })
})

test("a truncated call is not run", async () => {
  let runs = 0
  const count = tool({ parameters: City, execute: () => ++runs })
  provider.faults.next({ ...calls(call("count", { city: "Rome" })), finishReason: "length" })
  const result = await open({ tools: { count }, maxSteps: 3 }, { maxTokens: 100 }).generate()
  expect(result).toMatchObject({ ok: false, error: { code: "answer-truncated" } })
  expect(runs).toBe(0)
})

test("statistics count a request with steps once", async () => {
  const client = open({ tools: { weather }, maxSteps: 3 }, { userId: "ada" })
  await client.generate()
  provider.faults.next({ status: 400 })
  client.msg.addMessageUser("And now?")
  await client.generate()
  expect(await client.usageTracker.getUsageStats()).toMatchObject({
    totalRequests: 2,
    successfulRequests: 1,
    failedRequests: 1,
    attempts: 3,
  })
})

test("invalid tools are usage errors, before anything is sent", () => {
  const execute = () => 1
  const rejected: [LLMClientOptions<ToolSet>, string][] = [
    [{ tools: [] as never }, "Invalid `options.tools`: expected an object"],
    [{ tools: {} }, "Invalid `options.tools`: expected 1 to 128 tools"],
    [{ tools: { "the weather": {} } }, "Invalid `options.tools`: expected names of 1 to 64 letters"],
    [{ tools: { a: { run: execute } as never } }, "Unknown option `options.tools.a.run`. Did you mean `execute`?"],
    [{ tools: { a: { inputSchema: City } as never } }, "Did you mean `parameters`?"],
    [{ tools: { a: { parameters: { city: "string" } as never } } }, "Invalid `options.tools.a.parameters`: expected"],
    [{ tools: { a: { execute: "no" as never } } }, "Invalid `options.tools.a.execute`: expected a function"],
    [{ tools: { a: { execute, cost: "much" } } }, "Invalid `options.tools.a.cost`: expected a dollar amount"],
    [{ tools: { a: { execute, cost: -1 } } }, "Invalid `options.tools.a.cost`: expected a dollar amount"],
    [{ tools: { a: { execute, cost: { max: 1 } as never } } }, "Invalid `options.tools.a.cost.actual`"],
    [{ tools: { a: { execute, cost: { maximum: 1 } as never } } }, "Unknown option `options.tools.a.cost.maximum`"],
    [{ tools: { a: { cost: 1 } } }, "Invalid `options.tools.a.cost`: expected absent without `execute`"],
    [{ tools: { a: { maxResultLength: 0 } } }, "Invalid `options.tools.a.maxResultLength`"],
    [{ tools: { weather }, maxSteps: 0 }, "Invalid `options.maxSteps`: expected an integer from 1 to 100"],
    [
      { tools: { weather }, toolChoice: { tool: "time" } },
      "Invalid `options.toolChoice.tool`: expected one of weather",
    ],
    [{ tools: { weather }, toolChoice: "any" as never }, "Invalid `options.toolChoice`"],
    [{ maxSteps: 3 }, "Invalid `options.maxSteps`: expected absent without `tools`"],
  ]
  for (const [options, message] of rejected) expect(() => open(options), message).toThrow(message)
  const answer = Person.meta({ title: "weather" })
  expect(() => open({ tools: { weather } }, { answerModel: answer as never })).toThrow(
    "because the schema of the answer",
  )
  expect(() => new LLMClient({ model: "openai/gpt-4o-mini", tools: { weather } } as never)).toThrow(
    "Unknown option `tools`. `tools` belongs in the second argument: new LLMClient(request, { tools })",
  )
})
