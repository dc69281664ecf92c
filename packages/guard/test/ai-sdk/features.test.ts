import { upperBound } from "@p2/pricing"
import { getModelLimits } from "@p2/tokens"
import { describe, expect, it } from "vitest"
import { callOf, RESULT, VERSIONS } from "./mock-models"

const [{ wrap }] = VERSIONS
const CLAUDE = { provider: "anthropic.messages", modelId: "claude-opus-4-5" }
const GEMINI = { provider: "google.generative-ai", modelId: "gemini-2.5-flash" }

const user = (...content: object[]) => [{ role: "user", content }]
const text = (value: string) => ({ type: "text", text: value })
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
const providerTool = (id: string, args: object = {}) => ({ type: "provider", id, name: id.split(".")[1], args })

async function reservedFor(options: object, model: object = {}, middleware: object = {}): Promise<number> {
  const { model: wrapped, attempts } = wrap({ limit: 100, ...model, middleware })
  await wrapped.doGenerate(callOf(options))
  return attempts[0]!.reservedNanoUsd
}

/** The bound if the whole context window is input. */
const windowBound = (model = "gpt-4o-mini", maxOutputTokens = 100) =>
  upperBound(model, { inputTokens: getModelLimits(model).contextWindow, maxOutputTokens, serviceTier: "default" })
    .nanoUsd

describe("counted as input", () => {
  it.each([
    ["a longer text", { prompt: user(text("Hi".repeat(500))) }],
    [
      "a system message",
      { prompt: [{ role: "system", content: "Answer in verse. ".repeat(50) }, ...user(text("Hi"))] },
    ],
    [
      "reasoning of earlier turns",
      {
        prompt: [
          ...user(text("Hi")),
          { role: "assistant", content: [{ type: "reasoning", text: "So … ".repeat(200) }] },
        ],
      },
    ],
    [
      "a call of a tool",
      {
        prompt: [
          ...user(text("Hi")),
          {
            role: "assistant",
            content: [
              { type: "tool-call", toolCallId: "1", toolName: "weather", input: { city: "Paris ".repeat(100) } },
            ],
          },
        ],
      },
    ],
    [
      "JSON of a tool",
      {
        prompt: [
          ...user(text("Hi")),
          {
            role: "tool",
            content: [
              {
                type: "tool-result",
                toolCallId: "1",
                toolName: "weather",
                output: { type: "json", value: { sky: "sunny ".repeat(100) } },
              },
            ],
          },
        ],
      },
    ],
    [
      "text of a tool",
      {
        prompt: [
          ...user(text("Hi")),
          {
            role: "tool",
            content: [
              {
                type: "tool-result",
                toolCallId: "1",
                toolName: "weather",
                output: { type: "content", value: [text("sunny ".repeat(100))] },
              },
            ],
          },
        ],
      },
    ],
    [
      "a tool",
      { tools: [{ type: "function", name: "weather", description: "The weather", inputSchema: { type: "object" } }] },
    ],
    [
      "a schema",
      { responseFormat: { type: "json", schema: { type: "object", properties: { name: { type: "string" } } } } },
    ],
    [
      "a text file",
      { prompt: user({ type: "file", mediaType: "text/plain", data: new TextEncoder().encode("words ".repeat(200)) }) },
    ],
    [
      "a text file of specification v4",
      { prompt: user({ type: "file", mediaType: "text/plain", data: { type: "text", text: "words ".repeat(200) } }) },
    ],
    ["an image", { prompt: user({ type: "file", mediaType: "image/png", data: PNG }) }],
    [
      "an image in bytes",
      {
        prompt: user({
          type: "file",
          mediaType: "image/*",
          data: { type: "data", data: Uint8Array.from(atob(PNG), (c) => c.charCodeAt(0)) },
        }),
      },
    ],
    [
      "an image of a tool",
      {
        prompt: [
          ...user(text("Hi")),
          {
            role: "tool",
            content: [
              {
                type: "tool-result",
                toolCallId: "1",
                toolName: "look",
                output: { type: "content", value: [{ type: "image-data", mediaType: "image/png", data: PNG }] },
              },
            ],
          },
        ],
      },
    ],
    [
      "instructions of the provider",
      { providerOptions: { openai: { serviceTier: "default", instructions: "Answer in verse. ".repeat(50) } } },
    ],
  ])("%s", async (_name, options) => {
    const plain = await reservedFor({})
    const reserved = await reservedFor(options)
    expect(reserved).toBeGreaterThan(plain)
    expect(reserved).toBeLessThan(windowBound())
  })
})

