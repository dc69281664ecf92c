import { createPriceTable } from "@p2/pricing"
import { describe, expect, it } from "vitest"
import { findProtocol, type PricedCall, type ProtocolContext, type ProviderCall } from "../../src/protocols"

const context: ProtocolContext = { prices: createPriceTable({}, { extends: "published" }), deployments: {} }
const messages = [{ role: "user", content: "Describe who is David Copperfield" }]

function callTo(url: string, value: Record<string, unknown>, method = "POST"): ProviderCall {
  return { method, url: new URL(url), headers: new Headers(), body: { kind: "json", value } }
}

function pricedChat(body: Record<string, unknown>, url = "https://api.openai.com/v1/chat/completions"): PricedCall {
  const description = findProtocol(callTo(url, body), context)
  if (description.status !== "priced") throw new Error(JSON.stringify(description))
  return description
}

describe("chat completions", () => {
  it("counts the input and reads the output limit", () => {
    const call = pricedChat({ model: "gpt-4o-mini", messages, max_tokens: 50, n: 2 })
    expect(call).toMatchObject({
      provider: "openai",
      model: "gpt-4o-mini",
      priceKey: "openai/gpt-4o-mini",
      input: { estimate: 13, upperBound: 53 },
      maxOutputTokens: 50,
      minOutputTokens: 1,
      streamed: false,
    })
    expect(call.boundOptions).toMatchObject({
      choices: 2,
      webSearches: 0,
      region: "global",
      outputModalities: ["text"],
    })
  })
})
