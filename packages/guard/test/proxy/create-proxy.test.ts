import { createBudget, memoryStore } from "@p2/budget"
import { InvalidArgumentError, usd } from "@p2/core"
import { describe, expect, it } from "vitest"
import { type GuardAttempt, withBudget } from "../../src/index"
import { acceptToken, createProxy, type ProxyCaller, type ProxyOptions } from "../../src/proxy"
import { CALL, COMPLETION, COST, EVENTS, events, json, type Sent } from "../fetch/guarded-server"

const TOKEN = "token-0123456789abcdef"
const KEY = "sk-key-0123456789abcdef"

const ANTHROPIC_CALL = {
  model: "claude-sonnet-4-5",
  max_tokens: 100,
  messages: [{ role: "user", content: "What is the capital of France? ".repeat(400) }],
}
const ANTHROPIC_MESSAGE = {
  ...{ id: "msg_1", type: "message", role: "assistant", model: "claude-sonnet-4-5", stop_reason: "end_turn" },
  content: [{ type: "text", text: "Paris" }],
}

interface World {
  call(path: string, init?: RequestInit): Promise<Response>
  sent: Sent[]
  attempts: [GuardAttempt, ProxyCaller][]
  budget: ReturnType<typeof createBudget>
}

/** A proxy over an inner fetch that the test defines. */
function proxyOver(
  answer: (sent: Sent) => Response | Promise<Response> = () => json(COMPLETION),
  options: Partial<ProxyOptions> = {},
): World {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "1.00" }] })
  const sent: Sent[] = []
  const attempts: World["attempts"] = []
  const inner = async (input: unknown, init: RequestInit = {}) => {
    const request = new Request(input as string, init)
    const text = await request.text()
    sent.push({ url: request.url, headers: request.headers, body: text.startsWith("{") ? JSON.parse(text) : {}, init })
    return answer(sent.at(-1)!)
  }
  const upstream = { apiKey: KEY }
  const proxy = createProxy({
    budget,
    upstreams: {
      ...{ openai: upstream, anthropic: upstream, gemini: upstream, openrouter: upstream, groq: upstream },
      ...{ mistral: upstream, perplexity: upstream, fireworks: upstream, deepseek: upstream },
      azure: { ...upstream, baseURL: "https://unit.openai.azure.com", deployments: { mini: "gpt-4o-mini" } },
      own: { ...upstream, baseURL: "http://127.0.0.1:9/api/", provider: "openai" },
    },
    authenticate: acceptToken(TOKEN),
    fetch: inner as typeof fetch,
    onAttempt: (attempt, caller) => attempts.push([attempt, caller]),
    ...options,
  })
  const call: World["call"] = (path, init = {}) =>
    proxy(
      new Request(`http://127.0.0.1:4000${path}`, {
        method: init.method ?? "POST",
        ...((init.method ?? "POST") === "POST" && { body: JSON.stringify(CALL) }),
        ...init,
        headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}`, ...(init.headers as object) },
      }),
    )
  return { call, sent, attempts, budget }
}

const CHAT = "/openai/v1/chat/completions"
const errorOf = async (response: Response) => ((await response.json()) as { error: Record<string, unknown> }).error

describe("paths", () => {
  const PATHS: [string, string][] = [
    ["/openai/v1/models", "https://api.openai.com/v1/models"],
    ["/openai/models", "https://api.openai.com/v1/models"],
    ["/openai/v1/models?after=a%20b&limit=2", "https://api.openai.com/v1/models?after=a%20b&limit=2"],
    ["/anthropic/v1/models", "https://api.anthropic.com/v1/models"],
    ["/anthropic/models", "https://api.anthropic.com/v1/models"],
    ["/gemini/v1beta/models", "https://generativelanguage.googleapis.com/v1beta/models"],
    ["/gemini/v1/models", "https://generativelanguage.googleapis.com/v1/models"],
    ["/gemini/models", "https://generativelanguage.googleapis.com/v1beta/models"],
    ["/gemini/v1beta/openai/models", "https://generativelanguage.googleapis.com/v1beta/openai/models"],
    ["/openrouter/api/v1/models", "https://openrouter.ai/api/v1/models"],
    ["/openrouter/v1/models", "https://openrouter.ai/api/v1/models"],
    ["/groq/openai/v1/models", "https://api.groq.com/openai/v1/models"],
    ["/groq/v1/models", "https://api.groq.com/openai/v1/models"],
    ["/mistral/v1/models", "https://api.mistral.ai/v1/models"],
    ["/fireworks/inference/v1/models", "https://api.fireworks.ai/inference/v1/models"],
    ["/deepseek/models", "https://api.deepseek.com/v1/models"],
    ["/perplexity/models", "https://api.perplexity.ai/models"],
    ["/azure/openai/models?api-version=1", "https://unit.openai.azure.com/openai/models?api-version=1"],
    ["/azure/openai/v1/models", "https://unit.openai.azure.com/openai/v1/models"],
    ["/own/api/models", "http://127.0.0.1:9/api/models"],
    ["/own/models", "http://127.0.0.1:9/api/models"],
    ["/own/v1/models", "http://127.0.0.1:9/api/models"],
    // The host is that of the upstream, whatever the path is.
    ["/openai//evil.test/models", "https://api.openai.com/v1//evil.test/models"],
    ["/openai/@evil.test/models", "https://api.openai.com/v1/@evil.test/models"],
    ["/groq/../openai/v1/models", "https://api.openai.com/v1/models"],
  ]
  it.each(PATHS)("%s is sent to %s", async (path, url) => {
    const { call, sent } = proxyOver(() => json({ data: [] }), { unknownEndpoints: "pass" })
    expect((await call(path, { method: "GET" })).status).toBe(200)
    expect(sent.map((each) => each.url)).toEqual([url])
  })

  it.each(["/", "/openai%2Fv1/models", "/constructor/v1/models", "/unknown/v1/models", "/openaiv1/models"])(
    "%s is not found",
    async (path) => {
      const { call, sent } = proxyOver()
      const response = await call(path, { method: "GET" })
      expect(response.status).toBe(404)
      expect((await errorOf(response)).message).toContain("/openai")
      expect(sent).toEqual([])
    },
  )

  it("are below a base path", async () => {
    const { call, sent } = proxyOver(undefined, { basePath: "/llm" })
    expect((await call(`/llm${CHAT}`)).status).toBe(200)
    expect((await call(CHAT)).status).toBe(404)
    expect(sent.map(({ url }) => url)).toEqual(["https://api.openai.com/v1/chat/completions"])
  })

  it("of a base URL answer HEAD without a token", async () => {
    const { call, sent } = proxyOver()
    for (const path of ["/", "/anthropic", "/anthropic/"]) {
      const response = await call(path, { method: "HEAD", headers: { authorization: "" } })
      expect([response.status, await response.text()]).toEqual([200, ""])
    }
    expect((await call("/anthropic/v1/models", { method: "HEAD", headers: { authorization: "" } })).status).toBe(401)
    expect(sent).toEqual([])
  })
})

describe("keys", () => {
  const places: [string, string, Record<string, string>][] = [
    ["authorization", CHAT, { authorization: `Bearer ${TOKEN}` }],
    ["authorization in lower case", CHAT, { authorization: `bearer ${TOKEN}` }],
    ["x-api-key", CHAT, { "x-api-key": TOKEN, authorization: "" }],
    ["x-goog-api-key", CHAT, { "x-goog-api-key": TOKEN, authorization: "" }],
    ["api-key", CHAT, { "api-key": TOKEN, authorization: "" }],
    ["the query", `${CHAT}?key=${TOKEN}`, { authorization: "" }],
    ["two places", CHAT, { authorization: `Bearer ${TOKEN}`, "x-api-key": TOKEN }],
  ]
  it.each(places)("a token in %s is replaced by the key of the upstream", async (_place, path, headers) => {
    const { call, sent } = proxyOver()
    expect((await call(path, { headers })).status).toBe(200)
    expect(sent[0]!.headers.get("authorization")).toBe(`Bearer ${KEY}`)
    expect(sent[0]!.url).not.toContain("?")
    expect(JSON.stringify([sent[0]!.url, ...sent[0]!.headers])).not.toContain(TOKEN)
    for (const name of ["x-api-key", "x-goog-api-key", "api-key"]) expect(sent[0]!.headers.has(name)).toBe(false)
  })

  it.each([
    ["/anthropic/v1/models", "x-api-key", KEY],
    ["/gemini/v1beta/models", "x-goog-api-key", KEY],
    ["/azure/openai/models", "api-key", KEY],
    ["/gemini/v1beta/openai/models", "authorization", `Bearer ${KEY}`],
    ["/openrouter/api/v1/models", "authorization", `Bearer ${KEY}`],
  ])("%s takes its key in %s", async (path, name, value) => {
    const { call, sent } = proxyOver(undefined, { unknownEndpoints: "pass" })
    await call(path, { method: "GET" })
    const credentials = ["authorization", "x-api-key", "x-goog-api-key", "api-key"]
    expect(credentials.filter((each) => sent[0]!.headers.has(each))).toEqual([name])
    expect(sent[0]!.headers.get(name)).toBe(value)
  })

  it("come from a function, and an upstream without one gets none", async () => {
    let count = 0
    const { call, sent } = proxyOver(undefined, {
      upstreams: { openai: { apiKey: async () => `sk-${++count}` }, groq: { headers: { "x-own": "1" } } },
      unknownEndpoints: "pass",
    })
    for (const path of [CHAT, CHAT, "/groq/openai/v1/models"]) await call(path, path === CHAT ? {} : { method: "GET" })
    expect(sent.map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer sk-1", "Bearer sk-2", null])
    expect(sent[2]!.headers.get("x-own")).toBe("1")
  })

  it.each([
    ["no token", { authorization: "" }],
    ["an unknown token", { authorization: "Bearer token-0123456789abcdeX" }],
    ["a longer token", { authorization: `Bearer ${TOKEN}X` }],
    ["another scheme", { authorization: `Basic ${TOKEN}` }],
    ["two tokens in one header", { authorization: `Bearer ${TOKEN}, Bearer ${TOKEN}` }],
    ["different tokens", { authorization: `Bearer ${TOKEN}`, "x-api-key": "other-token" }],
  ])("%s gets status 401, and nothing is sent", async (_name, headers) => {
    const { call, sent } = proxyOver()
    for (const path of [CHAT, "/unknown"]) {
      const response = await call(path, { headers })
      expect(response.status).toBe(401)
      expect(await response.text()).not.toContain("token-0123456789")
    }
    expect(sent).toEqual([])
  })

  it("are checked by a function, whose errors show no token", async () => {
    const failing = proxyOver(undefined, {
      authenticate: async (token) => {
        throw new Error(`No row for ${token}`)
      },
    })
    const response = await failing.call(CHAT)
    expect(response.status).toBe(503)
    expect(await response.text()).not.toContain(TOKEN)
    const misspelled = proxyOver(undefined, { authenticate: () => ({ model: [] }) as ProxyCaller })
    expect((await misspelled.call(CHAT)).status).toBe(503)
    expect([...failing.sent, ...misspelled.sent]).toEqual([])
  })

  it("that a provider quotes are not shown", async () => {
    const quoted = { error: { message: `Incorrect API key provided: ${KEY}.` } }
    const { call } = proxyOver(() => json(quoted, { status: 401, headers: { "x-debug": `key=${KEY}`, "x-ok": "1" } }))
    const response = await call(CHAT)
    expect(response.headers.get("x-debug")).toBeNull()
    expect(response.headers.get("x-ok")).toBe("1")
    expect(await response.json()).toEqual({ error: { message: "Incorrect API key provided: [redacted]." } })
  })
})

describe("headers", () => {
  it("of one connection, of the caller and of its browser are not sent", async () => {
    const { call, sent } = proxyOver()
    await call(CHAT, {
      headers: {
        connection: "keep-alive, x-hop",
        ...{ "x-hop": "1", te: "trailers", "keep-alive": "timeout=5", "proxy-authorization": "Basic x", cookie: "a=b" },
        ...{ "accept-encoding": "gzip", "x-forwarded-for": "10.0.0.1", via: "1.1 x", origin: "http://a.test" },
        ...{ "openai-project": "proj", "openai-beta": "v2", "user-agent": "agent/1", "x-title": "App" },
      },
    })
    const names = [...sent[0]!.headers.keys()].filter((name) => name !== "x-client-request-id").sort()
    expect(names).toEqual(["accept-encoding", "authorization", "content-type", "openai-beta", "user-agent", "x-title"])
    expect(sent[0]!.headers.get("accept-encoding")).toBe("identity")
  })

  it("of the upstream's connection are not returned", async () => {
    const headers = {
      ...{ connection: "x-hop", "x-hop": "1", "transfer-encoding": "chunked", "set-cookie": "a=b", "alt-svc": "h3" },
      ...{ "content-length": "3", "content-encoding": "gzip", "x-request-id": "r1", "x-p2-cost-usd": "9" },
    }
    for (const path of [CHAT, "/openai/v1/models"]) {
      const { call } = proxyOver(() => json(COMPLETION, { headers }))
      const response = await call(path, path === CHAT ? {} : { method: "GET" })
      const names = [...response.headers.keys()].filter((name) => !name.startsWith("x-p2-")).sort()
      expect(names).toEqual(["content-type", "x-request-id"])
      expect(await response.json()).toEqual(COMPLETION)
    }
  })

  it("say what a call cost and what remains", async () => {
    const { call, attempts } = proxyOver()
    const first = await call(CHAT)
    expect(first.headers.get("x-p2-cost-usd")).toBe("0.000009")
    expect(first.headers.get("x-p2-remaining-usd")).toBe("0.999991")
    expect((await call(CHAT)).headers.get("x-p2-remaining-usd")).toBe("0.999982")
    expect(attempts.map(([{ costNanoUsd }]) => costNanoUsd)).toEqual([COST, COST])
    const free = await call("/openai/v1/models", { method: "GET" })
    expect([...free.headers.keys()].filter((name) => name.startsWith("x-p2"))).toEqual([])
  })

  it("say that a denial cost nothing", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "0.00001" }] })
    const { call, sent } = proxyOver(undefined, { budget })
    const response = await call(CHAT)
    expect(response.status).toBe(402)
    expect(response.headers.get("x-p2-cost-usd")).toBe("0.00")
    expect(response.headers.get("x-p2-remaining-usd")).toBe("0.00001")
    expect((await errorOf(response)).code).toBe("budget_exceeded")
    expect(sent).toEqual([])
  })
})

describe("bodies", () => {
  it("of answers are returned byte for byte", async () => {
    const text = `  ${JSON.stringify(COMPLETION, null, 3)}\r\n`
    const { call } = proxyOver(() => new Response(text, { headers: { "content-type": "application/json" } }))
    expect(await (await call(CHAT)).text()).toBe(text)
  })

  it("of streams are returned byte for byte, without a usage that was not requested", async () => {
    const { call, attempts } = proxyOver(() => events())
    const body = (fields: object) => JSON.stringify({ ...CALL, stream: true, ...fields })
    const whole = await call(CHAT, { body: body({ stream_options: { include_usage: true } }) })
    expect(await whole.text()).toBe(EVENTS.join(""))
    const hidden = await call(CHAT, { body: body({}) })
    expect(await hidden.text()).toBe(EVENTS.filter((text) => !text.includes('"usage"')).join(""))
    expect(attempts.map(([{ costNanoUsd }]) => costNanoUsd)).toEqual([COST, COST])
    expect(whole.headers.has("x-p2-cost-usd")).toBe(false)
  })

  it("of requests are sent with the values that the caller wrote", async () => {
    const { call, sent } = proxyOver()
    await call(CHAT, { body: ` ${JSON.stringify({ ...CALL, temperature: 0.5 }, null, 2)} ` })
    expect(sent[0]!.body).toEqual({ ...CALL, temperature: 0.5 })
  })

  it("with a key twice are described as they are sent", async () => {
    const { call, sent } = proxyOver()
    const twice = JSON.stringify(CALL).replace("{", '{"max_completion_tokens":100000,')
    await call(CHAT, { body: twice })
    expect(sent[0]!.init.body).not.toContain("100000")
  })

  it.each([
    ["a declared length", { "content-length": "2000" }],
    ["no declared length", {}],
  ])("that are too large, with %s, get status 413", async (_name, headers) => {
    const { call, sent } = proxyOver(undefined, { maxBodyBytes: 1_000 })
    const content = "x".repeat(1_500)
    const response = await call(CHAT, { headers, body: JSON.stringify({ ...CALL, content }) })
    expect(response.status).toBe(413)
    expect((await errorOf(response)).code).toBe("body_too_large")
    expect(sent).toEqual([])
  })
})

describe("callers", () => {
  const limits = [{ scope: "user", limit: "1.00" }] as const
  const headers = { "x-p2-user": "eve", "x-p2-tags": "team=search", "x-p2-request": "r-1" }

  it("cannot name their subject", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const authenticate = acceptToken(TOKEN, { subject: { userId: "ada" } })
    const { call, sent } = proxyOver(undefined, { budget, authenticate })
    await call(CHAT, { headers })
    expect((await budget.status({ userId: "ada" }))[0]!.spentNanoUsd).toBe(COST)
    expect([...sent[0]!.headers.keys()].filter((name) => name.startsWith("x-p2"))).toEqual([])
  })

  it("complete their subject if they may, and cannot override it", async () => {
    const budget = createBudget({ store: memoryStore(), limits })
    const authenticate = acceptToken(TOKEN, { subject: { userId: "ada" }, subjectHeaders: true })
    const { call, sent } = proxyOver(undefined, { budget, authenticate })
    await call(CHAT, { headers })
    expect(await budget.usage.get("r-1")).toMatchObject([{ userId: "ada", tags: { team: "search" } }])
    expect([...sent[0]!.headers.keys()].filter((name) => name.startsWith("x-p2"))).toEqual([])
    expect((await call(CHAT, { headers: { "x-p2-usr": "eve" } })).status).toBe(400)
  })

  it("spend their own budget", async () => {
    const own = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "0.00001" }] })
    const { call, attempts } = proxyOver(undefined, {
      authenticate: (token) => (token === TOKEN ? { budget: own } : {}),
    })
    expect((await call(CHAT)).status).toBe(402)
    expect((await call(CHAT, { headers: { authorization: "Bearer other" } })).status).toBe(200)
    expect(attempts.map(([{ status }, caller]) => [status, caller.budget === own])).toEqual([
      ["denied", true],
      ["succeeded", false],
    ])
  })

  it("use only the models in their list", async () => {
    const { call, sent } = proxyOver(() => json({}, { status: 400 }), {
      authenticate: acceptToken(TOKEN, { models: ["gpt-4o-mini", "gemini-2.5-flash", "mini"] }),
    })
    const contents = [{ role: "user", parts: [{ text: "Hi" }] }]
    const statusOf = async (path: string, body: object) =>
      (await call(path, { body: JSON.stringify(body) })).headers.has("x-should-retry")
    const calls: [string, object, boolean][] = [
      [CHAT, CALL, false],
      [CHAT, { ...CALL, model: "gpt-4o" }, true],
      [CHAT, { ...CALL, models: ["gpt-4o"] }, true],
      ["/gemini/v1beta/models/gemini-2.5-flash:generateContent", { contents }, false],
      ["/gemini/v1beta/models/gemini-2.5-pro:generateContent", { contents }, true],
      ["/azure/openai/deployments/mini/chat/completions", CALL, false],
      ["/azure/openai/deployments/large/chat/completions", CALL, true],
    ]
    for (const [path, body, isRejected] of calls) expect([path, await statusOf(path, body)]).toEqual([path, isRejected])
    expect(sent).toHaveLength(3)
    expect((await call("/openai/v1/models", { method: "GET" })).status).toBe(400)
  })

  it("that disconnect before the answer are settled", async () => {
    const controller = new AbortController()
    const { call, attempts, budget } = proxyOver(async ({ init }) => {
      const aborted = new Promise((resolve) => init.signal!.addEventListener("abort", resolve))
      controller.abort()
      await aborted
      throw init.signal!.reason
    })
    expect((await call(CHAT, { signal: controller.signal })).status).toBe(499)
    expect(attempts).toMatchObject([[{ status: "failed", inDoubt: true }, {}]])
    expect((await budget.status())[0]).toMatchObject({ reservedNanoUsd: 0 })
  })

  it("are inside the handler's scope", async () => {
    const { call } = proxyOver()
    const responses = await withBudget({ limit: "0.00001" }, () => Promise.all([call(CHAT), call(CHAT)]))
    expect(responses.map(({ status }) => status)).toEqual([402, 402])
  })
})

describe("bounds of the input", () => {
  it("come from the provider's count, requested with the key of the upstream", async () => {
    const count = { input_tokens: 2_900 }
    const usage = { input_tokens: 2_900, output_tokens: 2, service_tier: "standard" }
    const { call, sent, attempts } = proxyOver(
      ({ url }) => json(url.endsWith("/count_tokens") ? count : { ...ANTHROPIC_MESSAGE, usage }),
      { inputBound: "provider" },
    )
    expect((await call("/anthropic/v1/messages", { body: JSON.stringify(ANTHROPIC_CALL) })).status).toBe(200)
    expect(sent.map(({ url, headers }) => [url, headers.get("x-api-key")])).toEqual([
      ["https://api.anthropic.com/v1/messages/count_tokens", KEY],
      ["https://api.anthropic.com/v1/messages", KEY],
    ])
    // 2,900 tokens and a margin of 5 % and 64 at $3 per million, and 100 output tokens at $15.
    expect(attempts[0]![0].reservedNanoUsd).toBe((2_900 * 1.05 + 64) * 3_000 + 100 * 15_000)
  })
})

describe("an upstream that is not available", () => {
  const message = "Set OPENAI_API_KEY before `p2 run`."
  const upstreams = { openai: { unavailable: message }, anthropic: { unavailable: message }, groq: { apiKey: KEY } }

  it("answers every call with status 401 and the reason, in the provider's format, also without a token", async () => {
    const { call, sent } = proxyOver(undefined, { upstreams })
    for (const headers of [{}, { authorization: "" }]) {
      const response = await call(CHAT, { headers })
      expect(response.status).toBe(401)
      expect(await errorOf(response)).toEqual({
        ...{ message, type: "authentication_error", param: null, code: "upstream_unavailable" },
      })
      expect(response.headers.get("x-should-retry")).toBe("false")
    }
    const anthropic = await call("/anthropic/v1/messages", { body: "{}" })
    expect(await anthropic.json()).toMatchObject({ type: "error", error: { message, type: "authentication_error" } })
    expect(sent).toEqual([])
  })

  it("answers HEAD, and other upstreams work", async () => {
    const { call } = proxyOver(undefined, { upstreams })
    expect((await call("/openai", { method: "HEAD" })).status).toBe(200)
    expect((await call("/groq/openai/v1/models", { method: "GET" })).status).toBe(200)
  })
})

describe("checks before the token", () => {
  it("reject other hosts and origins if asked", async () => {
    const { call, sent } = proxyOver(undefined, { allowedHosts: ["127.0.0.1:4000"], allowedOrigins: [] })
    expect((await call(CHAT)).status).toBe(200)
    expect((await call(CHAT, { headers: { host: "evil.test" } })).status).toBe(403)
    expect((await call("/", { method: "HEAD", headers: { host: "evil.test:4000" } })).status).toBe(403)
    expect((await call(CHAT, { headers: { origin: "http://evil.test" } })).status).toBe(403)
    expect((await call(CHAT, { headers: { origin: "null" } })).status).toBe(403)
    expect(sent).toHaveLength(1)
    const other = proxyOver(undefined, { allowedOrigins: ["http://app.test"] })
    expect((await other.call(CHAT, { headers: { origin: "http://app.test" } })).status).toBe(200)
  })

  it("answer upgrades with status 426", async () => {
    const { call, sent } = proxyOver()
    const response = await call("/openai/v1/responses", { method: "GET", headers: { upgrade: "websocket" } })
    expect(response.status).toBe(426)
    expect(response.headers.get("upgrade")).toBe("HTTP/1.1")
    expect(sent).toEqual([])
  })
})

describe("errors", () => {
  it("have the format of the provider, and are not retried", async () => {
    const { call } = proxyOver()
    const unauthorized = { authorization: "" }
    const answers = ["/openai/v1/x", "/anthropic/v1/x", "/gemini/v1beta/x"].map((path) =>
      call(path, { headers: unauthorized }),
    )
    const message = expect.stringContaining("No token")
    expect(await Promise.all((await Promise.all(answers)).map((response) => response.json()))).toEqual([
      { error: { message, type: "authentication_error", param: null, code: "invalid_token" } },
      { type: "error", error: { type: "authentication_error", message, code: "invalid_token" } },
      { error: { code: 401, message, status: "UNAUTHENTICATED", reason: "invalid_token" } },
    ])
    for (const answer of answers) expect((await answer).headers.get("x-should-retry")).toBe("false")
  })

  it("of the connection do not show the address", async () => {
    const { call, attempts } = proxyOver(() => {
      throw new TypeError("fetch failed", {
        cause: Object.assign(new Error("connect ECONNREFUSED 10.1.2.3:443"), { code: "ECONNREFUSED" }),
      })
    })
    const response = await call(CHAT)
    expect(response.status).toBe(502)
    expect((await errorOf(response)).message).toBe('The call to the upstream "openai" failed (ECONNREFUSED).')
    expect(attempts).toHaveLength(1)
  })

  it.each([CHAT, "/openai/v1/models"])("%s does not follow a redirect", async (path) => {
    const { call, sent } = proxyOver(
      () => new Response(null, { status: 307, headers: { location: "http://evil.test" } }),
    )
    const response = await call(path, path === CHAT ? {} : { method: "GET" })
    expect(response.status).toBe(502)
    expect(response.headers.get("location")).toBeNull()
    expect(sent).toHaveLength(1)
    expect(["error", "manual"]).toContain(sent[0]!.init.redirect)
  })

  it("reject endpoints that are not understood, unless they may pass", async () => {
    const { call, sent } = proxyOver()
    const response = await call("/openai/v1/unknown")
    expect([response.status, (await errorOf(response)).code]).toEqual([400, "unknown_endpoint"])
    expect(sent).toEqual([])
    const passed = await proxyOver(undefined, { unknownEndpoints: "pass" }).call("/openai/v1/unknown")
    // Its cost is unknown.
    expect([passed.status, passed.headers.get("x-p2-cost-usd")]).toEqual([200, null])
  })
})

describe("options", () => {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: usd(1) / 1e9 }] })
  const valid = { budget, upstreams: { openai: { apiKey: KEY } }, authenticate: acceptToken(TOKEN) }
  const invalid: [string, object, RegExp][] = [
    ["budget", { budget: {} }, /`budget`/],
    ["upstreams", { upstreams: {} }, /`upstreams`/],
    ["a name", { upstreams: { "a/b": {} } }, /`upstreams`/],
    ["an upstream without an address", { upstreams: { unit: { apiKey: KEY } } }, /`upstreams.unit.baseURL`/],
    ["a misspelled upstream option", { upstreams: { openai: { key: KEY } } }, /Did you mean `apiKey`/],
    ["an address with a password", { upstreams: { openai: { baseURL: `https://u:${KEY}@a.test` } } }, /baseURL/],
    ["an address of another kind", { upstreams: { openai: { baseURL: `file:///${KEY}` } } }, /baseURL/],
    ["a key of two lines", { upstreams: { openai: { apiKey: `${KEY}\n` } } }, /apiKey/],
    ["a header of two lines", { upstreams: { openai: { headers: { a: `${KEY}\r\nb: c` } } } }, /headers\.a/],
    ["a header that is none", { upstreams: { openai: { headers: { [`${KEY}:`]: "a" } } } }, /headers/],
    ["authenticate", { authenticate: TOKEN }, /`authenticate`/],
    ["a token in place of authenticate", { token: TOKEN }, /acceptToken/],
    ["apiKey", { apiKey: KEY }, /upstreams/],
    ["basePath", { basePath: "llm/" }, /`basePath`/],
    ["maxBodyBytes", { maxBodyBytes: 2 ** 30 }, /`maxBodyBytes`/],
    ["allowedHosts", { allowedHosts: "localhost" }, /`allowedHosts`/],
    ["an option of the guard", { clampTo: "model" }, /`clampTo`/],
    ["a bound of the input", { inputBound: "soft" }, /`inputBound`/],
    ["an empty reason", { upstreams: { openai: { unavailable: "" } } }, /`upstreams.openai.unavailable`/],
    ["a reason beside a key", { upstreams: { openai: { unavailable: "No.", apiKey: KEY } } }, /unavailable/],
  ]
  it.each(invalid)("rejects %s", (_name, options, message) => {
    const create = () => createProxy({ ...valid, ...options } as ProxyOptions)
    expect(create).toThrow(InvalidArgumentError)
    expect(create).toThrow(message)
    expect(create).not.toThrow(KEY)
    expect(create).not.toThrow(TOKEN)
  })

  it("rejects a short token", () => {
    expect(() => acceptToken("short-secret")).toThrow("Invalid `token`: expected at least 16 characters.")
  })
})

