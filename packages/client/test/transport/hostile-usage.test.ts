import { DONE, eventText, type MockServer, startMockServer } from "@p2/local-provider"
import { costOf as priceUsage } from "@p2/pricing"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Receipt } from "../../src/index"
import { openClient } from "../open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
})
afterAll(() => server.close())

const once = { maxTokens: 100, retries: 0, repairs: 0 }
const usageOf = (prompt: number, completion: number, more: object = {}) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  ...more,
})
const chunk = (content: string, more: object = {}, finish: string | null = null) =>
  eventText({ choices: [{ index: 0, delta: { content }, finish_reason: finish }], ...more })
const costOf = (inputTokens: number, outputTokens: number, model = "openai/gpt-4o-mini") =>
  priceUsage(model, { inputTokens, outputTokens }).nanoUsd

/** The receipt of a stream of these events. */
async function streamed(events: string[]): Promise<Receipt> {
  server.answer(({ sendEvents }) => sendEvents(...events))
  return (await openClient(server, { ...once, stream: true }).generate()).receipt
}

/** The receipt of a stream whose connection closes after these events. */
async function interrupted(events: string[]): Promise<Receipt> {
  server.answer(({ response }) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(events.join(""), () => response.destroy())
  })
  return (await openClient(server, { ...once, stream: true }).generate()).receipt
}

/** The receipt of a JSON answer with this usage. */
async function answered(usage: object, request: object = {}): Promise<Receipt> {
  const message = { role: "assistant", content: "Hello" }
  server.answer(({ sendJson }) => sendJson(200, { choices: [{ index: 0, message, finish_reason: "stop" }], usage }))
  return (await openClient(server, { ...once, ...request }).generate()).receipt
}

function expectUpperBound(receipt: Receipt): void {
  const { reservedNanoUsd } = receipt
  expect(receipt).toMatchObject({ costSource: "bound", costNanoUsd: reservedNanoUsd, inDoubtNanoUsd: reservedNanoUsd })
  expect(receipt.costNanoUsd).toBeGreaterThan(0)
  expect(receipt.attempts[0]!.usage).toBeUndefined()
}

describe("a usage that is reported in every chunk", () => {
  const running = [chunk("a", { usage: usageOf(10, 1) }), chunk("b", { usage: usageOf(10, 2) })]

  test("does not count when the stream breaks off", async () => {
    expectUpperBound(await interrupted(running))
  })

  test("counts when the stream ends well", async () => {
    expect(await streamed([...running, DONE])).toMatchObject({ costNanoUsd: costOf(10, 2) })
    const last = chunk("c", { usage: usageOf(10, 3) }, "stop")
    expect(await streamed([...running, last])).toMatchObject({ costNanoUsd: costOf(10, 3), costSource: "table" })
  })

  test("is charged above the upper bound when the provider reported more", async () => {
    const receipt = await interrupted([chunk("a", { usage: usageOf(1_000_000, 1) })])
    expect(receipt).toMatchObject({ inDoubtNanoUsd: costOf(1_000_000, 1), costNanoUsd: costOf(1_000_000, 1) })
  })

  test("never shrinks", async () => {
    const events = [chunk("a", { usage: usageOf(1_000, 90) }), chunk("", { usage: usageOf(0, 0) }, "stop")]
    expect(await streamed([...events, DONE])).toMatchObject({ costNanoUsd: costOf(1_000, 90), costSource: "table" })
  })

  test("never shrinks in any of its parts", async () => {
    const cached = { prompt_tokens_details: { cached_tokens: 400 } }
    const events = [
      chunk("a", { usage: usageOf(1_000, 5, cached) }),
      chunk("b", { usage: usageOf(300, 90) }, "stop"),
      DONE,
    ]
    expect((await streamed(events)).usage).toMatchObject({ inputTokens: 1_000, outputTokens: 90, cacheReadTokens: 400 })
  })
})

describe("a usage that contradicts itself", () => {
  test("with more reasoning than output has the reasoning added to the output", async () => {
    const receipt = await answered(usageOf(10, 5, { completion_tokens_details: { reasoning_tokens: 80 } }))
    expect(receipt).toMatchObject({ costNanoUsd: costOf(10, 85), costSource: "table" })
  })

  test.each([
    [
      "more cached than input tokens",
      { prompt_tokens_details: { cached_tokens: 11 } },
      { inputTokens: 21, cacheReadTokens: 11 },
    ],
    [
      "more cache writes than input tokens",
      { cache_creation_input_tokens: 50 },
      { inputTokens: 60, cacheWriteTokens: 50 },
    ],
  ])(
    "with %s takes the more expensive reading: the cache is counted in addition to the input",
    async (_name, more, parts) => {
      const receipt = await answered(usageOf(10, 5, more))
      expect(receipt).toMatchObject({
        costSource: "table",
        costNanoUsd: priceUsage("openai/gpt-4o-mini", { outputTokens: 5, ...parts }).nanoUsd,
        usage: { assumptions: [expect.any(String)] },
      })
    },
  )

  test.each([{ dream_tokens: 5 }, { prompt_tokens_details: { cached_tokens: -1 } }, { total_tokens: "7" }])(
    "or that is not understood costs the upper bound, or more where more was reported: %j",
    async (odd) => {
      expectUpperBound(await answered(usageOf(10, 5, odd)))
      const receipt = await answered(usageOf(1_000_000, 5, odd))
      expect(receipt).toMatchObject({ inDoubtNanoUsd: costOf(1_000_000, 5), costNanoUsd: costOf(1_000_000, 5) })
    },
  )

  test.each([usageOf(0, 0), usageOf(10, 0), usageOf(0, 5)])(
    "with zero tokens for an answer costs the upper bound (%j)",
    async (usage) => {
      expectUpperBound(await answered(usage))
    },
  )
})

describe("a reported cost", () => {
  test("is ignored where the field has no documented meaning", async () => {
    for (const cost of [0, 5, -1, 1e308])
      expect(await answered(usageOf(1_000, 50, { cost }))).toMatchObject({
        costNanoUsd: costOf(1_000, 50),
        costSource: "table",
      })
  })

  test("is charged in OpenRouter's dialect when it is a plausible amount, else the price table decides", async () => {
    const model = "openrouter/openai/gpt-4o-mini"
    expect(await answered(usageOf(1_000, 50, { cost: 0.25 }), { model })).toMatchObject({
      costNanoUsd: 250_000_000,
      costSource: "provider",
    })
    for (const cost of [-1, 1e308, "x"])
      expect(await answered(usageOf(1_000, 50, { cost }), { model })).toMatchObject({
        costNanoUsd: costOf(1_000, 50, model),
        costSource: "table",
      })
  })
})
