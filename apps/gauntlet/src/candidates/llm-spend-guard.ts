import { createRequire } from "node:module"
import { Redis } from "ioredis"
import OpenAI from "openai"
import { chatParameters, type Definition, readStream, signalOf } from "../candidate"

// As CommonJS: its ES module does not find tiktoken and estimates by length instead.
const { BudgetExceededError, LLMGuard, RedisStorage } = createRequire(import.meta.url)(
  "llm-spend-guard",
) as typeof import("llm-spend-guard")

/** The OpenAI example of its README with `RedisStorage`, which the README recommends for several processes. */
export const llmSpendGuard: Definition = {
  name: "llm-spend-guard",
  packageName: "llm-spend-guard",
  isShared: true,
  async create({ baseURL, redisUrl, limitTokens }) {
    const redis = new Redis(redisUrl)
    const guard = new LLMGuard({ storage: new RedisStorage(redis), globalBudgetTokens: limitTokens })
    const openai = new OpenAI({ baseURL, apiKey: "local" })
    return {
      async ask(call) {
        // Its `chat` takes no signal, so the client that it wraps sets one.
        const signal = signalOf(call)
        const create = (parameters: never) => openai.chat.completions.create(parameters, { signal })
        const guarded = guard.wrapOpenAI({ chat: { completions: { create } } })
        try {
          const parameters = { ...chatParameters(call), ...(call.isStream && { stream: true }) }
          const response = await guarded.chat(parameters)
          if (call.isStream) await readStream(response as unknown as Parameters<typeof readStream>[0], call)
          return "answered"
        } catch (error) {
          if (error instanceof BudgetExceededError) return "denied"
          throw error
        }
      },
      countedTokens: async () => (await guard.getStats())[0]!.used,
      close: async () => redis.disconnect(),
    }
  },
}
