import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import { GoogleGenAI } from "@google/genai"
import { OpenAIEmbeddings } from "@langchain/openai"
import { createBudget, memoryStore } from "@p2/budget"
import { embed, embedMany } from "ai"
import OpenAI from "openai"
import { describe, expect, it } from "vitest"
import { budgetErrorFrom, guardFetch } from "../../src/index"
import { localServer } from "../local-server"

const server = await localServer()

const apiKey = "local"
const model = "text-embedding-3-small"
const texts = ["David", "Copperfield"]
type Fetch = typeof globalThis.fetch
const openai = (fetch: Fetch) => new OpenAI({ baseURL: server.baseURL, apiKey, fetch })
const genai = (fetch: Fetch) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: server.geminiBaseURL, fetch } })
const google = (fetch: Fetch) => createGoogleGenerativeAI({ baseURL: `${server.geminiBaseURL}/v1beta`, apiKey, fetch })

describe.each([
  ["openai", "openai", (fetch: Fetch) => openai(fetch).embeddings.create({ model, input: texts })],
  [
    "@langchain/openai",
    "openai",
    (fetch: Fetch) =>
      new OpenAIEmbeddings({ apiKey, model, configuration: { baseURL: server.baseURL, fetch } }).embedDocuments(texts),
  ],
  [
    "ai, @ai-sdk/openai",
    "openai",
    (fetch: Fetch) =>
      embedMany({
        model: createOpenAI({ baseURL: server.baseURL, apiKey, fetch }).textEmbeddingModel(model),
        values: texts,
      }),
  ],
  [
    "@google/genai",
    "gemini",
    (fetch: Fetch) => genai(fetch).models.embedContent({ model: "gemini-embedding-001", contents: texts }),
  ],
  [
    "ai, @ai-sdk/google",
    "gemini",
    (fetch: Fetch) => embed({ model: google(fetch).textEmbeddingModel("gemini-embedding-001"), value: texts[0]! }),
  ],
] as const)("embeddings of %s", (_name, provider, call) => {
  it("are charged at least what was billed, and denied once", async () => {
    server.ledger.clear()
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
    await call(guardFetch({ budget, provider }))
    expect(server.ledger.calls).toHaveLength(1)
    const [status] = await budget.status()
    expect(status!.reservedNanoUsd).toBe(0)
    expect(status!.spentNanoUsd).toBeGreaterThanOrEqual(server.ledger.totalNanoUsd)
    expect(status!.spentNanoUsd).toBeGreaterThan(0)

    const poor = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: { requests: 0 } }] })
    const error = await call(guardFetch({ budget: poor, provider })).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    expect(budgetErrorFrom(error)).toMatchObject({ unit: "requests" })
    expect(server.ledger.calls).toHaveLength(1)
  })
})

it("passes on free calls, and rejects what has no bound", async () => {
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1 }] })
  const client = openai(guardFetch({ budget, provider: "openai" }))
  const models = await client.models.list()
  expect(models.data.length).toBeGreaterThan(0)
  const rejected = client.fineTuning.jobs.create({ model: "gpt-4o-mini", training_file: "file-1" })
  await expect(rejected).rejects.toMatchObject({ status: 400, code: "unbounded_cost" })
  expect((await budget.status())[0]).toMatchObject({ spentNanoUsd: 0, reservedNanoUsd: 0 })
})
