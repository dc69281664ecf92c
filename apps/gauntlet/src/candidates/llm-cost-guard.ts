import { createRequire } from "node:module"
import { Redis } from "ioredis"
import type { StorageAdapter, UsageEvent } from "llm-cost-guard"
import OpenAI from "openai"
import { MODEL } from "../billing-provider"
import { type Definition, sendChat } from "../candidate"

// As CommonJS: Node cannot load its ES module, whose imports have no file extension.
const { BudgetExceededError, createExpressMiddleware, createGuard } = createRequire(import.meta.url)(
  "llm-cost-guard",
) as typeof import("llm-cost-guard")

const WINDOW_MS = 86_400_000
/** It counts dollars. At one dollar per million tokens, dollars and tokens are the same limit. */
const PRICE = { inputPerMillionUsd: 1, outputPerMillionUsd: 1 }

/**
 * Uses `wrap` as in its README, `track` for streams, whose usage it does not read, its middleware's check before each
 * call, and a storage adapter on Redis, which its README recommends for several processes.
 */
export const llmCostGuard: Definition = {
  name: "llm-cost-guard",
  packageName: "llm-cost-guard",
  isShared: true,
  async create({ baseURL, redisUrl, limitTokens }) {
    const redis = new Redis(redisUrl)
    const limitUsd = limitTokens / 1e6
    const guard = createGuard({
      budgets: [{ id: "total", limitUsd, windowMs: WINDOW_MS }],
      pricing: { [MODEL]: PRICE },
      storage: redisStorage(redis),
    })
    const precheck = createExpressMiddleware(guard, {
      precheck: { enabled: true, maxSpendUsd: limitUsd, windowMs: WINDOW_MS },
    })
    const plain = new OpenAI({ baseURL, apiKey: "local" })
    const wrapped = guard.wrap(plain)
    return {
      async ask(call) {
        if (await isRejected(precheck)) return "denied"
        try {
          if (!call.isStream) {
            await sendChat(wrapped, call)
            return "answered"
          }
          const usage = await sendChat(plain, call)
          const { prompt_tokens: inputTokens = 0, completion_tokens: outputTokens = 0 } = usage ?? {}
          await guard.track({ model: MODEL, inputTokens, outputTokens })
          return "answered"
        } catch (error) {
          if (error instanceof BudgetExceededError) return "denied"
          throw error
        }
      },
      async countedTokens() {
        const { totalInputTokens, totalOutputTokens } = await guard.getUsage()
        return totalInputTokens + totalOutputTokens
      },
      close: async () => redis.disconnect(),
    }
  },
}

/** Whether the middleware answers the request itself. */
function isRejected(middleware: ReturnType<typeof createExpressMiddleware>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const response = { status: () => response, json: () => resolve(true) }
    middleware({ headers: {} }, response, (error) => (error === undefined ? resolve(false) : reject(error)))
  })
}

function redisStorage(redis: Redis): StorageAdapter {
  return {
    async append(event) {
      await redis.rpush("events", JSON.stringify(event))
    },
    async list({ since = 0, until = Number.POSITIVE_INFINITY } = {}) {
      const events = (await redis.lrange("events", 0, -1)).map((text): UsageEvent => JSON.parse(text))
      return events.filter(({ createdAt }) => createdAt >= since && createdAt <= until)
    },
  }
}
