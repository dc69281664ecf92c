// Measures what the proxy costs compared with bare pass-through proxies: CPU time of the proxy process per call, and
// the time that it adds to a call when calls are made one at a time. JSON answers and streams of 200 chunks, on
// loopback servers, over the memory store. The provider, the client and each proxy have their own process; rounds are
// interleaved. Run after a build: node packages/guard/bench/proxy.mjs
import { fork } from "node:child_process"
import { Agent, createServer, request as httpRequest } from "node:http"
import { fileURLToPath } from "node:url"

const ROUNDS = Number(process.env.P2_BENCH_ROUNDS ?? 10)
const CALLS = Number(process.env.P2_BENCH_CALLS ?? 300)
const CHUNKS = 200
const TOKEN = "local-token-0123456789"

const usage = { prompt_tokens: 12, completion_tokens: 25, total_tokens: 37 }
const base = { id: "chatcmpl-1", created: 0, model: "gpt-4o-mini-2024-07-18", service_tier: "default" }
const text = "David Copperfield is the hero of a novel by Charles Dickens."

const listen = (server) =>
  new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)))

/** Answers immediately: a stream in one write per chunk. */
function startProvider() {
  const completion = JSON.stringify({
    ...{ ...base, object: "chat.completion", usage },
    choices: [{ index: 0, message: { role: "assistant", content: text, refusal: null }, finish_reason: "stop" }],
  })
  const chunk = (fields) =>
    `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices: [], ...fields })}\n\n`
  const piece = (delta, finish_reason = null) => chunk({ choices: [{ index: 0, delta, finish_reason }], usage: null })
  const words = Array.from({ length: CHUNKS - 3 }, (_, index) => piece({ content: `word ${index} ` }))
  const stream = [...words, piece({}, "stop"), chunk({ usage }), "data: [DONE]\n\n"]
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (data) => {
      body += data
    })
    request.on("end", () => {
      if (!body.includes('"stream":true'))
        return void response.writeHead(200, { "content-type": "application/json" }).end(completion)
      response.writeHead(200, { "content-type": "text/event-stream" })
      let sent = 0
      const send = () => {
        response.write(stream[sent++])
        if (sent === stream.length) response.end()
        else setImmediate(send)
      }
      send()
    })
  })
  return listen(server)
}

/** The proxies. Each takes the path below `/openai` and replaces the key. */
const PROXIES = {
  /** The smallest proxy that `node:http` allows. */
  async "bare node:http"(upstream) {
    const agent = new Agent({ keepAlive: true })
    const { port } = new URL(upstream)
    return listen(
      createServer((incoming, outgoing) => {
        const { host: _, ...headers } = incoming.headers
        const options = {
          host: "127.0.0.1",
          port,
          agent,
          method: incoming.method,
          path: incoming.url.slice("/openai".length),
        }
        const sent = httpRequest({ ...options, headers: { ...headers, authorization: "Bearer key" } }, (response) => {
          outgoing.writeHead(response.statusCode, response.headers)
          response.pipe(outgoing)
        })
        incoming.pipe(sent)
      }),
    )
  },
  /** A pass-through proxy that is written with `fetch`: (request) => Promise<Response> behind `serveProxy`. */
  async "bare fetch"(upstream) {
    const { serveProxy } = await import("@p2/guard/proxy/node")
    const { url } = await serveProxy(async (request) => {
      const { pathname, search } = new URL(request.url)
      const headers = new Headers(request.headers)
      for (const name of ["host", "connection", "content-length", "transfer-encoding", "accept-encoding"])
        headers.delete(name)
      headers.set("authorization", "Bearer key")
      const body = request.body === null ? null : await request.arrayBuffer()
      const { method, signal } = request
      const response = await fetch(`${upstream}${pathname.slice("/openai".length)}${search}`, {
        method,
        headers,
        body,
        signal,
      })
      const returned = new Headers(response.headers)
      for (const name of ["connection", "content-length", "transfer-encoding", "keep-alive"]) returned.delete(name)
      return new Response(response.body, { status: response.status, headers: returned })
    })
    return url
  },
  async p2(upstream) {
    const [{ createBudget, memoryStore }, { acceptToken, createProxy }, { serveProxy }] = await Promise.all([
      import("@p2/budget"),
      import("@p2/guard/proxy"),
      import("@p2/guard/proxy/node"),
    ])
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "user", limit: "1000" }] })
    const upstreams = { openai: { baseURL: `${upstream}/v1`, apiKey: "key" } }
    const authenticate = acceptToken(TOKEN, { subject: { userId: "u" } })
    return (await serveProxy(createProxy({ budget, upstreams, authenticate }))).url
  },
}