describe("bounded by the context window", () => {
  it.each([
    ["a PDF", { prompt: user({ type: "file", mediaType: "application/pdf", data: "JVBERi0=" }) }],
    [
      "an image by URL for a model without a rule",
      { prompt: user({ type: "file", mediaType: "video/mp4", data: new URL("https://files.test/x.mp4") }) },
    ],
    [
      "a stored file",
      {
        prompt: user({
          type: "file",
          mediaType: "application/pdf",
          data: { type: "reference", reference: { openai: "file-1" } },
        }),
      },
    ],
    [
      "a stored file of a tool",
      {
        prompt: [
          ...user(text("Hi")),
          {
            role: "tool",
            content: [
              {
                type: "tool-result",
                toolCallId: "1",
                toolName: "look",
                output: { type: "content", value: [{ type: "file-id", fileId: "file-1" }] },
              },
            ],
          },
        ],
      },
    ],
    [
      "a custom part",
      {
        prompt: [...user(text("Hi")), { role: "assistant", content: [{ type: "custom", kind: "openai.compaction" }] }],
      },
    ],
    ["an earlier response", { providerOptions: { openai: { serviceTier: "default", previousResponseId: "resp_1" } } }],
    [
      "a stored item",
      {
        prompt: [
          ...user(text("Hi")),
          { role: "assistant", content: [{ ...text("x"), providerOptions: { openai: { itemId: "msg_1" } } }] },
        ],
      },
    ],
  ])("%s", async (_name, options) => {
    expect(await reservedFor(options)).toBeGreaterThanOrEqual(windowBound())
  })

  it("compressed audio", async () => {
    const prompt = user({ type: "file", mediaType: "audio/mpeg", data: "AAAA" })
    const reserved = await reservedFor({ prompt, providerOptions: {} }, GEMINI)
    expect(reserved).toBeGreaterThanOrEqual(windowBound("gemini-2.5-flash"))
  })

  it("is not an item that is sent as it is, because nothing is stored", async () => {
    const prompt = [
      ...user(text("Hi")),
      { role: "assistant", content: [{ ...text("x"), providerOptions: { openai: { itemId: "msg_1" } } }] },
    ]
    const openai = { serviceTier: "default", store: false }
    expect(await reservedFor({ prompt, providerOptions: { openai } })).toBeLessThan(windowBound() / 10)
  })
})

