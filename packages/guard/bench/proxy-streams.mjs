// Measures a proxy process's memory while many streams are open whose readers read nothing, once the provider has
// written as much as the connections accept. Collects garbage before each measurement.
// Run after a build: node packages/guard/bench/proxy-streams.mjs
import { fork } from "node:child_process"
import { once } from "node:events"
import { Agent, createServer, request } from "node:http"
import { setTimeout as wait } from "node:timers/promises"
import { fileURLToPath } from "node:url"

/** How many streams, and how much the provider writes into each. */
const RUNS = [
  { streams: 2_000, bytes: 20_000 },
  { streams: 100, bytes: 16_000_000 },
]
const TOKEN = "local-token-0123456789"
const base = { id: "chatcmpl-1", created: 0, model: "gpt-4o-mini", service_tier: "default" }
// Bytes that are not content, in the form in which OpenAI sends them: the meter of a chat completion keeps the text of
// its answer.
const event = `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta: { content: "x" } }], obfuscation: "x".repeat(4_000) })}\n\n`

async function startProvider(bytes) {
  const server = createServer((incoming, response) => {
    incoming.resume()
    response.writeHead(200, { "content-type": "text/event-stream" })
    let written = 0
    const write = () => {
      while (written < bytes) {
        written += event.length
        if (!response.write(event)) return
      }
    }
    response.on("drain", write)
    write()
  })
  return await listen(server)
}

async function startProxy(upstream) {
  const { createBudget, memoryStore } = await import("@p2/budget")
  const { acceptToken, createProxy } = await import("@p2/guard/proxy")
  const { serveProxy } = await import("@p2/guard/proxy/node")
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: "1000000" }] })
  const upstreams = { openai: { baseURL: `${upstream}/v1`, apiKey: "key" } }
  const proxy = createProxy({ budget, upstreams, authenticate: acceptToken(TOKEN) })
  return (await serveProxy(proxy)).url
}

const listen = (server) =>
  new Promise((resolve) => {
    server.listen(0, "127.0.0.1", 4_096, () => resolve(`http://127.0.0.1:${server.address().port}`))
  })

const [role, argument] = process.argv.slice(2)
if (role === "provider") process.send(await startProvider(Number(argument)))
else if (role === "proxy") {
  process.send(await startProxy(argument))
  process.on("message", () => {
    globalThis.gc()
    const { rss, heapUsed, external } = process.memoryUsage()
    process.send({ rss, used: heapUsed + external })
  })
} else for (const run of RUNS) await measure(run)

async function start(...args) {
  const child = fork(fileURLToPath(import.meta.url), args, { execArgv: ["--expose-gc"] })
  const [url] = await once(child, "message")
  return { child, url }
}

async function measure({ streams, bytes }) {
  const provider = await start("provider", String(bytes))
  const proxy = await start("proxy", provider.url)
  const memory = async () => {
    proxy.child.send("memory")
    return (await once(proxy.child, "message"))[0]
  }
  const agent = new Agent({ maxSockets: Infinity })
  const open = async () => {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" }
    const sent = request(`${proxy.url}/openai/v1/chat/completions`, { method: "POST", agent, headers })
    const messages = [{ role: "user", content: "Hi" }]
    sent.end(
      JSON.stringify({
        model: "gpt-4o-mini",
        messages,
        max_completion_tokens: 100,
        service_tier: "default",
        stream: true,
      }),
    )
    const [response] = await once(sent, "response")
    if (response.statusCode !== 200) throw new Error(`Status ${response.statusCode}`)
    response.pause().on("error", () => {})
  }
  await open()
  const before = await memory()
  for (let opened = 0; opened < streams; opened += 50) await Promise.all(Array.from({ length: 50 }, open))
  let after = await memory()
  // Waits until reading stops.
  for (let previous = 0; Math.abs(after.used - previous) > 1_000_000; ) {
    previous = after.used
    await wait(2_000)
    after = await memory()
  }
  const each = (name) => `${Math.round((after[name] - before[name]) / streams / 1024)} KiB`
  console.log(
    `${streams} open streams of up to ${bytes / 1e6} MB, not read: ${each("used")} each in use, ${each("rss")} each resident`,
  )
  agent.destroy()
  for (const { child } of [proxy, provider]) child.kill()
}
