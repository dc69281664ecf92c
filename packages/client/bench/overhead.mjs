// Measures what the client adds to one bare OpenAI SDK call, compared with `ai`'s `generateText` with an output schema:
// on a loopback server that answers immediately, over the memory store, interleaved in one process. Run after a build:
// pnpm bench. P2_OPENAI=7 uses the SDK's next major version for the bare call and for the client.
import { createServer } from "node:http"
import { createOpenAICompatible } from "@ai-sdk/openai-compatible"
import { memoryStore } from "@p2/budget"
import { LLMClient } from "@p2/client"
import { generateText, Output } from "ai"
import { z } from "zod"

const { OpenAI } = await import(process.env.P2_OPENAI === "7" ? "openai7" : "openai")

const ROUNDS = Number(process.env.P2_BENCH_ROUNDS ?? 3_000)
/**
 * The round at which measuring begins: in a new process, and in one that has run for a few seconds. V8 13.6 (Node 24)
 * optimizes code that runs once per round only after about 5,000 rounds, for all contestants alike.
 */
const PHASES = { "young process": 500, "warm process": 500 + ROUNDS + 3_000 }

const Person = z.object({ name: z.string(), age: z.number().int(), interests: z.array(z.string()) })
const answer = JSON.stringify({ name: "David Copperfield", age: 40, interests: ["reading", "writing"] })
const completion = JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion",
  created: 0,
  model: "gpt-4o-mini-2024-07-18",
  choices: [
    { index: 0, message: { role: "assistant", content: answer, refusal: null }, logprobs: null, finish_reason: "stop" },
  ],
  usage: { prompt_tokens: 70, completion_tokens: 25, total_tokens: 95 },
})

const server = createServer((request, response) => {
  request.resume()
  request.on("end", () => response.writeHead(200, { "content-type": "application/json" }).end(completion))
})
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
const baseURL = `http://127.0.0.1:${server.address().port}/v1`

const openai = new OpenAI({ baseURL, apiKey: "local", maxRetries: 0 })
const prompt = "Describe who is David Copperfield"
const store = memoryStore()

function newClient() {
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", answerModel: Person, maxTokens: 500, maxBudget: "0.05", userId: "u", clientId: "c" },
    { openai, store },
  )
  client.msg.addMessageUser(prompt)
  return client
}

const probe = newClient()
await probe.generate()
const { jsonSchema } = (await import("@p2/core")).compileAnswer(Person)
const body = {
  model: "gpt-4o-mini",
  messages: [{ role: "user", content: prompt }],
  max_completion_tokens: 500,
  service_tier: "default",
  response_format: { type: "json_schema", json_schema: { name: "answer", schema: jsonSchema, strict: true } },
}
const model = createOpenAICompatible({ name: "local", baseURL, apiKey: "local", supportsStructuredOutputs: true })(
  "gpt-4o-mini",
)

const contestants = {
  "openai.chat.completions.create": async () => {
    const result = await openai.chat.completions.create(body)
    JSON.parse(result.choices[0].message.content)
  },
  "p2 generate(), client kept": (() => {
    const client = newClient()
    return async () => {
      // The same conversation in every round, without the last answer.
      client.msg.clear().addMessageUser(prompt)
      const result = await client.generate()
      if (!result.ok) throw result.error
    }
  })(),
  "p2 generate(), new client": async () => {
    const result = await newClient().generate()
    if (!result.ok) throw result.error
  },
  "ai generateText with output": async () => {
    const { output } = await generateText({
      model,
      prompt,
      maxOutputTokens: 500,
      maxRetries: 0,
      output: Output.object({ schema: Person }),
    })
    if (output.name === undefined) throw new Error("no output")
  },
}

let round = 0
for (const [phase, first] of Object.entries(PHASES)) {
  while (round < first) await eachOnce()
  const times = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]))
  while (round < first + ROUNDS) await eachOnce(times)
  report(phase, first, times)
}
server.close()
server.closeAllConnections()

async function eachOnce(times) {
  round++
  for (const [name, run] of Object.entries(contestants)) {
    const start = performance.now()
    await run()
    times?.[name].push((performance.now() - start) * 1000)
  }
}

function report(phase, first, times) {
  const quantile = (sorted, q) => sorted[Math.floor(q * (sorted.length - 1))]
  const bare = times["openai.chat.completions.create"].toSorted((a, b) => a - b)
  console.log(
    `node ${process.versions.node}, openai ${process.env.P2_OPENAI === "7" ? 7 : 6}, ${phase}: ${ROUNDS} interleaved rounds from round ${first}, microseconds`,
  )
  for (const [name, list] of Object.entries(times)) {
    const sorted = list.toSorted((a, b) => a - b)
    const columns = [0.1, 0.5, 0.95].map((q) => {
      const added = quantile(sorted, q) - quantile(bare, q)
      return `p${q * 100} ${quantile(sorted, q).toFixed(0).padStart(6)} (added ${added.toFixed(0).padStart(5)})`
    })
    console.log(`${name.padEnd(32)} ${columns.join("  ")}`)
  }
}
