import { createBudget, memoryStore } from "@p2/budget"
import { createPriceTable } from "@p2/pricing"
import { expect, it } from "vitest"
import { guardFetch, withBudget } from "../src"
import { budgetMiddleware } from "../src/ai-sdk"
import { acceptToken, createProxy } from "../src/proxy"

const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "1.00" }] })
const token = "0123456789abcdef"

it.each([
  [{ user: "ada" }, "Unknown option `user`. It is part of the subject: `subject: { userId, clientId, tags }`."],
  [{ maxRetries: 2 }, "Unknown option `maxRetries`. The SDK retries, not the guard: set its `maxRetries`."],
  [{ onDenied() {} }, "Did you mean `onAttempt`? Its `status` is then `denied`."],
  [{ wait: 5_000 }, "Invalid `wait`: expected an object such as { timeoutMs: 5000 }, got 5000."],
  [{ charge: "nothing" }, 'Invalid `charge`: expected an object such as { abort: "nothing" }, got "nothing".'],
  [{ prices: { model: { input: "1" } } }, "Invalid `prices`: expected a table from `createPriceTable`, got an object."],
  [{ deployments: "gpt-4o" }, 'Invalid `deployments`: expected an object such as { "my-deployment": "gpt-4o-mini" }'],
  [
    { provider: "OpenAI" },
    'Invalid `provider`: expected the name of a provider with listed prices, such as "openai", got "OpenAI". Did you mean "openai"?',
  ],
  [{ provider: "gogle" }, 'got "gogle". Did you mean "google"?'],
  [{ provider: "some-provider" }, 'got "some-provider". For another one, pass your own `prices`.'],
  [{ serviceTier: "Priority" }, 'expected a string in lower case, such as "default", got "Priority".'],
  [{ inputBound: "count" }, 'expected one of "hard", "provider", "calibrated", got "count".'],
])("guardFetch with %j", (options, message) => {
  expect(() => guardFetch({ budget, ...options } as never)).toThrow(message)
})

it.each(["openai", "google", "bedrock", "ollama", undefined])("guardFetch with the provider %s", (provider) => {
  expect(() => guardFetch({ budget, provider })).not.toThrow()
})

it("any provider is valid with prices of your own, unless it differs from a known one in case", () => {
  const prices = createPriceTable({ "acme/model": { input: "1", output: "1" } }, { extends: "published" })
  expect(() => guardFetch({ budget, prices, provider: "acme" })).not.toThrow()
  expect(() => guardFetch({ budget, prices, provider: "other" })).not.toThrow()
  expect(() => guardFetch({ budget, prices, provider: "OpenAI" })).toThrow('Did you mean "openai"?')
})

it("a budget in place of the options", () => {
  const message = "Invalid `options`: expected an object such as { budget }, got an object."
  for (const create of [guardFetch, budgetMiddleware, createProxy])
    expect(() => create(budget as never)).toThrow(message)
  for (const options of [budget, "0.50"])
    expect(() => withBudget(options as never, () => 1)).toThrow(
      'expected an object such as { limit: "0.50" } or { budget }',
    )
  expect(() => withBudget({ maxBudget: "0.50" } as never, () => 1)).toThrow("Did you mean `limit`?")
})

it("withBudget without a function, and with a promise in its place", () => {
  const message = "Invalid `fn`: expected a function, such as () => agent.run(task), got "
  expect(() => withBudget({ limit: "0.50" }, undefined as never)).toThrow(`${message}undefined.`)
  expect(() => withBudget({ limit: "0.50" }, Promise.resolve() as never)).toThrow(`${message}a promise`)
})

it.each([
  [{ port: 4_000 }, "Unknown option `port`. It is an option of `serveProxy(proxy, { hostname, port })`."],
  [{ upstreams: ["openai"] }, "Invalid `upstreams`: expected at least one provider, such as `{ openai: { apiKey } }`"],
  [
    { upstreams: { openai: "planted" } },
    "Invalid `upstreams.openai`: expected an object such as { apiKey }, got a string.",
  ],
  [
    { upstreams: { OpenAI: { apiKey: "planted" } } },
    'Invalid `upstreams.OpenAI.baseURL`: expected an http or https URL without credentials, query and fragment, such as "https://api.openai.com/v1", got undefined. Did you mean `upstreams.openai`?',
  ],
  [
    { upstreams: { local: { baseURL: "http://localhost:8000/v1", provider: "OpenAI" } } },
    'Invalid `upstreams.local.provider`: expected the name of a provider with listed prices, such as "openai", got "OpenAI". Did you mean "openai"?',
  ],
])("createProxy with %j", (options, message) => {
  const upstreams = { openai: { apiKey: "planted" } }
  expect(() => createProxy({ budget, upstreams, authenticate: acceptToken(token), ...options } as never)).toThrow(
    message,
  )
})

it("acceptToken checks the caller immediately", () => {
  expect(() => acceptToken(token, { user: "ada" } as never)).toThrow("Did you mean `subject: { userId }`?")
})

it("a field of the body in another spelling names the right one", async () => {
  const fetch = guardFetch({ budget, fetch: async () => Response.json({}) })
  const body = JSON.stringify({ model: "gpt-4o-mini", maxTokens: 5, messages: [{ role: "user", content: "Hello" }] })
  const response = await fetch("https://api.openai.com/v1/chat/completions", { method: "POST", body })
  expect(await response.json()).toMatchObject({
    error: { message: "Unknown field `maxTokens` in the body: it may change the cost. Did you mean `max_tokens`?" },
  })
})
