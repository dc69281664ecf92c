import { inspect } from "node:util"
import { createBudget, memoryStore } from "@p2/budget"
import { P2Error } from "@p2/core"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { OpenAI } from "openai"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest"
import { z } from "zod"
import { LLMClient, type LLMClientOptions } from "../src/index"
import { openClient } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  for (const name of Object.keys(process.env)) if (/_(API_KEY|BASE_URL)$/.test(name)) vi.stubEnv(name, undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
  // No usage error may come after a call was sent.
  expect(provider.received).toHaveLength(0)
})
afterAll(() => provider.close())

async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run()
  } catch (error) {
    expect(P2Error.isInstance(error)).toBe(true)
    expect((error as Error).message.length).toBeGreaterThan(20)
    return (error as P2Error).code
  }
  return "none"
}

test("an empty conversation is a usage error; it has 0 tokens", async () => {
  const client = openClient(provider)
  client.msg.clear()
  expect(await codeOf(() => client.generate())).toBe("no-messages")
  expect(await codeOf(() => client.generateResponse())).toBe("no-messages")
  expect(client.countTokens()).toBe(0)
})

test("an unknown model names the nearest ids, also as a fallback", async () => {
  const make = () => new LLMClient({ model: "openai/gpt-4o-minni" }, { apiKey: "k" })
  expect(await codeOf(make)).toBe("unknown-model")
  expect(make).toThrow(/gpt-4o-mini/)
  expect(await codeOf(() => openClient(provider, { fallbacks: ["openai/none-such"] }))).toBe("unknown-model")
})

test.each([
  { maxBudget: -1 },
  { maxBudget: Number.NaN },
  { maxBudget: Number.POSITIVE_INFINITY },
  { userBudget: 5 },
  { maxTokens: 0 },
])("%o is an invalid request", async (wrong) => {
  expect(await codeOf(() => openClient(provider, wrong))).toBe("invalid-request")
})

test("an answer model without a JSON Schema is rejected", async () => {
  expect(await codeOf(() => openClient(provider, { answerModel: z.object({ at: z.custom<URL>() }) }))).toBe(
    "unsupported-schema",
  )
})

test("a missing key names its variable; counting tokens needs no key", async () => {
  const client = new LLMClient({ model: "anthropic/claude-sonnet-4-5" })
  client.msg.addMessageUser("Hello")
  expect(client.countTokens()).toBeGreaterThan(0)
  expect(await codeOf(() => client.generate())).toBe("missing-key")
  await expect(client.generate()).rejects.toThrow(
    "No API key for anthropic. Set ANTHROPIC_API_KEY, or pass `apiKey` or `openai`.",
  )
})

test("a fallback's missing key is a usage error before the first call, with the remedy that helps", async () => {
  const client = openClient(provider, { fallbacks: ["groq/llama-3.3-70b-versatile"] })
  const error = await client.generate().catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: "missing-key", provider: "groq", variable: "GROQ_API_KEY" })
  // `apiKey` and `openai` are for the request's own provider, so they would not help.
  expect((error as Error).message).toBe(
    'No API key for groq, which the fallback "groq/llama-3.3-70b-versatile" needs. Set GROQ_API_KEY, or pass `apiKeys: { groq: … }`.',
  )
})

test("a missing base URL names its variable", async () => {
  const client = openClient(provider, { model: "azure/gpt-4o-mini" }, { baseURL: undefined })
  await expect(client.generate()).rejects.toThrow(
    "No base URL for azure. Set AZURE_BASE_URL, or pass `baseURL` or `openai`.",
  )
})

test("a fallback whose cost has no upper bound is a usage error before the first call", async () => {
  const model = "openrouter/openai/gpt-4o-mini"
  const client = openClient(provider, { model, fallbacks: [`${model}:nitro`] }, { baseURL: provider.openRouterBaseURL })
  await expect(client.generate()).rejects.toMatchObject({ code: "unbounded-cost", kind: "usage" })
  expect(() => client.stream()).toThrow(expect.objectContaining({ code: "unbounded-cost" }))
})

test("a usage error that the budget finds is thrown, not returned", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: { tag: "team" }, limit: "1.00" }] })
  const client = openClient(provider, {}, { budget })
  await expect(client.generate()).rejects.toMatchObject({ kind: "usage", receipt: { costNanoUsd: 0 } })
  await expect(client.stream().result).rejects.toMatchObject({ kind: "usage" })
})

