import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import type { LocalProvider } from "@p2/local-provider"
import * as ai7 from "ai"
import { createAnthropic as createAnthropic3 } from "ai-sdk-anthropic3"
import { createGoogleGenerativeAI as createGoogle3 } from "ai-sdk-google3"
import { createOpenAI as createOpenAI3 } from "ai-sdk-openai3"
import * as ai6 from "ai6"
import { z } from "zod"
import { type BudgetMiddlewareOptions, budgetMiddleware } from "../../src/ai-sdk"
import type { Caller } from "../sdks/sdk-cases"

export const PROMPT = "Describe who is David Copperfield"
const key = "local"

/** One version of the AI SDK with one provider. The provider has no guarded `fetch`. */
export interface Integration {
  name: string
  /** `onCall` is called for each call of the model, before the budget reserves. */
  connect(server: LocalProvider, options: BudgetMiddlewareOptions, onCall?: () => void): Required<Caller>
}

const providerOptions = { openai: { serviceTier: "default" } } as const
const MAX = 300

function callerOf(ai: typeof ai7, model: ai7.LanguageModel): Required<Caller> {
  const common = (signal: AbortSignal | undefined) => ({
    model,
    prompt: PROMPT,
    maxOutputTokens: MAX,
    providerOptions,
    ...(signal && { abortSignal: signal }),
  })
  const inputSchema = z.object({ city: z.string() })
  return {
    call: (signal) => ai.generateText(common(signal)),
    async stream(onPiece, signal) {
      let failure: unknown
      const onError = ({ error }: { error: unknown }) => {
        failure = error
      }
      const { textStream } = ai.streamText({ ...common(signal), onError })
      for await (const _ of textStream) if (!onPiece()) break
      if (failure !== undefined) throw failure
    },
    steps: () =>
      ai.generateText({
        ...common(undefined),
        tools: { weather: ai.tool({ description: "The weather", inputSchema, execute: async () => "sunny" }) },
        stopWhen: ai.stepCountIs(2),
      }),
  }
}

const version7 = (
  name: string,
  model: (server: LocalProvider) => Parameters<typeof ai7.wrapLanguageModel>[0]["model"],
) => ({
  name: `ai 7, ${name}`,
  connect(server: LocalProvider, options: BudgetMiddlewareOptions, onCall = () => {}): Required<Caller> {
    const counting: ai7.LanguageModelMiddleware = {
      transformParams: async ({ params }) => {
        onCall()
        return params
      },
    }
    const middleware = [counting, budgetMiddleware(options)]
    return callerOf(ai7, ai7.wrapLanguageModel({ model: model(server), middleware }))
  },
})

const version6 = (
  name: string,
  model: (server: LocalProvider) => Parameters<typeof ai6.wrapLanguageModel>[0]["model"],
) => ({
  name: `ai 6, ${name}`,
  connect(server: LocalProvider, options: BudgetMiddlewareOptions, onCall = () => {}): Required<Caller> {
    const counting: ai6.LanguageModelMiddleware = {
      specificationVersion: "v3",
      transformParams: async ({ params }) => {
        onCall()
        return params
      },
    }
    const middleware = [counting, budgetMiddleware(options)]
    return callerOf(ai6 as unknown as typeof ai7, ai6.wrapLanguageModel({ model: model(server), middleware }) as never)
  },
})

export const INTEGRATIONS: readonly Integration[] = [
  version7("openai chat", ({ baseURL }) => createOpenAI({ baseURL, apiKey: key }).chat("gpt-4o-mini")),
  version7("openai", ({ baseURL }) => createOpenAI({ baseURL, apiKey: key })("gpt-4o-mini")),
  version7("anthropic", ({ anthropicBaseURL }) =>
    createAnthropic({ baseURL: `${anthropicBaseURL}/v1`, apiKey: key })("claude-opus-4-5"),
  ),
  version7("google", ({ geminiBaseURL }) =>
    createGoogleGenerativeAI({ baseURL: `${geminiBaseURL}/v1beta`, apiKey: key })("gemini-2.5-flash-lite"),
  ),
  version6("openai chat", ({ baseURL }) => createOpenAI3({ baseURL, apiKey: key }).chat("gpt-4o-mini")),
  version6("openai", ({ baseURL }) => createOpenAI3({ baseURL, apiKey: key })("gpt-4o-mini")),
  version6("anthropic", ({ anthropicBaseURL }) =>
    createAnthropic3({ baseURL: `${anthropicBaseURL}/v1`, apiKey: key })("claude-opus-4-5"),
  ),
  version6("google", ({ geminiBaseURL }) =>
    createGoogle3({ baseURL: `${geminiBaseURL}/v1beta`, apiKey: key })("gemini-2.5-flash-lite"),
  ),
]

/** One provider for each version; the slow tests add the others. */
const FAST_NAMES: readonly string[] = ["ai 7, openai", "ai 6, anthropic"]
export const FAST = INTEGRATIONS.filter(({ name }) => FAST_NAMES.includes(name))
export const SLOW = INTEGRATIONS.filter(({ name }) => !FAST_NAMES.includes(name))
