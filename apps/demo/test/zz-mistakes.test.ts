import { createBudget, memoryStore } from "@p2/budget"
import { redisStore } from "@p2/budget/redis"
import { postgresStore } from "@p2/budget-postgres"
import { sqliteStore } from "@p2/budget-sqlite"
import * as client from "@p2/client"
import * as core from "@p2/core"
import * as guard from "@p2/guard"
import * as aisdk from "@p2/guard/ai-sdk"
import * as proxy from "@p2/guard/proxy"
import * as localProvider from "@p2/local-provider"
import * as pricing from "@p2/pricing"
import * as tokens from "@p2/tokens"
import { it } from "vitest"
import { z } from "zod"
import { appendFileSync, writeFileSync } from "node:fs"
const OUT = "/tmp/lang3/m/out.txt"
writeFileSync(OUT, "")
const c: any = client, k: any = core, g: any = guard, p: any = pricing, t: any = tokens, l: any = localProvider
const show = (title: string, what: string) => appendFileSync(OUT, `${title}\n    ${what}\n`)
async function tryIt(title: string, f: () => unknown) {
  try { const r: any = await f(); const s = r?.error ? `RESULT.error ${r.error.code}: ${r.error.message}` : typeof r === "object" ? `OK ${JSON.stringify(r, (_, v) => typeof v === "bigint" ? `${v}n` : v)?.slice(0, 300)}` : `OK ${String(r).slice(0, 300)}`; show(title, s) }
  catch (e: any) { show(title, `${e?.kind ?? e?.name}/${e?.code}: ${e?.message}`) }
}
const budget = () => createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: "1.00", per: "day" }] })
const cases: [string, () => unknown][] = [
  // client
  ["client: no args", () => new c.LLMClient()],
  ["client: model string", () => new c.LLMClient("gpt-4o-mini")],
  ["client: apiKey in first", () => new c.LLMClient({ model: "gpt-4o-mini", apiKey: "x" })],
  ["client: maxBudget in second", () => new c.LLMClient({ model: "gpt-4o-mini" }, { maxBudget: 1 })],
  ["client: baseUrl spelling", () => new c.LLMClient({ model: "gpt-4o-mini" }, { baseUrl: "http://x" })],
  ["client: baseURL without scheme", () => new c.LLMClient({ model: "gpt-4o-mini" }, { baseURL: "localhost:8000/v1" })],
  ["client: baseURL with path to completions", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", baseURL: "http://localhost:1/v1/chat/completions" })],
  ["client: openai as class", () => new c.LLMClient({ model: "gpt-4o-mini" }, { openai: class OpenAI {} })],
  ["client: provider wrong case", () => new c.LLMClient({ model: "OpenAI/gpt-4o-mini" }, { apiKey: "x" })],
  ["client: store promise", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", store: Promise.resolve(memoryStore()) })],
  ["client: store 'redis'", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", store: "redis" })],
  ["client: store path", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", store: "./p2.db" })],
  ["client: store and budget", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", store: "memory:", budget: budget() })],
  ["client: budget as amount", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", budget: "0.50" })],
  ["client: tools array", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", tools: [] })],
  ["client: tool without tool()", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", tools: { weather: async () => 1 } })],
  ["client: OpenAI tool def", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", tools: { w: { type: "function", function: { name: "w", parameters: {} } } } })],
  ["client: tool() AI SDK inputSchema", () => c.tool({ description: "x", inputSchema: z.object({}), execute() {} })],
  ["client: tool cost in nano", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", tools: { w: c.tool({ description: "w", cost: 50_000_000, execute() {} }) } })],
  ["client: maxSteps 0", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", maxSteps: 0 })],
  ["client: toolChoice name unknown", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", tools: { w: c.tool({ description: "w" }) }, toolChoice: "weather" })],
  ["client: timeouts.connect seconds", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", timeouts: { connect: 5 } })],
  ["client: retries in second", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", maxRetries: 5 })],
  ["client: generate(prompt)", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.generate("Hello") }],
  ["client: generate({prompt})", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.generate({ prompt: "Hello" }) }],
  ["client: generate({messages})", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.generate({ messages: [] }) }],
  ["client: stream() await result property", async () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", baseURL: "http://127.0.0.1:9/v1" }); x.msg.addMessageUser("hi"); return x.stream({ signal: "x" }) }],
  ["client: signal controller", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); x.msg.addMessageUser("hi"); return x.generate({ signal: new AbortController() }) }],
  ["client: map(no fn)", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.map("docs") }],
  ["client: map(fn)", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.map(["a"], (d: any) => d) }],
  ["client: map options limit", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.map(["a"], { limit: 5 }) }],
  ["client: map promise", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.map(Promise.resolve(["a"])) }],
  ["client: run no budget", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.run() }],
  ["client: run string", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.run("0.50") }],
  ["client: run limit", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.run({ limit: "0.50" }) }],
  ["client: fork without args", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.run({ maxBudget: 1 }).fork() }],
  ["client: fork userId", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.run({ maxBudget: 1 }).fork({ userId: "b" }) }],
  ["client: reconcile no call", () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); return x.reconcile() }],
  ["client: usage filter", () => { const x = new c.LLMClient({ model: "gpt-4o-mini", userId: "a" }, { apiKey: "x" }); return x.usage.getUsageStats({ user: "a" }) }],
  ["client: usage from string", () => { const x = new c.LLMClient({ model: "gpt-4o-mini", userId: "a" }, { apiKey: "x" }); return x.usage.getUsageStats({ from: "2026-01-01" }) }],
  ["client: unknown provider in providers", () => new c.LLMClient({ model: "acme/gpt" }, { apiKey: "x" })],
  ["client: providers key wrong type", () => new c.LLMClient({ model: "acme/gpt" }, { apiKey: "x", providers: [{ name: "acme" }] })],
  ["client: onAlert string", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", onAlert: "log" })],
  ["client: logger function", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", logger: () => {} })],
  ["client: prices plain", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", prices: { "gpt-4o-mini": { input: "1" } } })],
  ["client: charge", () => new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x", charge: { abort: "none" } })],
  ["client: call after close", async () => { const x = new c.LLMClient({ model: "gpt-4o-mini" }, { apiKey: "x" }); await x.close(); x.msg.addMessageUser("hi"); return x.generate() }],
  // guard
  ["guard: no options", () => g.guardFetch()],
  ["guard: budget directly", () => g.guardFetch(budget())],
  ["guard: budget amount", () => g.guardFetch({ budget: "5.00" })],
  ["guard: budget promise", () => g.guardFetch({ budget: Promise.resolve(budget()) })],
  ["guard: provider OpenAI", () => g.guardFetch({ budget: budget(), provider: "OpenAI" })],
  ["guard: provider unknown", () => g.guardFetch({ budget: budget(), provider: "acme" })],
  ["guard: provider google", () => g.guardFetch({ budget: budget(), provider: "google" })],
  ["guard: provider gemini", () => g.guardFetch({ budget: budget(), provider: "gemini" })],
  ["guard: subject string", () => g.guardFetch({ budget: budget(), subject: "ada" })],
  ["guard: subject function", () => g.guardFetch({ budget: budget(), subject: () => ({ userId: "a" }) })],
  ["guard: maxTokens", () => g.guardFetch({ budget: budget(), maxTokens: 5 })],
  ["guard: maxOutputTokens '500'", () => g.guardFetch({ budget: budget(), maxOutputTokens: "500" })],
  ["guard: clampTo true", () => g.guardFetch({ budget: budget(), clampTo: true })],
  ["guard: clampTo maxOutputTokens without it", () => g.guardFetch({ budget: budget(), clampTo: "maxOutputTokens" })],
  ["guard: unknownEndpoints allow", () => g.guardFetch({ budget: budget(), unknownEndpoints: "allow" })],
  ["guard: serviceTier Default", () => g.guardFetch({ budget: budget(), serviceTier: "Default" })],
  ["guard: serviceTier standard", () => g.guardFetch({ budget: budget(), serviceTier: "standard" })],
  ["guard: inputBound count", () => g.guardFetch({ budget: budget(), inputBound: "count" })],
  ["guard: bodyIdleMs seconds string", () => g.guardFetch({ budget: budget(), bodyIdleMs: "120s" })],
  ["guard: fetch string", () => g.guardFetch({ budget: budget(), fetch: "node-fetch" })],
  ["guard: fetch module", () => g.guardFetch({ budget: budget(), fetch: { default() {} } })],
  ["guard: maxBatchCost", () => g.guardFetch({ budget: budget(), maxBatchCost: -1 })],
  ["guard: withBudget amount", () => g.withBudget("0.50", () => 1)],
  ["guard: withBudget args swapped", () => g.withBudget(() => 1, { limit: "0.50" })],
  ["guard: withBudget maxBudget", () => g.withBudget({ maxBudget: "0.5" }, () => 1)],
  ["guard: withBudget empty", () => g.withBudget({}, () => 1)],
  ["guard: withBudget limit 5$", () => g.withBudget({ limit: "5$" }, () => 1)],
  ["guard: withBudget userId", () => g.withBudget({ userId: "ada" }, () => 1)],
  ["guard: budgetErrorFrom()", () => g.budgetErrorFrom()],
  ["guard: guardMiddleware as fetch option name", () => g.guardMiddleware({})],
  ["guard: ai-sdk no budget", () => (aisdk as any).budgetMiddleware({})],
  ["guard: ai-sdk fetch option", () => (aisdk as any).budgetMiddleware({ budget: budget(), fetch })],
  ["guard: ai-sdk prices", () => (aisdk as any).budgetMiddleware({ budget: budget(), models: "x" })],
  ["guard: proxy no authenticate", () => (proxy as any).createProxy({ budget: budget(), upstreams: { openai: { apiKey: "k" } } })],
  ["guard: proxy token option", () => (proxy as any).createProxy({ budget: budget(), upstreams: { openai: { apiKey: "k" } }, token: "x" })],
  ["guard: proxy authenticate string", () => (proxy as any).createProxy({ budget: budget(), upstreams: { openai: { apiKey: "k" } }, authenticate: "0123456789abcdef" })],
  ["guard: proxy upstream OpenAI", () => (proxy as any).createProxy({ budget: budget(), upstreams: { OpenAI: { apiKey: "k" } }, authenticate: (proxy as any).acceptToken("0123456789abcdef") })],
  ["guard: proxy upstream unknown", () => (proxy as any).createProxy({ budget: budget(), upstreams: { acme: { apiKey: "k" } }, authenticate: (proxy as any).acceptToken("0123456789abcdef") })],
  ["guard: proxy upstream provider OpenAI", () => (proxy as any).createProxy({ budget: budget(), upstreams: { x: { apiKey: "k", baseURL: "http://localhost:8000/v1", provider: "OpenAI" } }, authenticate: (proxy as any).acceptToken("0123456789abcdef") })],
  ["guard: proxy upstream key", () => (proxy as any).createProxy({ budget: budget(), upstreams: { openai: { key: "k" } }, authenticate: (proxy as any).acceptToken("0123456789abcdef") })],
  ["guard: proxy basePath no slash", () => (proxy as any).createProxy({ budget: budget(), basePath: "llm", upstreams: { openai: { apiKey: "k" } }, authenticate: (proxy as any).acceptToken("0123456789abcdef") })],
  ["guard: serveProxy options", () => (proxy as any).serveProxy({ budget: budget() })],
  ["guard: serveProxy port string", () => (proxy as any).serveProxy(async () => new Response(), { port: "4000" })],
  ["guard: serveProxy host", () => (proxy as any).serveProxy(async () => new Response(), { host: "0.0.0.0" })],
  ["guard: acceptToken()", () => (proxy as any).acceptToken()],
  // local-provider
  ["local: start(port)", () => l.startLocalProvider(4000)],
  ["local: options unknown", async () => { const s = await l.startLocalProvider({ latency: 5 }); await s.close() ; return "started" }],
  ["local: delay string", async () => { const s = await l.startLocalProvider({ delayMs: "5" }); await s.close() ; return "started" }],
  ["local: port string", async () => { const s = await l.startLocalProvider({ port: "99999" }); await s.close(); return "started" }],
  ["local: faults.next(unknown)", async () => { const s = await l.startLocalProvider(); try { s.faults.next({ statuss: 500 }); return "accepted" } finally { await s.close() } }],
  ["local: faults.next(number)", async () => { const s = await l.startLocalProvider(); try { s.faults.next(500); return "accepted" } finally { await s.close() } }],
  ["local: faults status 200?", async () => { const s = await l.startLocalProvider(); try { s.faults.next({ status: "500" }); return "accepted" } finally { await s.close() } }],
  ["local: faults.always", async () => { const s = await l.startLocalProvider(); try { return Object.getOwnPropertyNames(Object.getPrototypeOf(s.faults)) } finally { await s.close() } }],
  ["local: unknown model", async () => { const s = await l.startLocalProvider(); try { const r = await fetch(`${s.baseURL}/chat/completions`, { method: "POST", headers: { authorization: "Bearer x", "content-type": "application/json" }, body: JSON.stringify({ model: "gpt-99", messages: [{ role: "user", content: "x" }] }) }); return `${r.status} ${await r.text()}` } finally { await s.close() } }],
  ["local: wrong path", async () => { const s = await l.startLocalProvider(); try { const r = await fetch(`${s.url}/chat/completions`, { method: "POST", headers: { authorization: "Bearer x" }, body: "{}" }); return `${r.status} ${await r.text()}` } finally { await s.close() } }],
  ["local: bad JSON", async () => { const s = await l.startLocalProvider(); try { const r = await fetch(`${s.baseURL}/chat/completions`, { method: "POST", headers: { authorization: "Bearer x" }, body: "{" }); return `${r.status} ${await r.text()}` } finally { await s.close() } }],
  ["local: no key", async () => { const s = await l.startLocalProvider(); try { const r = await fetch(`${s.baseURL}/chat/completions`, { method: "POST", body: "{}" }); return `${r.status} ${await r.text()}` } finally { await s.close() } }],
  ["local: GET on chat", async () => { const s = await l.startLocalProvider(); try { const r = await fetch(`${s.baseURL}/chat/completions`, { headers: { authorization: "Bearer x" } }); return `${r.status} ${await r.text()}` } finally { await s.close() } }],
  ["local: port in use", async () => { const s = await l.startLocalProvider(); try { const q = await l.startLocalProvider({ port: Number(new URL(s.url).port) }); await q.close(); return "started" } finally { await s.close() } }],
  ["local: close twice", async () => { const s = await l.startLocalProvider(); await s.close(); await s.close(); return "ok" }],
  ["local: imitation answer(object)", async () => { const s = await l.startImitationServer(); try { s.answer({ a: 1 }); const r = await fetch(`${s.baseURL}/chat/completions`, { method: "POST", body: "{}" }); return `${r.status} ${await r.text()}` } finally { await s.close() } }],
]
it("mistakes", async () => { for (const [title, f] of cases) await tryIt(title, f) }, 60000)
