import assert from "node:assert/strict"
import { createBudget, memoryStore } from "@p2/budget"
import { type LocalProvider, startLocalProvider } from "@p2/local-provider"
import { guardFetch } from "../src/index"
import { Draw } from "./draw"

export interface BatchFuzzResult {
  played: number
  /** The number of calls that ran. */
  calls: number
  medianRatio: number
}

type Fetch = typeof globalThis.fetch

/**
 * Plays random batches through a guard against the local provider, which bills each call at half its price: no
 * reservation is below the bill, and the charge equals the bill if the output has the usage of every call.
 * @throws AssertionError with the seed of the batch
 */
export async function fuzzBatches({ batches, seed }: { batches: number; seed: string }): Promise<BatchFuzzResult> {
  await using provider = await startLocalProvider()
  const ratios: number[] = []
  let calls = 0
  for (let index = 0; index < batches; index++) {
    const name = `batches --seed ${seed} batch ${index}`
    const draw = new Draw(name)
    provider.ledger.clear()
    provider.faults.clear()
    const { bound, isReported } = await play(draw, provider, name)
    calls += provider.ledger.calls.length
    if (isReported && provider.ledger.totalNanoUsd > 0) ratios.push(bound / provider.ledger.totalNanoUsd)
  }
  ratios.sort((a, b) => a - b)
  return { played: batches, calls, medianRatio: ratios[Math.floor(ratios.length / 2)] ?? Number.NaN }
}

async function play(draw: Draw, provider: LocalProvider, name: string) {
  const isClaude = draw.chance(0.4)
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit: 1_000_000 }] })
  const fetch = guardFetch({ budget, provider: isClaude ? "anthropic" : "openai" })
  const isReported = draw.chance(0.85)
  provider.faults.always({
    ...draw.maybe(0.5, () => ({ fillOutput: true })),
    ...draw.maybe(0.5, () => ({ densestTokens: true })),
    ...(!isReported && { noUsage: true }),
  })
  const url = isClaude ? await startClaude(draw, provider, fetch) : await startOpenAI(draw, provider, fetch)
  const before = await balance(budget)
  assert.equal(before.spent, 0, name)
  if (draw.chance(0.2)) await send(fetch, `${url}/cancel`, {})
  for (let polls = 0; polls < 3; polls++) await send(fetch, url)
  const after = await balance(budget)
  const bill = provider.ledger.totalNanoUsd
  const about = `${name}: bound ${before.reserved}, bill ${bill}, charge ${after.spent}, ${JSON.stringify(
    provider.ledger.calls.map(({ model, units }) => [model, units]),
    (_, value) => (typeof value === "bigint" ? String(value) : value),
  )}`
  assert.ok(before.reserved >= bill, about)
  assert.equal(after.reserved, 0, about)
  // A batch that was cancelled before any of its calls ran has nothing to report.
  if (isReported || bill === 0) assert.equal(after.spent, bill, about)
  else assert.equal(after.spent, before.reserved, about)
  return { bound: before.reserved, isReported }
}

async function startOpenAI(draw: Draw, { baseURL }: LocalProvider, fetch: Fetch): Promise<string> {
  const endpoint = draw.pick(["/v1/chat/completions", "/v1/responses", "/v1/embeddings"])
  const model = draw.pick(["gpt-4o-mini", "gpt-5-mini", "gpt-5", "o4-mini"])
  const bodyOf = {
    "/v1/chat/completions": () => ({
      model,
      messages: draw.list(1, 3, () => ({ role: draw.pick(["system", "user"]), content: draw.text() })),
      max_completion_tokens: draw.between(1, 2_000),
    }),
    "/v1/responses": () => ({ model, input: draw.text(), max_output_tokens: draw.between(16, 2_000) }),
    "/v1/embeddings": () => ({ model: "text-embedding-3-small", input: `a ${draw.text()}` }),
  }[endpoint]!
  const lines = draw.list(1, 12, () =>
    JSON.stringify({ custom_id: "1", method: "POST", url: endpoint, body: bodyOf() }),
  )
  const form = new FormData()
  form.append("purpose", "batch")
  form.append("file", new Blob([lines.join(draw.pick(["\n", "\r\n", "\n\n"]))]), "batch.jsonl")
  const headers = { authorization: "Bearer key" }
  const uploaded = await (await fetch(`${baseURL}/files`, { method: "POST", headers, body: form })).json()
  const input = { input_file_id: (uploaded as { id: string }).id, endpoint, completion_window: "24h" }
  const batch = await send(fetch, `${baseURL}/batches`, input)
  return `${baseURL}/batches/${batch.id}`
}

async function startClaude(draw: Draw, { anthropicBaseURL }: LocalProvider, fetch: Fetch): Promise<string> {
  const model = draw.pick(["claude-haiku-5-5", "claude-sonnet-4-5", "claude-opus-4-7"])
  const requests = draw.list(1, 12, () => ({
    custom_id: "1",
    params: {
      model,
      max_tokens: draw.between(1, 2_000),
      messages: [{ role: "user", content: `a ${draw.text()}` }],
      ...draw.maybe(0.4, () => ({ system: draw.text() })),
    },
  }))
  const url = `${anthropicBaseURL}/v1/messages/batches`
  const batch = await send(fetch, url, { requests })
  return `${url}/${batch.id}`
}

async function send(fetch: Fetch, url: string, body?: object): Promise<{ id: string }> {
  const headers = { "content-type": "application/json", authorization: "Bearer key", "x-api-key": "key" }
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }
  const response = await fetch(url, { ...init, headers })
  const answer = await response.json()
  assert.ok(response.ok, JSON.stringify(answer))
  return answer as { id: string }
}

async function balance(budget: ReturnType<typeof createBudget>): Promise<{ spent: number; reserved: number }> {
  const [status] = await budget.status()
  return { spent: status!.spentNanoUsd!, reserved: status!.reservedNanoUsd! }
}