test("an option in the wrong argument says where it belongs, in any spelling", () => {
  const model = "openai/gpt-4o-mini"
  const message = (request: object, options?: object) => {
    try {
      new LLMClient(request as never, options as never)
    } catch (error) {
      return (error as Error).message
    }
    return undefined
  }
  expect(message({ model, baseURL: "http://127.0.0.1:1/v1" })).toBe(
    "Unknown option `baseURL`. `baseURL` belongs in the second argument: new LLMClient(request, { baseURL }).",
  )
  expect(message({ model, base_url: "x" })).toContain("`baseURL` belongs in the second argument")
  expect(message({ model, apikey: "x" })).toContain("`apiKey` belongs in the second argument")
  expect(message({ model }, { maxBudget: "0.05" })).toBe(
    "Unknown option `maxBudget`. `maxBudget` belongs in the first argument: new LLMClient({ model, maxBudget }).",
  )
  expect(message({ model }, { budget: "0.05" })).toContain("is `maxBudget`, in the first argument), got a string")
  expect(message({ model }, { user_id: "u" })).toContain("`userId` belongs in the first argument")
  // An amount is not a budget from `createBudget`.
  expect(message({ model, budget: "0.05" })).toContain(
    "budget: unknown option. Did you mean `maxBudget`, for this request",
  )
  expect(message({ model, budget: { reserve() {} } })).toContain("`budget` belongs in the second argument")
  expect(message({ model }, { fetch() {} })).toContain("Pass it to the SDK: `openai: new OpenAI({ fetch })`.")
  for (const tools of [[], { weather: async () => 20 }])
    expect(message({ model }, { tools })).toContain(
      "expected an object of tools by name, such as { weather: tool({ … }) }",
    )
  expect(message({ model }, { maxRetries: 5 })).toContain("Did you mean `retries`, in the first argument")
  expect(message({ model }, { timeouts: {} })).toContain("Did you mean `deadlines`, or `timeoutMs` in the first")
  expect(message({ model }, { baseURL: `${provider.baseURL}/chat/completions` })).toContain(
    "expected an http(s) URL without a password and without the path of a call",
  )
})

test("a bare model of another provider names its prefix", () => {
  expect(() => new LLMClient({ model: "claude-sonnet-4-5" })).toThrow(
    'Invalid `model`: "claude-sonnet-4-5" is a model of anthropic. Write "anthropic/claude-sonnet-4-5", or set OPENROUTER_API_KEY.',
  )
  // The price table calls this provider google; the prefix of the client is gemini.
  expect(() => new LLMClient({ model: "gemini-2.5-flash" })).toThrow('Write "gemini/gemini-2.5-flash", or set')
  expect(() => new LLMClient({ model: "command-r-plus" })).toThrow(
    'Invalid `model`: "command-r-plus" is a model of cohere. To call it through OpenRouter, set OPENROUTER_API_KEY.',
  )
  // A gateway may serve the model.
  expect(() => new LLMClient({ model: "claude-sonnet-4-5" }, { baseURL: provider.baseURL })).not.toThrow()
})

test("a model without a known provider is shown in full, with the remedy", () => {
  const model = `some-vendor/${"long-model-name-".repeat(8)}end`
  expect(() => new LLMClient({ model })).toThrow(
    `got "${model}". To call it through OpenRouter, set OPENROUTER_API_KEY.`,
  )
  for (const [written, known] of [
    ["google/gemini-2.5-flash", "gemini/gemini-2.5-flash"],
    ["x-ai/grok-4", "xai/grok-4"],
    ["OpenAI/gpt-4o-mini", "openai/gpt-4o-mini"],
    ["Google/gemini-2.5-flash", "gemini/gemini-2.5-flash"],
  ])
    expect(() => new LLMClient({ model: written! })).toThrow(`got "${written}". Did you mean "${known}"? To call it`)
})

