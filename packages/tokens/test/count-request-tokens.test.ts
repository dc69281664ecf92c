import type { ContentPart, CustomToolDefinition, Message, MessageInput, ToolDefinition } from "@p2/core"
import { describe, expect, test } from "vitest"
import { countRequestTokens, countTokens, createCalibration, getModelLimits } from "../src/index"
import { imageRuleFor } from "../src/request/image-rules"
import { imageSizeOf } from "../src/request/image-size"
import { imageTokens } from "../src/request/image-tokens"

/** The messages of OpenAI's cookbook, "How to count tokens with tiktoken", 6, with the counts that its API reported. */
const JARGON: Message[] = [
  {
    role: "system",
    content: "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
  },
  { role: "system", name: "example_user", content: "New synergies will help drive top-line growth." },
  { role: "system", name: "example_assistant", content: "Things working well together will increase revenue." },
  {
    role: "system",
    name: "example_user",
    content: "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
  },
  {
    role: "system",
    name: "example_assistant",
    content: "Let's talk later when we're less busy about how to do better.",
  },
  {
    role: "user",
    content: "This late pivot means we don't have time to boil the ocean for the client deliverable.",
  },
]

/** The same, 7: tools. */
const WEATHER: { messages: Message[]; tools: ToolDefinition[] } = {
  messages: [
    { role: "system", content: "You are a helpful assistant that can answer to questions about the weather." },
    { role: "user", content: "What's the weather like in San Francisco?" },
  ],
  tools: [
    {
      type: "function",
      function: {
        name: "get_current_weather",
        description: "Get the current weather in a given location",
        parameters: {
          type: "object",
          properties: {
            location: { type: "string", description: "The city and state, e.g. San Francisco, CA" },
            unit: { type: "string", description: "The unit of temperature to return", enum: ["celsius", "fahrenheit"] },
          },
          required: ["location"],
        },
      },
    },
  ],
}

describe("published examples", () => {
  test.each([
    ["gpt-4-0613", 129],
    ["gpt-3.5-turbo-0613", 129],
    ["gpt-4", 129],
    ["gpt-4o", 124],
    ["gpt-4o-mini", 124],
    ["openrouter/openai/gpt-4o-mini-2024-07-18", 124],
  ])("messages for %s", (model, tokens) => {
    const counted = countRequestTokens({ model, messages: JARGON })
    expect(counted).toMatchObject({ tokens })
    expect(counted.upperBound).toBeGreaterThanOrEqual(tokens)
  })

  test.each([
    ["gpt-3.5-turbo", 105],
    ["gpt-4", 105],
    ["gpt-4o", 101],
    ["gpt-4o-mini", 101],
  ])("tools for %s", (model, tokens) => {
    const counted = countRequestTokens({ model, ...WEATHER })
    expect(counted).toMatchObject({ tokens, exact: false, shape: "text+tools" })
    expect(counted.upperBound).toBeGreaterThan(tokens)
  })

  // https://platform.openai.com/docs/guides/images-vision#calculating-costs
  test.each([
    ["gpt-4o", 1024, 1024, "high", 765],
    ["gpt-4o", 2048, 4096, "high", 1105],
    ["gpt-4o", 4096, 8192, "low", 85],
    ["gpt-4.1-mini", 1024, 1024, "high", Math.ceil(1024 * 1.62)],
    ["gpt-4.1-mini", 1800, 2400, "high", Math.ceil(1452 * 1.62)],
  ] as const)("image for %s of %d × %d, %s", (model, width, height, detail, tokens) => {
    expect(imageTokens({ width, height }, imageRuleFor(model), detail).tokens).toBe(tokens)
  })
})

