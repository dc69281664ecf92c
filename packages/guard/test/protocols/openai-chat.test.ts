import { createPriceTable } from "@p2/pricing"
import { describe, expect, it } from "vitest"
import { describeCall, type PricedCall, type ProtocolContext } from "../../src/protocols"
import { callTo, context } from "./features/feature"

const messages = [{ role: "user", content: "Describe who is David Copperfield" }]
const OPENAI = "https://api.openai.com/v1/chat/completions"
const OPENROUTER = "https://openrouter.ai/api/v1/chat/completions"

function describeChat(body: Record<string, unknown>, url = OPENAI, more: Partial<ProtocolContext> = {}) {
  return describeCall(callTo(url, { messages, ...body }), { ...context, ...more })
}

function pricedChat(body: Record<string, unknown>, url = OPENAI, more: Partial<ProtocolContext> = {}): PricedCall {
  const description = describeChat(body, url, more)
  if (description.status !== "priced") throw new Error(JSON.stringify(description))
  return description
}

describe("chat completions", () => {
  it("counts the input and reads the output limit", () => {
    const call = pricedChat({ model: "gpt-4o-mini", max_tokens: 50, n: 2 })
    expect(call).toMatchObject({
      provider: "openai",
      model: "gpt-4o-mini",
      priceKey: "openai/gpt-4o-mini",
      input: { estimate: 13, upperBound: 53 },
      maxOutputTokens: 50,
      minOutputTokens: 1,
      streamed: false,
    })
    expect(call.boundOptions).toMatchObject({
      choices: 2,
      webSearches: 0,
      region: "global",
      outputModalities: ["text"],
    })
  })

  it("knows the region of a host", () => {
    const call = pricedChat({ model: "gpt-5.6-sol" }, "https://eu.api.openai.com/v1/chat/completions")
    expect(call.boundOptions.region).toBe("eu")
  })

  it("is described by its path alone: without a version, behind a gateway", () => {
    const gateway = "https://gateway.example.org/team/openai/chat/completions?trace=1"
    expect(pricedChat({ model: "gpt-4o-mini" }, gateway, { provider: "openai" }).provider).toBe("openai")
    expect(describeChat({ model: "gpt-4o-mini" }, `${OPENAI}/more/paths`).status).toBe("rejected")
  })

  it("rejects a body that is not JSON", () => {
    const call = { ...callTo(OPENAI), body: { kind: "opaque", contentType: "text/plain" } as const }
    expect(describeCall(call, context)).toMatchObject({ status: "rejected", reason: "invalid-body" })
  })
})