test("a prompt that exceeds the context window is denied with the numbers", async () => {
  const client = openClient(provider)
  client.msg.addMessageUser("word ".repeat(130_000))
  const result = await client.generate()
  expect(result).toMatchObject({
    ok: false,
    error: { code: "context-exceeded", kind: "denied", contextWindow: 128_000 },
  })
  expect(!result.ok && result.error.message).toMatch(
    /^Context window exceeded \(openai\/gpt-4o-mini\): the request has 130\d{3} input tokens, but the context window has 128000 tokens\. Shorten the messages\.$/,
  )
  expect(result.receipt).toMatchObject({ costNanoUsd: 0, attempts: [{ status: "denied", maxTokens: 4096 }] })
  // The amounts are those of the call without the limit of the context window.
  const info = await client.getBudgetInfo()
  expect(info).toMatchObject({ budgetExceeded: true, maxTokens: 4096 })
  const withoutOutput = openClient(provider, { maxTokens: 1 })
  withoutOutput.msg.addMessageUser("word ".repeat(130_000))
  expect(info.upperBoundCostNanoUsd).toBeGreaterThan((await withoutOutput.getBudgetInfo()).upperBoundCostNanoUsd)
})

test("client options of a wrong type are usage errors", async () => {
  const make = (options: object) => () => new LLMClient({ model: "openai/gpt-4o-mini" }, options)
  for (const options of [
    { baseURL: "nowhere" },
    { apiKey: " " },
    { openai: {} },
    { deadlines: { idleMs: 0 } },
    { deadlines: 5 },
    { recordContent: "no" },
    { prices: { "openai/gpt-4o-mini": { input: "1", output: "1" } } },
    { deadlines: null },
    { providers: {} },
    { store: "mysql://root:secret@host" },
    { logger: "console" },
    { logger: { warn: true } },
    { clock: {} },
    { clock: { now: Date.now, random: Math.random } },
    { openai: { chat: { completions: { create: () => {} } }, baseURL: "nowhere" } },
    { openai: { chat: { completions: { create: () => {} } }, baseURL: "localhost:8000/v1" } },
    { openai: { chat: { completions: { create: () => {} } }, baseURL: 5 } },
  ])
    expect(await codeOf(make(options))).toBe("invalid-argument")
  expect(make({ apiKey: ["secret"] })).toThrow(
    "Invalid `options.apiKey`: expected one line of ASCII characters, got an array of 1.",
  )
})

test("options of the request in a call say where they belong", async () => {
  const client = new LLMClient({ model: "openai/gpt-4o-mini" }, { apiKey: "k" })
  const call = (options: unknown) => client.generate(options as never)
  await expect(call("Hello")).rejects.toThrow(
    "expected an object such as { signal } (add messages with `client.msg.addMessageUser(…)`), got a string.",
  )
  await expect(call({ messages: [] })).rejects.toThrow("Add messages with `client.msg.addMessageUser(…)`.")
  await expect(call({ maxBudget: 1 })).rejects.toThrow(
    "Unknown option `maxBudget`. It is an option of the request: new LLMClient({ model, maxBudget }).",
  )
})

test("a logger needs no particular method, and a clock may be a class", () => {
  class Clock {
    now = () => 0
    sleep = async () => {}
    random() {
      return 0
    }
  }
  for (const logger of [console, {}, Object.assign(() => {}, { warn() {} }), Object.create(null)])
    expect(
      () => new LLMClient({ model: "openai/gpt-4o-mini" }, { apiKey: "k", logger, clock: new Clock() }),
    ).not.toThrow()
})

