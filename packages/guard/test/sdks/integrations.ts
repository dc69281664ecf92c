import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import Anthropic, { type Middleware } from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import { tool as langchainTool } from "@langchain/core/tools"
import { ChatOpenAI } from "@langchain/openai"
import { Agent, tool as agentsTool, OpenAIProvider, Runner, setTracingDisabled } from "@openai/agents"
import type { LocalProvider } from "@p2/local-provider"
import * as ai7 from "ai"
import { createAnthropic as createAnthropic3 } from "ai-sdk-anthropic3"
import { createGoogleGenerativeAI as createGoogle3 } from "ai-sdk-google3"
import { createOpenAI as createOpenAI3 } from "ai-sdk-openai3"
import * as ai6 from "ai6"
import OpenAI6 from "openai"
import OpenAI7 from "openai7"
import { z } from "zod"
import { type GuardOptions, guardFetch, guardMiddleware } from "../../src/index"

setTracingDisabled(true)

/** What an SDK is created and called with. */
export interface Connection {
  server: LocalProvider
  fetch: typeof fetch
  /** The same guard as middleware. */
  middleware: Middleware
  signal?: AbortSignal | undefined
  /** The retries of the SDK itself. @defaultValue that of the SDK */
  maxRetries?: number | undefined
}

/** A guard for an SDK. `onRequest` is called for each request of the SDK. */
export function connect(server: LocalProvider, options: GuardOptions, onRequest = () => {}): Connection {
  const [guarded, middleware] = [guardFetch(options), guardMiddleware(options)]
  return {
    server,
    fetch: (...args) => {
      // OpenAI's SDK fetches a `data:` URL before it sends a form.
      if (!String(args[0]).startsWith("data:")) onRequest()
      return guarded(...args)
    },
    middleware: (request, next) => {
      onRequest()
      return middleware(request, next)
    },
  }
}

/** One SDK, with the calls that every SDK can make. Each has an output limit of 300 tokens. */
export interface Integration {
  name: string
  /** The provider of the guard's option `provider`. */
  provider: "openai" | "anthropic" | "gemini"
  /** One call. */
  call(connection: Connection): Promise<unknown>
  /** A stream; `onPiece` returns false to abandon it. */
  stream(connection: Connection, onPiece: () => boolean): Promise<void>
  /** Two calls or more: the model calls a tool and gets its result. */
  steps(connection: Connection): Promise<unknown>
}

const PROMPT = "Describe who is David Copperfield"
const MAX = 300
const WEATHER = { type: "object", properties: { city: { type: "string" } }, required: ["city"] } as const
const key = "local"

function openai(name: string, OpenAI: typeof OpenAI6, api: "chat" | "responses"): Integration {
  const client = ({ server, fetch, maxRetries }: Connection) =>
    new OpenAI({ baseURL: server.baseURL, apiKey: key, fetch, ...(maxRetries !== undefined && { maxRetries }) })
  const chat = { model: "gpt-4o-mini", max_completion_tokens: MAX, service_tier: "default" as const }
  const responses = { model: "gpt-4o-mini", max_output_tokens: MAX, service_tier: "default" as const }
  const messages = [{ role: "user" as const, content: PROMPT }]
  const weather = { name: "weather", description: "The weather of a city", parameters: WEATHER as never }
  if (api === "responses")
    return {
      name,
      provider: "openai",
      call: (c) => client(c).responses.create({ ...responses, input: PROMPT }, { signal: c.signal }),
      async stream(c, onPiece) {
        const events = await client(c).responses.create(
          { ...responses, input: PROMPT, stream: true },
          { signal: c.signal },
        )
        for await (const event of events) if (event.type === "response.output_text.delta" && !onPiece()) break
      },
      async steps(c) {
        const tools = [{ type: "function" as const, strict: false, ...weather }]
        const first = await client(c).responses.create({ ...responses, input: PROMPT, tools }, { signal: c.signal })
        const call = first.output.find((item) => item.type === "function_call")
        if (call === undefined) throw new Error("The model called no tool.")
        const result = { type: "function_call_output" as const, call_id: call.call_id, output: "sunny" }
        const input = [{ role: "user" as const, content: PROMPT }, call, result]
        return client(c).responses.create({ ...responses, input }, { signal: c.signal })
      },
    }
  return {
    name,
    provider: "openai",
    call: (c) => client(c).chat.completions.create({ ...chat, messages }, { signal: c.signal }),
    async stream(c, onPiece) {
      const chunks = await client(c).chat.completions.create({ ...chat, messages, stream: true }, { signal: c.signal })
      for await (const chunk of chunks) if (chunk.choices[0]?.delta.content && !onPiece()) break
    },
    async steps(c) {
      const tools = [{ type: "function" as const, function: weather }]
      const first = await client(c).chat.completions.create({ ...chat, messages, tools }, { signal: c.signal })
      const message = first.choices[0]!.message
      const result = { role: "tool" as const, tool_call_id: message.tool_calls![0]!.id, content: "sunny" }
      return client(c).chat.completions.create(
        { ...chat, messages: [...messages, message, result] },
        { signal: c.signal },
      )
    },
  }
}

