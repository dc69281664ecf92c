import { createOpenAI } from "@ai-sdk/openai"
import { ChatOpenAI } from "@langchain/openai"
import { Agent, tool as agentsTool, OpenAIProvider, Runner } from "@openai/agents"
import { createBudget, memoryStore } from "@p2/budget"
import * as ai7 from "ai"
import { createOpenAI as createOpenAI3 } from "ai-sdk-openai3"
import * as ai6 from "ai6"
import OpenAI from "openai7"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import { guardFetch, withBudget } from "../../src/index"
import { localServer } from "../local-server"
import { connect, INTEGRATIONS } from "./integrations"

const server = await localServer()

function newBudget() {
  return createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "10.00" }] })
}

/** Nano-USD by user, and the number of attempts. */
async function byUser(budget: ReturnType<typeof newBudget>) {
  const totals = await budget.usage.totals({ groupBy: ["userId"] })
  return Object.fromEntries(totals.map(({ group, attempts }) => [String(group[0]), attempts]))
}

describe.each(INTEGRATIONS)("$name", (integration) => {
  it("keeps steps and retries in their scope, and two scopes apart", async () => {
    const budget = newBudget()
    const connection = connect(server, { budget, provider: integration.provider })
    server.faults.next({ status: 500, headers: { "retry-after-ms": "1" } }, 2)
    const run = (userId: string) =>
      withBudget({ subject: { userId }, limit: "1.00" }, () => integration.steps(connection))
    await Promise.all([run("ada"), run("bob")])
    const { ada, bob } = (await byUser(budget)) as { ada: number; bob: number }
    // Two steps each, and two failures between them.
    expect(ada + bob).toBe(6)
    expect(Math.min(ada, bob)).toBeGreaterThanOrEqual(2)
  })

  it("settles a stream in the scope in which it was requested", async () => {
    const budget = newBudget()
    const connection = connect(server, { budget, provider: integration.provider })
    await withBudget({ subject: { userId: "ada" } }, () => integration.stream(connection, () => true))
    expect(await byUser(budget)).toEqual({ ada: 1 })
  })
})

describe.each([
  ["ai 6", ai6 as unknown as typeof ai7, createOpenAI3 as unknown as typeof createOpenAI],
  ["ai 7", ai7, createOpenAI],
] as const)("%s", (_name, ai, createModel) => {
  it("keeps the steps of a stream in the scope in which it was created, when it is read outside", async () => {
    const budget = newBudget()
    server.faults.always({ toolCalls: [{ name: "weather", arguments: { city: "Paris" } }] })
    const fetch = guardFetch({ budget, provider: "openai" })
    const model = createModel({ baseURL: server.baseURL, apiKey: "local", fetch }).chat("gpt-4o-mini")
    const inputSchema = z.object({ city: z.string() })
    const tools = { weather: ai.tool({ description: "The weather", inputSchema, execute: async () => "sunny" }) }
    const start = (userId: string) =>
      withBudget({ subject: { userId } }, () =>
        ai.streamText({ model, prompt: "Hi", maxOutputTokens: 100, tools, stopWhen: ai.stepCountIs(3) }),
      )
    const [ada, bob] = [start("ada"), start("bob")]
    const read = async (stream: AsyncIterable<unknown>) => {
      for await (const _ of stream) await new Promise(setImmediate)
    }
    await Promise.all([read(ada.fullStream), withBudget({ subject: { userId: "eve" } }, () => read(bob.fullStream))])
    expect(await byUser(budget)).toEqual({ ada: 3, bob: 3 })
  })
})

describe("a stream that is read outside of its scope", () => {
  const newGuard = () => {
    const budget = newBudget()
    return { budget, fetch: guardFetch({ budget, provider: "openai" }) }
  }
  const read = (stream: AsyncIterable<unknown>) =>
    withBudget({ subject: { userId: "eve" } }, async () => {
      for await (const _ of stream) await new Promise(setImmediate)
    })

  it("keeps its scope with @openai/agents, with every turn of the run", async () => {
    const { budget, fetch } = newGuard()
    const client = new OpenAI({ baseURL: server.baseURL, apiKey: "local", fetch })
    const runner = new Runner({ modelProvider: new OpenAIProvider({ openAIClient: client }) })
    const parameters = z.object({ city: z.string() })
    const weather = agentsTool({ name: "weather", description: "x", parameters, execute: async () => "sunny" })
    const agent = new Agent({
      name: "agent",
      model: "gpt-4o-mini",
      tools: [weather],
      modelSettings: { maxTokens: 100 },
    })
    const result = await withBudget({ subject: { userId: "ada" } }, () =>
      runner.run(agent, "Hi", { stream: true, maxTurns: 2 }),
    )
    await read(result).catch(() => {})
    await result.completed.catch(() => {})
    expect(await byUser(budget)).toEqual({ ada: 2 })
  })

  it("keeps its scope with @langchain/openai", async () => {
    const { budget, fetch } = newGuard()
    const model = new ChatOpenAI({
      model: "gpt-4o-mini",
      apiKey: "local",
      configuration: { baseURL: server.baseURL, fetch },
    })
    const stream = await withBudget({ subject: { userId: "ada" } }, () => model.stream("Hi"))
    await read(stream)
    expect(await byUser(budget)).toEqual({ ada: 1 })
  })

  it("keeps its scope with the openai SDK", async () => {
    const { budget, fetch } = newGuard()
    const client = new OpenAI({ baseURL: server.baseURL, apiKey: "local", fetch })
    const messages = [{ role: "user" as const, content: "Hi" }]
    const stream = await withBudget({ subject: { userId: "ada" } }, () =>
      client.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true }),
    )
    await read(stream)
    expect(await byUser(budget)).toEqual({ ada: 1 })
  })
})
