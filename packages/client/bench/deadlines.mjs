// Measures how late a call ends after its deadline, for each of the four deadlines, as JSON and as a stream, with both
// supported major versions of the SDK, against mock servers in this process. The delay is measured from the moment when
// the deadline started: for `idle` when the server wrote the last content, for the others when the call was made.
// Run after a build: pnpm bench:deadlines.
import { memoryStore } from "@p2/budget"
import { LLMClient } from "@p2/client"
import { eventText, startMockServer, startSilentServer } from "@p2/local-provider"

const ROUNDS = Number(process.env.P2_BENCH_ROUNDS ?? 30)
const DEADLINE_MS = 100
const OTHER_DEADLINES_MS = 20_000

const chunk = (delta) => eventText({ choices: [{ index: 0, delta }] })
const json = { "content-type": "application/json" }
const sse = { "content-type": "text/event-stream" }
let lastContentAt = 0

/** Repeats a string until the client closes the connection. */
function writeForever(response, text) {
  const timer = setInterval(() => response.write(text), 5)
  response.on("close", () => clearInterval(timer))
}

function writeContent(response, headers, content) {
  response.writeHead(200, headers).write(content, () => {
    lastContentAt = performance.now()
  })
}

const comments = `: still here\n\n${chunk({ content: "" })}`
/** The server's answer by deadline and kind of response. A JSON body has no first content to wait for. */
const answers = {
  total: {
    json: ({ response }) => {
      writeContent(response, json, "{")
      writeForever(response, " ")
    },
    stream: ({ response }) => {
      response.writeHead(200, sse)
      writeForever(response, chunk({ content: "word " }))
    },
  },
  // The TLS handshake never completes, so the request is never written.
  connect: { json: undefined, stream: undefined },
  "first-content": {
    stream: ({ response }) => {
      response.writeHead(200, sse)
      writeForever(response, comments)
    },
  },
  idle: {
    json: ({ response }) => writeContent(response, json, '{"choices": ['),
    stream: ({ response }) => {
      writeContent(response, sse, chunk({ content: "Hel" }))
      writeForever(response, comments)
    },
  },
}

const server = await startMockServer()
const silent = await startSilentServer()
const store = memoryStore()

async function delayMs(OpenAI, deadline, stream) {
  const { baseURL } = deadline === "connect" ? silent : server
  const deadlines = { connectMs: OTHER_DEADLINES_MS, firstContentMs: OTHER_DEADLINES_MS, idleMs: OTHER_DEADLINES_MS }
  const option = { connect: "connectMs", "first-content": "firstContentMs", idle: "idleMs" }[deadline]
  if (option !== undefined) deadlines[option] = DEADLINE_MS
  const timeoutMs = deadline === "total" ? DEADLINE_MS : OTHER_DEADLINES_MS
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", retries: 0, stream, timeoutMs },
    { openai: new OpenAI({ baseURL, apiKey: "local" }), store, deadlines },
  )
  client.msg.addMessageUser("Hello")
  const start = performance.now()
  const result = await client.generate()
  const end = performance.now()
  if (result.ok || result.error.deadline !== deadline)
    throw result.error ?? new Error(`The call did not end by ${deadline}.`)
  return end - (deadline === "idle" ? lastContentAt : start) - DEADLINE_MS
}

console.log(`node ${process.versions.node}, ${ROUNDS} calls each, milliseconds after a deadline of ${DEADLINE_MS} ms`)
for (const [name, major] of [
  ["openai", 6],
  ["openai7", 7],
]) {
  const { OpenAI } = await import(name)
  for (const [deadline, kinds] of Object.entries(answers))
    for (const [kind, answer] of Object.entries(kinds)) {
      if (answer !== undefined) server.answer(answer)
      const delays = []
      for (let round = 0; round < ROUNDS; round++) delays.push(await delayMs(OpenAI, deadline, kind === "stream"))
      delays.sort((a, b) => a - b)
      const [p50, max] = [delays[delays.length >> 1], delays.at(-1)].map((ms) => ms.toFixed(1).padStart(6))
      console.log(`openai ${major}  ${deadline.padEnd(14)} ${kind.padEnd(7)} p50 ${p50}  max ${max}`)
    }
}
await silent.close()
await server.close()
