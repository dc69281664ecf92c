// Makes calls with the OpenAI SDK, its retries included, in separate processes: `node parallel-callers.mjs 4 50` makes 4 × 50 calls
// at once. Prints how each call ended. With one process it makes the calls itself.
import { fork } from "node:child_process"
import { once } from "node:events"
import OpenAI from "openai"

const [processes = 1, calls = 1] = process.argv.slice(2).map(Number)

if (processes > 1) {
  const children = Array.from({ length: processes }, () => fork(process.argv[1], ["1", String(calls)]))
  await Promise.all(children.map((child) => once(child, "exit")))
} else {
  const openai = new OpenAI({ maxRetries: 2 })
  await Promise.all(Array.from({ length: calls }, (_, index) => call(openai, index)))
}

async function call(openai, index) {
  const messages = [{ role: "user", content: `Tell me about the number ${index}.` }]
  try {
    const stream = index % 2 === 0
    const answer = await openai.chat.completions.create({
      ...{ model: "gpt-4o-mini", max_completion_tokens: 100, messages, stream },
    })
    if (stream) for await (const _chunk of answer) console.log("chunk")
    console.log("answered")
  } catch (error) {
    console.log(error.status === 402 ? "denied" : `failed ${error.status ?? error.constructor.name}`)
  }
}
