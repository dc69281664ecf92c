import { describe, expect, it } from "vitest"
import { guardOver, json } from "./guarded-server"

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
