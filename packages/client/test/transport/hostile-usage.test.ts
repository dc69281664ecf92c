import { createServer, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { memoryStore } from "@p2/budget"
import { prices } from "@p2/pricing"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { LLMClient, type Receipt } from "../../src/index"
import { largerUsage, parseUsage } from "../../src/transport/parse-usage"
import { instantClock } from "../open-client"

let server: Server
let answer: (response: ServerResponse) => void

beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume()
    request.on("end", () => answer(response))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function clientAt(request: object = {}) {
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", maxTokens: 100, retries: 0, repairs: 0, ...request },
    {
      baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      apiKey: "k",
      store: memoryStore(),
      logger: {},
      clock: instantClock,
    },
  )
  client.msg.addMessageUser("Hello")
  return client
}

const usageOf = (prompt: number, completion: number, more: object = {}) => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  ...more,
})
const chunk = (content: string, more: object = {}, finish: string | null = null) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: finish }], ...more })}\n\n`
const priced = (inputTokens: number, outputTokens: number, model = "openai/gpt-4o-mini") =>
  prices.costOf(model, { inputTokens, outputTokens }).nanoUsd

/** What a stream of these events costs; `cut` breaks the connection where it would end. */
async function streamed(events: string[], cut = false): Promise<Receipt> {
  answer = (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(events.join(""), () => (cut ? response.destroy() : response.end()))
  }
  return (await clientAt({ stream: true }).generate()).receipt
}

/** What one answer with this usage costs. */
async function answered(usage: object, request: object = {}, status = 200): Promise<Receipt> {
  answer = (response) => {
    const message = { role: "assistant", content: "Hello" }
    const body =
      status === 200 ? { choices: [{ index: 0, message, finish_reason: "stop" }], usage } : { error: {}, usage }
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
  }
  return (await clientAt(request).generate()).receipt
}

function expectBound(receipt: Receipt): void {
  expect(receipt).toMatchObject({ costSource: "bound", costNanoUsd: receipt.reservedNanoUsd })
  expect(receipt.costNanoUsd).toBeGreaterThan(0)
  expect(receipt.attempts[0]!.usage).toBeUndefined()
}

describe("usage in a stream", () => {
  const running = [chunk("a", { usage: usageOf(10, 1) }), chunk("b", { usage: usageOf(10, 2) })]

  test("a running usage before a cut proves nothing", async () => {
    expectBound(await streamed(running, true))
  })

  test("a running usage counts once the stream has ended well", async () => {
    expect(await streamed([...running, "data: [DONE]\n\n"])).toMatchObject({ costNanoUsd: priced(10, 2) })
    const last = chunk("c", { usage: usageOf(10, 3) }, "stop")
    expect(await streamed([...running, last])).toMatchObject({ costNanoUsd: priced(10, 3), costSource: "table" })
  })

  test("more than the bound is charged where more was said", async () => {
    const receipt = await streamed([chunk("a", { usage: usageOf(1_000_000, 1) })], true)
    expect(receipt).toMatchObject({ costSource: "bound", costNanoUsd: priced(1_000_000, 1) })
  })

  test("a usage that shrinks is not believed", async () => {
    const events = [chunk("a", { usage: usageOf(1_000, 90) }), chunk("", { usage: usageOf(0, 0) }, "stop")]
    expect(await streamed([...events, "data: [DONE]\n\n"])).toMatchObject({
      costNanoUsd: priced(1_000, 90),
      costSource: "table",
    })
  })

  test("of two usages the most counts, part by part", () => {
    const before = parseUsage(usageOf(10, 5, { prompt_tokens_details: { cached_tokens: 4 }, cost: 0.5 }))!
    const after = parseUsage(usageOf(3, 9, { cost: 0.1 }))!
    expect(largerUsage(before, after)).toMatchObject({
      usage: { inputTokens: 10, outputTokens: 9, cacheReadTokens: 4 },
      cost: { costUsd: 0.5 },
    })
  })
})

describe("usage that cannot be", () => {
  test("more reasoning than output was counted beside it", async () => {
    const receipt = await answered(usageOf(10, 5, { completion_tokens_details: { reasoning_tokens: 80 } }))
    expect(receipt).toMatchObject({ costNanoUsd: priced(10, 85), costSource: "table" })
  })

  test("more cached than there was input: the bound, never less than what was said", async () => {
    expectBound(await answered(usageOf(10, 5, { prompt_tokens_details: { cached_tokens: 11 } })))
    expectBound(await answered(usageOf(10, 5, { prompt_tokens_details: { cached_tokens: 6, cache_write_tokens: 6 } })))
    const receipt = await answered(usageOf(10, 5, { prompt_tokens_details: { cached_tokens: 1_000_000 } }))
    expect(receipt.costSource).toBe("bound")
    expect(receipt.costNanoUsd).toBeGreaterThan(receipt.reservedNanoUsd)
  })

  test("cache writes beyond the input: the bound", async () => {
    expectBound(await answered(usageOf(10, 5, { cache_creation_input_tokens: 50 })))
  })

  test.each([usageOf(0, 0), usageOf(10, 0), usageOf(0, 5)])(
    "nothing used for an answer: the bound (%j)",
    async (usage) => {
      expectBound(await answered(usage))
    },
  )
})

describe("a cost that was said", () => {
  test("is not believed where the field means nothing", async () => {
    for (const cost of [0, 5, -1, 1e308])
      expect(await answered(usageOf(1_000, 50, { cost }))).toMatchObject({
        costNanoUsd: priced(1_000, 50),
        costSource: "table",
      })
  })

  test("is believed in OpenRouter's dialect when it is an amount, else the table's is charged", async () => {
    const model = "openrouter/openai/gpt-4o-mini"
    expect(await answered(usageOf(1_000, 50, { cost: 0.25 }), { model })).toMatchObject({
      costNanoUsd: 250_000_000,
      costSource: "provider",
    })
    for (const cost of [-1, 1e308, "x"])
      expect(await answered(usageOf(1_000, 50, { cost }), { model })).toMatchObject({
        costNanoUsd: priced(1_000, 50, model),
        costSource: "table",
      })
  })
})