function anthropic(name: string, by: "fetch" | "middleware"): Integration {
  const client = ({ server, fetch, middleware, maxRetries }: Connection) =>
    new Anthropic({
      baseURL: server.anthropicBaseURL,
      apiKey: key,
      ...(by === "fetch" ? { fetch } : { middleware: [middleware] }),
      ...(maxRetries !== undefined && { maxRetries }),
    })
  const base = { model: "claude-haiku-5-5", max_tokens: MAX }
  const messages = [{ role: "user" as const, content: PROMPT }]
  return {
    name,
    provider: "anthropic",
    call: (c) => client(c).messages.create({ ...base, messages }, { signal: c.signal }),
    async stream(c, onPiece) {
      const events = await client(c).messages.create({ ...base, messages, stream: true }, { signal: c.signal })
      for await (const event of events) if (event.type === "content_block_delta" && !onPiece()) break
    },
    async steps(c) {
      const tools = [{ name: "weather", description: "The weather of a city", input_schema: WEATHER as never }]
      const first = await client(c).messages.create({ ...base, messages, tools }, { signal: c.signal })
      const use = first.content.find((block) => block.type === "tool_use")
      if (use === undefined) throw new Error("The model called no tool.")
      const result = { type: "tool_result" as const, tool_use_id: use.id, content: "sunny" }
      const turns = [
        ...messages,
        { role: "assistant" as const, content: first.content },
        { role: "user" as const, content: [result] },
      ]
      return client(c).messages.create({ ...base, messages: turns, tools }, { signal: c.signal })
    },
  }
}

const genai: Integration = (() => {
  const client = ({ server, fetch, maxRetries }: Connection) =>
    new GoogleGenAI({
      apiKey: key,
      httpOptions: {
        baseUrl: server.geminiBaseURL,
        fetch,
        retryOptions: { attempts: (maxRetries ?? 2) + 1, initialDelay: 0.001, maxDelay: 0.01 },
      },
    })
  const config = ({ signal }: Connection) => ({ maxOutputTokens: MAX, ...(signal && { abortSignal: signal }) })
  const model = "gemini-2.5-flash-lite"
  return {
    name: "@google/genai",
    provider: "gemini",
    call: (c) => client(c).models.generateContent({ model, contents: PROMPT, config: config(c) }),
    async stream(c, onPiece) {
      const chunks = await client(c).models.generateContentStream({ model, contents: PROMPT, config: config(c) })
      for await (const chunk of chunks) if (chunk.text && !onPiece()) break
    },
    async steps(c) {
      const functionDeclarations = [{ name: "weather", description: "The weather", parametersJsonSchema: WEATHER }]
      const withTools = { ...config(c), tools: [{ functionDeclarations }] }
      const first = await client(c).models.generateContent({ model, contents: PROMPT, config: withTools })
      const call = first.functionCalls?.[0]
      if (call === undefined) throw new Error("The model called no tool.")
      const contents = [
        { role: "user", parts: [{ text: PROMPT }] },
        first.candidates![0]!.content!,
        { role: "user", parts: [{ functionResponse: { name: "weather", response: { sky: "sunny" } } }] },
      ]
      return client(c).models.generateContent({ model, contents, config: config(c) })
    },
  }
})()

