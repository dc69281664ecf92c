// Measures what guardFetch adds to one OpenAI SDK call, compared with what the client adds: a JSON answer and a stream
// of 12 chunks, on a loopback server that answers immediately, over the memory store, interleaved in one process.
// Run after a build: node packages/guard/bench/overhead.mjs
import { createServer } from "node:http"
import { createBudget, memoryStore } from "@p2/budget"
import { guardFetch } from "@p2/guard"
import OpenAI from "openai"

const ROUNDS = Number(process.env.P2_BENCH_ROUNDS ?? 2_000)
const WARM_UP = Number(process.env.P2_BENCH_WARM_UP ?? 3_000)

const { LLMClient } = await import("../../client/dist/index.js")

const usage = { prompt_tokens: 12, completion_tokens: 25, total_tokens: 37 }
const base = { id: "chatcmpl-1", created: 0, model: "gpt-4o-mini-2024-07-18", service_tier: "default" }
const text = "David Copperfield is the hero of a novel by Charles Dickens."
const completion = JSON.stringify({
  ...{ ...base, object: "chat.completion", usage },
  choices: [{ index: 0, message: { role: "assistant", content: text, refusal: null }, finish_reason: "stop" }],
})
const chunk = (fields) =>
  `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices: [], ...fields })}\n\n`
const piece = (delta, finish_reason = null) => chunk({ choices: [{ index: 0, delta, finish_reason }], usage: null })
const words = text.split(" ").slice(0, 10)
const stream = [
  ...words.map((word) => piece({ content: `${word} ` })),
  piece({}, "stop"),
  chunk({ usage }),
  "data: [DONE]\n\n",
]

const server = createServer((request, response) => {
  let body = ""
  request.on("data", (data) => {
    body += data
  })
  request.on("end", () => {
    if (!body.includes('"stream":true'))
      return void response.writeHead(200, { "content-type": "application/json" }).end(completion)
    response.writeHead(200, { "content-type": "text/event-stream" })
    for (const event of stream) response.write(event)
    response.end()
  })
})
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`

const options = { baseURL, apiKey: "local", maxRetries: 0 }
const prompt = "Describe who is David Copperfield"
const body = {
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: prompt }],
  max_completion_tokens: 500,
  service_tier: "default",
}
const limits = [{ scope: "user", limit: "1000" }]
const budget = createBudget({ store: memoryStore(), limits })
const fetch = guardFetch({ budget, provider: "openai", subject: { userId: "u" } })

const bare = new OpenAI(options)
const guarded = new OpenAI({ ...options, fetch })
const client = new LLMClient(
  {
    model: "openai/gpt-4o-mini",
    maxTokens: 500,
    maxBudget: "0.05",
    userId: "u",
    clientId: "c",
    serviceTier: "default",
  },
  { openai: bare, store: memoryStore() },
)

const call = (openai) => async () => {
  const result = await openai.chat.completions.create(body)
  if (result.choices[0].message.content !== text) throw new Error("no answer")
}
const read = (openai, fields) => async () => {
  let chunks = 0
  for await (const _ of await openai.chat.completions.create({ ...body, stream: true, ...fields })) chunks++
  if (chunks < 11) throw new Error(`${chunks} chunks`)
}
const asked = { stream_options: { include_usage: true } }

const contestants = {
  "JSON: OpenAI SDK": call(bare),
  "JSON: with guardFetch": call(guarded),
  "JSON: p2 client": async () => {
    client.msg.clear().addMessageUser(prompt)
    const result = await client.generate()
    if (!result.ok) throw result.error
  },
  "stream: OpenAI SDK": read(bare, asked),
  "stream: with guardFetch": read(guarded, asked),
}

for (let round = 0; round < WARM_UP; round++) await each()
const times = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]))
for (let round = 0; round < ROUNDS; round++) await each(times)
server.close()
server.closeAllConnections()

async function each(times) {
  for (const [name, run] of Object.entries(contestants)) {
    const start = performance.now()
    await run()
    times?.[name].push((performance.now() - start) * 1000)
  }
}

const quantile = (name, q) => times[name].toSorted((a, b) => a - b)[Math.floor(q * (ROUNDS - 1))]
console.log(`node ${process.versions.node}: ${ROUNDS} interleaved rounds after ${WARM_UP}, microseconds`)
for (const name of Object.keys(contestants)) {
  const base = `${name.split(":")[0]}: OpenAI SDK`
  const columns = [0.1, 0.5, 0.95].map(
    (q) =>
      `p${q * 100} ${quantile(name, q).toFixed(0).padStart(6)} (added ${(quantile(name, q) - quantile(base, q)).toFixed(0).padStart(5)})`,
  )
  console.log(`${name.padEnd(26)} ${columns.join("  ")}`)
}
const added = (name) => quantile(name, 0.5) - quantile(`${name.split(":")[0]}: OpenAI SDK`, 0.5)
const ratio = (name) => (added(name) / added("JSON: p2 client")).toFixed(2)
console.log(
  `guard / client, added p50: JSON ${ratio("JSON: with guardFetch")}, stream ${ratio("stream: with guardFetch")}`,
)
