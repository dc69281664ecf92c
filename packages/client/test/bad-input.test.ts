import { inspect } from "node:util"
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
  // Whatever was wrong, nothing may have been sent.
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

test("no messages", async () => {
  const client = openClient(provider)
  client.msg.clear()
  expect(await codeOf(() => client.generate())).toBe("no-messages")
  expect(await codeOf(() => client.generateResponse())).toBe("no-messages")
  expect(client.countTokens()).toBe(0)
})

test("an unknown model names the nearest, and costs nothing to find out", async () => {
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
])("%o", async (wrong) => {
  expect(await codeOf(() => openClient(provider, wrong))).toBe("invalid-request")
})

test("an answer model that no schema can express", async () => {
  expect(await codeOf(() => openClient(provider, { answerModel: z.object({ at: z.custom<URL>() }) }))).toBe(
    "unsupported-schema",
  )
})

test("a missing key names its variable; counting needs none", async () => {
  const client = new LLMClient({ model: "anthropic/claude-sonnet-4-5" })
  client.msg.addMessageUser("Hello")
  expect(client.countTokens()).toBeGreaterThan(0)
  expect(await codeOf(() => client.generate())).toBe("missing-key")
  await expect(client.generate()).rejects.toThrow(/ANTHROPIC_API_KEY/)
})

test("a prompt that is larger than the context window", async () => {
  const client = openClient(provider)
  client.msg.addMessageUser("word ".repeat(130_000))
  const result = await client.generate()
  expect(result).toMatchObject({ ok: false, error: { code: "context-exceeded", kind: "denied" } })
  expect(result.receipt).toMatchObject({ costNanoUsd: 0, attempts: [{ status: "refused" }] })
})

test("options that make no sense", async () => {
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
    "Invalid `options.apiKey`: expected one line of ASCII text, got an array of 1.",
  )
})

test("a logger is anything with methods of its own, and a clock may be a class", () => {
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
  [{ name: "house", baseURL: 5 }, "baseURL", /an http\(s\) address/],
  [{ name: "house", baseURL: "nowhere" }, "baseURL", /an http\(s\) address/],
  [{ name: "house", baseURL: "localhost:8000/v1" }, "baseURL", /an http\(s\) address/],
  [{ name: "house", baseURL: "http://me:0123@localhost/v1" }, "baseURL", /without a password/],
  [{ name: "house", baseUrl: "http://me:0123@localhost/" }, "baseUrl", /Did you mean `baseURL`/],
  [{ name: "house", baseURLVariables: "HOUSE" }, "baseURLVariables", /a list of names/],
  [{ name: "house", keyVariables: "X" }, "keyVariables", /a list of names/],
  [{ name: "house", keyVariables: [5] }, "keyVariables", /a list of names/],
  [{ name: "house", maxTokensField: "maxTokens" }, "maxTokensField", /"max_tokens", "max_completion_tokens"/],
  [
    { name: "house", modes: "json" },
    "modes",
    /a list of distinct json_schema, tool, json_object, prompt, at least one/,
  ],
  [{ name: "house", modes: [] }, "modes", /a list of distinct/],
  [{ name: "house", modes: ["tool", "text"] }, "modes", /a list of distinct/],
  [{ name: "house", modes: ["tool", "tool"] }, "modes", /a list of distinct/],
  [{ name: "house", streamOptions: "no" }, "streamOptions", /true or false/],
  [{ name: "house", maxUnstreamedTokens: -1 }, "maxUnstreamedTokens", /an integer from 0 up/],
  [{ name: "house", maxUnstreamedTokens: "4096" }, "maxUnstreamedTokens", /an integer from 0 up/],
  [{ name: "house", serviceTier: 5 }, "serviceTier", /a text/],
  [{ name: "house", dialect: "openai" }, "dialect", /"openrouter"/],
  [{ name: "house", seedField: "" }, "seedField", /a text/],
  [{ name: "house", headers: 5 }, "headers", /header/],
  [{ name: "house", headers: { "x-team": 5 } }, "headers", /header/],
  [{ name: "house", headers: { "x team": "a" } }, "headers", /header/],
  [{ name: "house", headers: { "x-key": "0123\n0123" } }, "headers", /header/],
])("a provider of one's own: %o", (own, field, expected) => {
  // The second of two, so that the message says which one is meant; and the model is another's.
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
  expect(make).not.toThrow(/0123/)
})

test("a provider of one's own that is none", async () => {
  for (const own of [null, undefined, 5, "house", []])
    expect(await codeOf(() => new LLMClient({ model: "openai/gpt-4o-mini" }, { providers: [own] as never }))).toBe(
      "invalid-argument",
    )
})

test.each(["nope", "localhost:8000/v1", "ftp://host/v1", "http://", "http://me:0123@localhost/v1", "http://0123@h"])(
  "an address in a variable that is none: %s",
  (address) => {
    const names = (argument: string) =>
      expect.objectContaining({ code: "invalid-argument", argument, expected: expect.stringMatching(/http\(s\)/) })
    const make = (request: object, options = {}) => {
      return () => new LLMClient({ model: "openai/gpt-4o-mini", ...request }, { apiKey: "k", ...options })
    }
    vi.stubEnv("OPENAI_BASE_URL", address)
    expect(make({})).toThrow(names("OPENAI_BASE_URL"))
    expect(make({})).not.toThrow(/0123/)
    // Who says otherwise does not need it.
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

test("a key or a prompt that came in the wrong place is not shown", async () => {
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

test("a key or an address that fetch does not take costs nothing, and its words do not tell the key", async () => {
  vi.stubEnv("OPENAI_API_KEY", "sk-secret\nwith a line break")
  const own = (baseURL: string) => ({ openai: new OpenAI({ apiKey: "k", baseURL }), baseURL: undefined })
  const late = own(provider.baseURL)
  const sides: LLMClientOptions[] = [
    { apiKey: undefined },
    // A port that no browser calls, nor fetch.
    { baseURL: "http://127.0.0.1:9/v1" },
    // A fetch of one's own may take a password; Node's does not.
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

test("web search where it cannot be limited", async () => {
  expect(await codeOf(() => openClient(provider, { online: true }))).toBe("invalid-argument")
})

test("a closed client", async () => {
  const client = openClient(provider)
  await client.close()
  expect(await codeOf(() => client.generate())).toBe("client-closed")
})

test("what is no signal, and what is misspelt beside it, is a mistake of the call before anything is sent", async () => {
  const client = new LLMClient({ model: "openai/gpt-4o-mini" }, { apiKey: "k" })
  client.msg.addMessageUser("Hello")
  for (const options of [null, 5, { signal: new AbortController() }, { signal: null }, { sginal: undefined }]) {
    const mistake = { code: "invalid-argument", kind: "usage" }
    await expect(client.generate(options as never)).rejects.toMatchObject(mistake)
    expect(() => client.stream(options as never)).toThrow(expect.objectContaining(mistake))
  }
})
