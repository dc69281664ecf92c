import { type Budget, createBudget, type Limit, memoryStore } from "@p2/budget"
import type { LanguageModelMiddleware } from "ai"
import { wrapLanguageModel } from "ai"
import { MockLanguageModelV4 } from "ai/test"
import { wrapLanguageModel as wrapLanguageModel6 } from "ai6"
import { MockLanguageModelV3 } from "ai6/test"
import { type BudgetMiddlewareOptions, budgetMiddleware } from "../../src/ai-sdk"
import type { GuardAttempt } from "../../src/index"

/** gpt-4o-mini at the default tier: $0.15 and $0.60 per million tokens. */
export const DEFAULT_TIER = { openai: { serviceTier: "default" } }

/** 20 input and 10 output tokens: 3,000 + 6,000 nano-USD. */
export const USAGE = {
  inputTokens: { total: 20, noCache: 20, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 10, text: 10, reasoning: 0 },
}
export const COST = 9_000

const STOP = { unified: "stop", raw: "stop" } as const

export const RESULT = { content: [{ type: "text", text: "Hello" }], finishReason: STOP, usage: USAGE, warnings: [] }

export const PARTS: readonly object[] = [
  { type: "stream-start", warnings: [] },
  { type: "response-metadata", id: "answer-1", modelId: "gpt-4o-mini-2024-07-18" },
  { type: "text-start", id: "1" },
  { type: "text-delta", id: "1", delta: "Hel" },
  { type: "text-delta", id: "1", delta: "lo" },
  { type: "text-end", id: "1" },
  { type: "finish", finishReason: STOP, usage: USAGE },
]

export function streamOf(parts: readonly object[], end: "close" | "fail" | "stall" = "close"): ReadableStream<never> {
  let index = 0
  return new ReadableStream({
    async pull(controller) {
      const part = parts[index++]
      if (part !== undefined) controller.enqueue(part as never)
      else if (end === "close") controller.close()
      else if (end === "fail") controller.error(new Error("The connection closed."))
      else await new Promise(() => {})
    },
  })
}

export interface MockOptions {
  provider?: string
  modelId?: string
  result?: (options: Record<string, unknown>) => unknown
  stream?: () => ReadableStream<never>
  limit?: Limit["limit"]
  budget?: Budget
  middleware?: Partial<BudgetMiddlewareOptions>
}

/** A model of each specification, with the middleware around it. Its calls are recorded. */
export const VERSIONS = [
  {
    name: "v4",
    wrap(options: MockOptions) {
      const { budget, middleware, attempts, calls, fields } = setUp(options)
      const model = wrapLanguageModel({ model: new MockLanguageModelV4(fields as never), middleware })
      return { budget, attempts, calls, model }
    },
  },
  {
    name: "v3",
    wrap(options: MockOptions) {
      const { budget, middleware, attempts, calls, fields } = setUp(options)
      const model = wrapLanguageModel6({ model: new MockLanguageModelV3(fields as never), middleware })
      return { budget, attempts, calls, model: model as unknown as ReturnType<typeof wrapLanguageModel> }
    },
  },
] as const

function setUp(options: MockOptions) {
  const { provider = "openai.chat", modelId = "gpt-4o-mini", limit = "1.00" } = options
  const budget = options.budget ?? createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const attempts: GuardAttempt[] = []
  const calls: Record<string, unknown>[] = []
  const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
  const middleware = budgetMiddleware({ budget, onAttempt, ...options.middleware })
  const fields = {
    provider,
    modelId,
    doGenerate: async (call: Record<string, unknown>) => {
      calls.push(call)
      return options.result?.(call) ?? RESULT
    },
    doStream: async (call: Record<string, unknown>) => {
      calls.push(call)
      return { stream: options.stream?.() ?? streamOf(PARTS) }
    },
  }
  return { budget, attempts, calls, fields, middleware: middleware satisfies LanguageModelMiddleware }
}

/** Options of a call, of either specification. */
export function callOf(options: object = {}): never {
  const prompt = [{ role: "user", content: [{ type: "text", text: "Hi" }] }]
  return { prompt, maxOutputTokens: 100, providerOptions: DEFAULT_TIER, ...options } as never
}

export async function readAll(stream: ReadableStream<unknown>): Promise<unknown[]> {
  const parts: unknown[] = []
  for await (const part of stream) parts.push(part)
  return parts
}