describe("image sizes", () => {
  const url = (hex: string) => `data:image/x;base64,${Buffer.from(hex, "hex").toString("base64")}`
  test.each([
    ["png", "89504e470d0a1a0a 0000000d 49484452 00000140 000000f0 08"],
    ["gif", "474946383961 4001 f000 0000"],
    ["webp VP8X", "52494646 00000000 57454250 56503858 0a000000 00000000 3f0100 ef0000 00"],
    ["webp VP8L", "52494646 00000000 57454250 5650384c 00000000 2f 3fc13b00 0000000000"],
    ["webp VP8", "52494646 00000000 57454250 56503820 00000000 000000 9d012a 4001 f000 0000"],
    ["jpeg", "ffd8 ffe0 0004 0000 ffc4 0003 00 ffc2 0011 08 00f0 0140 03 00000000"],
  ])("%s", (_, hex) => {
    expect(imageSizeOf(url(hex.replaceAll(" ", "")))).toEqual({ width: 320, height: 240 })
  })

  test("is unknown for URLs and broken data", () => {
    expect(imageSizeOf("https://example.com/a.png")).toBeUndefined()
    expect(imageSizeOf("data:image/png;base64,AAAA")).toBeUndefined()
    expect(imageSizeOf(url("ffd8ffe0"))).toBeUndefined()
  })
})

