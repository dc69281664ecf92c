import { inspect } from "node:util"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { type PostgresServer, startPostgres } from "@p2/postgres-server"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { LLMClient } from "../src/index"

let postgres: PostgresServer
let provider: LocalProvider
beforeAll(async () => {
  postgres = await startPostgres()
  provider = await startLocalProvider()
})
afterAll(async () => {
  await provider.close()
  await postgres.stop()
})

function open(store: string, request: object) {
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", maxTokens: 100, ...request },
    { baseURL: provider.baseURL, apiKey: "local", store },
  )
  client.msg.addMessageUser("Hello")
  return client
}

describe("a store given as a PostgreSQL URL", () => {
  test("enforces a user's limit over separate clients and keeps the ledger", async () => {
    const userId = crypto.randomUUID()
    const probe = open(postgres.url, { userId })
    const bound = (await probe.getBudgetInfo()).upperBoundCost
    const { receipt } = await probe.generate()
    expect(receipt.settlement).toBe("settled")
    await probe.close()
    const limited = open(postgres.url.replace("postgres:", "postgresql:"), { userId, userBudget: bound / 2 })
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

  test.each([
    ["nothing listens", "postgres://ann:sesame@127.0.0.1:1/p2"],
    ["the password is in the query", "postgres://127.0.0.1:1/p2?user=ann&password=sesame"],
  ])("calls are denied without the password in the error: %s", async (_, address) => {
    const client = open(address, {})
    const outcome = await client.generate().catch((error: unknown) => error)
    expect(inspect(outcome, { depth: 10 })).toContain("store-unavailable")
    expect(inspect(outcome, { depth: 10, showHidden: true })).not.toContain("sesame")
    await client.close()
  })

  test("is rejected without the password in the error if the URL is invalid", () => {
    for (const address of ["postgres://ann:sesame@127.0.0.1:port/p2", "postgres://ann:55/sesame@127.0.0.1/p2"]) {
      const reject = () => open(address, {})
      expect(reject).toThrow("escape a password with `encodeURIComponent`")
      expect(reject).not.toThrow("sesame")
    }
  })
})
