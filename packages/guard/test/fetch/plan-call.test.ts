import { describe, expect, it } from "vitest"
import { COMPLETION, guardOver, json } from "./guarded-server"

const MESSAGE = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-opus-4-6",
  content: [{ type: "text", text: "Hello" }],
  stop_reason: "end_turn",
}
const CALL = { model: "claude-opus-4-6", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] }

async function chargeFor(usage: object, call: object = {}) {
  const guard = guardOver(() => json({ ...MESSAGE, usage: { input_tokens: 1_000, output_tokens: 10, ...usage } }), {
    onWarning: () => {},
  })
  await guard.fetch("https://api.anthropic.com/v1/messages", {
    method: "POST",
    body: JSON.stringify({ ...CALL, ...call }),
    headers: { "anthropic-version": "2023-06-01", "x-api-key": "key" },
  })
  return guard.attempts[0]!
}

// $5 and $25 per million tokens: 1,000 input and 10 output tokens.
const STANDARD = 5_000_000 + 250_000

describe("the price of a reported usage", () => {
  it("is that of the tier and the region that the usage states, before those of the call", async () => {
    expect(await chargeFor({})).toMatchObject({ costNanoUsd: STANDARD, inDoubt: false })
    expect(await chargeFor({ service_tier: "standard" }, { service_tier: "auto" })).toMatchObject({
      costNanoUsd: STANDARD,
    })
    expect(await chargeFor({ service_tier: "standard" }, { service_tier: "standard_only" })).toMatchObject({
      costNanoUsd: STANDARD,
    })
    expect(await chargeFor({ inference_geo: "us" })).toMatchObject({ costNanoUsd: (STANDARD * 11) / 10 })
    expect(await chargeFor({}, { inference_geo: "us" })).toMatchObject({ costNanoUsd: (STANDARD * 11) / 10 })
  })

  it("is in doubt, and charged the bound, for a usage without a price", async () => {
    const attempt = await chargeFor({ inference_geo: "unheard-of" })
    expect(attempt).toMatchObject({ costNanoUsd: attempt.reservedNanoUsd, inDoubt: true, costSource: "bound" })
  })
})

/** xAI bills $0.05 for a response that violates its guidelines, if it notices before it generates. */
describe("the bound of a response at xAI", () => {
  const send = async (path: string, body: object, options: Parameters<typeof guardOver>[1] = {}) => {
    const guard = guardOver(() => json({ code: "permission", error: "usage guidelines" }, { status: 403 }), options)
    const call = { model: "grok-4-fast", ...body }
    const response = await guard.fetch(`https://api.x.ai/v1/${path}`, { method: "POST", body: JSON.stringify(call) })
    return { status: response.status, attempt: guard.attempts[0]! }
  }

  it("is at least the fee, which a 403 is charged", async () => {
    const { attempt } = await send("responses", { input: "Hi", max_output_tokens: 100 })
    expect(attempt).toMatchObject({ reservedNanoUsd: 50_000_000, costNanoUsd: 50_000_000, inDoubt: true })
    const messages = [{ role: "user", content: "Hi" }]
    const chat = await send("chat/completions", { messages, max_completion_tokens: 100 })
    expect(chat.attempt.reservedNanoUsd).toBeLessThan(1_000_000)
    expect(chat.attempt.costNanoUsd).toBe(chat.attempt.reservedNanoUsd)
  })

  it("is denied where the fee does not fit", async () => {
    const call = { input: "Hi", max_output_tokens: 100 }
    for (const clampTo of [undefined, "budget"] as const) {
      const { status, attempt } = await send("responses", call, { limit: "0.04", ...(clampTo && { clampTo }) })
      expect([status, attempt.status]).toEqual([402, "denied"])
    }
  })
})

it("reads the usage inside an error", async () => {
  const guard = guardOver(() => json({ error: { message: "no", usage: COMPLETION.usage } }, { status: 429 }))
  const body = {
    model: "gpt-4o-mini",
    messages: [{ role: "user", content: "Hi" }],
    max_tokens: 100,
    service_tier: "default",
  }
  await guard.fetch("https://api.openai.com/v1/chat/completions", { method: "POST", body: JSON.stringify(body) })
  expect(guard.attempts[0]).toMatchObject({ costNanoUsd: 9_000, costSource: "table", inDoubt: false })
})
