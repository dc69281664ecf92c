import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { OpenAI } from "openai"
import { afterEach, beforeEach, expect, test, vi } from "vitest"
import { LLMClient } from "../src/index"

let server: Server
let hits = 0
let answer: (response: ServerResponse) => void
let provider: LocalProvider

beforeEach(async () => {
  hits = 0
  server = createServer((request, response) => {
    hits++
    request.resume()
    request.on("end", () => answer(response))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  provider = await startLocalProvider()
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  await provider.close()
})

const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`

function clientAt(baseURL: string, request: object = {}) {
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", maxTokens: 100, retries: 0, ...request },
    { baseURL, apiKey: "k" },
  )
  client.msg.addMessageUser("Hello")
  return client
}

test.each([301, 302, 303, 307, 308, 407, 421])("status %i is not answered by a second call", async (status) => {
  answer = (response) => response.writeHead(status, { location: `${address()}/chat/completions` }).end()
  const result = await clientAt(address(), { retries: 2 }).generate()
  expect(hits).toBe(1)
  expect(result).toMatchObject({ ok: false, error: { code: "provider-bad-request", status } })
  expect(result.receipt).toMatchObject({ costSource: "bound", attempts: [{ httpStatus: status }] })
})

test("a redirect that another fetch got is not followed either", async () => {
  answer = (response) => response.writeHead(307, { location: `${address()}/chat/completions` }).end()
  const own = new OpenAI({ baseURL: address(), apiKey: "k", fetch: (...args) => fetch(...args) })
  const client = new LLMClient({ model: "openai/gpt-4o-mini", maxTokens: 100 }, { openai: own })
  client.msg.addMessageUser("Hello")
  const result = await client.generate()
  expect(hits).toBe(1)
  expect(result).toMatchObject({ ok: false, error: { code: "provider-bad-request", status: 307 } })
})

test("a redirect to where nobody listens does not make a sent call unsent", async () => {
  answer = (response) => response.writeHead(307, { location: "http://127.0.0.1:59321/v1/chat/completions" }).end()
  const result = await clientAt(address()).generate()
  expect(result.receipt.costNanoUsd).toBeGreaterThan(0)
})

test("a fallback whose cost has no bound is refused with the receipt of what was paid", async () => {
  provider.faults.always({ empty: true })
  const request = {
    model: "openrouter/openai/gpt-4o-mini",
    fallbacks: ["openrouter/openai/gpt-4o-mini:nitro"],
    repairs: 0,
  }
  const result = await clientAt(provider.openRouterBaseURL, request).generate()
  expect(result).toMatchObject({ ok: false, error: { code: "unbounded-cost" } })
  expect(result.receipt.costNanoUsd).toBe(provider.ledger.totalNanoUsd)
  expect(result.receipt.attempts.length).toBe(2)
})

test("the suffix `:online` alone is a mistake, because nothing limits its searches", () => {
  expect(() => clientAt(provider.openRouterBaseURL, { model: "openrouter/openai/gpt-4o-mini:online" })).toThrow(
    "`online: true` beside it",
  )
})

test("a stream is read by one loop; leaving before the first step ends the call", async () => {
  const twice = clientAt(provider.baseURL).stream()
  const first = twice[Symbol.asyncIterator]()
  expect(() => twice[Symbol.asyncIterator]()).toThrow("iterated once")
  await first.next()
  await first.return?.()
  const early = clientAt(provider.baseURL).stream()
  await early[Symbol.asyncIterator]().return?.()
  await expect(early.result).rejects.toMatchObject({ code: "aborted" })
})

test("wrong names and wrong stores are mistakes of the constructor", () => {
  const make = (options: object) => () => new LLMClient({ model: "openai/gpt-4o-mini" }, options as never)
  expect(make({ stores: "memory:" })).toThrow("Did you mean `store`?")
  expect(make({ deadlines: { connect: 5 } })).toThrow("Did you mean `connectMs`?")
  for (const store of ["sqlite:./x.db", "./x.db", {}, 5]) expect(make({ store })).toThrow("options.store")
  expect(make({ budget: {} })).toThrow("options.budget")
  expect(make({ store: "postgres://me:secret@host/db" })).not.toThrow("secret")
})

test("budget information says what the call will do, where nobody said how long the answer may be", async () => {
  const userBudget = { limit: "0.0005", per: "day" } as const
  const client = clientAt(provider.baseURL, { maxTokens: undefined, userId: "narrow", userBudget })
  const info = await client.getBudgetInfo()
  const result = await client.generate()
  expect(result.ok).toBe(true)
  expect(info).toMatchObject({ budgetExceeded: false, maxTokens: result.receipt.attempts.at(-1)?.maxTokens })
  expect(info.upperBoundCostNanoUsd).toBeLessThanOrEqual(500_000)
})

test("usage is printed at the price of the model that answered", async () => {
  provider.faults.next({ status: 503 })
  const client = clientAt(provider.baseURL, { fallbacks: ["openai/gpt-4.1"] })
  expect((await client.generate()).ok).toBe(true)
  const printed: string[] = []
  const log = vi.spyOn(console, "log").mockImplementation((line) => void printed.push(String(line)))
  client.printUsageInfo()
  log.mockRestore()
  expect(printed.join("\n")).toMatch(/openai\/gpt-4\.1[\s\S]*\$2\.00 in, \$8\.00 out/)
})

test("a client of nobody is not told of everybody unless it asks", async () => {
  const client = clientAt(provider.baseURL)
  await expect(client.usageTracker.getUsageStats()).rejects.toThrow("null: everybody")
  await expect(client.usageTracker.getUsageStats({ userId: null })).resolves.toHaveProperty("totalRequests")
  await expect(client.usageTracker.getUsageStats({ user: "x" } as never)).rejects.toThrow("Did you mean")
})