if (process.argv[2] === "provider") process.send(await startProvider())
else if (process.argv[2] !== undefined) {
  process.send(await PROXIES[process.argv[2]](process.argv[3]))
  process.on("message", () => {
    const { user, system } = process.cpuUsage()
    process.send(user + system)
  })
} else await measure()

async function start(...args) {
  const child = fork(fileURLToPath(import.meta.url), args)
  const ask = () => new Promise((resolve) => child.once("message", resolve))
  const cpuUs = () => {
    child.send("cpu")
    return ask()
  }
  return { child, url: await ask(), cpuUs }
}

async function measure() {
  const provider = await start("provider")
  const proxies = {}
  for (const name of Object.keys(PROXIES)) proxies[name] = await start(name, provider.url)
  const agent = new Agent({ keepAlive: true })
  const kinds = { JSON: false, stream: true }
  const results = {}
  const add = (name, kind) => (results[`${kind}: ${name}`] ??= { times: [], cpuUs: 0, calls: 0 })
  for (let round = -3; round < ROUNDS; round++)
    for (const [kind, isStream] of Object.entries(kinds)) {
      const calls = isStream ? Math.ceil(CALLS / 5) : CALLS
      for (const [name, proxy] of [["direct", provider], ...Object.entries(proxies)]) {
        const url = name === "direct" ? `${proxy.url}/v1/chat/completions` : `${proxy.url}/openai/v1/chat/completions`
        const before = name === "direct" ? 0 : await proxy.cpuUs()
        const times = []
        for (let index = 0; index < calls; index++) {
          const start = performance.now()
          await call(agent, url, isStream)
          times.push((performance.now() - start) * 1000)
        }
        const used = name === "direct" ? 0 : (await proxy.cpuUs()) - before
        if (round < 0) continue
        const result = add(name, kind)
        result.times.push(...times)
        result.cpuUs += used
        result.calls += calls
      }
    }
  agent.destroy()
  for (const { child } of [provider, ...Object.values(proxies)]) child.kill()
  report(results)
}

function call(agent, url, stream) {
  const messages = [{ role: "user", content: "Describe who is David Copperfield" }]
  const fields = { model: "gpt-4o-mini", messages, max_completion_tokens: 500, service_tier: "default" }
  const body = JSON.stringify({ ...fields, stream, ...(stream && { stream_options: { include_usage: true } }) })
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    "content-type": "application/json",
    "content-length": body.length,
  }
  return new Promise((resolve, reject) => {
    const sent = httpRequest(url, { method: "POST", agent, headers }, (response) => {
      let size = 0
      response.on("data", (data) => {
        size += data.length
      })
      response.on("end", () =>
        response.statusCode === 200 && size > 300 ? resolve() : reject(new Error(`Status ${response.statusCode}`)),
      )
      response.on("error", reject)
    })
    sent.on("error", reject)
    sent.end(body)
  })
}

function report(results) {
  const p50 = ({ times }) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]
  console.log(`node ${process.versions.node}: ${ROUNDS} interleaved rounds, one call at a time, microseconds`)
  for (const [name, result] of Object.entries(results)) {
    const kind = name.split(":")[0]
    const added = p50(result) - p50(results[`${kind}: direct`])
    const cpu = result.cpuUs / result.calls
    console.log(
      `${name.padEnd(24)} p50 ${p50(result).toFixed(0).padStart(6)} (added ${added.toFixed(0).padStart(5)})  processor ${cpu.toFixed(0).padStart(6)} a call`,
    )
  }
  for (const kind of ["JSON", "stream"])
    for (const bare of ["bare node:http", "bare fetch"]) {
      const [own, other] = [results[`${kind}: p2`], results[`${kind}: ${bare}`]]
      console.log(`${kind}: p2 / ${bare}, processor time: ${(own.cpuUs / other.cpuUs).toFixed(2)}`)
    }
}
