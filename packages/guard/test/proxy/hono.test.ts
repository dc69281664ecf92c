import { createBudget, memoryStore } from "@p2/budget"
import { Hono } from "hono"
import OpenAI from "openai"
import { expect, it } from "vitest"
import { createProxy } from "../../src/proxy"
import { localServer } from "../local-server"

const provider = await localServer()

it("is a handler of a Hono app", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: "1.00" }] })
  const proxy = createProxy({
    budget,
    basePath: "/llm",
    upstreams: { openai: { baseURL: provider.baseURL, apiKey: "local" } },
    authenticate: (token) => (token?.startsWith("token-") ? { subject: { userId: token.slice(6) } } : undefined),
  })
  const app = new Hono().get("/", (c) => c.text("app")).all("/llm/*", (c) => proxy(c.req.raw))
  const openai = new OpenAI({
    baseURL: "http://app.test/llm/openai/v1",
    apiKey: "token-ada",
    fetch: async (input, init) => app.request(input as string, init),
  })
  const messages = [{ role: "user" as const, content: "Hi" }]
  const call = { model: "gpt-4o-mini", messages, max_completion_tokens: 50 }
  await openai.chat.completions.create(call)
  const stream = await openai.chat.completions.create({ ...call, stream: true })
  let chunks = 0
  for await (const _ of stream) chunks++
  expect(chunks).toBeGreaterThan(1)
  const [status] = await budget.status({ userId: "ada" })
  expect(status).toMatchObject({ spentNanoUsd: provider.ledger.totalNanoUsd, reservedNanoUsd: 0 })
  expect(await (await app.request("/")).text()).toBe("app")
})
