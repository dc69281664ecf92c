import Anthropic from "@anthropic-ai/sdk"
import OpenAI, { toFile } from "openai"
import { afterEach, beforeEach, describe, expect, it } from "vitest"
import { localServer } from "../local-server"
import type { Connection } from "../sdks/integrations"
import { MEDIA } from "../sdks/media-integrations"
import { type ProxiedProvider, proxyTo } from "./proxied-provider"

const provider = await localServer()

let proxied: ProxiedProvider
beforeEach(async () => {
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

describe("a token for some models", () => {
  let restricted: ProxiedProvider
  beforeEach(async () => {
    restricted = await proxyTo(provider, "20.00", {
      batchUpperBound: "1.00",
      authenticate: () => ({ models: ["gpt-4o-mini", "gpt-image-2", "claude-haiku-5-5"] }),
    })
  })
  afterEach(() => restricted.server.close())

  const clients = () => ({
    openai: new OpenAI({ baseURL: restricted.provider.baseURL, apiKey: "local", maxRetries: 0 }),
    claude: new Anthropic({ baseURL: restricted.provider.anthropicBaseURL, apiKey: "local", maxRetries: 0 }),
  })
  const edit = async (model: string) =>
    clients().openai.images.edit({
      model,
      prompt: "A balloon",
      size: "1024x1024",
      quality: "low",
      image: await toFile(Buffer.from("png"), "a.png", { type: "image/png" }),
    })
  const batch = async (...models: string[]) => {
    const { openai } = clients()
    const messages = [{ role: "user", content: "Hi" }]
    const lines = models.map((model) =>
      JSON.stringify({
        custom_id: model,
        method: "POST",
        url: "/v1/chat/completions",
        body: { model, messages, max_completion_tokens: 9 },
      }),
    )
    const file = await openai.files.create({
      file: await toFile(Buffer.from(lines.join("\n")), "b.jsonl"),
      purpose: "batch",
    })
    return startBatch(file.id)
  }
  const startBatch = (id: string) =>
    clients().openai.batches.create({
      input_file_id: id,
      endpoint: "/v1/chat/completions",
      completion_window: "24h",
    })
  const messageBatch = (model: string) =>
    clients().claude.messages.batches.create({
      requests: [{ custom_id: "1", params: { model, max_tokens: 9, messages: [{ role: "user", content: "Hi" }] } }],
    })

  it("allows forms and batches of these models", async () => {
    await edit("gpt-image-2")
    await batch("gpt-4o-mini", "gpt-4o-mini")
    await messageBatch("claude-haiku-5-5")
  })

  it.each([
    ["a form", () => edit("gpt-image-1")],
    ["a file of a batch", () => batch("gpt-4o-mini", "gpt-4o", "gpt-4o-mini")],
    ["a file that nobody uploaded here", () => startBatch("file-other")],
    ["a message batch", () => messageBatch("claude-sonnet-5")],
  ])("rejects another model in %s", async (_name, call) => {
    const error = await call().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ status: 403 })
    expect(JSON.stringify((error as { error: unknown }).error)).toContain("model_not_allowed")
    expect(provider.ledger.calls).toEqual([])
    expect(await restricted.balance()).toEqual({ spent: 0, reserved: 0 })
  })
})
