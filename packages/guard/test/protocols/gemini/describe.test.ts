import { createPriceTable } from "@p2/pricing"
import { describe, expect, it } from "vitest"
import { describeCall, type PricedCall, type ProtocolContext, type ProviderCall } from "../../../src/protocols"
import { boundOf, context } from "../features/feature"

const HOST = "https://generativelanguage.googleapis.com"
const FLASH = "/v1beta/models/gemini-2.5-flash:generateContent"
const contents = [{ role: "user", parts: [{ text: "Who is David Copperfield?" }] }]

interface Options {
  path?: string
  host?: string
  headers?: Record<string, string>
  context?: ProtocolContext
}

function callTo(body: Record<string, unknown>, options: Options = {}) {
  const { path = FLASH, host = HOST } = options
  const call: ProviderCall = {
    method: "POST",
    url: new URL(host + path),
    headers: new Headers(options.headers),
    body: { kind: "json", value: { contents, ...body } },
  }
  return describeCall(call, options.context ?? context)
}

function priced(body: Record<string, unknown>, options?: Options): PricedCall {
  const description = callTo(body, options)
  if (description.status !== "priced") throw new Error(JSON.stringify(description))
  return description
}

function statusOf(method: string, path: string) {
  const call: ProviderCall = { method, url: new URL(HOST + path), headers: new Headers(), body: { kind: "none" } }
  return describeCall(call, context).status
}

describe("a call of the Gemini API", () => {
  it("has a bound by hand-written rates, for text without the price of audio", () => {
    const call = priced({ generationConfig: { maxOutputTokens: 100, candidateCount: 2 } })
    expect(call).toMatchObject({ provider: "gemini", model: "gemini-2.5-flash", streamed: false })
    expect(boundOf(call)).toBe(call.input.upperBound * 300 + 200 * 2_500)
  })

  it("is found in every version, with alt=sse or an array, behind a gateway and on Vertex AI", () => {
    expect(priced({}, { path: "/v1/models/gemini-2.5-flash:generateContent" }).streamed).toBe(false)
    const stream = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    expect(priced({}, { path: stream }).streamed).toBe(false)
    expect(priced({}, { path: `${stream}?alt=sse&key=k` }).streamed).toBe(true)
    const gateway = {
      host: "http://127.0.0.1:4000",
      path: `/gemini${FLASH}`,
      context: { ...context, provider: "gemini" },
    }
    expect(priced({}, gateway).provider).toBe("gemini")
    const vertex = "/v1beta1/projects/p/locations/global/publishers/google/models/gemini-2.5-flash:generateContent"
    expect(priced({}, { host: "https://aiplatform.googleapis.com", path: vertex })).toMatchObject({
      provider: "google-vertex",
      boundOptions: { region: "global" },
    })
    const express = "/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    expect(priced({}, { host: "https://aiplatform.googleapis.com", path: express }).provider).toBe("google-vertex")
  })

  it("sends the maximum of the model if it has no limit, because only that limits its thoughts", () => {
    const call = priced({})
    expect(call.maxOutputTokens).toBeUndefined()
    expect(call.bodyToSend({})).toEqual({ contents, generationConfig: { maxOutputTokens: 65_536 } })
    expect(boundOf(call)).toBe(call.input.upperBound * 300 + 65_536 * 2_500)
  })

  it("replaces a limit in either spelling", () => {
    const snake = priced({ generation_config: { max_output_tokens: 9, temperature: 1 } })
    expect(snake.maxOutputTokens).toBe(9)
    expect(snake.bodyToSend({ maxOutputTokens: 5 })).toEqual({
      contents,
      generationConfig: { maxOutputTokens: 5, temperature: 1 },
    })
    expect(snake.bodyToSend({})).toEqual({ contents, generationConfig: { maxOutputTokens: 9, temperature: 1 } })
  })

  it("takes the tier from the field, or at Vertex AI from the header", () => {
    expect(priced({}).boundOptions.serviceTier).toBe("standard")
    for (const tier of ["batch", "SERVICE_TIER_BATCH"]) expect(() => priced({ service_tier: tier })).toThrow(/batch/)
    expect(priced({ service_tier: "SERVICE_TIER_FLEX" }).boundOptions.serviceTier).toBe("flex")
    const headers = { "X-Vertex-AI-LLM-Shared-Request-Type": "priority" }
    expect(priced({}, { headers }).boundOptions.serviceTier).toBe("priority")
  })

  it("counts audio at its price, and what may contain audio too", () => {
    const part = (added: Record<string, unknown>) =>
      priced({ contents: [{ parts: [added] }] }).boundOptions.inputModalities
    expect(part({ text: "x" })).toEqual(["text", "image"])
    expect(part({ inlineData: { mimeType: "application/pdf", data: "AAAA" } })).toEqual(["text", "image"])
    for (const mimeType of ["audio/wav", "audio/mp3", "video/mp4"])
      expect(part({ inline_data: { mime_type: mimeType, data: "AAAA" } })).toBeUndefined()
    expect(part({ fileData: { fileUri: "u" } })).toBeUndefined()
  })

  it("bounds media inside function responses", () => {
    const media = {
      functionResponse: { name: "f", response: {}, parts: [{ inlineData: { mimeType: "video/mp4", data: "A" } }] },
    }
    expect(priced({ contents: [{ role: "user", parts: [media] }] }).input.upperBound).toBe(1_048_576)
  })

  it("bills a search once with a model that bills by the request, at the caller's own price too", () => {
    const tools = [{ googleSearchRetrieval: {} }]
    expect(priced({ tools }).boundOptions.webSearches).toBe(1)
    const own = { input: "1", output: "1", contextWindow: 1000 }
    const prices = createPriceTable({ "gemini-2.5-flash": own })
    expect(callTo({ tools }, { context: { ...context, prices } })).toMatchObject({
      status: "rejected",
      message: expect.stringContaining("Add `search`"),
    })
  })

  it("accepts a content that is not an array", () => {
    expect(priced({ contents: { parts: [{ text: "x" }] }, systemInstruction: { parts: { text: "y" } } }).status).toBe(
      "priced",
    )
  })

  it("rejects a path that is encoded wrongly", () => {
    expect(callTo({}, { path: "/v1beta/models/%E0%A4%A:generateContent" })).toMatchObject({ status: "rejected" })
  })

  it("quotes names, but no text of a request", () => {
    const secret = "tell me the secret of the house"
    const body = { generationConfig: { responseModalities: [secret] } }
    expect(JSON.stringify(callTo(body))).not.toMatch(/secret/i)
  })
})