describe("bounds", () => {
  describe("the chat template of gpt-oss", () => {
    /** The harmony format as OpenAI describes it, with every optional line. */
    const rendered = (messages: Message[]) => {
      const [first, ...rest] = messages
      const hasInstructions = first!.role === "system"
      const developer = `# Instructions\n\n${hasInstructions ? first!.content : ""}\n\n`
      const turns = (hasInstructions ? rest : messages).map(
        ({ role, content }) =>
          `<|start|>${role}${role === "assistant" ? "<|channel|>final" : ""}<|message|>${content}<|end|>`,
      )
      return `<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06
Current date: 2026-11-30

Reasoning: medium

# Valid channels: analysis, commentary, final. Channel must be included for every message.
Calls to these tools must go to the commentary channel: 'functions'.<|end|><|start|>developer<|message|>${developer}<|end|>${turns.join("")}<|start|>assistant`
    }
    const user: Message = { role: "user", content: "hello" }
    test.each([
      [[user]],
      [[{ role: "system", content: "Be brief." }, user]],
      [[user, { role: "assistant", content: "hi" }, user, { role: "assistant", content: "" }, user]],
    ] satisfies [Message[]][])("is within the bound of %j", (messages) => {
      for (const model of ["gpt-oss-20b", "groq/openai/gpt-oss-120b"]) {
        const real = countTokens(rendered(messages), { model: "gpt-oss-20b", allowedSpecial: "all" })
        expect(real).toBeGreaterThan(70)
        expect(countRequestTokens({ model, messages }).upperBound).toBeGreaterThanOrEqual(real)
      }
    })
  })

  test("the default system prompt of an open model's template is within the bound", () => {
    // "You are Qwen, created by Alibaba Cloud. You are a helpful assistant." makes 30 tokens of "hello".
    for (const model of ["qwen/qwen-2.5-72b-instruct", "mistralai/mistral-small-3.2-24b-instruct", "xai/grok-4.7"])
      expect(
        countRequestTokens({ model, messages: [{ role: "user", content: "hello" }] }).upperBound,
      ).toBeGreaterThanOrEqual(1_024)
    for (const model of ["gpt-4o", "claude-opus-4-8", "gemini/gemini-2.5-flash"])
      expect(countRequestTokens({ model, messages: [{ role: "user", content: "hello" }] }).upperBound).toBeLessThan(80)
  })

  test("an image of unknown size counts as the largest", () => {
    expect(imageTokens(undefined, imageRuleFor("gpt-4o")).upperBound).toBe(85 + 8 * 170)
  })

  test.each([
    ["claude-sonnet-4-5", 800, 600, 29 * 22, 1568],
    ["claude-3-haiku", 4000, 3000, 1568, 1568],
    ["claude-opus-4-6", 4000, 3000, 1568, 1568],
    ["claude-haiku-4-5", 4000, 3000, 1568, 1568],
    ["claude-sonnet-4", 4000, 3000, 1568, 1568],
    ["claude-4-opus", 4000, 3000, 1568, 1568],
    ["claude-sonnet-4.5", 4000, 3000, 1568, 1568],
    ["claude-opus-4-7", 4000, 3000, 4784, 4784],
    ["claude-opus-4.8", 4000, 3000, 4784, 4784],
    ["claude-sonnet-5", 1920, 1080, 69 * 39, 4784],
    ["claude-opus-5-5", 28, 28, 1, 4784],
    ["gemini-3.1-pro-preview", 4000, 3000, 1120, 2240],
    ["gemini-2.5-flash", 384, 384, 258, 258],
    ["gemini-2.5-flash", 960, 540, 6 * 258, 6 * 258],
    ["gemini-2.0-flash", 3072, 3072, 16 * 258, 16 * 258],
  ])("an image for %s of %d × %d pixels has %d tokens, and at most %d", (model, width, height, tokens, maximum) => {
    const counted = imageTokens({ width, height }, imageRuleFor(model))
    expect(counted).toEqual({ tokens, upperBound: Math.ceil(maximum * 1.1) })
  })

  describe("an image for a model without published rules", () => {
    const boundOf = (model: string, url: string) =>
      countRequestTokens({ model, messages: [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }] })
        .upperBound

    test("may be billed as the text of its URL", () => {
      // The size of the image for which a user reported 66,000 tokens: 131 KB as PNG.
      let state = 1
      const bytes = Buffer.alloc(131_000)
      for (let index = 0; index < bytes.length; index++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
        bytes[index] = state >>> 24
      }
      const url = `data:image/png;base64,${bytes.toString("base64")}`
      for (const model of ["gpt-5.4-mini", "openai/gpt-5.4-mini"])
        expect(boundOf(model, url)).toBeGreaterThanOrEqual(countTokens(url, { model }))
      expect(boundOf("gpt-5.4-mini", url)).toBeGreaterThan(66_000)
      expect(boundOf("xai/grok-4", url)).toBeGreaterThanOrEqual(url.length)
      expect(boundOf("no-such-model", `DATA:${url.slice(5)}`)).toBeGreaterThanOrEqual(url.length)
    })

    test("is never bounded below the published formulas", () => {
      expect(boundOf("gpt-5.4-mini", "data:image/png;base64,AAAA")).toBeGreaterThanOrEqual(24_600)
    })

    test("by URL is bounded by the model's window, or is an error", () => {
      const address = "https://example.com/a.png"
      expect(boundOf("gemini/gemini-2.5-flash", address)).toBeGreaterThanOrEqual(
        getModelLimits("gemini/gemini-2.5-flash").contextWindow,
      )
      expect(() => boundOf("no-such-model", address)).toThrow(
        expect.objectContaining({ code: "unbounded-input", message: expect.stringContaining("data: URL") }),
      )
    })
  })

  describe("a file", () => {
    const pdf = (bytes: number) => ({
      type: "file" as const,
      file: { filename: "a.pdf", file_data: `data:application/pdf;base64,${Buffer.alloc(bytes).toString("base64")}` },
    })
    const counted = (model: string, ...content: ContentPart[]) =>
      countRequestTokens({ model, messages: [{ role: "user", content }] })

    test("is bounded by the model's window, with everything else and with every other file", () => {
      const { contextWindow } = getModelLimits("gpt-4o")
      for (const files of [[pdf(10)], [pdf(2_000_000), pdf(10)], [{ type: "file" as const, file: { file_id: "f" } }]]) {
        const { upperBound, exact, shape } = counted("gpt-4o", { type: "text", text: "Sum it up." }, ...files)
        expect({ upperBound, exact, shape }).toEqual({ upperBound: contextWindow, exact: false, shape: "text+files" })
      }
      const gemini = getModelLimits("gemini/gemini-2.5-flash")
      expect(counted("gemini/gemini-2.5-flash", pdf(10)).upperBound).toBe(
        Math.max(gemini.contextWindow, gemini.maxInputTokens ?? 0),
      )
    })

    test("is estimated by its size, and never so that the estimate alone denies the call", () => {
      const small = counted("gpt-4o", pdf(50_000)).tokens
      expect(small).toBeGreaterThan(1_500)
      expect(small).toBeLessThan(3_100)
      expect(counted("gpt-4o", pdf(500_000)).tokens).toBeGreaterThan(3 * small)
      expect(counted("gpt-4o", pdf(20_000_000), pdf(20_000_000)).tokens).toBeLessThan(65_000)
    })

    test("for a model without known limits is an error, as is a file without data", () => {
      expect(() => counted("no-such-model", pdf(10))).toThrow(
        expect.objectContaining({ code: "unbounded-input", path: "messages[0].content[0]" }),
      )
      for (const file of [undefined, {}, { file_data: 5 }])
        expect(() => counted("gpt-4o", { type: "file", file } as never)).toThrow(
          expect.objectContaining({ code: "invalid-argument" }),
        )
    })
  })

  describe("audio", () => {
    const counted = (data: Buffer, format: "mp3" | "wav", model = "gpt-4o") => {
      const part = { type: "input_audio" as const, input_audio: { data: data.toString("base64"), format } }
      return countRequestTokens({ model, messages: [{ role: "user", content: [part] }] })
    }
    const wav = ({ seconds = 10, rate = 16_000, channels = 1, bits = 16, tag = 1, stated = 0 }) => {
      const bytes = Buffer.alloc(44 + (seconds * rate * channels * bits) / 8)
      bytes.write("RIFF")
      bytes.writeUInt32LE(stated, 4)
      bytes.write("WAVEfmt ", 8)
      bytes.writeUInt32LE(16, 16)
      bytes.writeUInt16LE(tag, 20)
      bytes.writeUInt16LE(channels, 22)
      bytes.writeUInt32LE(rate, 24)
      bytes.writeUInt16LE(bits, 34)
      bytes.write("data", 36)
      bytes.writeUInt32LE(stated, 40)
      return bytes
    }
    const window = getModelLimits("gpt-4o").contextWindow

    test.each([
      [{ seconds: 10 }, 10],
      [{ seconds: 10, stated: 1 }, 10],
      [{ seconds: 7, rate: 44_100, channels: 2 }, 7],
      [{ seconds: 60, rate: 8_000, bits: 8 }, 60],
      // A rate above what models accept counts as the highest usual one, which makes the audio longer.
      [{ seconds: 1, rate: 384_000, channels: 2, bits: 32 }, 16],
    ])("of PCM %j is bounded by its %d seconds", (format, seconds) => {
      const { upperBound, tokens } = counted(wav(format), "wav")
      expect(upperBound).toBeGreaterThanOrEqual(32 * seconds)
      expect(upperBound).toBeLessThan(32 * (seconds + 1) + 100)
      expect(tokens).toBeGreaterThanOrEqual(10 * seconds)
    })

    test.each([
      ["mp3", "mp3", Buffer.alloc(10_000)],
      ["WAV with a compressed format", "wav", wav({ tag: 85 })],
      ["WAV with the rate of no audio", "wav", wav({ rate: 1, bits: 8, seconds: 100 })],
      ["WAV without a header", "wav", Buffer.alloc(10)],
      ["WAV that is sent as mp3", "mp3", wav({})],
    ] as const)("in %s is bounded by the window", (_title, format, data) => {
      expect(counted(data, format).upperBound).toBe(window)
      expect(counted(data, format).tokens).toBeLessThan(window / 2)
      expect(() => counted(data, format, "no-such-model")).toThrow(
        expect.objectContaining({ code: "unbounded-input", message: expect.stringContaining("WAV") }),
      )
    })
  })

  test("a model without a public tokenizer is bounded by bytes", () => {
    const messages: Message[] = [{ role: "user", content: "हिन्दी 中文 😀".repeat(20) }]
    const counted = countRequestTokens({ model: "anthropic/claude-sonnet-4-5", messages })
    expect(counted.exact).toBe(false)
    expect(counted.upperBound).toBeGreaterThanOrEqual(Buffer.byteLength(String(messages[0]?.content)))
    expect(counted.upperBound).toBeGreaterThan(counted.tokens)
  })
})

