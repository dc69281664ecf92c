import { inspect } from "node:util"
import { gzipSync } from "node:zlib"
import { MAX_RESPONSE_BYTES } from "@p2/guard/transport"
import { DONE, type MockServer, startMockServer } from "@p2/local-provider"
import { costOf } from "@p2/pricing"
import { OpenAI } from "openai"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { fetchWithErrorLimit, type LLMClientOptions } from "../../src/index"
import { MAX_ERROR_BYTES } from "../../src/transport/fetch-with-error-limit"
import { openClient } from "../open-client"

let server: MockServer
beforeAll(async () => {
  server = await startMockServer()
})
afterAll(() => server.close())

const KEY = "sk-the-key"
const PROMPT = "A secret prompt"

function generate(request: object = {}, options: LLMClientOptions = { apiKey: KEY }) {
  const client = openClient(server, { maxTokens: 100, retries: 0, repairs: 0, ...request }, options)
  client.msg.addMessageUser(PROMPT)
  return client.generate()
}

const answerJson = (status: number, body: unknown) => server.answer(({ sendJson }) => sendJson(status, body))
const USAGE = { prompt_tokens: 1_000, completion_tokens: 50 }

describe("an error status", () => {
  test.each([400, 429, 500])("%i with a usage costs that usage", async (status) => {
    answerJson(status, { error: { message: "no" }, usage: USAGE })
    const { nanoUsd } = costOf("openai/gpt-4o-mini", { inputTokens: 1_000, outputTokens: 50 })
    expect((await generate()).receipt).toMatchObject({ costNanoUsd: nanoUsd, costSource: "table" })
  })

  test.each([{ dream_tokens: 5 }, { prompt_tokens_details: { cached_tokens: -1 } }])(
    "400 with a usage that is not understood costs at least what it reports: %j",
    async (odd) => {
      answerJson(400, { error: { message: "no" }, usage: { ...USAGE, ...odd } })
      const { nanoUsd } = costOf("openai/gpt-4o-mini", { inputTokens: 1_000, outputTokens: 50 })
      const { receipt } = await generate()
      expect(receipt.attempts).toMatchObject([{ inDoubt: true, usage: undefined }])
      expect(receipt.costNanoUsd).toBe(Math.max(receipt.reservedNanoUsd, nanoUsd))
    },
  )

  test.each([400, 401, 402, 404, 413, 422, 429])("%i without a usage is free", async (status) => {
    answerJson(status, { error: { message: "no" } })
    expect((await generate()).receipt).toMatchObject({ costNanoUsd: 0, costSource: "none" })
  })

  test.each([403, 405, 408, 409, 418, 451, 499])("%i without a usage costs the upper bound", async (status) => {
    answerJson(status, { error: { message: "no" } })
    const { receipt } = await generate()
    expect(receipt).toMatchObject({ costNanoUsd: receipt.reservedNanoUsd, costSource: "bound" })
    expect(receipt.costNanoUsd).toBeGreaterThan(0)
  })
})

test.each([
  ["the client", (): LLMClientOptions | undefined => undefined],
  [
    "the user",
    (): LLMClientOptions => ({
      openai: new OpenAI({ baseURL: server.baseURL, apiKey: "k", fetch: fetchWithErrorLimit }),
      baseURL: undefined,
    }),
  ],
] as const)("an endless error body is read up to the limit with the OpenAI instance of %s", async (_, options) => {
  let written = 0
  const closed = new Promise<void>((resolve) => {
    server.answer(({ response }) => {
      response.on("close", () => resolve())
      response.writeHead(500, { "content-type": "text/plain" })
      const piece = Buffer.alloc(64 * 1024, "x")
      const write = () => {
        // The body is finite, in case a client reads all of it.
        while (!response.destroyed && written < 64 * MAX_ERROR_BYTES) {
          written += piece.length
          if (!response.write(piece)) return void response.once("drain", write)
        }
        if (!response.destroyed) response.end()
      }
      write()
    })
  })
  const result = await generate({}, options())
  expect(result).toMatchObject({ ok: false, error: { code: "provider-unavailable", status: 500 } })
  await closed
  expect(written).toBeLessThan(32 * MAX_ERROR_BYTES)
  const { providerMessage } = (result as { error: { cause: { providerMessage: string } } }).error.cause
  expect(providerMessage.length).toBeLessThanOrEqual(MAX_ERROR_BYTES + 10)
})