test.each([
  [{ name: "" }, "name", /a prefix of 1 to 64 letters/],
  [{ baseURL: "http://127.0.0.1:1/v1" }, "name", /a prefix of 1 to 64 letters/],
  [{ name: "house", baseURL: 5 }, "baseURL", /an http\(s\) URL/],
  [{ name: "house", baseURL: "nowhere" }, "baseURL", /an http\(s\) URL/],
  [{ name: "house", baseURL: "localhost:8000/v1" }, "baseURL", /an http\(s\) URL/],
  [{ name: "house", baseURL: "http://me:0123@localhost/v1" }, "baseURL", /without a password/],
  [{ name: "house", baseUrl: "http://me:0123@localhost/" }, "baseUrl", /a known option/, /Did you mean `baseURL`/],
  [{ name: "house", baseURLVariables: "HOUSE" }, "baseURLVariables", /an array of non-empty strings/],
  [{ name: "house", keyVariables: "X" }, "keyVariables", /an array of non-empty strings/],
  [{ name: "house", keyVariables: [5] }, "keyVariables", /an array of non-empty strings/],
  [{ name: "house", maxTokensField: "maxTokens" }, "maxTokensField", /"max_tokens", "max_completion_tokens"/],
  [
    { name: "house", modes: "json" },
    "modes",
    /an array of one or more of json_schema, tool, json_object, prompt, each once/,
  ],
  [{ name: "house", modes: [] }, "modes", /an array of one or more/],
  [{ name: "house", modes: ["tool", "text"] }, "modes", /an array of one or more/],
  [{ name: "house", modes: ["tool", "tool"] }, "modes", /an array of one or more/],
  [{ name: "house", streamOptions: "no" }, "streamOptions", /true or false/],
  [{ name: "house", maxUnstreamedTokens: -1 }, "maxUnstreamedTokens", /an integer of at least 0/],
  [{ name: "house", maxUnstreamedTokens: "4096" }, "maxUnstreamedTokens", /an integer of at least 0/],
  [{ name: "house", serviceTier: 5 }, "serviceTier", /a non-empty string/],
  [{ name: "house", dialect: "openai" }, "dialect", /"openrouter"/],
  [{ name: "house", seedField: "" }, "seedField", /a non-empty string/],
  [{ name: "house", headers: 5 }, "headers", /header/],
  [{ name: "house", headers: { "x-team": 5 } }, "headers", /header/],
  [{ name: "house", headers: { "x team": "a" } }, "headers", /header/],
  [{ name: "house", headers: { "x-key": "0123\n0123" } }, "headers", /header/],
])("an invalid provider: %o", (own, field, expected, advice = expected) => {
  // The second of two, so that the message names its index; the model does not use it.
  const providers = [{ name: "fine", baseURL: "http://127.0.0.1:1/v1" }, own] as never
  const make = () => new LLMClient({ model: "openai/gpt-4o-mini" }, { apiKey: "k", providers })
  expect(make).toThrow(
    expect.objectContaining({
      code: "invalid-argument",
      kind: "usage",
      argument: `options.providers[1].${field}`,
      expected: expect.stringMatching(expected),
    }),
  )
  expect(make).toThrow(advice)
  expect(make).not.toThrow(/0123/)
})

test("a provider that is not an object is rejected", async () => {
  for (const own of [null, undefined, 5, "house", []])
    expect(await codeOf(() => new LLMClient({ model: "openai/gpt-4o-mini" }, { providers: [own] as never }))).toBe(
      "invalid-argument",
    )
})

test.each(["nope", "localhost:8000/v1", "ftp://host/v1", "http://", "http://me:0123@localhost/v1", "http://0123@h"])(
  "an environment variable with the invalid URL %s is named, unless an option replaces it",
  (address) => {
    const names = (argument: string) =>
      expect.objectContaining({ code: "invalid-argument", argument, expected: expect.stringMatching(/http\(s\)/) })
    const make = (request: object, options = {}) => {
      return () => new LLMClient({ model: "openai/gpt-4o-mini", ...request }, { apiKey: "k", ...options })
    }
    vi.stubEnv("OPENAI_BASE_URL", address)
    expect(make({})).toThrow(names("OPENAI_BASE_URL"))
    expect(make({})).not.toThrow(/0123/)
    expect(make({}, { baseURL: provider.baseURL })).not.toThrow()
    vi.stubEnv("OPENAI_BASE_URL", undefined)
    vi.stubEnv("AZURE_OPENAI_BASE_URL", address)
    vi.stubEnv("OWN_URL", address)
    expect(make({})).not.toThrow()
    expect(make({ fallbacks: ["azure/gpt-4o"] })).toThrow(names("AZURE_OPENAI_BASE_URL"))
    const providers = [{ name: "openai", baseURLVariables: ["UNSET_URL", "OWN_URL"] }]
    expect(make({}, { providers })).toThrow(names("OWN_URL"))
  },
)

