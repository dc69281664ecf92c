import {
  Agent,
  OpenAIResponsesCompactionSession,
  Runner,
  setDefaultOpenAIClient,
  setTracingDisabled,
} from "@openai/agents"
import { createBudget, memoryStore } from "@p2/budget"
import OpenAI from "openai7"
import { afterEach, expect, it, vi } from "vitest"
import { type GuardAttempt, guardFetch } from "../../src/index"
import { localServer } from "../local-server"

const server = await localServer()

setTracingDisabled(true)
afterEach(() => vi.unstubAllGlobals())

/** The default client of the Agents SDK, with a guarded `fetch`. Every other `fetch` of the process fails. */
function guardDefaultClient() {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
  const attempts: GuardAttempt[] = []
  const requested: string[] = []
  const { fetch: realFetch } = globalThis
  const fetch: typeof globalThis.fetch = (input, init) => {
    requested.push(new URL(String(input)).pathname)
    return realFetch(input, init)
  }
  const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
  const guarded = guardFetch({ budget, provider: "openai", fetch, onAttempt })
  const client = new OpenAI({ baseURL: server.baseURL, apiKey: "local", fetch: guarded })
  setDefaultOpenAIClient(client as never)
  vi.stubGlobal("fetch", () => {
    throw new Error("A call outside of the guard.")
  })
  return { budget, attempts, requested }
}

const settings = {
  model: "gpt-4o-mini",
  modelSettings: { maxTokens: 1_000, providerData: { service_tier: "default" } },
} as const

it("agents, agents as tools, and all their turns call models only through the default client", async () => {
  const { budget, attempts, requested } = guardDefaultClient()
  const inner = new Agent({ name: "inner", instructions: "Answer.", ...settings })
  const tool = inner.asTool({ toolName: "inner", toolDescription: "Answers" })
  const outer = new Agent({ name: "outer", instructions: "Ask the inner agent.", tools: [tool], ...settings })
  // The local provider calls the tool in every turn, so the run ends at its maximum number of turns.
  await new Runner().run(outer, "Hi", { maxTurns: 3 }).catch((error: Error) => {
    if (error.name !== "MaxTurnsExceededError") throw error
  })
  expect(attempts.length).toBeGreaterThanOrEqual(3)
  expect(requested).toHaveLength(attempts.length)
  expect(server.ledger.calls).toHaveLength(attempts.length)
  const [status] = await budget.status()
  expect(status).toMatchObject({ spentNanoUsd: server.ledger.totalNanoUsd, reservedNanoUsd: 0 })
})

it("the compaction of a session is not sent, because nothing limits the length of its summary", async () => {
  const { requested } = guardDefaultClient()
  const session = new OpenAIResponsesCompactionSession({ model: "gpt-4o-mini", shouldTriggerCompaction: () => true })
  const compacting = session.runCompaction({ responseId: "resp_1", force: true } as never)
  expect(await Promise.resolve(compacting).then(() => undefined, String)).toMatch(/400|unknown/i)
  expect(requested).toEqual([])
})
