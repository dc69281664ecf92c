import { expect, it } from "vitest"
import { wavFile } from "../protocols/features/openai-audio"
import { balance, CALL, COMPLETION, COST, guardOver, json, post } from "./guarded-server"

/** A guard whose provider answers with one JSON body, and its call. */
async function charged(url: string, call: object, answer: object, status = 200) {
  const guard = guardOver(() => json(answer, { status }))
  const response = await guard.fetch(url, {
    method: "POST",
    body: call instanceof FormData ? call : JSON.stringify(call),
  })
  await response.text()
  const [entry] = (await guard.budget.usage.list()).entries
  return { entry, attempt: guard.attempts[0]!, spent: (await balance(guard.budget)).spent }
}

const CHAT = "https://api.openai.com/v1/chat/completions"
const MESSAGES = "https://api.anthropic.com/v1/messages"
const GEMINI = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent"
const claude = { model: "claude-sonnet-4-5", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] }
const claudeAnswer = {
  type: "message",
  id: "msg_1",
  model: "claude-sonnet-4-5",
  content: [{ type: "text", text: "Hi" }],
}

const transcription = new FormData()
transcription.append("model", "whisper-1")
transcription.append("file", new File([wavFile(1).head], "a.wav"))

it.each([
  [
    "a transcription by the second",
    "https://api.openai.com/v1/audio/transcriptions",
    transcription,
    { text: "Hello", usage: { type: "duration", seconds: 0 } },
  ],
  ["Anthropic", MESSAGES, claude, { ...claudeAnswer, usage: { input_tokens: 0, output_tokens: 0 } }],
  [
    "Responses",
    "https://api.openai.com/v1/responses",
    { model: "gpt-4o-mini", input: "Hi", max_output_tokens: 100, service_tier: "default" },
    {
      id: "resp_1",
      object: "response",
      status: "completed",
      model: "gpt-4o-mini",
      output: [{ type: "message", content: [{ type: "output_text", text: "Hello" }] }],
      usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
    },
  ],
  [
    "Gemini",
    GEMINI,
    { contents: [{ role: "user", parts: [{ text: "Hi" }] }], generationConfig: { maxOutputTokens: 100 } },
    {
      candidates: [{ content: { parts: [{ text: "Hello" }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 0, totalTokenCount: 0 },
    },
  ],
  [
    "embeddings",
    "https://api.openai.com/v1/embeddings",
    { model: "text-embedding-3-small", input: "Hi" },
    { object: "list", data: [{ embedding: [0.1] }], usage: { prompt_tokens: 0, total_tokens: 0 } },
  ],
])("charges the bound, in doubt, for an answer of %s with a usage of zero", async (_name, url, call, answer) => {
  const { attempt, entry, spent } = await charged(url, call, answer)
  expect(spent).toBe(attempt.reservedNanoUsd)
  expect(spent).toBeGreaterThan(0)
  expect(entry).toMatchObject({ costSource: "bound", inDoubt: true, status: "succeeded" })
})

it.each([
  ["next to the error", (usage: object) => ({ error: { message: "failed" }, usage })],
  ["in the error", (usage: object) => ({ error: { message: "failed", usage } })],
])("ignores a usage of zero %s: a failure is charged the bound, a rejection nothing", async (_name, answer) => {
  const body = answer({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 })
  for (const status of [200, 500]) {
    const { attempt, entry, spent } = await charged(CHAT, CALL, body, status)
    expect(spent).toBe(attempt.reservedNanoUsd)
    expect(entry).toMatchObject({ costSource: "bound", inDoubt: true })
  }
  const { spent, entry } = await charged(CHAT, CALL, body, 400)
  expect(spent).toBe(0)
  expect(entry).not.toHaveProperty("inDoubt")
})

it("charges nothing for an error of Gemini that its provider does not bill", async () => {
  const call = { contents: [{ role: "user", parts: [{ text: "Hi" }] }], generationConfig: { maxOutputTokens: 100 } }
  for (const status of [400, 429, 500]) {
    const answer = { error: { code: status, message: "no", status: "FAILED" } }
    const { entry, spent } = await charged(GEMINI, call, answer, status)
    expect(spent).toBe(0)
    expect(entry).not.toHaveProperty("inDoubt")
  }
})

it("prices cache writes without their times as those for one hour, if the call asks for an hour", async () => {
  const cached = (ttl: string) => ({
    ...claude,
    system: [{ type: "text", text: "word ".repeat(2000), cache_control: { type: "ephemeral", ttl } }],
  })
  const usage = { input_tokens: 10, output_tokens: 10, cache_creation_input_tokens: 1000 }
  const hour = await charged(MESSAGES, cached("1h"), { ...claudeAnswer, usage })
  const minutes = await charged(MESSAGES, cached("5m"), { ...claudeAnswer, usage })
  // $3 and $15 per million tokens; writes cost $6 for an hour, $3.75 for 5 minutes.
  expect(hour.spent).toBe(10 * 3_000 + 10 * 15_000 + 1000 * 6_000)
  expect(minutes.spent).toBe(10 * 3_000 + 10 * 15_000 + 1000 * 3_750)
})

it("charges the model that answered if it costs more than the called one", async () => {
  const guard = guardOver(() => json({ ...COMPLETION, model: "gpt-4o-2024-08-06" }))
  await (await post(guard.fetch, CALL)).text()
  // 20 input and 10 output tokens at $2.50 and $10 per million.
  expect(guard.attempts[0]).toMatchObject({ costNanoUsd: 20 * 2_500 + 10 * 10_000, inDoubt: false })
  const own = guardOver(() => json(COMPLETION))
  await (await post(own.fetch, CALL)).text()
  expect(own.attempts[0]).toMatchObject({ costNanoUsd: COST })
})

it.each([undefined, "auto"])(
  "charges the most expensive tier if neither call nor answer names one: %s",
  async (tier) => {
    const { service_tier: _, ...call } = CALL
    const { service_tier: __, ...answer } = COMPLETION
    const unnamed = { ...call, ...(tier && { service_tier: tier }) }
    // Priority costs $0.25 and $1 per million tokens, the standard tier $0.15 and $0.60.
    const priority = 20 * 250 + 10 * 1_000
    expect(await charged(CHAT, unnamed, answer)).toMatchObject({ spent: priority, attempt: { inDoubt: false } })
    expect(await charged(CHAT, unnamed, { ...answer, service_tier: "auto" })).toMatchObject({ spent: priority })
    expect(await charged(CHAT, unnamed, COMPLETION)).toMatchObject({ spent: COST })
    expect(await charged(CHAT, CALL, answer)).toMatchObject({ spent: COST })
  },
)

it("does not let a provider empty a budget that answers everything with nothing, and reports zeros", async () => {
  const nothing = { message: { role: "assistant", content: "" }, finish_reason: "stop" }
  const usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }
  const guard = guardOver(() => json({ ...COMPLETION, choices: [nothing], usage }), { limit: "0.00336" })
  for (let call = 0; call < 100; call++) await (await post(guard.fetch, CALL)).text()
  const { spent } = await balance(guard.budget)
  // The upper bound of a call is a fiftieth of the limit.
  expect(guard.attempts[0]).toMatchObject({ reservedNanoUsd: 67_200, costNanoUsd: 67_200, inDoubt: true })
  expect(spent).toBeLessThanOrEqual(336_000)
  expect(spent).toBe(67_200 * guard.sent.length)
})
