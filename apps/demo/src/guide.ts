import { randomUUID } from "node:crypto"
import { LLMClient } from "@p2/client"
import { P2Error, Request } from "@p2/core"
import { z } from "zod"
import type { DemoOptions, DemoStore } from "./options"
import { compare, dollars, heading, table } from "./print"
import type { Provider } from "./provider"

/** The answer model: details of a user. */
const UserDetail = z.object({
  name: z.string().describe("The user's name"),
  age: z.number().int().describe("The user's age"),
  interests: z.array(z.string()).describe("List of user's interests"),
})

/** Makes the same call under a budget that denies it and under one that allows it. */
export async function runGuide(options: DemoOptions, provider: Provider, store: DemoStore): Promise<void> {
  const userId = randomUUID()
  console.log(`Using userId: ${userId}`)
  await denied(options, provider, store, userId)
  await answered(options, provider, store, userId)
}

function requestWith(options: DemoOptions, maxBudget: string, userId: string) {
  return new Request({
    model: options.model,
    temperature: 0.7,
    maxTokens: 500,
    maxBudget,
    clientId: "demo",
    userId,
    answerModel: UserDetail,
  })
}

async function denied(options: DemoOptions, provider: Provider, store: DemoStore, userId: string): Promise<void> {
  heading(`A budget of $${options.smallBudget}`)
  await using client = new LLMClient(requestWith(options, options.smallBudget, userId), {
    ...provider.connection,
    store,
  })
  client.msg.addMessageUser(options.prompt)
  table({
    "Prompt tokens": client.countTokens(),
    "Max tokens for model": client.getMaxTokensForModel(),
  })
  const info = await client.getBudgetInfo()
  table({
    maxBudget: `$${info.maxBudget}`,
    estimatedCost: `$${info.estimatedCost}`,
    upperBoundCost: `$${info.upperBoundCost}`,
    remainingBudget: `$${info.remainingBudget}`,
    budgetExceeded: info.budgetExceeded,
  })
  const callsBefore = provider.local?.received.length ?? 0
  try {
    await client.generateResponse()
    console.log("  The budget was large enough: the call was made.")
  } catch (error) {
    if (!P2Error.isInstance(error) || error.kind !== "denied") throw error
    console.log(`  Denied (${error.code}): ${error.message}`)
    if (provider.local !== undefined)
      console.log(`  Calls that reached the provider: ${provider.local.received.length - callsBefore}`)
  }
}

async function answered(options: DemoOptions, provider: Provider, store: DemoStore, userId: string): Promise<void> {
  heading(`A budget of $${options.budget}`)
  await using client = new LLMClient(requestWith(options, options.budget, userId), {
    ...provider.connection,
    store,
  })
  client.msg.addMessageUser(options.prompt)
  const info = await client.getBudgetInfo()
  table({
    maxBudget: `$${info.maxBudget}`,
    estimatedCost: `$${info.estimatedCost}`,
    remainingBudget: `$${info.remainingBudget}`,
    budgetExceeded: info.budgetExceeded,
  })
  const billedBefore = provider.local?.ledger.totalNanoUsd ?? 0
  const answer = await client.generateResponse()
  const cost = client.receipt?.costNanoUsd ?? 0
  console.log("\nStructured response:")
  console.log(answer)
  console.log(`\nRequest cost: $${client.calculateCost().toFixed(6)} (exact: ${dollars(cost)})`)
  if (provider.local !== undefined)
    console.log(
      `Receipt and ledger of the provider: ${compare(cost, provider.local.ledger.totalNanoUsd - billedBefore)}`,
    )
  heading("Usage")
  client.printUsageInfo()
  await printStatistics(client)
}

/** Prints the statistics of this user, then of all users of the client. A file or a server includes earlier runs. */
async function printStatistics(client: LLMClient<unknown>): Promise<void> {
  heading("Usage stats of this user")
  const { byModel: _models, byDay: _days, groups: _groups, ...user } = await client.usageTracker.getUsageStats()
  table(user)
  heading("Usage stats of the client, all users together")
  const all = await client.usageTracker.getUsageStats({ userId: null })
  table({
    "Total requests": all.totalRequests,
    "Total tokens": all.totalTokens,
    "Total cost": dollars(all.totalCostNanoUsd),
  })
  const byDay = all.byDay.map(({ group, totalCostNanoUsd }) => [group[0], dollars(totalCostNanoUsd)])
  table(Object.fromEntries(byDay))
}
