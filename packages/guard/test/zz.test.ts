import { inspect } from "node:util"
import { createBudget, memoryStore } from "@p2/budget"
import { it } from "vitest"
import { guardFetch } from "../src/index"
import { createProxy } from "../src/proxy"
import { CALL, CHAT_URL, guardOver, json } from "./fetch/guarded-server"

const S = "sk-planted-0123456789abcdef"
it("x", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "1.00" }] })
  const tries: Record<string, () => unknown> = {
    "bad url": () =>
      guardOver(() => json({})).fetch(`generativelanguage.googleapis.com/v1beta/models/x:generateContent?key=${S}`, {
        method: "POST",
        body: "{}",
      }),
    "bad url2": () => guardOver(() => json({})).fetch(`https://[::1/?key=${S}`, { method: "POST", body: "{}" }),
    "url creds": () =>
      guardOver(() => json({})).fetch(`https://user:${S}@api.openai.com/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify(CALL),
      }),
    "header nl": () =>
      guardOver(() => json({})).fetch(CHAT_URL, {
        method: "POST",
        body: JSON.stringify(CALL),
        headers: { authorization: `Bearer ${S}\n x` },
      }),
    "header unicode": () =>
      guardOver(() => json({})).fetch(CHAT_URL, {
        method: "POST",
        body: JSON.stringify(CALL),
        headers: { authorization: `Bearer ${S}–` },
      }),
    "header name": () =>
      guardOver(() => json({})).fetch(CHAT_URL, {
        method: "POST",
        body: JSON.stringify(CALL),
        headers: { [`a ${S}`]: `x` },
      }),
    method: () => guardOver(() => json({})).fetch(CHAT_URL, { method: `POST ${S}`, body: JSON.stringify(CALL) }),
    "body json": () => guardOver(() => json({})).fetch(CHAT_URL, { method: "POST", body: `{"model": "${S}` }),
    "body obj": () => guardOver(() => json({})).fetch(CHAT_URL, { method: "POST", body: { a: S } as any }),
    "inner throws": () =>
      guardOver(() => {
        throw new Error(`proxy http://u:${S}@h`)
      }).fetch(CHAT_URL, { method: "POST", body: JSON.stringify(CALL) }),
    model: () =>
      guardOver(() => json({})).fetch(CHAT_URL, { method: "POST", body: JSON.stringify({ ...CALL, model: S }) }),
    "field name": () =>
      guardOver(() => json({})).fetch(CHAT_URL, { method: "POST", body: JSON.stringify({ ...CALL, [S]: 1 }) }),
    "field val": () =>
      guardOver(() => json({})).fetch(CHAT_URL, { method: "POST", body: JSON.stringify({ ...CALL, service_tier: S }) }),
    n: () => guardOver(() => json({})).fetch(CHAT_URL, { method: "POST", body: JSON.stringify({ ...CALL, n: S }) }),
    role: () =>
      guardOver(() => json({})).fetch(CHAT_URL, {
        method: "POST",
        body: JSON.stringify({ ...CALL, messages: [{ role: S, content: "x" }] }),
      }),
    img: () =>
      guardOver(() => json({})).fetch(CHAT_URL, {
        method: "POST",
        body: JSON.stringify({
          ...CALL,
          messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: `data:${S}` } }] }],
        }),
      }),
    "tool type": () =>
      guardOver(() => json({})).fetch(CHAT_URL, {
        method: "POST",
        body: JSON.stringify({ ...CALL, tools: [{ type: S }] }),
      }),
    path: () => guardOver(() => json({})).fetch(`https://api.openai.com/v1/${S}`, { method: "POST", body: "{}" }),
    query: () =>
      guardOver(() => json({})).fetch(`https://api.openai.com/v1/foo?key=${S}`, { method: "POST", body: "{}" }),
    host: () =>
      guardOver(() => json({})).fetch(`https://${S}.example.org/v1/chat/completions`, {
        method: "POST",
        body: JSON.stringify(CALL),
      }),
    "gem region": () =>
      guardOver(() => json({})).fetch(
        `https://x-aiplatform.googleapis.com/v1/projects/p/locations/${S}/publishers/google/models/gemini-3.5-flash:generateContent`,
        { method: "POST", body: JSON.stringify({ contents: [{ parts: [{ text: "x" }] }] }) },
      ),
    beta: () =>
      guardOver(() => json({})).fetch("https://api.anthropic.com/v1/messages", {
        method: "POST",
        body: JSON.stringify({ model: "claude-sonnet-4-5", max_tokens: 5, messages: [{ role: "user", content: "x" }] }),
        headers: { "anthropic-beta": S },
      }),
    "opt budget": () => guardFetch({ budget: S as any }),
    "opt provider": () => guardFetch({ budget, provider: { [S]: S } as any }),
    "opt charge": () => guardFetch({ budget, charge: { abort: S } as any }),
    "opt subject": () => guardFetch({ budget, subject: { userId: { s: S } as any } }),
    "opt fetch": () => guardFetch({ budget, fetch: S as any }),
    "opt unknown": () => guardFetch({ budget, apiKey: S } as any),
    "opt prices": () => guardFetch({ budget, prices: S as any }),
    "proxy base": () =>
      createProxy({ budget, upstreams: { openai: { baseURL: `https://u:${S}@h/v1`, apiKey: S } } } as any),
    "proxy base2": () => createProxy({ budget, upstreams: { openai: { baseURL: `h/${S}`, apiKey: S } } } as any),
    "proxy key": () => createProxy({ budget, upstreams: { openai: { apiKey: `${S}\n` } } } as any),
    "proxy key obj": () => createProxy({ budget, upstreams: { openai: { apiKey: { k: S } } } } as any),
    "proxy upstream": () => createProxy({ budget, upstreams: S } as any),
    "proxy up name": () => createProxy({ budget, upstreams: { [S]: { apiKey: "x" } } } as any),
    "proxy up str": () => createProxy({ budget, upstreams: { openai: S } } as any),
    "proxy auth": () => createProxy({ budget, upstreams: {}, authenticate: S } as any),
  }
  for (const [name, work] of Object.entries(tries)) {
    let shown = ""
    let kind = "ok"
    try {
      const r = await work()
      if (r instanceof Response) {
        kind = String(r.status)
        shown = await r.text()
      }
    } catch (e) {
      kind = "threw"
      shown = `${inspect(e, { depth: 12, showHidden: true })} ${JSON.stringify(e)} ${String(e)}`
    }
    console.log(
      "L",
      shown.includes(S) || shown.includes("planted") ? "LEAK" : "ok  ",
      name,
      kind,
      shown.includes("planted") ? shown.replace(/\n/g, " ").slice(0, 240) : "",
    )
  }
})
