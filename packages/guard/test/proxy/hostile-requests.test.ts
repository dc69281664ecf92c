import { createBudget, memoryStore } from "@p2/budget"
import fc from "fast-check"
import { expect, it } from "vitest"
import { acceptToken, createProxy } from "../../src/proxy"
import { CALL, COMPLETION, events, json } from "../fetch/guarded-server"

const TOKEN = "token-0123456789abcdef"
const KEY = "sk-key-0123456789abcdef"

const segment = fc.oneof(
  fc.constantFrom("openai", "anthropic", "gemini", "azure", "own", "v1", "v1beta", "models", "chat", "completions"),
  fc.constantFrom(
    "messages",
    "responses",
    "gemini-2.5-flash:generateContent",
    "..",
    ".",
    "",
    "%2e%2e",
    "%2F",
    "@evil.test",
  ),
  fc.constantFrom("evil.test", ":80", "\\evil.test", "%00", "?key=x", "#x", "deployments", "mini", "constructor"),
  fc.string({ maxLength: 5 }),
)
const start = fc.constantFrom("/openai", "/anthropic", "/gemini", "/azure/openai", "/own", "")
const path = fc.tuple(start, fc.array(segment, { maxLength: 6 })).map(([first, rest]) => [first, ...rest].join("/"))
/** Most requests have a token. */
const credential = fc.constantFrom(
  { authorization: `Bearer ${TOKEN}` },
  { "x-api-key": TOKEN },
  { "x-goog-api-key": TOKEN },
  {},
)
const query = fc.constantFrom("", `?key=${TOKEN}`, `?key=${TOKEN}&key=${TOKEN}&alt=sse`, "?key=", `?k%65y=${TOKEN}`)
const otherHeaders = fc.dictionary(
  fc.constantFrom(
    ...["connection", "host", "origin", "te", "x-p2-user", "x-p2-tags", "content-length", "content-encoding"],
    ...["content-type", "cookie", "anthropic-version", "authorization", "upgrade"],
  ),
  fc.oneof(
    fc.constantFrom(`Bearer ${TOKEN}`, "close, authorization", "websocket", "gzip", "1", "%", ""),
    fc.stringMatching(/^[ -~]{0,9}$/),
  ),
  { maxKeys: 3 },
)
const headers = fc.tuple(otherHeaders, credential).map(([others, token]) => ({ ...others, ...token }))
const call = fc.oneof(
  fc.constantFrom(CALL, { ...CALL, stream: true }, { contents: [{ role: "user", parts: [{ text: "Hi" }] }] }),
  fc.dictionary(fc.constantFrom("model", "messages", "input", "max_tokens", "tools", "stream"), fc.jsonValue()),
)
const body = fc.oneof(
  call.map((value) => JSON.stringify(value)),
  fc.string({ maxLength: 20 }),
  fc.constant(undefined),
)

let sentCount = 0

it("answers every request, sends keys to their upstreams only, and shows none", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("GET", "POST", "HEAD", "DELETE", "PUT"),
      path,
      query,
      headers,
      body,
      async (method, at, search, sentHeaders, text) => {
        const url = `http://127.0.0.1:4000${at}${search}`
        fc.pre(URL.canParse(url))
        const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "1.00" }] })
        const sent: Request[] = []
        const upstream = { apiKey: KEY }
        const proxy = createProxy({
          budget,
          upstreams: {
            ...{ openai: upstream, anthropic: upstream, gemini: upstream },
            azure: { ...upstream, baseURL: "https://unit.openai.azure.com", deployments: { mini: "gpt-4o-mini" } },
            own: { ...upstream, baseURL: "http://10.0.0.1:9/api/v1", provider: "openai" },
          },
          authenticate: acceptToken(TOKEN),
          unknownEndpoints: "pass",
          fetch: (async (input: string, init: RequestInit) => {
            sent.push(new Request(input, init))
            if (method === "DELETE") throw new Error(`No connection with ${KEY}`)
            if (method === "PUT") return json({ error: KEY }, { status: 401, headers: { "x-key": KEY } })
            return String(init.body).includes('"stream":true') ? events() : json(COMPLETION)
          }) as typeof fetch,
        })
        const withBody = method !== "GET" && method !== "HEAD" && text !== undefined
        const response = await proxy(
          new Request(url, { method, headers: sentHeaders, ...(withBody && { body: text }) }),
        )
        const shown = JSON.stringify([await response.text(), ...response.headers])
        expect(shown).not.toContain(KEY)
        if (sent.length === 0) expect(shown).not.toContain(TOKEN)
        sentCount += sent.length
        for (const { url: target, headers: passed } of sent) {
          expect(JSON.stringify([target, ...new URL(target).searchParams, ...passed])).not.toContain(TOKEN)
          expect(target).not.toContain(KEY)
          expect([
            "api.openai.com",
            "api.anthropic.com",
            "generativelanguage.googleapis.com",
            "unit.openai.azure.com",
            "10.0.0.1:9",
          ]).toContain(new URL(target).host)
          if (new URL(target).host === "10.0.0.1:9") expect(new URL(target).pathname).toMatch(/^\/api\/v1(\/|$)/)
        }
        expect((await budget.status())[0]!.reservedNanoUsd).toBe(0)
      },
    ),
    { numRuns: 500 },
  )
  // Enough of them pass the checks.
  expect(sentCount).toBeGreaterThan(100)
})
