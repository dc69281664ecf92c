import { createRequire } from "node:module"
import { Redis } from "ioredis"
import OpenAI from "openai"
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible"
import { MODEL, messagesOf } from "../billing-provider"
import { type Definition, sendChat } from "../candidate"

// As CommonJS: its ES module does not find tiktoken and estimates by length instead.
const { estimateMessagesTokens } = createRequire(import.meta.url)("llm-spend-guard") as typeof import("llm-spend-guard")

const KEY = "total"

/**
 * One point is one token. Consumes the estimate and the output limit before the call, and corrects it afterwards with the
 * documented `reward` and `penalty`. A rejected call increases the counter as well, so its points are rewarded.
 */
export const rateLimiterFlexible: Definition = {
  name: "rate-limiter-flexible",
  packageName: "rate-limiter-flexible",
  isShared: true,
  async create({ baseURL, redisUrl, limitTokens }) {
    const storeClient = new Redis(redisUrl)
    const limiter = new RateLimiterRedis({ storeClient, points: limitTokens, duration: 0 })
    const openai = new OpenAI({ baseURL, apiKey: "local" })
    return {
      async ask(call) {
        const points = estimateMessagesTokens(messagesOf(call), MODEL) + call.maxTokens
        try {
          await limiter.consume(KEY, points)
        } catch (error) {
          if (!(error instanceof RateLimiterRes)) throw error
          await limiter.reward(KEY, points)
          return "denied"
        }
        const usage = await sendChat(openai, call)
        // An abandoned stream reports no usage: its points stay consumed, as those of a failed call do.
        const difference = points - (usage?.total_tokens ?? points)
        if (difference > 0) await limiter.reward(KEY, difference)
        if (difference < 0) await limiter.penalty(KEY, -difference)
        return "answered"
      },
      countedTokens: async () => (await limiter.get(KEY))?.consumedPoints ?? 0,
      close: async () => storeClient.disconnect(),
    }
  },
}
