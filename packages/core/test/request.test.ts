import { describe, expect, it } from "vitest"
import { z } from "zod"
import * as mini from "zod/mini"
import { InvalidRequestError, LLMRequest, type Message, Request, type RequestOptions } from "../src/index"

function issuesOf(options: unknown): Record<string, string | undefined> {
  try {
    new Request(options as RequestOptions)
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidRequestError)
    const { issues, code, kind } = error as InvalidRequestError
    expect({ code, kind }).toEqual({ code: "invalid-request", kind: "usage" })
    return Object.fromEntries(issues.map(({ path, message }) => [path, message.split(", got ")[1]]))
  }
  return {}
}

describe("Request", () => {
  it("has defaults", () => {
    const request = new Request({ model: "gpt-4o-mini" })
    expect({ ...request }).toEqual({
      model: "gpt-4o-mini",
      messages: [],
      tags: {},
      fallbacks: [],
      onTruncated: "return",
      extraBody: {},
      extraHeaders: {},
      online: false,
      cachePrompt: false,
      serviceTier: "default",
      stream: false,
      timeoutMs: 120_000,
      retries: 2,
      repairs: 1,
      verbose: false,
      options: { model: "gpt-4o-mini" },
    })
    expect(LLMRequest).toBe(Request)
  })

  it("lists thirty invalid fields and counts the rest", () => {
    const messages = (count: number) => Array.from({ length: count }, () => ({ role: "robot" })) as never
    const rejection = (options: object): InvalidRequestError => {
      try {
        new Request({ model: "m", ...options })
      } catch (error) {
        return error as InvalidRequestError
      }
      throw new Error("The request was accepted.")
    }
    expect(rejection({ messages: messages(30) }).message.split("\n")).toHaveLength(31)
    const error = rejection({ messages: messages(10_000) })
    expect(error.message.split("\n")).toHaveLength(32)
    expect(error.message).toMatch(
      /^The request has 10000 invalid fields:\n- messages\[0\].role: [\s\S]*\n- and 9970 more$/,
    )
    expect(error.issues).toHaveLength(30)
    expect(rejection({ ["x".repeat(1_000_000)]: 1 }).message.length).toBeLessThan(500)
  })

  it("normalizes money, budgets and stops", () => {
    const request = new Request({
      model: "openrouter/openai/gpt-4o-mini",
      maxBudget: 0.1,
      userId: "u",
      userBudget: { limit: "1.50", per: "day", timeZone: "Europe/Paris" },
      clientId: "c",
      clientBudget: 5,
      stop: "END",
    })
    expect(request.maxBudgetNanoUsd).toBe(100_000_000)
    expect(request.userBudget).toEqual({ limitNanoUsd: 1_500_000_000, per: "day", timeZone: "Europe/Paris" })
    expect(request.clientBudget).toEqual({ limitNanoUsd: 5_000_000_000, per: "total", timeZone: "UTC" })
    expect(request.stop).toEqual(["END"])
    expect(new Request({ model: "m", userId: "u", userBudget: { limit: 1, per: "90m" } }).userBudget?.per).toBe("90m")
    expect(new Request({ model: "m", maxBudget: 0 }).maxBudgetNanoUsd).toBe(0)
  })

  it("lists every invalid field at once", () => {
    const found = issuesOf({
      model: "",
      answerModel: { _def: {} },
      messages: [{ role: "user", content: 1 }],
      temperature: 3,
      topP: -0.1,
      frequencyPenalty: 2.5,
      presencePenalty: Number.NaN,
      seed: 1.5,
      stop: ["a", ""],
      maxTokens: 0,
      maxBudget: -1,
      userBudget: { limit: Number.POSITIVE_INFINITY, per: "fortnight", timeZone: "Mars/Olympus", x: 1 },
      clientId: "",
      clientBudget: "five",
      tags: { "a b": "x", team: 5 },
      fallbacks: ["gpt-4o", "//"],
      online: 1,
      serviceTier: "",
      timeoutMs: 0,
      retries: 11,
      repairs: -1,
      metadata: { big: 1n },
      verbose: "yes",
      max_budget: 5,
    })
    expect(Object.keys(found)).toEqual([
      "model",
      "answerModel",
      "messages[0].content",
      "temperature",
      "topP",
      "frequencyPenalty",
      "presencePenalty",
      "seed",
      "stop[1]",
      "maxTokens",
      "maxBudget",
      "userBudget.limit",
      "userBudget.per",
      "userBudget.timeZone",
      "userBudget.x",
      "clientId",
      "clientBudget",
      "tags.a b",
      "tags.team",
      "fallbacks[1]",
      "online",
      "serviceTier",
      "timeoutMs",
      "retries",
      "repairs",
      "metadata",
      "verbose",
      "max_budget",
      "userId",
    ])
  })

  it("does not show the value of an unknown option, which may be a key", () => {
    expect(() => new Request({ model: "m", apiKey: "sk-0123" } as never)).toThrow("apiKey: unknown option.")
  })

  it("states what was expected, what was received and what to do", () => {
    expect(() => new Request({ model: "m", max_budget: 5, temperature: "hot" } as never)).toThrow(
      [
        "The request has 2 invalid fields:",
        "- max_budget: unknown option. Did you mean `maxBudget`?",
        '- temperature: expected a number from 0 to 2, got "hot"',
      ].join("\n"),
    )
    expect(() => new Request({ model: "m", userBudget: 5 })).toThrow(
      /userId: expected an id, because `userBudget` is set/,
    )
    expect(() => new Request({ model: "m", answerModel: { _def: {} } as never })).toThrow(/this is a Zod 3 schema/)
    expect(Object.keys(issuesOf(undefined))).toEqual(["options"])
    expect(Object.keys(issuesOf({}))).toEqual(["model"])
    expect(Object.keys(issuesOf({ model: null, toString: 1 }))).toEqual(["model", "toString"])
  })

  it.each([
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -0.01,
    "-1",
    "1e400",
    "",
    "abc",
    null,
    {},
    [],
    true,
    1e10,
    "0.0000000001",
  ])("rejects the budget %j", (maxBudget) => {
    expect(Object.keys(issuesOf({ model: "m", maxBudget }))).toEqual(["maxBudget"])
  })

  it("treats an option that is null as absent, except a budget", () => {
    const options = { model: "m", temperature: null, stop: null, fallbacks: null, tags: null, timeoutMs: null }
    const request = new Request(options)
    expect(request).toMatchObject({ fallbacks: [], tags: {}, timeoutMs: 120_000 })
    expect(request.options).toEqual({ model: "m" })
    expect(request.with({ temperature: 1 }).with({ temperature: null }).temperature).toBeUndefined()
    const budgets = { maxBudget: null, userBudget: null, clientBudget: null }
    expect(Object.keys(issuesOf({ model: "m", userId: "u", clientId: "c", ...budgets }))).toEqual([
      "maxBudget",
      "userBudget",
      "clientBudget",
    ])
  })

  it("checks the options of a chat and those that are passed through", () => {
    const options = {
      model: "m",
      system: "You are terse.",
      history: { maxTokens: 8000 },
      onTruncated: "error" as const,
      reasoningEffort: "low" as const,
      verbosity: "high" as const,
      extraBody: { top_k: 40, provider: { order: ["a"] } },
      extraHeaders: { "X-Title": "My app" },
      extraCost: "0.01",
    }
    const { extraCost: _, ...fields } = options
    expect(new Request(options)).toMatchObject({ ...fields, extraCostNanoUsd: 10_000_000 })
    expect(new Request({ model: "m" })).toMatchObject({ onTruncated: "return", extraBody: {}, extraHeaders: {} })
    expect(Object.isFrozen(new Request(options).extraBody.provider)).toBe(true)
    const invalid = {
      model: "m",
      system: 5,
      history: { maxTokens: 0, max: 5 },
      onTruncated: "throw",
      reasoningEffort: "huge",
      verbosity: "long",
      extraBody: { stream: true, n: 2, top_k: 5 },
      extraHeaders: { Authorization: "Bearer sk-secret", "X-A": "a\nb", "a b": "c" },
      extraCost: null,
    }
    expect(Object.keys(issuesOf(invalid))).toEqual([
      "system",
      "history.maxTokens",
      "history.max",
      "onTruncated",
      "reasoningEffort",
      "verbosity",
      "extraBody.stream",
      "extraBody.n",
      "extraHeaders.Authorization",
      "extraHeaders.X-A",
      "extraHeaders.…",
      "extraCost",
    ])
    expect(() => new Request(invalid as never)).toThrow(/Authorization: is set by the option `apiKey`/)
    expect(() => new Request(invalid as never)).not.toThrow(/sk-secret/)
    expect(() => new Request({ model: "m", serviceTier: "batch" })).toThrow(
      "serviceTier: expected the tier of a single call",
    )
    const tags = { ["sk-secret0123".repeat(9)]: "x", "sk-secret": 5 }
    expect(() => new Request({ model: "m", tags } as never)).toThrow(/tags\.…/)
    expect(() => new Request({ model: "m", tags } as never)).not.toThrow(/sk-secret/)
    for (const extraBody of [[], "a", { a: 5n }])
      expect(Object.keys(issuesOf({ model: "m", extraBody }))).toEqual(["extraBody"])
  })

  it("accepts every message of the official SDK", () => {
    const messages = [
      { role: "assistant" as const, content: null, refusal: null, tool_calls: null, function_call: null, audio: null },
      {
        role: "assistant" as const,
        tool_calls: [{ id: "1", type: "custom", custom: { name: "sql", input: "SELECT 1" } }],
      },
      { role: "function" as const, name: "f", content: null },
    ]
    expect(issuesOf({ model: "m", messages })).toEqual({})
    expect(Object.keys(issuesOf({ model: "m", messages: [{ role: "function", content: 5 }] }))).toEqual([
      "messages[0].name",
      "messages[0].content",
    ])
    const calls = [{ id: "1", type: "custom", function: { name: "f", arguments: "" } }]
    expect(Object.keys(issuesOf({ model: "m", messages: [{ role: "assistant", tool_calls: calls }] }))).toEqual([
      "messages[0].tool_calls[0].custom.name",
      "messages[0].tool_calls[0].custom.input",
    ])
  })

  it("rejects a time zone without a calendar period", () => {
    const budget = (per?: "day" | "total" | "1h") =>
      issuesOf({ model: "m", userId: "u", userBudget: { limit: 1, per, timeZone: "Europe/Paris" } })
    expect(budget("day")).toEqual({})
    for (const per of ["1h", "total", undefined] as const)
      expect(budget(per)).toEqual({ "userBudget.timeZone": '"Europe/Paris"' })
  })

  it("names the invalid field of a message", () => {
    const parts = [
      { type: "text" },
      { type: "image_url", image_url: null },
      { type: "input_audio", input_audio: {} },
      { type: "toString" },
      { type: "file", file: { file_id: "f" } },
    ]
    const calls = [{ id: "1", function: { name: "f", arguments: {} } }, null]
    const messages = [
      { role: "user", content: parts },
      { role: "assistant", tool_calls: calls },
    ]
    expect(Object.keys(issuesOf({ model: "m", messages }))).toEqual([
      "messages[0].content[0].text",
      "messages[0].content[1].image_url.url",
      "messages[0].content[2].input_audio.data",
      "messages[0].content[3].type",
      "messages[1].tool_calls[0].function.arguments",
      "messages[1].tool_calls[1].id",
      "messages[1].tool_calls[1].function.name",
      "messages[1].tool_calls[1].function.arguments",
    ])
  })

  it("accepts schemas of zod and zod/mini, and undefined for every option", () => {
    expect(new Request({ model: "m", answerModel: mini.object({ a: mini.string() }) }).answerModel).toBeDefined()
    const names = ["answerModel", "messages", "temperature", "maxBudget", "userBudget", "tags", "verbose"]
    const options = Object.fromEntries(names.map((name) => [name, undefined]))
    expect(new Request({ model: "m", ...options }).retries).toBe(2)
  })

  it("is deeply frozen, and shares no data with its options", () => {
    const messages: Message[] = [{ role: "user", content: [{ type: "text", text: "a" }] }]
    const tags = { team: "x" }
    const metadata = { at: new Date(0), deep: { list: [1] } }
    const request = new Request({ model: "m", messages, tags, metadata })
    messages[0]!.content = "changed"
    tags.team = "changed"
    metadata.deep.list.push(2)
    expect(request.messages).toEqual([{ role: "user", content: [{ type: "text", text: "a" }] }])
    expect(request.tags).toEqual({ team: "x" })
    expect(request.metadata).toEqual({ at: "1970-01-01T00:00:00.000Z", deep: { list: [1] } })
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return
      expect(Object.isFrozen(value)).toBe(true)
      Object.values(value).forEach(visit)
    }
    visit(request)
    expect(() => Object.assign(request, { model: "other" })).toThrow(TypeError)
  })

  it("rejects cycles", () => {
    const cycle: Record<string, unknown> = { role: "user", content: "a" }
    cycle.self = [cycle, cycle]
    expect(Object.keys(issuesOf({ model: "m", messages: [cycle] }))).toEqual(["messages"])
    expect(Object.keys(issuesOf({ model: "m", metadata: cycle }))).toEqual(["metadata"])
  })

  it("makes a changed request with `with`", () => {
    const schema = z.object({ name: z.string() })
    const request = new Request({ model: "m", maxBudget: "0.05", userId: "u", userBudget: 1 })
    const typed = request.with({ answerModel: schema, maxBudget: undefined, temperature: 0 })
    expect(typed.answerModel).toBe(schema)
    expect(typed.maxBudgetNanoUsd).toBeUndefined()
    expect(typed.userBudget).toEqual(request.userBudget)
    expect(request.maxBudgetNanoUsd).toBe(50_000_000)
    expect(() => request.with({ userId: undefined })).toThrow(InvalidRequestError)
  })

  it("is created from options or from a request of any copy of the package", () => {
    const request = new Request({ model: "m" })
    expect(Request.from(request)).toBe(request)
    expect(Request.from({ model: "m" })).toBeInstanceOf(Request)
    const foreign = { model: "m", [Symbol.for("@p2/request")]: true }
    expect(Request.from(foreign)).toBe(foreign)
    expect(Request.isInstance(foreign)).toBe(true)
    expect([null, 1, "m", {}, []].some((value) => Request.isInstance(value))).toBe(false)
  })
})