test("a key or a prompt in the wrong place is not shown", async () => {
  const secret = "sk-proj-0123456789abcdef0123456789abcdef"
  const model = "openai/gpt-4o-mini"
  const wrong: [object, unknown][] = [
    [{ model }, secret],
    [{ model }, { openai: secret }],
    [{ model }, { apikey: secret }],
    [{ model }, { apiKey: `${secret}\n${secret}` }],
    [{ model }, { baseURL: secret }],
    [{ model }, { baseURL: `http://me:${secret}@localhost/v1` }],
    [{ model }, { store: `mysql://root:${secret}@host` }],
    [{ model, apiKey: secret }, {}],
    [{ model, messages: secret }, {}],
  ]
  for (const [request, options] of wrong) {
    const make = () => new LLMClient(request as never, options as never)
    expect(["invalid-argument", "invalid-request"]).toContain(await codeOf(make))
    expect(make).not.toThrow(/0123/)
  }
  await expect(openClient(provider).generate("Hello" as never)).rejects.toThrow(/^(?!.*Hello)/)
})

test("a key or a URL that fetch rejects costs nothing, and the error does not show the key", async () => {
  vi.stubEnv("OPENAI_API_KEY", "sk-secret\nwith a line break")
  const own = (baseURL: string) => ({ openai: new OpenAI({ apiKey: "k", baseURL }), baseURL: undefined })
  const late = own(provider.baseURL)
  const sides: LLMClientOptions[] = [
    { apiKey: undefined },
    // A port that fetch blocks.
    { baseURL: "http://127.0.0.1:9/v1" },
    // The user's own fetch may accept a password in the URL; Node's does not.
    own(provider.baseURL.replace("//", "//me:sk-secret@")),
    own("http://127.0.0.1:9/v1"),
    late,
  ]
  const clients = sides.map((options) => openClient(provider, { retries: 1 }, options))
  for (const address of ["nope", "sk-secret:8000/v1", "ftp://sk-secret/v1", "http://"]) {
    late.openai.baseURL = address
    for (const client of clients) {
      const result = await client.generate()
      expect(result).toMatchObject({ ok: false, error: { code: "connection-failed" } })
      const attempt = { status: "released", costNanoUsd: 0, costSource: "none", usage: undefined }
      expect(result.receipt).toMatchObject({ costNanoUsd: 0, attempts: [attempt, attempt] })
      expect(inspect(result, { depth: 9, showHidden: true })).not.toContain("sk-secret")
      expect(await client.usageTracker.getUsageStats({ userId: null })).toMatchObject({ totalCostNanoUsd: 0 })
    }
  }
})

test("web search is rejected where it cannot be limited", async () => {
  expect(await codeOf(() => openClient(provider, { online: true }))).toBe("invalid-argument")
  expect(() => openClient(provider, { online: true })).toThrow(/^Invalid `online`: .* Use an `openrouter\/…` model\.$/)
})

test("a closed client rejects calls with the remedy", async () => {
  const client = openClient(provider)
  await client.close()
  expect(await codeOf(() => client.generate())).toBe("client-closed")
  await expect(client.getBudgetInfo()).rejects.toThrow("The client is closed. Create a new LLMClient.")
  // Reading the ledger would open the store again.
  await expect(client.usageTracker.getUsageStats({ userId: null })).rejects.toMatchObject({ code: "client-closed" })
})

test("invalid options of a call are usage errors before anything is sent", async () => {
  const client = new LLMClient({ model: "openai/gpt-4o-mini" }, { apiKey: "k" })
  client.msg.addMessageUser("Hello")
  for (const options of [null, 5, { signal: new AbortController() }, { signal: null }, { sginal: undefined }]) {
    const usageError = { code: "invalid-argument", kind: "usage" }
    await expect(client.generate(options as never)).rejects.toMatchObject(usageError)
    expect(() => client.stream(options as never)).toThrow(expect.objectContaining(usageError))
  }
})

test("unknown and invalid client options are usage errors of the constructor", () => {
  const make = (options: object) => () => new LLMClient({ model: "openai/gpt-4o-mini" }, options as never)
  expect(make({ stores: "memory:" })).toThrow("Did you mean `store`?")
  expect(make({ deadlines: { connect: 5 } })).toThrow("Did you mean `connectMs`?")
  for (const store of ["sqlite:./x.db", "./x.db", {}, 5]) expect(make({ store })).toThrow("options.store")
  expect(make({ budget: {} })).toThrow("options.budget")
  expect(make({ store: "postgres://me:secret@host/db" })).not.toThrow("secret")
  const budget = createBudget({ store: memoryStore(), limits: [] })
  expect(make({ budget, store: "memory:" })).toThrow("pass either `budget` or `store`, not both")
})