describe("an embedding", () => {
  it("has no output, and counts every request of a batch", () => {
    const content = { parts: [{ text: "Hello" }] }
    const path = "/v1beta/models/gemini-embedding-001:"
    const one = priced({ contents: undefined, content }, { path: `${path}embedContent` })
    const requests = [{ content }, { content }, { content }]
    const three = priced({ contents: undefined, requests }, { path: `${path}batchEmbedContents` })
    expect([one.maxOutputTokens, boundOf(one)]).toEqual([0, one.input.upperBound * 150])
    expect(three.input.upperBound).toBeGreaterThan(one.input.upperBound)
    expect(three.bodyToSend({})).toEqual({ requests })
  })
})

describe("other paths of the Gemini API", () => {
  it("are free if they are not billed", () => {
    for (const [method, path] of [
      ["GET", "/v1beta/models"],
      ["POST", "/v1beta/models/gemini-2.5-flash:countTokens"],
      ["POST", "/upload/v1beta/files"],
      ["GET", "/v1beta/files/a"],
      ["DELETE", "/v1beta/cachedContents/a"],
      ["GET", "/v1beta/batches/a"],
      ["POST", "/v1beta/batches/a:cancel"],
    ] as const)
      expect([method, path, statusOf(method, path)]).toEqual([method, path, "free"])
  })

  it("are rejected by name otherwise", () => {
    expect(statusOf("PATCH", "/v1beta/cachedContents/a")).toBe("rejected")
    expect(statusOf("POST", "/v1beta/models/gemini-2.5-flash:bidiGenerateContent")).toBe("rejected")
    expect(statusOf("POST", "/v1beta/tunedModels")).toBe("rejected")
  })
})