test.each([200, 500])("a compressed body is read up to the limit of its decompressed size (%i)", async (status) => {
  const bomb = gzipSync(Buffer.alloc(2 * MAX_RESPONSE_BYTES, "x"))
  server.answer(({ response }) =>
    response.writeHead(status, { "content-type": "application/json", "content-encoding": "gzip" }).end(bomb),
  )
  const { ok, receipt } = await generate()
  expect(ok).toBe(false)
  expect(receipt).toMatchObject({ costNanoUsd: receipt.reservedNanoUsd, costSource: "bound" })
})

describe("a stream", () => {
  const events = [
    { choices: [{ index: 0, delta: { content: "Hello" }, finish_reason: "stop" }] },
    { choices: [], usage: USAGE },
  ]
  const answer = { ok: true, answer: "Hello", receipt: { costSource: "table" } }

  test.each(["Text/Event-Stream; Charset=UTF-8", "text/plain", "application/octet-stream", undefined])(
    "is read with the content type %s",
    async (type) => {
      const text = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")}${DONE}`
      server.answer(({ response }) =>
        response.writeHead(200, type === undefined ? {} : { "content-type": type }).end(text),
      )
      expect(await generate({ stream: true })).toMatchObject(answer)
    },
  )

  test("is read when the server sends one JSON body instead", async () => {
    const message = { role: "assistant", content: "Hello" }
    answerJson(200, { choices: [{ index: 0, message, finish_reason: "stop" }], usage: USAGE })
    expect(await generate({ stream: true })).toMatchObject(answer)
  })
})

test.each([false, true])("an HTML page is a provider error and is not retried (stream: %s)", async (stream) => {
  server.answer(({ response }) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><p>Sign in</p>"),
  )
  const result = await generate({ stream, retries: 2 })
  expect(result).toMatchObject({ ok: false, error: { code: "provider-error", retryable: false } })
  expect(server.bodies).toHaveLength(1)
})

describe("a provider that repeats the key and the prompt", () => {
  const secrets = new RegExp(`${KEY}|${PROMPT}`)

  test("in an error status: they are only in fields of the cause that no log shows", async () => {
    server.answer(({ request, response, text }) => {
      const { authorization } = request.headers
      const message = `Bad key ${authorization} for ${text}`
      response.writeHead(401, { "x-echo": String(authorization), "x-request-id": "req-1" })
      response.end(JSON.stringify({ error: { message, code: "invalid_api_key", type: "auth", param: message } }))
    })
    const { ok, ...rest } = await generate()
    expect(ok).toBe(false)
    for (const shown of [inspect(rest, { depth: 20 }), JSON.stringify(rest)]) expect(shown).not.toMatch(secrets)
    const { error } = rest as { error: { cause: Error & { providerMessage: string } } }
    expect(error.cause).toMatchObject({ status: 401, code: "invalid_api_key", type: "auth", requestID: "req-1" })
    expect(inspect(error.cause)).toContain("req-1")
    expect(error.cause.stack).not.toMatch(secrets)
    expect(error.cause.providerMessage).toMatch(secrets)
  })

  test("in an error inside a status 200: they are not shown either", async () => {
    server.answer(({ sendJson, text }) => sendJson(200, { error: { message: text, code: 400, metadata: text } }))
    const { ok, ...rest } = await generate()
    expect(ok).toBe(false)
    for (const shown of [inspect(rest, { depth: 20 }), JSON.stringify(rest)]) expect(shown).not.toMatch(secrets)
    expect((rest as { error: { cause: object } }).error.cause).toMatchObject({ status: 400, code: "400" })
  })
})
