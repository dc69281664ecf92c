import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { redisForTests } from "@p2/redis-server"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { LLMClient } from "../src/index"

// Without Redis the test prints that it skips; in CI it fails.
const redis = await redisForTests()
let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
afterAll(async () => {
  await provider.close()
  await redis?.close()
})

describe.skipIf(redis === undefined)("a store given as a Redis URL", () => {
  test("enforces a user's limit over separate clients and keeps the ledger", async () => {
    const userId = crypto.randomUUID()
    const open = (request: object) => {
      const client = new LLMClient(
        { model: "openai/gpt-4o-mini", maxTokens: 100, userId, ...request },
        { baseURL: provider.baseURL, apiKey: "local", store: redis!.url },
      )
      client.msg.addMessageUser("Hello")
      return client
    }
    const probe = open({})
    const bound = (await probe.getBudgetInfo()).upperBoundCost
    const { receipt } = await probe.generate()
    expect(receipt.settlement).toBe("settled")
    await probe.close()
    const limited = open({ userBudget: bound / 2 })
    expect(await limited.generate()).toMatchObject({
      ok: false,
      error: { code: "budget-exceeded", scope: "user", spentNanoUsd: receipt.costNanoUsd },
    })
    expect(await limited.usageTracker.getRequestDetails(receipt.requestId)).toMatchObject({
      costNanoUsd: receipt.costNanoUsd,
      status: "succeeded",
    })
    await limited.close()
  })
})
