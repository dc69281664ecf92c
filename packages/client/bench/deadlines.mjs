// How late a call ends that its deadline has to end, for each of the four deadlines, over JSON and over a stream, with
// both major versions of the SDK, against hostile servers in this process. Late is counted from the moment at which the
// deadline began: for `idle` when the server wrote the last content, for the others when the call was made.
// Run after a build: pnpm bench:deadlines.
import { createServer } from "node:http"
import { createServer as createTcpServer } from "node:net"
import { memoryStore } from "@p2/budget"
import { LLMClient } from "@p2/client"

const ROUNDS = Number(process.env.P2_BENCH_ROUNDS ?? 30)
const DEADLINE_MS = 100
const FAR_MS = 20_000

const chunk = (delta) => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`
const json = { "content-type": "application/json" }
const sse = { "content-type": "text/event-stream" }
let lastContentAt = 0

/** Writes again and again until the client leaves. */
function repeat(response, text) {
  const timer = setInterval(() => response.write(text), 5)
  response.on("close", () => clearInterval(timer))
}

function stall(response, headers, content) {
  response.writeHead(200, headers).write(content, () => {
    lastContentAt = performance.now()
  })
}

const comments = `: still here\n\n${chunk({ content: "" })}`
/** What the server does, by deadline and shape. For a body in one piece there is no first content to wait for. */
const servers = {
  total: {
    json: (response) => {
      stall(response, json, "{")
      repeat(response, " ")
    },
    stream: (response) => {
      response.writeHead(200, sse)
      repeat(response, chunk({ content: "word " }))
    },
  },
  // Nothing answers the TLS handshake, so that the request cannot be written.
  connect: { json: undefined, stream: undefined },
  "first-content": {
    stream: (response) => {
      response.writeHead(200, sse)
      repeat(response, comments)
    },
  },
  idle: {
    json: (response) => stall(response, json, '{"choices": ['),
    stream: (response) => {
      stall(response, sse, chunk({ content: "Hel" }))
      repeat(response, comments)
    },
  },
}

let serve
const server = createServer((request, response) => {
  request.resume()
  request.on("end", () => serve(response))
})
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
const taken = new Set()
const mute = createTcpServer((socket) => taken.add(socket.on("error", () => {})))
await new Promise((resolve) => mute.listen(0, "127.0.0.1", resolve))
const store = memoryStore()

async function lateness(OpenAI, deadline, stream) {
  const own =
    deadline === "connect" ? `https://127.0.0.1:${mute.address().port}` : `http://127.0.0.1:${server.address().port}`
  const deadlines = { connectMs: FAR_MS, firstContentMs: FAR_MS, idleMs: FAR_MS }
  const option = { connect: "connectMs", "first-content": "firstContentMs", idle: "idleMs" }[deadline]
  if (option !== undefined) deadlines[option] = DEADLINE_MS
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", retries: 0, stream, timeoutMs: deadline === "total" ? DEADLINE_MS : FAR_MS },
    { openai: new OpenAI({ baseURL: `${own}/v1`, apiKey: "local" }), store, deadlines },
  )
  client.msg.addMessageUser("Hello")
  const start = performance.now()
  const result = await client.generate()
  const end = performance.now()
  if (result.ok || result.error.deadline !== deadline) throw result.error ?? new Error(`no end by ${deadline}`)
  return end - (deadline === "idle" ? lastContentAt : start) - DEADLINE_MS
}

console.log(`node ${process.versions.node}, ${ROUNDS} calls each, milliseconds after a deadline of ${DEADLINE_MS}`)
for (const [name, major] of [
  ["openai", 6],
  ["openai7", 7],
]) {
  const { OpenAI } = await import(name)
  for (const [deadline, shapes] of Object.entries(servers))
    for (const [shape, behaviour] of Object.entries(shapes)) {
      serve = behaviour
      const late = []
      for (let round = 0; round < ROUNDS; round++) late.push(await lateness(OpenAI, deadline, shape === "stream"))
      late.sort((a, b) => a - b)
      const [p50, max] = [late[late.length >> 1], late.at(-1)].map((ms) => ms.toFixed(1).padStart(6))
      console.log(`openai ${major}  ${deadline.padEnd(14)} ${shape.padEnd(7)} p50 ${p50}  max ${max}`)
    }
}
for (const socket of taken) socket.destroy()
mute.close()
server.close()
server.closeAllConnections()