const inputSchema = z.object({ city: z.string() })

/** The AI SDK: `models` contains the model of each connection. */
function aiSdk(
  name: string,
  provider: Integration["provider"],
  ai: typeof ai7,
  model: (connection: Connection) => ai7.LanguageModel,
): Integration {
  const common = (c: Connection) => ({
    model: model(c),
    prompt: PROMPT,
    maxOutputTokens: MAX,
    ...(c.signal && { abortSignal: c.signal }),
    ...(c.maxRetries !== undefined && { maxRetries: c.maxRetries }),
  })
  return {
    name,
    provider,
    call: (c) => ai.generateText(common(c)),
    async stream(c, onPiece) {
      let failure: unknown
      const onError = ({ error }: { error: unknown }) => {
        failure = error
      }
      const { textStream } = ai.streamText({ ...common(c), onError })
      for await (const _ of textStream) if (!onPiece()) break
      if (failure !== undefined) throw failure
    },
    steps: (c) =>
      ai.generateText({
        ...common(c),
        tools: { weather: ai.tool({ description: "The weather", inputSchema, execute: async () => "sunny" }) },
        stopWhen: ai.stepCountIs(2),
      }),
  }
}

const langchain: Integration = (() => {
  const model = ({ server, fetch, maxRetries }: Connection) =>
    new ChatOpenAI({
      model: "gpt-4o-mini",
      apiKey: key,
      maxTokens: MAX,
      service_tier: "default",
      configuration: { baseURL: server.baseURL, fetch },
      ...(maxRetries !== undefined && { maxRetries }),
    })
  const options = ({ signal }: Connection) => (signal === undefined ? {} : { signal })
  return {
    name: "@langchain/openai",
    provider: "openai",
    call: (c) => model(c).invoke(PROMPT, options(c)),
    async stream(c, onPiece) {
      for await (const chunk of await model(c).stream(PROMPT, options(c))) if (chunk.text && !onPiece()) break
    },
    async steps(c) {
      const weather = langchainTool(async () => "sunny", {
        name: "weather",
        description: "The weather",
        schema: inputSchema,
      })
      const first = await model(c).bindTools([weather]).invoke(PROMPT, options(c))
      const result = await weather.invoke(first.tool_calls![0]! as never)
      return model(c).invoke([{ role: "user", content: PROMPT }, first, result] as never, options(c))
    },
  }
})()

const agents: Integration = (() => {
  const runner = ({ server, fetch, maxRetries }: Connection) => {
    const client = new OpenAI7({
      baseURL: server.baseURL,
      apiKey: key,
      fetch,
      ...(maxRetries !== undefined && { maxRetries }),
    })
    return new Runner({ modelProvider: new OpenAIProvider({ openAIClient: client as never }) })
  }
  const agent = (tools: NonNullable<ConstructorParameters<typeof Agent>[0]["tools"]> = []) =>
    new Agent({
      name: "agent",
      model: "gpt-4o-mini",
      instructions: "Answer.",
      tools,
      modelSettings: { maxTokens: MAX, providerData: { service_tier: "default" } },
    })
  const options = ({ signal }: Connection) => ({ maxTurns: 2, ...(signal && { signal }) })
  return {
    name: "@openai/agents",
    provider: "openai",
    call: (c) => runner(c).run(agent(), PROMPT, options(c)),
    async stream(c, onPiece) {
      const result = await runner(c).run(agent(), PROMPT, { ...options(c), stream: true })
      for await (const _ of result.toTextStream()) if (!onPiece()) return
      await result.completed
    },
    async steps(c) {
      const weather = agentsTool({
        name: "weather",
        description: "The weather",
        parameters: inputSchema,
        execute: async () => "sunny",
      })
      // The local provider calls the tool in every turn, so the run ends at its maximum number of turns.
      await runner(c)
        .run(agent([weather]), PROMPT, options(c))
        .catch((error: Error) => {
          if (error.name !== "MaxTurnsExceededError") throw error
        })
    },
  }
})()