describe("rejected before anything is reserved", () => {
  it.each([
    ["an unknown part", { prompt: user({ type: "video", url: "x" }) }, {}, "unknown-field", "Unknown part `video`"],
    [
      "an unknown option of the provider",
      { providerOptions: { openai: { extraPasses: 3 } } },
      {},
      "unknown-field",
      '"openai.extraPasses" to `freeProviderOptions`',
    ],
    [
      "an option of an unknown provider",
      { providerOptions: { other: { boost: true } } },
      {},
      "unknown-field",
      "providerOptions.other.boost",
    ],
    [
      "an unknown option of a message",
      { prompt: [{ ...user(text("Hi"))[0], providerOptions: { openai: { boost: 1 } } }] },
      {},
      "unknown-field",
      "prompt[0].providerOptions.openai.boost",
    ],
    [
      "another output limit",
      { providerOptions: { openai: { maxCompletionTokens: 9_000 } } },
      {},
      "unbounded-cost",
      "Set `maxOutputTokens`",
    ],
    [
      "servers of the Model Context Protocol",
      { providerOptions: { anthropic: { mcpServers: [] } } },
      CLAUDE,
      "unbounded-cost",
      "mcpServers",
    ],
    ["fallbacks", { providerOptions: { anthropic: { fallbacks: "default" } } }, CLAUDE, "unbounded-cost", "fallbacks"],
    [
      "a beta that is not known",
      { headers: { "anthropic-beta": "double-price-2027-01-01" } },
      CLAUDE,
      "unknown-field",
      "double-price",
    ],
    [
      "a search without a maximum",
      { tools: [providerTool("anthropic.web_search_20250305")] },
      CLAUDE,
      "unbounded-cost",
      "`max_uses`",
    ],
    [
      "code that the provider runs",
      { tools: [providerTool("anthropic.code_execution_20250825")] },
      CLAUDE,
      "unbounded-cost",
      "billed by time",
    ],
    [
      "hosted tools of OpenAI without a maximum",
      { tools: [providerTool("openai.web_search")] },
      {},
      "unbounded-cost",
      "max_tool_calls",
    ],
    [
      "a page reader of Google",
      { tools: [providerTool("google.url_context")] },
      GEMINI,
      "unbounded-cost",
      "urlContext",
    ],
    [
      "a tool of an unknown provider",
      { tools: [providerTool("xai.web_search")] },
      {},
      "unbounded-cost",
      "xai.web_search",
    ],
    ["an unknown model", {}, { modelId: "gpt-99-ultra" }, "unknown-model", "Pass `models"],
    ["an unknown provider", {}, { provider: "acme.chat" }, "unknown-model", "Pass `models"],
    ["OpenRouter", {}, { provider: "openrouter.chat", modelId: "openai/gpt-4o-mini" }, "unbounded-cost", "guardFetch"],
    [
      "a gateway that chooses the provider",
      {},
      { provider: "gateway", modelId: "openai/gpt-4o-mini" },
      "unbounded-cost",
      "`models`",
    ],
    [
      "a deployment at Azure",
      {},
      { provider: "azure.chat", modelId: "gpt-4o-mini" },
      "unknown-model",
      "azure/gpt-4o-mini",
    ],
    ["an output limit that is no integer", { maxOutputTokens: 0.5 }, {}, "invalid-body", "maxOutputTokens"],
    ["an empty prompt", { prompt: [] }, {}, "invalid-body", "prompt"],
  ] as const)("%s", async (_name, options, model, reason, message) => {
    const { model: wrapped, calls, budget } = wrap(model)
    const error = await Promise.resolve(wrapped.doGenerate(callOf(options))).catch((each: unknown) => each)
    expect(error).toMatchObject({ code: "call-rejected", kind: "usage", reason })
    expect(String(error)).toContain(message)
    expect(calls).toEqual([])
    expect((await budget.usage.list({})).entries).toEqual([])
  })
})

describe("accepted if the caller states what is missing", () => {
  it.each([
    [
      "options that change no cost",
      { providerOptions: { ollama: { keepAlive: "5m" } } },
      {},
      { freeProviderOptions: ["ollama.keepAlive"] },
    ],
    [
      "the price of an unknown model",
      {},
      { provider: "acme.chat", modelId: "m" },
      { models: { m: "openai/gpt-4o-mini" } },
    ],
    ["the provider", {}, { provider: "acme.chat" }, { provider: "openai" }],
    [
      "the price of a deployment",
      {},
      { provider: "azure.chat", modelId: "mine" },
      { models: { mine: "azure/gpt-4o-mini" } },
    ],
    [
      "the most searches of Anthropic",
      { tools: [providerTool("anthropic.web_search_20250305", { maxUses: 2 })] },
      CLAUDE,
      {},
    ],
    [
      "the most calls of hosted tools of OpenAI",
      { tools: [providerTool("openai.web_search")], providerOptions: { openai: { maxToolCalls: 2 } } },
      { modelId: "gpt-4.1" },
      {},
    ],
    ["a search of Google, which is billed once", { tools: [providerTool("google.google_search")] }, GEMINI, {}],
    ["a tool that the caller runs", { tools: [providerTool("anthropic.bash_20250124")] }, CLAUDE, {}],
  ])("%s", async (_name, options, model, middleware) => {
    expect(await reservedFor(options, model, middleware)).toBeGreaterThan(0)
  })

  it("bounds each pass of a tool that the provider runs by the context window", async () => {
    const tools = [providerTool("anthropic.web_search_20250305", { maxUses: 2 })]
    const { contextWindow: inputTokens } = getModelLimits("claude-opus-4-5")
    const limits = {
      inputTokens: 10 * inputTokens,
      maxOutputTokens: 10 * 100,
      cacheWrites: "5m",
      serviceTier: "default",
    } as const
    const allPasses = upperBound("claude-opus-4-5", limits).nanoUsd
    expect(await reservedFor({ tools, providerOptions: {} }, CLAUDE)).toBeGreaterThanOrEqual(allPasses)
  })
})

