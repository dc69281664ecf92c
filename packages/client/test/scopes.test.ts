import { createBudget, memoryStore } from "@p2/budget"
import { guardFetch, withBudget } from "@p2/guard"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import OpenAI from "openai"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { openClient } from "./open-client"

let provider: LocalProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
beforeEach(() => {
  provider.received.length = 0
})
afterAll(() => provider.close())

const newBudget = () => createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })

test("withBudget limits the calls of clients inside, in addition to their own budget", async () => {
  const budget = newBudget()
  const run = () => openClient(provider, { maxTokens: 500 }, { budget }).generate()
  const results = await withBudget(
    { limit: { requests: 1 }, subject: { userId: "ada", tags: { run: "r" } } },
    async () => [await run(), await run()],
  )
  expect(results.map(({ ok }) => ok)).toEqual([true, false])
  expect(results[1]).toMatchObject({ error: { code: "budget-exceeded", unit: "requests" } })
  expect((await run()).ok).toBe(true)
  expect(provider.received).toHaveLength(2)
  const { entries } = await budget.usage.list()
  expect(entries.filter(({ userId }) => userId === "ada")[0]).toMatchObject({ tags: { run: "r" } })
})

test("withBudget replaces the budget, and the user of the client stays", async () => {
  const [own, inner] = [newBudget(), newBudget()]
  await withBudget({ budget: inner, subject: { userId: "eve" } }, () =>
    openClient(provider, { maxTokens: 500, userId: "ada" }, { budget: own }).generate(),
  )
  expect((await own.status())[0]?.spent).toBe(0)
  expect((await inner.status())[0]?.spent).toBeGreaterThan(0)
  expect((await inner.usage.list()).entries).toMatchObject([{ userId: "ada" }])
})

test("a stream that is read outside stays in its scope", async () => {
  const budget = newBudget()
  const stream = withBudget({ limit: { requests: 0 } }, () =>
    openClient(provider, { maxTokens: 500 }, { budget }).stream(),
  )
  const read = async () => {
    for await (const _ of stream);
  }
  await expect(read()).rejects.toMatchObject({ code: "budget-exceeded", unit: "requests" })
  expect(provider.received).toHaveLength(0)
})

test("a guarded instance of the SDK is rejected: each call would be counted twice", async () => {
  const budget = newBudget()
  const fetch = guardFetch({ budget, provider: "openai" })
  const openai = new OpenAI({ baseURL: provider.baseURL, apiKey: "local", fetch })
  const result = await openClient(provider, { maxTokens: 500 }, { budget, openai }).generate()
  expect(result.ok).toBe(false)
  expect(provider.received).toHaveLength(0)
  expect((await budget.status())[0]).toMatchObject({ spent: 0, reserved: 0 })
})

test("the guarded fetch also recognizes the call behind a wrapper, and with a request id of the user's own", async () => {
  const budget = newBudget()
  const guarded = guardFetch({ budget, provider: "openai" })
  const openai = new OpenAI({
    baseURL: provider.baseURL,
    apiKey: "local",
    fetch: async (...call) => guarded(...call),
    defaultHeaders: { "x-client-request-id": "mine" },
  })
  const result = await openClient(provider, { maxTokens: 500 }, { budget, openai }).generate()
  expect(result).toMatchObject({ ok: false, error: { code: "provider-bad-request", providerCode: "guarded_twice" } })
  const headers = { "x-client-request-id": "mine" }
  const own = { name: "openai", headers }
  const second = await openClient(provider, { maxTokens: 500 }, { budget, openai, providers: [own] }).generate()
  expect(second.ok).toBe(false)
  expect(provider.received).toHaveLength(0)
  expect((await budget.status())[0]).toMatchObject({ spent: 0, reserved: 0 })
})