const six = ai6 as unknown as typeof ai7

export const INTEGRATIONS: readonly Integration[] = [
  openai("openai 6, chat", OpenAI6, "chat"),
  openai("openai 6, responses", OpenAI6, "responses"),
  openai("openai 7, chat", OpenAI7 as unknown as typeof OpenAI6, "chat"),
  openai("openai 7, responses", OpenAI7 as unknown as typeof OpenAI6, "responses"),
  anthropic("@anthropic-ai/sdk", "fetch"),
  anthropic("@anthropic-ai/sdk, middleware", "middleware"),
  genai,
  aiSdk("ai 7, @ai-sdk/openai chat", "openai", ai7, ({ server, fetch }) =>
    createOpenAI({ baseURL: server.baseURL, apiKey: key, fetch }).chat("gpt-4o-mini"),
  ),
  aiSdk("ai 7, @ai-sdk/openai", "openai", ai7, ({ server, fetch }) =>
    createOpenAI({ baseURL: server.baseURL, apiKey: key, fetch })("gpt-4o-mini"),
  ),
  aiSdk("ai 7, @ai-sdk/anthropic", "anthropic", ai7, ({ server, fetch }) =>
    createAnthropic({ baseURL: `${server.anthropicBaseURL}/v1`, apiKey: key, fetch })("claude-haiku-5-5"),
  ),
  aiSdk("ai 7, @ai-sdk/google", "gemini", ai7, ({ server, fetch }) =>
    createGoogleGenerativeAI({ baseURL: `${server.geminiBaseURL}/v1beta`, apiKey: key, fetch })(
      "gemini-2.5-flash-lite",
    ),
  ),
  aiSdk(
    "ai 6, @ai-sdk/openai chat",
    "openai",
    six,
    ({ server, fetch }) => createOpenAI3({ baseURL: server.baseURL, apiKey: key, fetch }).chat("gpt-4o-mini") as never,
  ),
  aiSdk(
    "ai 6, @ai-sdk/openai",
    "openai",
    six,
    ({ server, fetch }) => createOpenAI3({ baseURL: server.baseURL, apiKey: key, fetch })("gpt-4o-mini") as never,
  ),
  aiSdk(
    "ai 6, @ai-sdk/anthropic",
    "anthropic",
    six,
    ({ server, fetch }) =>
      createAnthropic3({ baseURL: `${server.anthropicBaseURL}/v1`, apiKey: key, fetch })("claude-haiku-5-5") as never,
  ),
  aiSdk(
    "ai 6, @ai-sdk/google",
    "gemini",
    six,
    ({ server, fetch }) =>
      createGoogle3({ baseURL: `${server.geminiBaseURL}/v1beta`, apiKey: key, fetch })(
        "gemini-2.5-flash-lite",
      ) as never,
  ),
  langchain,
  agents,
]

/** One SDK for each wire format, of its newest version. The slow tests add older versions and SDKs that are built on others. */
const FAST_NAMES: readonly string[] = [
  "openai 7, chat",
  "openai 7, responses",
  "@anthropic-ai/sdk",
  "@google/genai",
  "ai 7, @ai-sdk/openai",
]
export const FAST = INTEGRATIONS.filter(({ name }) => FAST_NAMES.includes(name))
export const SLOW = INTEGRATIONS.filter(({ name }) => !FAST_NAMES.includes(name))