it("options of another provider do not lower a bound", async () => {
  const plain = await reservedFor({ providerOptions: {} }, GEMINI)
  expect(await reservedFor({ providerOptions: { openai: { serviceTier: "flex" } } }, GEMINI)).toBe(plain)
  const openai = await reservedFor({ providerOptions: {} })
  expect(await reservedFor({ providerOptions: { google: { serviceTier: "default" } } })).toBe(openai)
  const acme = { provider: "acme.chat" }
  const likeOpenAI = { provider: "openai", serviceTier: "default" }
  expect(await reservedFor({ providerOptions: { openai: { serviceTier: "default" } } }, acme, likeOpenAI)).toBe(openai)
})

describe("thinking", () => {
  const outputRate = 25_000 // claude-opus-4-5: $25 per million tokens

  it("that Anthropic adds to the output limit is reserved with it", async () => {
    const anthropic = { thinking: { type: "enabled", budgetTokens: 2_000 } }
    const plain = await reservedFor({ providerOptions: {} }, CLAUDE)
    const thinking = await reservedFor({ providerOptions: { anthropic } }, CLAUDE)
    expect(thinking - plain).toBeGreaterThanOrEqual(2_000 * outputRate)
  })

  it("is never part of the limit that is sent", async () => {
    const anthropic = { thinking: { type: "enabled", budgetTokens: 2_000 } }
    const { model, calls } = wrap({ ...CLAUDE, middleware: { maxOutputTokens: 50, clampTo: "maxOutputTokens" } })
    await model.doGenerate(callOf({ maxOutputTokens: 300, providerOptions: { anthropic } }))
    await model.doGenerate(callOf({ maxOutputTokens: 300, providerOptions: {} }))
    expect(calls.map(({ maxOutputTokens }) => maxOutputTokens)).toEqual([1, 50])
  })

  it.each([
    ["by a level", { reasoning: "high", providerOptions: {} }],
    ["without a budget", { providerOptions: { anthropic: { thinking: { type: "enabled" } } } }],
  ])("that is requested %s is bounded by the maximum of the model", async (_name, options) => {
    const { maxOutputTokens = 0 } = getModelLimits("claude-opus-4-5")
    expect(maxOutputTokens).toBeGreaterThan(10_000)
    expect(await reservedFor(options, CLAUDE)).toBeGreaterThanOrEqual(maxOutputTokens * outputRate)
  })

  it("is inside the limit at OpenAI", async () => {
    expect(await reservedFor({ reasoning: "high" })).toBe(await reservedFor({}))
  })

  it("has no bound without a limit at Gemini, so the maximum of the model is sent", async () => {
    const { model, calls } = wrap({ ...GEMINI })
    await model.doGenerate(callOf({ maxOutputTokens: undefined, providerOptions: {} }))
    expect(calls[0]!.maxOutputTokens).toBe(getModelLimits("gemini-2.5-flash").maxOutputTokens)
  })
})

describe("cache writes", () => {
  it("cost more if the call requests them, and most if they last an hour", async () => {
    const bounds: number[] = []
    for (const cacheControl of [undefined, { type: "ephemeral" }, { type: "ephemeral", ttl: "1h" }]) {
      const content = [{ ...text("Hi ".repeat(2_000)), providerOptions: { anthropic: { cacheControl } } }]
      bounds.push(await reservedFor({ prompt: [{ role: "user", content }], providerOptions: {} }, CLAUDE))
    }
    expect(bounds[0]!).toBeLessThan(bounds[1]!)
    expect(bounds[1]!).toBeLessThan(bounds[2]!)
  })
})

it("passes on the options of a call unchanged", async () => {
  const { model, calls } = wrap({ result: () => RESULT })
  const options: object = callOf({ temperature: 0, stopSequences: ["x"], tools: [] })
  await model.doGenerate(options as never)
  expect(calls).toEqual([options])
})
