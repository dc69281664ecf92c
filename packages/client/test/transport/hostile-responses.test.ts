import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { gzipSync } from "node:zlib"
import { memoryStore } from "@p2/budget"
import { prices } from "@p2/pricing"
import { OpenAI } from "openai"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { fetchWithErrorLimit, LLMClient, type LLMClientOptions } from "../../src/index"
import { MAX_ERROR_BYTES } from "../../src/transport/fetch-with-error-limit"
import { MAX_RESPONSE_BYTES } from "../../src/transport/read-response"
import { MAX_LINE_LENGTH, SseReader } from "../../src/transport/sse-reader"
import { instantClock } from "../open-client"

let server: Server
let hits: number
let answer: (response: ServerResponse, request: IncomingMessage, body: string) => void

beforeEach(async () => {
  hits = 0
  server = createServer((request, response) => {
    hits++
    let body = ""
    request.on("data", (piece) => {
      body += piece
    })
    request.on("end", () => answer(response, request, body))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const address = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`

function ask(request: object = {}, own?: LLMClientOptions) {
  const client = new LLMClient(
    { model: "openai/gpt-4o-mini", maxTokens: 100, retries: 0, repairs: 0, ...request },
    {
      ...(own ?? { baseURL: address(), apiKey: "sk-the-key" }),
      store: memoryStore(),
      logger: {},
      clock: instantClock,
    },
  )
  client.msg.addMessageUser("The secret of the house")
  return client.generate()
}

const asJson = (status: number, body: object) => (response: ServerResponse) =>
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
const USAGE = { prompt_tokens: 1_000, completion_tokens: 50 }

describe("what an error status costs", () => {
  test.each([400, 429, 500])("%i with a usage costs that usage", async (status) => {
    answer = asJson(status, { error: { message: "no" }, usage: USAGE })
    const { nanoUsd } = prices.costOf("openai/gpt-4o-mini", { inputTokens: 1_000, outputTokens: 50 })
    expect((await ask()).receipt).toMatchObject({ costNanoUsd: nanoUsd, costSource: "table" })
  })

  test("a usage that cannot be is not nothing", async () => {
    answer = asJson(400, { error: { message: "no" }, usage: { ...USAGE, prompt_cache_hit_tokens: 2_000 } })
    expect((await ask()).receipt.costSource).toBe("bound")
  })

  test.each([400, 401, 402, 403, 404, 413, 422, 429])("%i without one is free", async (status) => {
    answer = asJson(status, { error: { message: "no" } })
    expect((await ask()).receipt).toMatchObject({ costNanoUsd: 0, costSource: "none" })
  })

  test.each([405, 408, 409, 418, 451, 499])("%i without one costs the bound", async (status) => {
    answer = asJson(status, { error: { message: "no" } })
    const { receipt } = await ask()
    expect(receipt).toMatchObject({ costNanoUsd: receipt.reservedNanoUsd, costSource: "bound" })
    expect(receipt.costNanoUsd).toBeGreaterThan(0)
  })
})

const instances: [string, () => LLMClientOptions | undefined][] = [
  ["of the client", () => undefined],
  ["of the user", () => ({ openai: new OpenAI({ baseURL: address(), apiKey: "k", fetch: fetchWithErrorLimit }) })],
]

test.each(instances)("the body of an error is read to a limit by an instance %s", async (_, own) => {
  let written = 0
  let left: () => void
  const gone = new Promise<void>((resolve) => {
    left = resolve
  })
  answer = (response) => {
    response.on("close", () => left())
    response.writeHead(500, { "content-type": "text/plain" })
    const piece = Buffer.alloc(64 * 1024, "x")
    const more = () => {
      // A body without an end, but for a client that would read it all.
      while (!response.destroyed && written < 64 * MAX_ERROR_BYTES) {
        written += piece.length
        if (!response.write(piece)) return void response.once("drain", more)
      }
      if (!response.destroyed) response.end()
    }
    more()
  }
  const result = await ask({}, own())
  expect(result).toMatchObject({ ok: false, error: { code: "provider-unavailable", status: 500 } })
  await gone
  expect(written).toBeLessThan(32 * MAX_ERROR_BYTES)
  const { providerMessage } = (result as { error: { cause: { providerMessage: string } } }).error.cause
  expect(providerMessage.length).toBeLessThanOrEqual(MAX_ERROR_BYTES + 10)
})

test.each([200, 500])("a small body that unpacks to a large one is read to the limit (%i)", async (status) => {
  const bomb = gzipSync(Buffer.alloc(2 * MAX_RESPONSE_BYTES, "x"))
  answer = (response) =>
    response.writeHead(status, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb)
  const { ok, receipt } = await ask()
  expect(ok).toBe(false)
  expect(receipt).toMatchObject({ costNanoUsd: receipt.reservedNanoUsd, costSource: "bound" })
})

describe("a stream", () => {
  const events = [
    { choices: [{ index: 0, delta: { content: "Hello" }, finish_reason: "stop" }] },
    { choices: [], usage: USAGE },
  ]
  const stream = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}data: [DONE]\n\n`

  test.each(["Text/Event-Stream; Charset=UTF-8", "text/plain", "application/octet-stream", undefined])(
    "is read whatever its type is called: %s",
    async (type) => {
      answer = (response) => response.writeHead(200, type === undefined ? {} : { "content-type": type }).end(stream)
      expect(await ask({ stream: true })).toMatchObject({ ok: true, answer: "Hello", receipt: { costSource: "table" } })
    },
  )

  test("that comes as one JSON all the same is read as that", async () => {
    const message = { role: "assistant", content: "Hello" }
    answer = asJson(200, { choices: [{ index: 0, message, finish_reason: "stop" }], usage: USAGE })
    expect(await ask({ stream: true })).toMatchObject({ ok: true, answer: "Hello", receipt: { costSource: "table" } })
  })

  test("a line has a limit, however small the pieces are", () => {
    const reader = new SseReader(() => {})
    const piece = new TextEncoder().encode("x".repeat(1_024))
    const pieces = MAX_LINE_LENGTH / piece.length
    for (let count = 0; count < pieces; count++) reader.push(piece)
    expect(() => reader.push(piece)).toThrow(RangeError)
  })
})

test.each([false, true])("a web page is not asked for twice (stream: %s)", async (stream) => {
  answer = (response) => response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><p>Sign in</p>")
  const result = await ask({ stream, retries: 2 })
  expect(result).toMatchObject({ ok: false, error: { code: "provider-error", retryable: false } })
  expect(hits).toBe(1)
})

describe("an echo of the key and the prompt", () => {
  const secrets = /sk-the-key|secret of the house/

  test("in an error status is in the cause for who asks, and in no log", async () => {
    answer = (response, request, body) => {
      const message = `Bad key ${request.headers.authorization} for ${body}`
      response.writeHead(401, { "x-echo": String(request.headers.authorization), "x-request-id": "req-1" })
      response.end(JSON.stringify({ error: { message, code: "invalid_api_key", type: "auth", param: message } }))
    }
    const { ok, ...rest } = await ask()
    expect(ok).toBe(false)
    for (const shown of [inspect(rest, { depth: 20 }), JSON.stringify(rest)]) expect(shown).not.toMatch(secrets)
    const { error } = rest as { error: { cause: Error & { providerMessage: string } } }
    expect(error.cause).toMatchObject({ status: 401, code: "invalid_api_key", type: "auth", requestID: "req-1" })
    expect(inspect(error.cause)).toContain("req-1")
    expect(error.cause.stack).not.toMatch(secrets)
    expect(error.cause.providerMessage).toMatch(secrets)
  })

  test("in an error inside a 200 neither", async () => {
    answer = (response, _request, body) =>
      asJson(200, { error: { message: body, code: 400, metadata: body } })(response)
    const { ok, ...rest } = await ask()
    expect(ok).toBe(false)
    for (const shown of [inspect(rest, { depth: 20 }), JSON.stringify(rest)]) expect(shown).not.toMatch(secrets)
    expect((rest as { error: { cause: object } }).error.cause).toMatchObject({ status: 400, code: "400" })
  })
})
