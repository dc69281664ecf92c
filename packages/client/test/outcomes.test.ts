import { memoryStore } from "@p2/budget"
import { P2Error } from "@p2/core"
import { type LocalProvider, refusedURL, startLocalProvider } from "@p2/local-provider"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { type GenerateResult, LLMClient, type Receipt } from "../src/index"
import { instantClock, Person } from "./open-client"
import { OUTCOMES, type OutcomeCase } from "./outcome-cases"

let provider: LocalProvider
/** A base URL whose connections are refused. */
let refused: string
beforeAll(async () => {
  provider = await startLocalProvider()
  refused = `${await refusedURL()}/v1`
})
beforeEach(() => provider.faults.clear())
afterAll(() => provider.close())

/** Makes the request of a case, as JSON or as a stream. */
async function play(each: OutcomeCase, way: "json" | "stream", api: "openai" | "openrouter") {
  for (const fault of each.faults ?? []) provider.faults.next(fault)
  const prefix = (model: string) => (api === "openrouter" ? `openrouter/${model}` : model)
  const request = {
    answerModel: Person,
    maxBudget: "0.5",
    userId: crypto.randomUUID(),
    userBudget: "1",
    ...each.request,
  }
  const client = new LLMClient(
    {
      ...request,
      model: prefix(request.model ?? "openai/gpt-4o-mini"),
      fallbacks: request.fallbacks?.map(prefix),
      stream: way === "stream",
    },
    {
      baseURL: each.refused ? refused : api === "openrouter" ? provider.openRouterBaseURL : provider.baseURL,
      apiKey: "local",
      store: memoryStore(),
      logger: {},
      clock: instantClock,
      ...each.options,
    },
  )
  client.msg.addMessageUser("Describe who is David Copperfield")
  const controller = new AbortController()
  if (each.abortAfterMs === 0) controller.abort()
  else if (each.abortAfterMs !== undefined) setTimeout(() => controller.abort(), each.abortAfterMs)
  const result = await client.generate({ signal: controller.signal })
  const info = await client.getBudgetInfo()
  const statistics = await client.usageTracker.getRequestDetails(result.receipt.requestId)
  await client.close()
  return { result, scope: info.scopes.find(({ scope }) => scope === "user"), statistics }
}

function checkMoney(receipt: Receipt, mark: number): void {
  const billed = provider.ledger.calls.slice(mark)
  for (const attempt of receipt.attempts) {
    const line = attempt.generationId === undefined ? undefined : billed.find(({ id }) => id === attempt.generationId)
    if (attempt.usage !== undefined) expect(attempt.costNanoUsd).toBe(line?.nanoUsd)
    else expect(["bound", "none"]).toContain(attempt.costSource)
  }
  const total = billed.reduce((sum, line) => sum + line.nanoUsd, 0)
  if (receipt.costSource === "bound") expect(receipt.costNanoUsd).toBeGreaterThanOrEqual(total)
  else expect(receipt.costNanoUsd).toBe(total)
  expect(receipt.costNanoUsd).toBe(receipt.attempts.reduce((sum, attempt) => sum + attempt.costNanoUsd, 0))
}

function checkResult(each: OutcomeCase, result: GenerateResult<unknown>): void {
  const { receipt } = result
  if (result.ok) expect(each.code).toBeUndefined()
  else {
    expect(P2Error.isInstance(result.error)).toBe(true)
    expect(result.error.code).toBe(each.code)
    expect(result.error.receipt).toBe(receipt)
  }
  expect(receipt.attempts).toHaveLength(each.attempts.length)
  for (const [index, expected] of each.attempts.entries()) expect(receipt.attempts[index]).toMatchObject(expected)
}

for (const api of ["openai", "openrouter"] as const)
  for (const way of ["json", "stream"] as const)
    describe(`${api}, ${way}`, () => {
      const cases = OUTCOMES.filter(({ only }) => only === undefined || only === way || only === api)
      test.each(cases)("$name", async (given) => {
        const ofWay = way === "stream" && given.streamed !== undefined ? { ...given, ...given.streamed } : given
        const each = api === "openrouter" ? { ...ofWay, ...given.openrouter } : ofWay
        const mark = provider.ledger.calls.length
        const received = provider.received.length
        const { result, scope, statistics } = await play(each, way, api)
        checkResult(each, result)
        checkMoney(result.receipt, mark)
        expect(scope).toMatchObject({ reservedNanoUsd: 0, spentNanoUsd: result.receipt.costNanoUsd })
        if (each.calls !== undefined) expect(provider.received.length - received).toBe(each.calls)
        const sent = result.receipt.attempts.filter(({ reservedNanoUsd }) => reservedNanoUsd > 0)
        expect(statistics?.costNanoUsd ?? 0).toBe(result.receipt.costNanoUsd)
        expect(statistics?.attempts.length ?? 0).toBe(sent.length)
      })
    })