test("calibration moves the estimate toward what was reported, and never lowers the bound", () => {
  const calibration = createCalibration()
  const input = { model: "gpt-4o", ...WEATHER, calibration }
  const before = countRequestTokens(input)
  for (let round = 0; round < 20; round++) {
    const { tokens, shape } = countRequestTokens(input)
    calibration.calibrate("gpt-4o", { counted: tokens, reported: 80, shape })
  }
  const after = countRequestTokens(input)
  expect(Math.abs(after.tokens - 80)).toBeLessThanOrEqual(1)
  expect(after.upperBound).toBe(before.upperBound)
  expect(countRequestTokens({ ...input, model: "gpt-4" }).tokens).toBe(105)
})

describe("invalid and unusual requests", () => {
  const circle: Record<string, unknown> = { properties: {} }
  circle.properties = { circle }
  const user = (content: unknown) => ({ messages: [{ role: "user", content }] })
  const tool = (parameters: unknown) => ({ tools: [{ type: "function", function: { name: "f", parameters } }] })
  const call = (tool_calls: unknown) => ({ messages: [{ role: "assistant", content: null, tool_calls }] })
  const count = (part: object) =>
    countRequestTokens({ model: "gpt-4o", messages: [], ...part } as Parameters<typeof countRequestTokens>[0])

  test.each<[string, object, string]>([
    ["a hole", { messages: new Array(1) }, "messages[0]"],
    ["no part", user([null]), "messages[0].content[0]"],
    ["no image", user([{ type: "image_url", image_url: null }]), "messages[0].content[0].image_url.url"],
    ["no audio", user([{ type: "input_audio" }]), "messages[0].content[0].input_audio.data"],
    ["no call", call([{}]), "messages[0].tool_calls[0].function.name"],
    ["no id", { messages: [{ role: "tool", content: "a" }] }, "messages[0].tool_call_id"],
    ["no tools", { tools: "abc" }, "tools"],
    ["no tool", { tools: [null] }, "tools[0].function.name"],
    ["a circle", tool(circle), "tools"],
    ["a bigint", tool({ properties: { a: { minimum: 1n } } }), "tools"],
    [
      "a factor that is not a number",
      { model: "gpt-5", calibration: { factor: () => Number.NaN } },
      "calibration.factor()",
    ],
    ["a misspelled role", { messages: [{ role: "usr", content: "Hi" }] }, "messages[0].role"],
    ["a role of another API", { messages: [{ role: "model", name: "f", content: "Hi" }] }, "messages[0].role"],
    ["no role", { messages: [{ content: "Hi" }] }, "messages[0].role"],
    ["no content", { messages: [{ role: "user" }] }, "messages[0].content"],
    ["a number as content", { messages: [{ role: "system", content: 5 }] }, "messages[0].content"],
    ["a number as text", user([{ type: "text", text: 5 }]), "messages[0].content[0].text"],
    ["a number as name", { messages: [{ role: "user", content: "a", name: 5 }] }, "messages[0].name"],
    ["an unknown part", user([{ type: "video" }]), "messages[0].content[0].type"],
    ["a misspelled option", { mesages: [] }, "mesages"],
    ["a prompt", { prompt: "Hi" }, "prompt"],
  ])("%s is a usage error that names it", (_, part, path) => {
    expect(() => count(part)).toThrow(expect.objectContaining({ code: "invalid-argument" }))
    expect(() => count(part)).toThrow(`\`${path}\``)
  })

  test.each([
    null,
    true,
    { properties: null },
    { properties: { a: null, b: { type: ["string"], enum: [null, Object.create(null)] } } },
  ])("tools with %j are bounded by their JSON", (parameters) => {
    expect(count(tool(parameters)).upperBound).toBeGreaterThan(
      2 * countTokens(JSON.stringify(tool(parameters).tools), { model: "gpt-4o" }),
    )
  })

  test("unknown fields of a content part, a tool call and a tool count in the bound", () => {
    const signature = "QUJD".repeat(500)
    const extra_content = { google: { thought_signature: signature } }
    const call = { id: "c", type: "function", function: { name: "f", arguments: "{}" } }
    const part = { type: "text", text: "Hi" }
    const result = { role: "tool", tool_call_id: "c", content: "1" }
    const boundOf = (message: object, more: object = {}) =>
      countRequestTokens({
        model: "gemini/gemini-2.5-flash",
        messages: [message, result] as MessageInput[],
        ...more,
      }).upperBound
    const assistant = (calls: object) => ({ role: "assistant", content: null, tool_calls: [calls] })
    const least = 2 * signature.length
    expect(boundOf(assistant({ ...call, extra_content })) - boundOf(assistant(call))).toBeGreaterThan(least)
    const inFunction = { ...call, function: { ...call.function, provider_specific_fields: extra_content } }
    expect(boundOf(assistant(inFunction)) - boundOf(assistant(call))).toBeGreaterThan(least)
    const custom = { id: "c", type: "custom", custom: { name: "f", input: "x" } }
    expect(boundOf(assistant({ ...custom, extra_content })) - boundOf(assistant(custom))).toBeGreaterThan(least)
    const user = (content: object) => ({ role: "user", content: [content] })
    expect(boundOf(user({ ...part, extra_content })) - boundOf(user(part))).toBeGreaterThan(least)
    expect(boundOf(user({ ...part, cache_control: { type: "ephemeral" } }))).toBe(boundOf(user(part)))
    const format = { type: "json_schema", json_schema: { name: "n", schema: {} } }
    const formatted = (answerFormat: object) => boundOf(user(part), { answerFormat })
    expect(formatted({ ...format, schema: { description: signature } }) - formatted(format)).toBeGreaterThan(least)
  })

  test("unknown fields of a message count in the bound", () => {
    const function_call = { name: "f", arguments: "some words ".repeat(500) }
    const counted = count({ messages: [{ role: "assistant", content: null, function_call }] })
    expect(counted).toMatchObject({ exact: false, shape: "text+other" })
    expect(counted.upperBound).toBeGreaterThan(1000)
    expect(() => count({ messages: [{ role: "assistant", content: null, audio: { id: "a" } }] })).toThrow(
      expect.objectContaining({ code: "unbounded-input", path: "messages[0].audio" }),
    )
  })
})

