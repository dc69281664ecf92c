import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { createPriceTable, priceOf } from "@p2/pricing"
import { OpenAI } from "openai"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest"
import { knownProviders, LLMClient } from "../src/index"
import { chooseProvider } from "../src/providers/choose-provider"
import { providerTable } from "../src/providers/provider"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  for (const name of Object.keys(process.env)) if (/_(API_KEY|BASE_URL)$/.test(name)) vi.stubEnv(name, undefined)
  provider.received.length = 0
})
afterEach(() => vi.unstubAllEnvs())
afterAll(() => provider.close())

const choose = (model: string, env: Record<string, string> = {}, options = {}) => {
  const { provider: chosen, name, baseURL, apiKey } = chooseProvider(model, options, providerTable(), env)
  return { provider: chosen.name, name, baseURL, apiKey }
}

describe("the provider of a model", () => {
  test("is named by its prefix", () => {
    expect(choose("groq/llama-3.3-70b-versatile", { GROQ_API_KEY: "g", OPENROUTER_API_KEY: "o" })).toEqual({
      provider: "groq",
      name: "llama-3.3-70b-versatile",
      baseURL: "https://api.groq.com/openai/v1",
      apiKey: "g",
    })
    for (const { name } of knownProviders()) expect(choose(`${name}/some-model`).provider).toBe(name)
  })

  test("may be Kimi, Z.ai, MiniMax, Perplexity or Cerebras", () => {
    const table = providerTable()
    const models = [
      "moonshotai/kimi-k2.5",
      "zai/glm-4.7",
      "minimax/MiniMax-M2.5",
      "perplexity/sonar",
      "cerebras/gpt-oss-120b",
    ]
    expect(models.map((model) => choose(model).baseURL)).toEqual([
      "https://api.moonshot.ai/v1",
      "https://api.z.ai/api/paas/v4",
      "https://api.minimax.io/v1",
      "https://api.perplexity.ai",
      "https://api.cerebras.ai/v1",
    ])
    expect(table.get("zai")).toMatchObject({ maxTokensField: "max_tokens", modes: ["json_object", "prompt"] })
    expect(table.get("minimax")).toMatchObject({ maxTokensField: "max_completion_tokens", modes: ["tool", "prompt"] })
    expect(choose("zai/glm-4.7", { Z_AI_API_KEY: "z" }).apiKey).toBe("z")
    for (const model of models)
      expect(openClient(provider, { model, maxBudget: "1" }).getModelLimits().contextWindow).toBeGreaterThan(0)
  })

  test("takes its key from `apiKeys`, a fallback's too, before the variables", async () => {
    const providers = ["groq", "deepseek"].map((name) => ({ name, baseURL: provider.baseURL }))
    const prices = createPriceTable({
      "groq/m": { input: "1", output: "1", contextWindow: 8000 },
      "deepseek/m": { input: "1", output: "1", contextWindow: 8000 },
    })
    vi.stubEnv("DEEPSEEK_API_KEY", "from the variable")
    const open = (apiKeys: Record<string, string>, options = {}) => {
      const client = new LLMClient(
        { model: "groq/m", fallbacks: ["deepseek/m"], retries: 0 },
        { providers, prices, apiKeys, logger: {}, ...options },
      )
      client.msg.addMessageUser("Hello")
      return client
    }
    // The local provider does not know the model, so the fallback follows.
    await open({ groq: "key-1", deepseek: "key-2" }).generate()
    expect(provider.received.map(({ headers }) => headers.authorization)).toEqual(["Bearer key-1", "Bearer key-2"])
    provider.received.length = 0
    await open({ groq: "key-1" }, { apiKey: "own" }).generate()
    expect(provider.received.map(({ headers }) => headers.authorization)).toEqual([
      "Bearer own",
      "Bearer from the variable",
    ])
    vi.stubEnv("DEEPSEEK_API_KEY", undefined)
    await expect(open({ groq: "key-1" }).generate()).rejects.toThrow(/or pass `apiKeys: \{ deepseek: … \}`/)
    expect(() => open({ grok: "key-1" })).toThrow(/Unknown provider `options.apiKeys.grok`: expected one of/)
    expect(() => open({ groq: "a\nb" })).toThrow(/`options.apiKeys`/)
    expect(() => open({ groq: "a\nb" })).not.toThrow(/a\nb/)
  })

  test("is OpenRouter without a known prefix when its key is set, else OpenAI", () => {
    expect(choose("gpt-4o-mini", { OPENROUTER_API_KEY: "o" })).toMatchObject({
      provider: "openrouter",
      name: "gpt-4o-mini",
    })
    expect(choose("meta-llama/llama-3.3-70b", { OPENROUTER_API_KEY: "o" })).toMatchObject({ provider: "openrouter" })
    expect(choose("gpt-4o-mini", { OPENAI_API_KEY: "a" })).toMatchObject({ provider: "openai", apiKey: "a" })
    expect(() => choose("meta-llama/llama-3.3-70b")).toThrow(/known provider prefix \(openai, /)
  })

  test("has its base URL and key in variables; empty ones count as unset", () => {
    expect(choose("openai/gpt-4o", { OPENAI_BASE_URL: "http://127.0.0.1:9/v1" }).baseURL).toBe("http://127.0.0.1:9/v1")
    expect(choose("openai/gpt-4o", { OPENAI_BASE_URL: " " }).baseURL).toBe("https://api.openai.com/v1")
    expect(choose("gemini/gemini-2.5-flash", { GOOGLE_API_KEY: "k" }).apiKey).toBe("k")
  })

  test("is the one at `baseURL` where the model has no prefix", () => {
    const env = { OPENROUTER_API_KEY: "o" }
    expect(choose("gpt-4o-mini", env, { baseURL: "http://127.0.0.1:9/v1" }).provider).toBe("openai")
    expect(choose("x", env, { baseURL: "https://api.groq.com/openai/v1" }).provider).toBe("groq")
    expect(choose("x", env, { baseURL: "https://me.openai.azure.com/openai/v1" }).provider).toBe("azure")
  })

  test.each([
    ["https://LLM.Example.com/v1", "https://LLM.Example.com/v1"],
    ["https://LLM.Example.com/v1", "https://llm.example.com:443/v1"],
    ["https://bücher.example/v1", "https://xn--bcher-kva.example/v1"],
  ])("is the user's own one at %s", (own, baseURL) => {
    const chosen = chooseProvider("x", { baseURL }, providerTable([{ name: "acme", baseURL: own }]), {
      OPENAI_API_KEY: "of-openai",
      ACME_API_KEY: "of-acme",
    })
    expect(chosen).toMatchObject({ provider: { name: "acme" }, apiKey: "of-acme" })
  })

  test("is OpenRouter for any vendor prefix when `baseURL` is at OpenRouter", () => {
    const there = { baseURL: "https://openrouter.ai/api/v1", apiKey: "o" }
    for (const model of ["openai/gpt-4o-mini", "anthropic/claude-sonnet-4", "qwen/qwen3-32b"])
      expect(choose(model, {}, there)).toEqual({ provider: "openrouter", name: model, ...there })
    expect(choose("openrouter/openai/gpt-4o-mini", {}, there)).toMatchObject({ name: "openai/gpt-4o-mini" })
    // Without `baseURL` the prefix decides, whichever keys are set.
    expect(choose("openai/gpt-4o-mini", { OPENROUTER_API_KEY: "o" })).toMatchObject({ provider: "openai" })
  })
})

describe("the request to the provider", () => {
  test("has the vendor in a bare model's name through OpenRouter, and its price there", async () => {
    vi.stubEnv("OPENROUTER_API_KEY", "local")
    vi.stubEnv("OPENROUTER_BASE_URL", provider.openRouterBaseURL)
    const client = new LLMClient({ model: "gpt-4o-mini", maxBudget: "0.01" })
    client.msg.addMessageUser("Hello")
    const result = await client.generate()
    expect(result).toMatchObject({ ok: true, receipt: { costSource: "provider" } })
    expect(provider.received[0]?.body).toMatchObject({
      model: "openai/gpt-4o-mini",
      usage: { include: true },
      provider: { max_price: { prompt: expect.any(Number), completion: expect.any(Number) } },
      max_tokens: expect.any(Number),
    })
  })

  test("states the service tier and the output limit in the fields that OpenAI honors", async () => {
    await openClient(provider, { maxTokens: 100, temperature: 0.5, stop: "END" }).generate()
    expect(provider.received[0]?.body).toMatchObject({
      model: "gpt-4o-mini",
      service_tier: "default",
      max_completion_tokens: 100,
      temperature: 0.5,
      stop: ["END"],
    })
    expect(provider.received[0]?.body).not.toHaveProperty("max_tokens")
    expect(provider.received[0]?.headers["x-client-request-id"]).toMatch(/\.1$/)
    // The suite must run on the major version of the SDK that it claims.
    expect(provider.received[0]?.headers["x-stainless-package-version"]).toMatch(
      new RegExp(`^${process.env.P2_OPENAI ?? "6"}\\.`),
    )
  })

  test("is made by the user's own OpenAI instance, without its retries", async () => {
    let calls = 0
    const openai = new OpenAI({
      baseURL: provider.baseURL,
      apiKey: "own",
      maxRetries: 5,
      fetch: (url, init) => {
        calls++
        return fetch(url, init)
      },
    })
    provider.faults.next({ status: 500 })
    const client = new LLMClient({ model: "openai/gpt-4o-mini", retries: 0 }, { openai })
    client.msg.addMessageUser("Hello")
    expect((await client.generate()).receipt.attempts).toHaveLength(1)
    expect(calls).toBe(1)
    expect(provider.received[0]?.headers.authorization).toBe("Bearer own")
  })

  test("has OpenRouter's ids when the user's OpenAI instance is at OpenRouter, for fallbacks too", async () => {
    const openai = new OpenAI({ baseURL: provider.openRouterBaseURL, apiKey: "own" })
    const fallbacks = ["anthropic/claude-haiku-4.5"]
    provider.faults.next({ status: 404 })
    const client = new LLMClient(
      { model: "openai/gpt-4o-mini", fallbacks, maxBudget: "0.05" },
      { openai, providers: [{ name: "openrouter", baseURL: provider.openRouterBaseURL }] },
    )
    client.msg.addMessageUser("Hello")
    const { ok, receipt } = await client.generate()
    expect({ ok, source: receipt.costSource }).toEqual({ ok: true, source: "provider" })
    expect(receipt.attempts.map((attempt) => attempt.provider)).toEqual(["openrouter", "openrouter"])
    expect(provider.received.map(({ body }) => body.model)).toEqual(["openai/gpt-4o-mini", ...fallbacks])
    expect(provider.received[0]?.body).toHaveProperty("provider.max_price")
  })

  test("is priced by the user's own price table", async () => {
    const own = createPriceTable(
      { "openai/gpt-4o-mini": { input: "1", output: "2", contextWindow: 1000 } },
      { extends: "published" },
    )
    const client = openClient(provider, { maxTokens: 50 }, { prices: own })
    expect(client.getModelLimits().contextWindow).toBe(1000)
    const result = await client.generate()
    const { inputTokens, outputTokens } = result.receipt.usage
    expect(result.receipt).toMatchObject({
      costSource: "custom",
      costNanoUsd: inputTokens * 1000 + outputTokens * 2000,
    })
  })

  test("goes to the user's own provider, with its key and its fields", async () => {
    vi.stubEnv("ACME_API_KEY", "acme-key")
    const own = createPriceTable({
      "acme/gpt-4o-mini": { input: "1", output: "2", contextWindow: 8000, maxOutputTokens: 500 },
    })
    const client = new LLMClient(
      { model: "acme/gpt-4o-mini" },
      { prices: own, providers: [{ name: "acme", baseURL: provider.baseURL, streamOptions: false }] },
    )
    client.msg.addMessageUser("Hello")
    expect((await client.generate()).ok).toBe(true)
    expect(provider.received[0]).toMatchObject({
      headers: { authorization: "Bearer acme-key" },
      body: { max_tokens: 500 },
    })
  })

  test("does not use a mode again that the server has rejected", async () => {
    provider.faults.next({ rejectModes: ["json_schema"] })
    const request = { model: "openai/gpt-4.1", answerModel: Person }
    expect((await openClient(provider, request).generate()).receipt.attempts.map(({ mode }) => mode)).toEqual([
      "json_schema",
      "tool",
    ])
    expect((await openClient(provider, request).generate()).receipt.attempts.map(({ mode }) => mode)).toEqual(["tool"])
  })
})

test("a web search is one search of at most five results, by the engine with a stated price", async () => {
  const request = { model: "openrouter/openai/gpt-4o-mini", maxTokens: 500 }
  const options = { baseURL: provider.openRouterBaseURL }
  const offline = openClient(provider, request, options)
  const online = openClient(provider, { ...request, online: true }, options)
  const boundOf = async (client: LLMClient) => (await client.getBudgetInfo()).upperBoundCostNanoUsd
  const { search, input } = priceOf("openrouter/openai/gpt-4o-mini").rates
  // Rates are pico-USD. Results are billed as input, for which 5 × 2,000 tokens are reserved. The bound includes
  // OpenRouter's fee of 5 % for the caller's own keys.
  expect((await boundOf(online)) - (await boundOf(offline))).toBe((1.05 * ((search ?? 0) + 10_000 * input)) / 1000)
  expect((await online.generate()).ok).toBe(true)
  expect(provider.received[0]?.body.plugins).toEqual([{ id: "web", engine: "exa", max_results: 5 }])
})

test("metadata is in the receipt and is not sent", async () => {
  const { receipt } = await openClient(provider, { metadata: { job: 7 } }).generate()
  expect(receipt.metadata).toEqual({ job: 7 })
  expect(JSON.stringify(provider.received)).not.toContain("metadata")
})

test("the suffix `:online` is a usage error with the remedy, because nothing limits its searches", () => {
  const model = "openrouter/openai/gpt-4o-mini:online"
  expect(() => openClient(provider, { model }, { baseURL: provider.openRouterBaseURL })).toThrow(
    "Remove it and set `online: true`.",
  )
})

test("a regional host of OpenAI is priced by its region, and keeps OpenAI's fields", async () => {
  const options = (baseURL: string) => ({ baseURL, apiKey: "k" })
  const boundAt = async (baseURL: string) => {
    const client = new LLMClient({ model: "openai/gpt-5.4", maxTokens: 100 }, options(baseURL))
    client.msg.addMessageUser("Hello")
    return (await client.getBudgetInfo()).upperBoundCostNanoUsd
  }
  const global = await boundAt("https://api.openai.com/v1")
  expect(await boundAt("https://eu.api.openai.com/v1")).toBe(Math.round(global * 1.1))
  const choice = chooseProvider("gpt-5.4", options("https://eu.api.openai.com/v1"), providerTable(), {})
  expect(choice.provider.name).toBe("openai")
  expect(chooseProvider("grok-4", options("https://eu-west-1.api.x.ai/v1"), providerTable(), {}).provider.name).toBe(
    "xai",
  )
})
