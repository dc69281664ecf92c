import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import OpenAI, { toFile } from "openai"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest"
import type { Connection } from "../sdks/integrations"
import { MEDIA } from "../sdks/media-integrations"
import { type ProxiedProvider, proxyTo } from "./proxied-provider"

let provider: LocalProvider
let proxied: ProxiedProvider
beforeAll(async () => {
  provider = await startLocalProvider()
})
afterAll(() => provider.close())
beforeEach(async () => {
  provider.ledger.clear()
  proxied = await proxyTo(provider, "20.00", { maxAudioSeconds: 60, maxSpeechTokens: 5_000 })
})
afterEach(() => proxied.server.close())

const connection = (): Connection => ({
  server: proxied.provider,
  fetch: (...call) => fetch(...call),
  middleware: (request, next) => next(request),
})

describe.each(MEDIA)("$name through the proxy", ({ call, isReported = true }) => {
  it("is charged at least what was billed", async () => {
    await call(connection())
    const { spent, reserved } = await proxied.balance()
    expect(provider.ledger.calls).toHaveLength(1)
    expect(reserved).toBe(0)
    if (isReported) expect(spent).toBe(provider.ledger.totalNanoUsd)
    else expect(spent).toBeGreaterThanOrEqual(provider.ledger.totalNanoUsd)
  })
})

it("passes on the bytes of speech", async () => {
  const openai = new OpenAI({ baseURL: proxied.provider.baseURL, apiKey: "local" })
  const speech = await openai.audio.speech.create({ model: "tts-1", input: "I am born.", voice: "ash" })
  expect(speech.headers.get("content-type")).toBe("audio/mpeg")
  const chunks = Array.from({ length: 6 }, (_, index) => Buffer.alloc(500, index))
  expect(Buffer.from(await speech.arrayBuffer())).toEqual(Buffer.concat(chunks))
})

it("bounds and settles a batch", async () => {
  const openai = new OpenAI({ baseURL: proxied.provider.baseURL, apiKey: "local" })
  const body = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Hi" }], max_completion_tokens: 100 }
  const line = JSON.stringify({ custom_id: "1", method: "POST", url: "/v1/chat/completions", body })
  const file = await openai.files.create({ file: await toFile(Buffer.from(line), "batch.jsonl"), purpose: "batch" })
  const request = { input_file_id: file.id, endpoint: "/v1/chat/completions", completion_window: "24h" } as const
  const { id } = await openai.batches.create(request)
  expect((await proxied.balance()).reserved).toBeGreaterThan(0)
  for (let polls = 0; polls < 3; polls++) await openai.batches.retrieve(id)
  expect(provider.ledger.totalNanoUsd).toBeGreaterThan(0)
  expect(await proxied.balance()).toEqual({ spent: provider.ledger.totalNanoUsd, reserved: 0 })
})
