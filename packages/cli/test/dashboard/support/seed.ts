import { type Budget, createBudget, type Limit, memoryStore, type UsageEntry } from "@p2/budget"

const limits: Limit[] = [
  { scope: "total", limit: 40, per: "month" },
  { scope: "user", limit: "3.50", per: "day", optional: true },
  { scope: { tag: "team" }, limit: { usd: 20, tokens: 20_000_000 }, per: "day", optional: true },
]
const MODELS = [
  ["anthropic", "claude-sonnet-4-5", 3_000, 15_000],
  ["openai", "gpt-5", 1_250, 10_000],
  ["openai", "gpt-4o-mini", 150, 600],
  ["gemini", "gemini-2.5-flash", 300, 2_500],
] as const
const USERS = [
  ["ada", "search"],
  ["grace", "search"],
  ["linus", "infra"],
  ["margaret", "docs"],
] as const

/** Figures that look like a small team's day, the same in each run. */
async function budget(): Promise<Budget> {
  let state = 7
  const random = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
  const end = Date.now()
  let now = end - 23 * 3_600_000
  const budget = createBudget({ store: memoryStore({ now: () => now }), limits })
  for (let index = 0; index < 340; index++) {
    // Of a day that ends now, so that the figures do not depend on the time of day.
    const hour = 24 - (end - now) / 3_600_000
    // Slower at night, with calls until the end of the day.
    const pause = ((end - now) / (345 - index)) * (hour > 6 && hour < 20 ? 0.7 : 1.9)
    now += Math.floor(pause * 2 * random())
    const [userId, team] = USERS[Math.floor(random() ** 1.7 * 4)]!
    const [provider, model, input, output] = MODELS[Math.floor(random() ** 1.4 * 4)]!
    const inputTokens = Math.floor(2_000 + random() * 30_000)
    const outputTokens = Math.floor(100 + random() * 2_400)
    const cost = inputTokens * input + outputTokens * output
    const amount = { nanoUsd: Math.floor(cost * 1.6), tokens: inputTokens + 4_000 }
    const subject = { userId, clientId: "agents", model, tags: { team } }
    const result = await budget.reserve({ subject, amount, entry: { provider, mode: "text+stream" } })
    if (!result.ok) continue
    const entry: Partial<UsageEntry> = {
      tokens: { inputTokens, cacheReadTokens: Math.floor(inputTokens / 2), outputTokens },
      costs: { inputTokens: inputTokens * input, outputTokens: outputTokens * output },
      costSource: "table",
      durationMs: 800 + random() * 9_000,
      generationId: `gen-${index}`,
    }
    const chance = random()
    if (chance < 0.008)
      await result.reservation.settle(result.reservation.amount, { status: "failed", errorCode: "connection-lost" })
    else if (chance < 0.04)
      await result.reservation.settle(0, { status: "failed", errorCode: "http-429", costSource: "none" })
    else await result.reservation.settle({ nanoUsd: cost }, entry)
  }
  for (const [userId, team] of USERS) {
    now += 600
    const subject = { userId, clientId: "agents", model: "claude-sonnet-4-5", tags: { team } }
    await budget.reserve({ subject, amount: { usd: 0.4, tokens: 60_000 } })
    if (userId === "ada")
      for (let index = 0; index < 3; index++) await budget.reserve({ subject, amount: { usd: 9, tokens: 10 } })
  }
  return budget
}

export const seed = { limits, budget }
