import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { type LocalProvider, startLocalProvider } from "../src/index"

const contents = [{ role: "user", parts: [{ text: "Describe who is David Copperfield" }] }]

interface Chunk {
  candidates: { content: { parts: { functionCall?: unknown }[] }; finishReason: string }[]
  usageMetadata: {
    promptTokenCount: number
    candidatesTokenCount: number
    thoughtsTokenCount: number
    toolUsePromptTokenCount: number
    totalTokenCount: number
  }
  promptFeedback: { blockReason: string }
  error: { code: number; status: string }
}

let provider: LocalProvider

beforeEach(async () => {
  provider = await startLocalProvider()
})
afterEach(() => provider.close())

function post(method: string, body: object = {}, model = "gemini-2.5-flash", version = "/v1beta"): Promise<Response> {
  return fetch(`${provider.geminiBaseURL}${version}/models/${model}:${method}`, {
    method: "POST",
    headers: { "x-goog-api-key": "local", "content-type": "application/json" },
    body: JSON.stringify({ contents, ...body }),
  })
}

async function jsonOf(response: Promise<Response>): Promise<Chunk> {
  return (await response).json() as Promise<Chunk>
}

async function eventsOf(response: Response): Promise<Chunk[]> {
  const lines = (await response.text()).split("\r\n").filter((line) => line.startsWith("data: "))
  return lines.map((line) => JSON.parse(line.slice(6)) as Chunk)
}

