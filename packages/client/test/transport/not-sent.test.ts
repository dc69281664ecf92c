import { refusedURL, startMockServer } from "@p2/local-provider"
import { OpenAI } from "openai"
import { expect, test } from "vitest"
import { openClient } from "../open-client"

const request = { maxTokens: 100, retries: 0 }
const unsent = { costNanoUsd: 0, costSource: "none", attempts: [{ status: "released" }] }

async function generateWith(openai: OpenAI) {
  return openClient({ baseURL: openai.baseURL }, request, { openai, baseURL: undefined }).generate()
}

test("a refused connection is not sent, also through a wrapper of fetch", async () => {
  const baseURL = `${await refusedURL()}/v1`
  for (const fetcher of [fetch, (...args: Parameters<typeof fetch>) => fetch(...args)]) {
    const result = await generateWith(new OpenAI({ baseURL, apiKey: "k", fetch: fetcher }))
    expect(result).toMatchObject({ ok: false, error: { code: "connection-failed" }, receipt: unsent })
  }
})

test("an error of the SDK from before fetch is not sent, but not the same error from fetch", async () => {
  const baseURL = "http://127.0.0.1:8/v1"
  const sealed = () => Promise.reject(new Error("The vault is sealed."))
  expect(await generateWith(new OpenAI({ baseURL, apiKey: sealed }))).toMatchObject({ receipt: unsent })
  const fromFetch = async () => {
    throw await new OpenAI({ baseURL, apiKey: sealed }).models.list().catch((error: unknown) => error)
  }
  const { receipt } = await generateWith(new OpenAI({ baseURL, apiKey: "k", fetch: fromFetch }))
  expect(receipt).toMatchObject({ costSource: "bound", costNanoUsd: receipt.reservedNanoUsd })
})

test("a code of a connection that failed proves nothing for a transport that does not report its requests", async () => {
  await using server = await startMockServer()
  let sent = 0
  const unreported = async () => {
    sent++
    throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" })
  }
  const { receipt } = await generateWith(new OpenAI({ baseURL: server.baseURL, apiKey: "k", fetch: unreported }))
  expect(sent).toBe(1)
  expect(receipt).toMatchObject({ costSource: "bound", costNanoUsd: receipt.reservedNanoUsd })
})
