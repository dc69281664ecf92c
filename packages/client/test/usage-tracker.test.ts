import { memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { openClient, Person } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => provider.faults.clear())
afterAll(() => provider.close())

/** Calls of two users of one client (an answer, a repaired answer, a failure, a denial), and of a user of another client. */
async function history() {
  // The clock advances with every reading, so that entries have the order of the calls.
  let time = Date.now()
  const store = memoryStore({ now: () => ++time })
  const request = { answerModel: Person, clientId: "shop", maxTokens: 300 }
  const ann = openClient(provider, { ...request, userId: "ann", tags: { team: "search" } }, { store })
  const answered = await ann.generate()
  provider.faults.next({ wrongShape: true })
  const repaired = await ann.generate()
  provider.faults.next({ status: 400 })
  const failed = await ann.generate()
  const bob = openClient(provider, { ...request, userId: "bob", maxBudget: "0.000001" }, { store })
  const denied = await bob.generate()
  const eve = openClient(provider, { ...request, clientId: "other", userId: "eve", model: "openai/gpt-4o" }, { store })
  const other = await eve.generate()
  return { ann, bob, eve, answered, repaired, failed, denied, other }
}

test("statistics are those of the request's own user and client, and agree with the receipts", async () => {
  const { ann, answered, repaired, failed } = await history()
  const receipts = [answered, repaired, failed].map(({ receipt }) => receipt)
  const cost = receipts.reduce((sum, receipt) => sum + receipt.costNanoUsd, 0)
  const inputTokens = receipts.reduce((sum, receipt) => sum + receipt.usage.inputTokens, 0)
  const stats = await ann.usageTracker.getUsageStats()
  expect(stats).toMatchObject({
    userId: "ann",
    clientId: "shop",
    totalRequests: 3,
    successfulRequests: 2,
    failedRequests: 1,
    attempts: 4,
    inputTokens,
    totalCostNanoUsd: cost,
    totalCost: cost / 1e9,
    failedCostNanoUsd: repaired.receipt.attempts[0]?.costNanoUsd,
  })
  expect(stats.totalTokens).toBe(stats.inputTokens + stats.outputTokens)
  expect(stats.byModel).toMatchObject([{ group: ["openai/gpt-4o-mini"], totalCostNanoUsd: cost }])
  expect(stats.byDay).toMatchObject([{ group: [new Date().toISOString().slice(0, 10)], attempts: 4 }])
})

test("a query can name another user; null selects all", async () => {
  const { ann, answered, repaired, failed, other } = await history()
  const all = [answered, repaired, failed, other].reduce((sum, { receipt }) => sum + receipt.costNanoUsd, 0)
  expect(await ann.usageTracker.getUsageStats({ userId: null, clientId: null })).toMatchObject({
    totalCostNanoUsd: all,
    totalRequests: 5,
  })
  const bob = await ann.usageTracker.getUsageStats({ userId: "bob" })
  expect(bob).toMatchObject({ totalRequests: 1, failedRequests: 1, deniedRequests: 1, totalCost: 0 })
  expect(await ann.usageTracker.getUsageStats({ from: Date.now() + 60_000 })).toMatchObject({ totalRequests: 0 })
})

test("groups have the order of `groupBy`", async () => {
  const { ann } = await history()
  const { groups } = await ann.usageTracker.getUsageStats({
    userId: null,
    clientId: null,
    groupBy: ["user", "day", { tag: "team" }],
  })
  const day = new Date().toISOString().slice(0, 10)
  expect(groups?.map(({ group }) => group).sort()).toEqual([
    ["ann", day, "search"],
    ["bob", day, null],
    ["eve", day, null],
  ])
  await expect(ann.usageTracker.getUsageStats({ groupBy: "color" as "day" })).rejects.toMatchObject({
    code: "invalid-argument",
  })
})

test("reads one client, one request, and pages of requests, newest first", async () => {
  const { ann, bob, repaired, answered, failed, denied } = await history()
  const data = await ann.usageTracker.getClientUsageData("shop")
  expect(data).toMatchObject({ clientId: "shop", totalRequests: 4, modelsUsed: ["openai/gpt-4o-mini"] })
  expect(data.recentRequests.map(({ requestId }) => requestId)).toEqual(
    [denied, failed, repaired, answered].map(({ receipt }) => receipt.requestId),
  )
  const details = await bob.usageTracker.getRequestDetails(repaired.receipt.requestId)
  expect(details).toMatchObject({
    status: "succeeded",
    costNanoUsd: repaired.receipt.costNanoUsd,
    inputTokens: repaired.receipt.usage.inputTokens,
    attempts: [{ status: "failed", errorCode: "invalid-answer" }, { status: "succeeded" }],
  })
  expect(await bob.usageTracker.getRequestDetails("nobody-asked")).toBeUndefined()
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await ann.usageTracker.listRequests({ limit: 1, cursor })
    ids.push(...page.requests.map(({ requestId }) => requestId))
    cursor = page.cursor ?? undefined
  } while (cursor !== undefined)
  expect(ids).toEqual([failed, repaired, answered].map(({ receipt }) => receipt.requestId))
})

test("reconcile() corrects an unknown cost in the ledger and the budget", async () => {
  const store = memoryStore()
  const client = openClient(
    provider,
    { model: "openrouter/openai/gpt-4o-mini", userId: "u", userBudget: "1" },
    { store, baseURL: provider.openRouterBaseURL },
  )
  provider.faults.next({ noUsage: true })
  const { receipt } = await client.generate()
  expect(receipt.costSource).toBe("bound")
  const billed = provider.ledger.find(receipt.attempts[0]?.generationId ?? "")?.nanoUsd
  const reconciled = await client.reconcile()
  expect(reconciled).toMatchObject({
    corrected: [{ attempt: 1, fromNanoUsd: receipt.costNanoUsd, toNanoUsd: billed }],
    unknown: [],
  })
  expect((await client.getBudgetInfo()).scopes).toMatchObject([
    { scope: "user", spentNanoUsd: billed, reservedNanoUsd: 0 },
  ])
  expect(await client.usageTracker.getRequestDetails(receipt.requestId)).toMatchObject({
    costNanoUsd: billed,
    attempts: [{ costSource: "provider" }],
  })
  expect(await client.reconcile(receipt.requestId)).toMatchObject({ corrected: [], confirmed: [1] })
})

test("without a user or client a query must name one or select all", async () => {
  const { usageTracker } = openClient(provider)
  await expect(usageTracker.getUsageStats()).rejects.toThrow("expected a `userId` or `clientId` (null for all)")
  expect(await usageTracker.getUsageStats({ userId: null })).toMatchObject({ totalRequests: 0 })
  await expect(usageTracker.getUsageStats({ user: "x" } as never)).rejects.toThrow("Did you mean `userId`?")
  await expect(usageTracker.getUsageStats({ userId: "" })).rejects.toThrow(
    'Invalid `query.userId`: expected an id, or null for all, got "".',
  )
})