describe("answers", () => {
  it("report the usage that is billed by hand-written rates, thoughts included", async () => {
    const answer = await jsonOf(post("generateContent"))
    const { promptTokenCount: input, candidatesTokenCount: output, thoughtsTokenCount: thoughts } = answer.usageMetadata
    expect(answer.candidates[0]!.finishReason).toBe("STOP")
    expect(provider.ledger.calls).toMatchObject([{ api: "gemini", promptTokens: input, reported: true }])
    expect(provider.ledger.totalNanoUsd).toBe(input * 300 + (output + thoughts) * 2_500)
  })

  it("stream events or one array, with the complete usage at the end", async () => {
    const events = await eventsOf(await post("streamGenerateContent?alt=sse"))
    const array = (await (await post("streamGenerateContent")).json()) as Chunk[]
    for (const chunks of [events, array]) {
      expect(chunks.length).toBeGreaterThan(2)
      expect(chunks[0]!.usageMetadata.candidatesTokenCount).toBe(1)
      const { candidatesTokenCount: output, thoughtsTokenCount: thoughts } = chunks.at(-1)!.usageMetadata
      expect(provider.ledger.calls[0]!.completionTokens).toBe(output + thoughts)
    }
  })

  it("share maxOutputTokens between thoughts and text", async () => {
    provider.faults.next({ reasoningTokens: 90 })
    const { usageMetadata, candidates } = await jsonOf(
      post("generateContent", { generation_config: { max_output_tokens: 100 } }),
    )
    expect(usageMetadata).toMatchObject({ thoughtsTokenCount: 90, candidatesTokenCount: 10 })
    expect(candidates[0]!.finishReason).toBe("MAX_TOKENS")
  })

  it("call the functions of a fault", async () => {
    const toolCalls = ["a.txt", "b.txt"].map((path) => ({ name: "write", arguments: { path } }))
    provider.faults.next({ toolCalls })
    const { candidates } = await jsonOf(post("generateContent", {}))
    expect(candidates[0]!.content.parts).toEqual([
      { functionCall: { name: "write", args: { path: "a.txt" } } },
      { functionCall: { name: "write", args: { path: "b.txt" } } },
    ])
  })

  it("call a function until its response is sent", async () => {
    const tools = [{ functionDeclarations: [{ name: "age", parameters: { type: "OBJECT", properties: {} } }] }]
    const first = await jsonOf(post("generateContent", { tools }))
    const call = { functionCall: { name: "age", args: {} } }
    expect(first.candidates[0]!.content.parts).toEqual([call])
    const result = { role: "user", parts: [{ functionResponse: { name: "age", response: { age: 42 } } }] }
    const turns = [...contents, { role: "model", parts: [call] }, result]
    const second = await jsonOf(post("generateContent", { tools, contents: turns }))
    expect(second.candidates[0]!.content.parts[0]).toHaveProperty("text")
  })

  it("bill a search once for a request, or for each query of Gemini 3", async () => {
    const tools = [{ googleSearch: {} }]
    provider.faults.next({ searches: 3 }, 2)
    await post("generateContent", { tools })
    await post("generateContent", { tools }, "gemini-3-flash-preview")
    const fees = provider.ledger.calls.map(({ units }) => units!.find(({ kind }) => kind === "search"))
    expect(fees).toEqual([
      { kind: "search", count: 1, picoUsdPerUnit: 35_000_000_000 },
      { kind: "search", count: 3, picoUsdPerUnit: 14_000_000_000 },
    ])
  })

  it("bill audio separately, and long prompts at higher rates", async () => {
    const audio = { inlineData: { mimeType: "audio/mp3", data: "A".repeat(32_000) } }
    await post("generateContent", { contents: [{ parts: [audio] }] })
    expect(provider.ledger.calls[0]!.units).toContainEqual({ kind: "audioInput", count: 64, picoUsdPerUnit: 1_000_000 })
    const long = { contents: [{ parts: [{ text: "word ".repeat(210_000) }] }] }
    await post("generateContent", long, "gemini-2.5-pro")
    expect(provider.ledger.calls[1]!.units![0]).toMatchObject({ kind: "input", picoUsdPerUnit: 2_500_000 })
  })

  it("block a prompt, which is billed without an answer", async () => {
    provider.faults.next({ refusal: "blocked" })
    const answer = await jsonOf(post("generateContent"))
    expect(answer.promptFeedback.blockReason).toBe("SAFETY")
    expect(provider.ledger.totalNanoUsd).toBe(answer.usageMetadata.promptTokenCount * 300)
  })

  it("embed, count and list", async () => {
    const content = { parts: [{ text: "Hello" }] }
    expect(await jsonOf(post("embedContent", { content }, "gemini-embedding-001"))).toHaveProperty("embedding")
    const requests = [{ content }, { content }]
    expect(await jsonOf(post("batchEmbedContents", { requests }, "gemini-embedding-001"))).toHaveProperty("embeddings")
    expect(await jsonOf(post("countTokens"))).toEqual({ totalTokens: expect.any(Number) })
    expect((await post("generateContent", {}, "gemini-none")).status).toBe(404)
    const vertex = "/v1/projects/p/locations/global/publishers/google"
    expect((await post("generateContent", {}, "gemini-2.5-pro", vertex)).status).toBe(200)
    expect((await fetch(`${provider.geminiBaseURL}/v1beta/models`)).status).toBe(403)
    expect((await fetch(`${provider.geminiBaseURL}/v1beta/models?key=local`)).status).toBe(200)
    expect(provider.ledger.calls.map(({ promptTokens }) => promptTokens > 0)).toEqual([true, true, true])
  })
})

describe("faults", () => {
  it("answer with a status, billed or not, and with errors inside a stream", async () => {
    provider.faults.next({ status: 429 })
    expect((await jsonOf(post("generateContent"))).error).toMatchObject({ code: 429, status: "RESOURCE_EXHAUSTED" })
    expect(provider.ledger.calls).toEqual([])
    provider.faults.next({ status: 500, billed: true })
    expect((await post("generateContent")).status).toBe(500)
    provider.faults.next({ errorInBody: { code: 503, message: "overloaded" } })
    const events = await eventsOf(await post("streamGenerateContent?alt=sse"))
    expect(events.at(-1)!.error.status).toBe("UNAVAILABLE")
    provider.faults.next({ cut: "stream" })
    await expect(post("streamGenerateContent").then((response) => response.text())).rejects.toThrow()
    expect(provider.ledger.calls.map(({ nanoUsd, reported }) => [nanoUsd > 0, reported])).toEqual([
      [true, false],
      [false, false],
      [true, false],
    ])
  })
})