describe("the output limit is sent in a field that the provider applies", () => {
  const hosts = {
    openai: ["api.openai.com/v1", "gpt-5-mini"],
    mistral: ["api.mistral.ai/v1", "mistral-small-latest"],
    deepseek: ["api.deepseek.com", "deepseek-chat"],
    xai: ["api.x.ai/v1", "grok-4-fast"],
    groq: ["api.groq.com/openai/v1", "llama-3.3-70b-versatile"],
  } as const
  it.each([
    ["openai", { max_tokens: 100 }, undefined, { max_tokens: 100 }],
    ["openai", { max_completion_tokens: 100 }, 40, { max_completion_tokens: 40 }],
    ["openai", {}, 40, { max_completion_tokens: 40 }],
    ["openai", { prediction: { type: "content", content: "a" } }, 40, { max_tokens: 40 }],
    ["openai", {}, undefined, {}],
    ["mistral", { max_completion_tokens: 100 }, undefined, { max_tokens: 100 }],
    ["mistral", {}, 40, { max_tokens: 40 }],
    ["deepseek", { max_tokens: 100, max_completion_tokens: 7 }, undefined, { max_tokens: 100 }],
    ["xai", { max_tokens: 100 }, undefined, { max_completion_tokens: 100 }],
    ["xai", {}, 40, { max_completion_tokens: 40 }],
    ["groq", { max_tokens: 100, max_completion_tokens: 60 }, 40, { max_tokens: 40, max_completion_tokens: 40 }],
  ] as const)("%s: %j, lowered to %s", (provider, limits, maxOutputTokens, expected) => {
    const [base, model] = hosts[provider]
    const sent = pricedChat({ model, ...limits }, `https://${base}/chat/completions`).bodyToSend({ maxOutputTokens })
    const { max_tokens, max_completion_tokens } = sent
    expect(JSON.parse(JSON.stringify({ max_tokens, max_completion_tokens }))).toEqual(expected)
  })

  it.each([
    ["https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "gemini-2.5-flash", 65_536],
    [OPENROUTER, "google/gemini-2.5-flash", 65_535],
  ])("sends the maximum of a Gemini model if there is no limit: %s", (url, model, maximum) => {
    const call = pricedChat({ model }, url)
    expect(call.maxOutputTokens).toBe(maximum)
    expect(call.bodyToSend({})).toMatchObject({ max_tokens: maximum })
  })

  it("takes the larger of two limits", () => {
    const limits = { max_tokens: 10, max_completion_tokens: 60 }
    expect(pricedChat({ model: "gpt-4o-mini", ...limits }).maxOutputTokens).toBe(60)
  })

  it("keeps the limit above a thinking budget", () => {
    const claude = "https://api.anthropic.com/v1/chat/completions"
    const thinking = { type: "enabled", budget_tokens: 2000 }
    expect(pricedChat({ model: "claude-sonnet-4-5", thinking }, claude).minOutputTokens).toBe(2001)
    const reasoning = { max_tokens: 1500 }
    expect(pricedChat({ model: "openai/gpt-4o-mini", reasoning }, OPENROUTER).minOutputTokens).toBe(1501)
  })
})

describe("usage is requested in streams", () => {
  it.each([
    ["OpenAI", OPENAI, "gpt-4o-mini", true],
    ["Azure", "https://me.openai.azure.com/openai/deployments/small/chat/completions?api-version=2024-10-21", "", true],
    [
      "an old API of Azure",
      "https://me.openai.azure.com/openai/deployments/small/chat/completions?api-version=2024-06-01",
      "",
      false,
    ],
    ["Mistral, which reports it anyway", "https://api.mistral.ai/v1/chat/completions", "mistral-small-latest", false],
  ])("%s", (_, url, model, isRequested) => {
    const sent = pricedChat({ model, stream: true }, url).bodyToSend({})
    expect(sent.stream_options).toEqual(isRequested ? { include_usage: true } : undefined)
  })

  it("keeps the caller's other options, and leaves a call without a stream unchanged", () => {
    const stream_options = { include_obfuscation: false, include_usage: false }
    expect(pricedChat({ model: "gpt-4o-mini", stream: true, stream_options }).bodyToSend({}).stream_options).toEqual({
      include_obfuscation: false,
      include_usage: true,
    })
    const body = { model: "gpt-4o-mini", messages }
    expect(pricedChat({ model: "gpt-4o-mini" }).bodyToSend({})).toEqual(body)
  })
})

describe("the service tier of the context", () => {
  it.each([OPENAI, OPENAI.replace("chat/completions", "responses")])(
    "is sent where the call states none: %s",
    (url) => {
      const prompt = url === OPENAI ? { messages } : { input: "Hello" }
      const describeIt = (more: Record<string, unknown>) => {
        const sent = { model: "gpt-5-mini", ...prompt, ...more }
        const description = describeCall(callTo(url, sent), { ...context, serviceTier: "default" })
        if (description.status !== "priced") throw new Error(JSON.stringify(description))
        return description
      }
      for (const service_tier of [undefined, null, "auto"]) {
        const call = describeIt({ service_tier })
        expect(call.boundOptions.serviceTier).toBe("default")
        expect(call.bodyToSend({}).service_tier).toBe("default")
      }
      expect(describeIt({ service_tier: "flex" }).bodyToSend({}).service_tier).toBe("flex")
    },
  )

  it.each([
    [OPENAI, "gpt-5-mini", { messages }],
    [OPENAI.replace("chat/completions", "responses"), "gpt-5-mini", { input: "Hi" }],
    ["https://api.anthropic.com/v1/chat/completions", "claude-sonnet-4-5", { messages }],
    ["https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "gemini-2.5-flash", { messages }],
    ["https://api.x.ai/v1/chat/completions", "grok-4.3", { messages }],
    [OPENROUTER, "openai/gpt-5-mini", { messages }],
  ])("cannot be that of a batch, which a provider may ignore: %s", (url, model, prompt) => {
    const rejection = { status: "rejected", reason: "unbounded-cost", message: expect.stringContaining("batch") }
    expect(describeCall(callTo(url, { model, ...prompt, service_tier: "batch" }), context)).toMatchObject(rejection)
    const sent = describeCall(callTo(url, { model, ...prompt }), { ...context, serviceTier: "batch" })
    expect(sent).toMatchObject(rejection)
  })

  it("is not sent to other providers", () => {
    const call = pricedChat({ model: "deepseek-chat" }, "https://api.deepseek.com/chat/completions", {
      serviceTier: "default",
    })
    expect(call.bodyToSend({}).service_tier).toBeUndefined()
  })
})

describe("OpenRouter", () => {
  const maxPrice = { prompt: 0.15, completion: 0.6 }

  it("gets the highest prices of the bound, unless the caller's are lower", () => {
    const provider = { sort: "price", max_price: { prompt: "0.1", completion: 5, image: 1 } }
    const sent = pricedChat({ model: "openai/gpt-4o-mini", provider }, OPENROUTER).bodyToSend({ maxPrice })
    expect(sent).toMatchObject({
      usage: { include: true },
      provider: { sort: "price", max_price: { prompt: "0.1", completion: 0.6, image: 1 } },
    })
  })

  it("counts a search for each five results", () => {
    const plugins = [{ id: "web", engine: "exa", max_results: 11 }]
    expect(pricedChat({ model: "openai/gpt-4o-mini", plugins }, OPENROUTER).boundOptions.webSearches).toBe(3)
  })

  it.each([
    [{}, "none"],
    [{ cache_control: { type: "ephemeral" } }, "5m"],
    [
      {
        messages: [
          { role: "user", content: [{ type: "text", text: "a", cache_control: { type: "ephemeral", ttl: "1h" } }] },
        ],
      },
      "any",
    ],
    [{ tools: [{ type: "function", function: { name: "a", cache_control: { type: "ephemeral" } } }] }, "5m"],
  ])("bounds the cache writes that %j requests", (body, cacheWrites) => {
    const call = pricedChat({ model: "anthropic/claude-sonnet-4.5", ...body }, OPENROUTER)
    expect(call.boundOptions.cacheWrites).toBe(cacheWrites)
  })
})

describe("the host decides the provider", () => {
  it.each([
    ["https://api.openai.com.evil.org/v1/chat/completions"],
    ["https://evilapi.openai.com/v1/chat/completions"],
    ["https://api.openai.com:8443/v1/chat/completions"],
    ["http://127.0.0.1:4000/v1/chat/completions"],
  ])("%s is not OpenAI", (url) => {
    expect(describeChat({ model: "gpt-4o-mini" }, url)).toMatchObject({
      status: "rejected",
      reason: "unknown-provider",
    })
  })

  it("takes the provider of an unknown host from the option, and of a known host from the table", () => {
    const url = "http://127.0.0.1:4000/v1/chat/completions"
    expect(pricedChat({ model: "gpt-4o-mini" }, url, { provider: "openai" }).priceKey).toBe("openai/gpt-4o-mini")
    expect(pricedChat({ model: "gpt-4o-mini" }, OPENAI, { provider: "openrouter" }).provider).toBe("openai")
  })

  it("takes the caller's own price at an unknown host", () => {
    const prices = createPriceTable(
      { "my-model": { input: "1", output: "2", contextWindow: 1000, maxOutputTokens: 100 } },
      { extends: "published" },
    )
    const url = "https://llm.example.org/v1/chat/completions"
    const call = pricedChat({ model: "my-model", chat_template_kwargs: { a: 1 } }, url, { prices })
    expect(call.priceKey).toBe("my-model")
    expect(describeChat({ model: "my-model", best_of: 3 }, url, { prices })).toMatchObject({ reason: "unbounded-cost" })
  })

  it.each([
    "https://me.openai.azure.com/openai/deployments/small/chat/completions?api-version=2025-01-01",
    "https://me.openai.azure.com/openai/v1/chat/completions",
    "https://me.services.ai.azure.com/openai/v1/chat/completions",
  ])("names the setting for a deployment of Azure: %s", (url) => {
    expect(pricedChat({ model: "small" }, url)).toMatchObject({
      provider: "azure",
      model: "small",
      priceKey: "azure/gpt-4o-mini",
    })
    expect(describeChat({ model: "small" }, url, { deployments: {} })).toEqual({
      status: "rejected",
      reason: "unknown-model",
      message:
        'Unknown Azure deployment "small". Pass the model behind it, such as `deployments: { "small": "gpt-4o-mini" }`.',
    })
    expect(describeChat({ model: "constructor" }, url.replace("small", "constructor"))).toMatchObject({
      reason: "unknown-model",
    })
  })
})

/** A rejection reaches logs: it never quotes what the caller sends, except names of fields, types and models. */
it("quotes no prompt and no key in a rejection", () => {
  const secret = "sk-proj-Secret0Secret1Secret2Secret3"
  const bodies: Record<string, unknown>[] = [
    { messages: secret },
    { messages: [secret] },
    { messages: [{ role: secret }] },
    { messages: [{ role: "user", content: { text: secret } }] },
    { messages: [{ role: "user", content: [secret] }] },
    { messages: [{ role: "user", content: [{ type: "text", text: { secret } }] }] },
    { messages: [{ role: "assistant", tool_calls: [{ id: "a", function: { name: secret, arguments: { secret } } }] }] },
    { messages: [{ role: "tool", content: secret }] },
    { model: secret },
    { model: { secret } },
    { n: secret },
    { max_tokens: secret },
    { service_tier: { secret } },
    { tools: [secret] },
    { tools: [{ type: secret }] },
    { tools: [{ type: "function", function: { name: { secret } } }] },
    { surprise: secret },
    { response_format: { type: "json_schema", json_schema: null, secret } },
  ]
  for (const body of bodies) {
    const description = describeChat({ model: "gpt-4o-mini", ...body })
    if (description.status === "rejected") expect(description.message).not.toContain("Secret0")
    else expect(JSON.stringify(body)).toContain("json_schema")
  }
})