test("counts custom tools and their calls like functions, and treats null as absent", () => {
  const count = (messages: MessageInput[], tools?: (ToolDefinition | CustomToolDefinition)[]) =>
    countRequestTokens({ model: "gpt-4o-mini", messages, tools, answerFormat: null })
  const call = (custom: boolean): MessageInput => ({
    role: "assistant",
    tool_calls: custom
      ? [{ id: "1", type: "custom", custom: { name: "sql", input: "SELECT 1" } }]
      : [{ id: "1", type: "function", function: { name: "sql", arguments: "SELECT 1" } }],
  })
  expect(count([call(true)])).toEqual(count([call(false)]))
  const named = { name: "sql", description: "Runs SQL." }
  const custom = count([], [{ type: "custom", custom: named }])
  expect(custom.tokens).toBe(count([], [{ type: "function", function: named }]).tokens)
  const grammar = { type: "grammar", grammar: { syntax: "lark", definition: "start: WORD+".repeat(20) } } as const
  const constrained = count([], [{ type: "custom", custom: { ...named, format: grammar } }])
  expect(constrained.tokens).toBeGreaterThan(custom.tokens + 60)
  expect(constrained.upperBound).toBeGreaterThan(custom.upperBound + 120)
  const nulls = { role: "assistant", content: null, name: null, tool_calls: null, refusal: null } as never
  expect(count([nulls])).toEqual(count([{ role: "assistant", content: null }]))
  expect(count([{ role: "function", name: "f", content: "4" }]).tokens).toBeGreaterThan(5)
})
