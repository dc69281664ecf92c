import { Redis } from "ioredis"
import OpenAI from "openai"
import { type Definition, sendChat } from "../candidate"

/** What most people write first: a counter in Redis, read before the call and increased after it. */
export const checkThenCall: Definition = {
  name: "check, then call",
  packageName: undefined,
  isShared: true,
  async create({ baseURL, redisUrl, limitTokens }) {
    const redis = new Redis(redisUrl)
    const openai = new OpenAI({ baseURL, apiKey: "local" })
    const spent = async () => Number(await redis.get("spent"))
    return {
      async ask(call) {
        if ((await spent()) >= limitTokens) return "denied"
        const usage = await sendChat(openai, call)
        await redis.incrby("spent", usage?.total_tokens ?? 0)
        return "answered"
      },
      countedTokens: spent,
      close: async () => redis.disconnect(),
    }
  },
}
