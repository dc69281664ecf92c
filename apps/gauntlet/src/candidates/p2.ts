import { createBudget } from "@p2/budget"
import { redisStore } from "@p2/budget/redis"
import { budgetErrorFrom, guardFetch } from "@p2/guard"
import { Redis } from "ioredis"
import OpenAI from "openai"
import { type Definition, sendChat } from "../candidate"

/** The example of its README, with a store that processes share. */
export const p2: Definition = {
  name: "p2",
  packageName: "@p2/guard",
  isShared: true,
  async create({ baseURL, redisUrl, limitTokens }) {
    const client = new Redis(redisUrl)
    const budget = createBudget({
      store: redisStore({ client }),
      limits: [{ scope: "total", limit: { tokens: limitTokens } }],
      // Shorter than the default of a minute, so that the reservations of the killed process end within the run.
      leaseMs: 5_000,
      // The warnings say that this Redis is not replicated and does not write every command to disk.
      onWarning: () => {},
    })
    // The provider table does not list the local provider's host.
    const openai = new OpenAI({ baseURL, apiKey: "local", fetch: guardFetch({ budget, provider: "openai" }) })
    const status = async () => (await budget.status())[0]!
    return {
      async ask(call) {
        try {
          await sendChat(openai, call)
          return "answered"
        } catch (error) {
          const isCircuitOpen = (error as { code?: unknown }).code === "circuit_open"
          if (budgetErrorFrom(error) !== undefined || isCircuitOpen) return "denied"
          throw error
        }
      },
      async countedTokens() {
        for (let tries = 0; tries < 200 && (await status()).reserved > 0; tries++) {
          await budget.sweep()
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
        return (await status()).spent
      },
      async close() {
        await budget.close()
        client.disconnect()
      },
    }
  },
}
