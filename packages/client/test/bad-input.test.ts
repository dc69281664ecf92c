import { inspect } from "node:util"
import { P2Error } from "@p2/core"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest"
import { z } from "zod"
import { LLMClient } from "../src/index"
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
  expect(result).toMatchObject({ ok: false, error: { code: "context-exceeded", kind: "refusal" } })
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
    { providers: {} },
    { providers: [{ name: "" }] },
    { store: "mysql://root:secret@host" },
  ])
    expect(await codeOf(make(options))).toBe("invalid-argument")
  expect(make({ apiKey: ["secret"] })).toThrow(
    "Expected `options.apiKey` to be one line of ASCII text, got an array of 1.",
  )
})

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

test("a key, a header or an address that fetch does not take costs nothing, and its words do not tell the key", async () => {
  const secret = "sk-secret\nwith a line break"
  vi.stubEnv("OPENAI_API_KEY", secret)
  for (const baseURL of [provider.baseURL, provider.baseURL.replace("//", "//me:sk-secret@")]) {
    vi.stubEnv("OPENAI_BASE_URL", baseURL)
    const client = openClient(provider, { retries: 0 }, { apiKey: undefined, baseURL: undefined })
    const result = await client.generate()
    expect(result).toMatchObject({ ok: false, error: { code: "connection-failed" } })
    expect(result.receipt).toMatchObject({ costNanoUsd: 0, attempts: [{ status: "released", costSource: "none" }] })
    expect(inspect(result, { depth: 9, showHidden: true })).not.toContain("sk-secret")
    vi.stubEnv("OPENAI_API_KEY", "k")
  }
  // A port that no browser calls, nor fetch.
  const blocked = await openClient(provider, { retries: 0 }, { baseURL: "http://127.0.0.1:9/v1" }).generate()
  expect(blocked).toMatchObject({ error: { code: "connection-failed" }, receipt: { costNanoUsd: 0 } })
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
    const mistake = { code: "invalid-argument", kind: "mistake" }
    await expect(client.generate(options as never)).rejects.toMatchObject(mistake)
    expect(() => client.stream(options as never)).toThrow(expect.objectContaining(mistake))
  }
})
