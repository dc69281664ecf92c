import { describe, expect, it } from "vitest"
import { ContentMeter } from "../../../src/protocols/gemini/meter"

function chunk(text: string, usage: Record<string, number> = {}, finishReason?: string) {
  const candidate = { content: { parts: [{ text }], role: "model" }, index: 0, ...(finishReason && { finishReason }) }
  const usageMetadata = { promptTokenCount: 8, totalTokenCount: 8, ...usage }
  return { candidates: [candidate], usageMetadata, modelVersion: "gemini-2.5-flash", responseId: "r1" }
}

const last = chunk("!", { candidatesTokenCount: 5, thoughtsTokenCount: 20, totalTokenCount: 33 }, "STOP")

/** Reads events, or one body. */
function read(candidates: number, ...events: unknown[]) {
  const meter = new ContentMeter({ model: "gemini-2.5-flash", candidates })
  for (const data of events) expect(meter.add({ event: undefined, data, text: "" })).toEqual({ usageOnly: false })
  meter.end()
  return meter.read()
}

describe("the meter of Gemini", () => {
  const complete = {
    state: "complete",
    usage: { usage: { inputTokens: 8, outputTokens: 25, reasoningTokens: 20 } },
    model: "gemini-2.5-flash",
    generationId: "r1",
  }

  it("reads the usage of the last chunk: of events, of an array, of one body", () => {
    expect(read(1, chunk("Hello"), last)).toMatchObject(complete)
    expect(read(1, [chunk("Hello"), last])).toMatchObject(complete)
    expect(read(1, last)).toMatchObject(complete)
  })

  it("has only a lower bound before a finish reason", () => {
    const reading = read(1, chunk("Hello", { thoughtsTokenCount: 20, totalTokenCount: 28 }))
    expect(reading).toMatchObject({ state: "open", usage: undefined })
    expect(reading.usageLowerBound?.usage).toMatchObject({ inputTokens: 8, outputTokens: 20 })
    expect(reading.receivedOutputTokens).toBeGreaterThanOrEqual(20 + 5)
    expect(reading.receivedOutputTokens).toBeLessThan(50)
  })

  it.each([
    [{ promptTokenCount: 0, totalTokenCount: 0 }],
    [{ promptTokenCount: 8, totalTokenCount: 8 }],
    [{ promptTokenCount: 0, candidatesTokenCount: 5, totalTokenCount: 5 }],
  ])("has only a lower bound if the usage is %j although there is content", (usageMetadata) => {
    for (const events of [[{ ...last, usageMetadata }], [chunk("Hello", usageMetadata), { ...last, usageMetadata }]])
      expect(read(1, ...events)).toMatchObject({ state: "complete", usage: undefined })
    const functionCall = {
      candidates: [{ content: { parts: [{ functionCall: { name: "f" } }] }, finishReason: "STOP" }],
    }
    expect(read(1, { ...functionCall, usageMetadata })).toMatchObject({ state: "complete", usage: undefined })
  })

  it("has only a lower bound if content arrives after the last usage", () => {
    const { usageMetadata: _, ...withoutUsage } = last
    const counts = { candidatesTokenCount: 5, totalTokenCount: 13 }
    const reading = read(1, chunk("Hello", counts), withoutUsage)
    expect(reading).toMatchObject({ state: "complete", usage: undefined })
    expect(reading.usageLowerBound?.usage).toMatchObject({ inputTokens: 8, outputTokens: 5 })
    const finish = { candidates: [{ content: { parts: [{ text: "" }] }, finishReason: "STOP" }] }
    expect(read(1, chunk("Hello", counts), finish).usage?.usage.outputTokens).toBe(5)
  })

  it("has received nothing if the body is only an error, of another format, or empty", () => {
    const error = { error: { code: 400, message: "no", status: "INVALID_ARGUMENT" } }
    for (const events of [[error], [[error]], [undefined], []]) expect(read(1, ...events).receivedOutputTokens).toBe(0)
    expect(read(1, chunk("Hel"), error).receivedOutputTokens).toBeGreaterThan(0)
  })

  it("waits for the finish reason of every candidate", () => {
    const second = { ...last, candidates: [{ ...last.candidates[0], index: 1 }] }
    expect(read(2, last).state).toBe("open")
    expect(read(2, last, second).state).toBe("complete")
  })

  it("reads a blocked prompt, which is billed for its input", () => {
    const blocked = {
      promptFeedback: { blockReason: "SAFETY" },
      usageMetadata: { promptTokenCount: 8, totalTokenCount: 8 },
    }
    expect(read(1, blocked)).toMatchObject({ state: "complete", usage: { usage: { inputTokens: 8, outputTokens: 0 } } })
  })

  it("counts a search once, however many queries it had", () => {
    const groundingMetadata = { webSearchQueries: ["a", "b"] }
    const grounded = { ...last, candidates: [{ ...last.candidates[0], groundingMetadata }] }
    expect(read(1, grounded).usage?.usage.webSearches).toBe(1)
    expect(read(1, last).usage?.usage.webSearches).toBeUndefined()
  })

  it.each([
    { groundingChunks: [{ web: { uri: "https://example.org", title: "Example" } }] },
    { searchEntryPoint: { renderedContent: "<div></div>" } },
    { groundingSupports: [{ segment: { text: "x" } }] },
  ])("counts a search whose queries are not shown (%j)", (groundingMetadata) => {
    const grounded = { ...last, candidates: [{ ...last.candidates[0], groundingMetadata }] }
    expect(read(1, grounded).usage?.usage.webSearches).toBe(1)
    const empty = { ...last, candidates: [{ ...last.candidates[0], groundingMetadata: { groundingChunks: [] } }] }
    expect(read(1, empty).usage?.usage.webSearches).toBeUndefined()
  })

  it("reads the tier that Google reports", () => {
    const tierOf = (fields: object) => read(1, { ...last, usageMetadata: { ...last.usageMetadata, ...fields } })
    expect(tierOf({ serviceTier: "priority" })).toMatchObject({ serviceTier: "priority", state: "complete" })
    expect(tierOf({ trafficType: "ON_DEMAND_FLEX" }).serviceTier).toBe("flex")
    expect(tierOf({ trafficType: "ON_DEMAND" }).serviceTier).toBe("standard")
    expect(tierOf({ initialPromptTokenCount: 3 }).usage?.usage.inputTokens).toBe(8)
  })

  it("is broken by an error, which it reports", () => {
    const error = { error: { code: 503, message: "overloaded", status: "UNAVAILABLE" } }
    for (const events of [[chunk("Hel"), error], [[chunk("Hel"), error]]])
      expect(read(1, ...events)).toMatchObject({
        state: "broken",
        usage: undefined,
        error: { status: 503, code: "UNAVAILABLE", message: "overloaded" },
      })
  })

  it("is broken by an event that is not JSON, or of another format", () => {
    expect(read(1, undefined).state).toBe("broken")
    expect(read(1, { choices: [] }).state).toBe("broken")
    expect(read(1, [5]).state).toBe("broken")
  })

  it("does not know how many tokens calls and media have", () => {
    const call = { ...chunk(""), candidates: [{ content: { parts: [{ functionCall: { name: "f" } }] } }] }
    expect(read(1, call).receivedOutputTokens).toBeGreaterThan(1_000_000)
    expect(read(1, { candidates: [] }).receivedOutputTokens).toBeGreaterThan(1_000_000)
  })

  it("reads an unknown count as a lower bound", () => {
    const reading = read(1, { ...last, usageMetadata: { ...last.usageMetadata, sketchTokenCount: 9 } })
    expect(reading).toMatchObject({ state: "complete", usage: undefined })
    expect(reading.usageLowerBound?.usage.outputTokens).toBe(25)
  })

  it("reads embeddings, with or without usage", () => {
    const embedding = { embedding: { values: [0.1] } }
    expect(read(0, embedding)).toMatchObject({ state: "complete", usage: undefined })
    expect(read(0, { ...embedding, usageMetadata: { promptTokenCount: 4 } }).usage?.usage).toMatchObject({
      inputTokens: 4,
      outputTokens: 0,
    })
    expect(read(0, { embeddings: [] }).state).toBe("complete")
    expect(read(0, { ...embedding, usageMetadata: { promptTokenCount: 0 } })).toMatchObject({
      state: "complete",
      usage: undefined,
    })
  })
})