describe("hints", () => {
  const endpointOf = (hints: ProxyOptions["hints"]) => proxyOver(undefined, { hints }).call("/openai/v1/videos")

  it("replace what only the developer of the proxy can do", async () => {
    expect((await errorOf(await endpointOf(undefined))).message).toMatch(/Pass `unknownEndpoints: "pass"`/)
    expect((await errorOf(await endpointOf({}))).message).toBe(
      "The cost of this endpoint has no upper bound. p2 does not bound it yet.",
    )
    expect((await errorOf(await endpointOf({ unknownEndpoints: "Ask the operator." }))).message).toMatch(
      / yet\. Ask the operator\.$/,
    )
  })

  it("replace a change of the budget in denials", async () => {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "0.000001" }] })
    const { call } = proxyOver(undefined, { budget, hints: { budget: "Start again with more." } })
    const response = await call(CHAT)
    expect(response.status).toBe(402)
    expect((await errorOf(response)).message).toMatch(/remaining \$0\.000001 of \$0\.000001\. Start again with more\.$/)
  })

  it("have known names and strings", () => {
    expect(() => proxyOver(undefined, { hints: { budgets: "x" } as never })).toThrow("Unknown option `hints.budgets`")
    expect(() => proxyOver(undefined, { hints: { budget: 5 } as never })).toThrow("Invalid `hints.budget`")
  })
})
