import { type MockServer, refusedURL, startMockServer } from "@p2/local-provider"
import { OpenAI } from "openai"
import { afterAll, beforeAll, expect, test } from "vitest"
import { openClient } from "./open-client"

let server: MockServer
let redirectTo: (status: number, location: string) => void
beforeAll(async () => {
  server = await startMockServer()
  redirectTo = (status, location) => server.answer(({ response }) => response.writeHead(status, { location }).end())
})
afterAll(() => server.close())

const request = { maxTokens: 100, retries: 2 }

test.each([301, 302, 303, 307, 308, 407, 421])("status %i leads to one request", async (status) => {
  redirectTo(status, `${server.baseURL}/chat/completions`)
  const result = await openClient(server, request).generate()
  expect(server.bodies).toHaveLength(1)
  expect(result).toMatchObject({ ok: false, error: { code: "provider-bad-request", status } })
  expect(result.receipt).toMatchObject({ costSource: "bound", attempts: [{ httpStatus: status }] })
})

test("a redirect is not followed with the user's own fetch either", async () => {
  redirectTo(307, `${server.baseURL}/chat/completions`)
  const openai = new OpenAI({ baseURL: server.baseURL, apiKey: "k", fetch: (...args) => fetch(...args) })
  const result = await openClient(server, request, { openai, baseURL: undefined }).generate()
  expect(server.bodies).toHaveLength(1)
  expect(result).toMatchObject({ ok: false, error: { code: "provider-bad-request", status: 307 } })
})

test("a redirect to a refused connection is charged, because the first request was sent", async () => {
  redirectTo(307, await refusedURL())
  const { receipt } = await openClient(server, request).generate()
  expect(receipt).toMatchObject({ costSource: "bound", costNanoUsd: receipt.reservedNanoUsd })
  expect(receipt.costNanoUsd).toBeGreaterThan(0)
})
