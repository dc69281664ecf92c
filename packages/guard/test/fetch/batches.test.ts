import Anthropic from "@anthropic-ai/sdk"
import { createBudget, memoryStore } from "@p2/budget"
import OpenAI6, { toFile } from "openai"
import OpenAI7 from "openai7"
import { describe, expect, it, vi } from "vitest"
import { budgetErrorFrom, type GuardAttempt, type GuardOptions, guardFetch } from "../../src/index"
import { failure } from "../failure"
import { localServer } from "../local-server"
import { balance } from "./guarded-server"

const server = await localServer()

type Client = OpenAI6

const chat = (content: string, fields: object = {}) => ({
  model: "gpt-4o-mini",
  messages: [{ role: "user", content }],
  max_completion_tokens: 100,
  ...fields,
})

function clientWith(fetch: typeof globalThis.fetch, SDK = OpenAI6): Client {
  return new SDK({ baseURL: server.baseURL, apiKey: "local", maxRetries: 0, fetch })
}

function setUp(options: Partial<GuardOptions> & { limit?: string } = {}, SDK = OpenAI6) {
  const { limit = "1.00", ...others } = options
  const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
  const attempts: GuardAttempt[] = []
  const guard = { budget, provider: "openai", onAttempt: (attempt: GuardAttempt) => attempts.push(attempt), ...others }
  return { budget, attempts, options: guard, openai: clientWith(guardFetch(guard), SDK) }
}

async function anotherProcess(options: GuardOptions): Promise<Client> {
  vi.resetModules()
  const { guardFetch: guard } = await import("../../src/index")
  return clientWith(guard(options))
}

async function upload(openai: Client, bodies: object[], url = "/v1/chat/completions"): Promise<string> {
  const lines = bodies.map((body, index) => JSON.stringify({ custom_id: String(index), method: "POST", url, body }))
  const file = await toFile(Buffer.from(`${lines.join("\n")}\n`), "batch.jsonl")
  return (await openai.files.create({ file, purpose: "batch" })).id
}

function start(openai: Client, fileId: string, endpoint = "/v1/chat/completions") {
  return openai.batches.create({ input_file_id: fileId, endpoint: endpoint as never, completion_window: "24h" })
}

async function pollToTheEnd(openai: Client, id: string) {
  for (let polls = 0; polls < 5; polls++) {
    const batch = await openai.batches.retrieve(id)
    if (["completed", "cancelled", "expired", "failed"].includes(batch.status)) return batch
  }
  throw new Error("It did not end.")
}

/** A fetch that changes the answers to polls. */
function changingPolls(changes: object): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    if (!/\/batches\/[^/]+$/.test(String(input))) return response
    return Response.json({ ...((await response.json()) as object), ...changes })
  }
}

describe.each([
  ["openai 6", OpenAI6],
  ["openai 7", OpenAI7 as unknown as typeof OpenAI6],
])("a batch of %s", (_name, SDK) => {
  it.each([
    ["/v1/chat/completions", [chat("Hi"), chat("Ho", { max_completion_tokens: 5 }), chat("Hey")]],
    ["/v1/responses", [1, 2].map((n) => ({ model: "gpt-5-mini", input: `Hi ${n}`, max_output_tokens: 50 }))],
    ["/v1/embeddings", [{ model: "text-embedding-3-small", input: "David Copperfield" }]],
  ])("of %s is reserved until a poll settles it at the batch price", async (endpoint, bodies) => {
    const { budget, attempts, openai } = setUp({}, SDK)
    const { id } = await start(openai, await upload(openai, bodies, endpoint), endpoint)
    const { spent, reserved } = await balance(budget)
    expect(spent).toBe(0)
    expect(reserved).toBeGreaterThan(0)
    expect(attempts).toMatchObject([{ status: "continued", reservedNanoUsd: reserved }])
    expect((await pollToTheEnd(openai, id)).status).toBe("completed")
    expect(server.ledger.calls).toHaveLength(bodies.length)
    expect(server.ledger.totalNanoUsd).toBeLessThanOrEqual(reserved)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    expect(attempts[1]).toMatchObject({ status: "succeeded", inDoubt: false, costNanoUsd: server.ledger.totalNanoUsd })
    // A later poll changes nothing.
    await openai.batches.retrieve(id)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    expect(attempts).toHaveLength(2)
  })
})

describe("a batch", () => {
  it("is settled by a poll in another process", async () => {
    const { budget, options, openai } = setUp()
    const { id } = await start(openai, await upload(openai, [chat("Hi"), chat("Ho")]))
    await pollToTheEnd(await anotherProcess(options), id)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("is charged what had run when it is cancelled", async () => {
    const { budget, openai } = setUp()
    const { id } = await start(openai, await upload(openai, [chat("a"), chat("b"), chat("c"), chat("d")]))
    expect((await openai.batches.cancel(id)).status).toBe("cancelling")
    expect((await pollToTheEnd(openai, id)).status).toBe("cancelled")
    expect(server.ledger.calls).toHaveLength(2)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("is charged what had run when it expires", async () => {
    const { budget, openai, options } = setUp()
    const { id } = await start(openai, await upload(openai, [chat("a"), chat("b"), chat("c"), chat("d")]))
    await openai.batches.cancel(id)
    const attempts: GuardAttempt[] = []
    const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
    const expiring = clientWith(guardFetch({ ...options, onAttempt, fetch: changingPolls({ status: "expired" }) }))
    expect((await pollToTheEnd(expiring, id)).status).toBe("expired")
    expect(server.ledger.calls).toHaveLength(2)
    expect(attempts).toMatchObject([{ status: "failed", inDoubt: false, costNanoUsd: server.ledger.totalNanoUsd }])
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("does not charge the calls that failed", async () => {
    const { budget, openai } = setUp()
    const { id } = await start(openai, await upload(openai, [chat("Hi"), chat("fail this call")]))
    await pollToTheEnd(openai, id)
    expect(server.ledger.calls).toHaveLength(1)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("is charged its bound if its output does not say what it used", async () => {
    server.faults.next({ noUsage: true })
    const { budget, attempts, openai } = setUp()
    const { id } = await start(openai, await upload(openai, [chat("Hi")]))
    const { reserved } = await balance(budget)
    await pollToTheEnd(openai, id)
    expect(await balance(budget)).toEqual({ spent: reserved, reserved: 0 })
    expect(attempts[1]).toMatchObject({ inDoubt: true, costSource: "bound" })
  })

  it("costs nothing if the provider finds its file invalid", async () => {
    const { budget, attempts, openai } = setUp({ batchUpperBound: "0.50" })
    expect((await start(openai, "file_unknown")).status).toBe("failed")
    expect(await balance(budget)).toEqual({ spent: 0, reserved: 0 })
    expect(attempts).toMatchObject([{ costNanoUsd: 0, inDoubt: false, reservedNanoUsd: 500_000_000 }])
  })

  it("costs nothing if the provider rejects it", async () => {
    const { budget, openai } = setUp()
    const file = await upload(openai, [chat("Hi")])
    server.faults.next({ status: 429 })
    await expect(start(openai, file)).rejects.toMatchObject({ status: 429 })
    expect(await balance(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it("is rejected if another process uploaded its file, unless the most it costs is stated", async () => {
    const { budget, options, openai } = setUp()
    const file = await upload(openai, [chat("Hi")])
    const other = await anotherProcess(options)
    const error = await failure(start(other, file))
    expect(error).toMatchObject({ status: 400, code: "unbounded_cost" })
    expect((error as Error).message).toContain("`batchUpperBound`")
    const stating = await anotherProcess({ ...options, batchUpperBound: "0.50" })
    const { id } = await start(stating, file)
    expect(await balance(budget)).toEqual({ spent: 0, reserved: 500_000_000 })
    await pollToTheEnd(stating, id)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it.each([
    ["an unknown model", chat("Hi", { model: "gpt-99" }), "unknown_model", /^.*Line 2 of the batch: Unknown model/],
    ["an unknown field", chat("Hi", { surprise: 1 }), "unknown_field", /Line 2 of the batch: Unknown field `surprise`/],
    ["a tier", chat("Hi", { service_tier: "priority" }), "unbounded_cost", /Line 2 of the batch: .*`service_tier`/],
    ["images", "/v1/images/generations", "unbounded_cost", /Line 1 of the batch: .*tier "batch"/],
  ])("with %s in its file is rejected", async (_name, body, code, message) => {
    const { openai, budget } = setUp()
    const image = { model: "gpt-image-2", prompt: "A balloon", size: "1024x1024", quality: "low" }
    const file =
      typeof body === "string" ? await upload(openai, [image], body) : await upload(openai, [chat("Hi"), body])
    const error = await failure(start(openai, file))
    expect(error).toMatchObject({ status: 400, code })
    expect((error as Error).message).toMatch(message)
    expect(await balance(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it("does not count what the guard would add to a call of its own", async () => {
    const { openai } = setUp({ maxToolCalls: 1, serviceTier: "default" })
    const body = { model: "gpt-5-mini", input: "Hi", tools: [{ type: "web_search" }], max_output_tokens: 50 }
    const error = await failure(start(openai, await upload(openai, [body], "/v1/responses"), "/v1/responses"))
    expect((error as Error).message).toMatch(/Line 1 .*max_tool_calls/)
  })

  it("is denied once, and the denial is recognized", async () => {
    const { openai } = setUp({ limit: "0.000001" })
    const error = await failure(start(openai, await upload(openai, [chat("Hi")])))
    expect(budgetErrorFrom(error)).toMatchObject({ scope: "total" })
  })

  it("stays reserved for its completion window and an hour", async () => {
    let now = Date.UTC(2026, 10, 30)
    const budget = createBudget({ store: memoryStore({ now: () => now }), limits: [{ scope: "total", limit: 1 }] })
    const openai = clientWith(guardFetch({ budget, provider: "openai" }))
    await start(openai, await upload(openai, [chat("Hi")]))
    const { reserved } = await balance(budget)
    now += 24.9 * 3_600_000
    await budget.sweep()
    expect(await balance(budget)).toEqual({ spent: 0, reserved })
    now += 0.2 * 3_600_000
    await budget.sweep()
    expect(await balance(budget)).toEqual({ spent: reserved, reserved: 0 })
  })

  it.each([
    ["moderations", "/v1/moderations", { input: "Hi" }],
    ["embeddings", "/v1/embeddings", { model: "text-embedding-3-small", input: "Hi" }],
  ])("of chat completions is rejected if its file has %s, which cost less", async (_name, url, body) => {
    const { openai, budget } = setUp()
    const error = await failure(start(openai, await upload(openai, [body], url)))
    expect(error).toMatchObject({ status: 400, code: "invalid_body" })
    expect((error as Error).message).toContain("`endpoint`")
    expect(await balance(budget)).toEqual({ spent: 0, reserved: 0 })
  })

  it("with calls of two endpoints in its file is rejected", async () => {
    const { openai } = setUp()
    const lines = [
      { custom_id: "1", method: "POST", url: "/v1/chat/completions", body: chat("Hi") },
      { custom_id: "2", method: "POST", url: "/v1/moderations", body: { input: "Hi" } },
    ]
    const file = await toFile(Buffer.from(lines.map((line) => JSON.stringify(line)).join("\n")), "batch.jsonl")
    const { id } = await openai.files.create({ file, purpose: "batch" })
    expect(((await failure(start(openai, id))) as Error).message).toMatch(/Line 2 of the batch: .*one endpoint/)
  })

  it("is charged its bound if it counts no answers although it has an output", async () => {
    const { budget, openai, options } = setUp()
    const { id } = await start(openai, await upload(openai, [chat("Hi"), chat("Ho")]))
    const { reserved } = await balance(budget)
    const counting = clientWith(
      guardFetch({ ...options, fetch: changingPolls({ request_counts: { total: 2, completed: 0, failed: 0 } }) }),
    )
    await pollToTheEnd(counting, id)
    expect(await balance(budget)).toEqual({ spent: reserved, reserved: 0 })
  })

  it("is charged its bound if neither counts nor an output arrive", async () => {
    const { budget, openai, options } = setUp()
    const { id } = await start(openai, await upload(openai, [chat("Hi")]))
    const { reserved } = await balance(budget)
    const counting = clientWith(
      guardFetch({ ...options, fetch: changingPolls({ request_counts: undefined, output_file_id: null }) }),
    )
    await pollToTheEnd(counting, id)
    expect(await balance(budget)).toEqual({ spent: reserved, reserved: 0 })
  })

  it("is settled once by two processes that poll at the same time", async () => {
    const { budget, options, openai, attempts } = setUp()
    const { id } = await start(openai, await upload(openai, [chat("Hi"), chat("Ho")]))
    const other = await anotherProcess(options)
    await Promise.all([pollToTheEnd(openai, id), pollToTheEnd(other, id), pollToTheEnd(openai, id)])
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    expect(attempts.filter(({ status }) => status === "succeeded")).toHaveLength(1)
  })

  it("is rejected if a call in its file has one field twice", async () => {
    const { openai } = setUp()
    const line = JSON.stringify({ custom_id: "1", method: "POST", url: "/v1/chat/completions", body: chat("Hi") })
    const twice = line.replace('"max_completion_tokens":100', '"max_completion_tokens":9000,"max_completion_tokens":1')
    const file = await toFile(Buffer.from(twice), "batch.jsonl")
    const { id } = await openai.files.create({ file, purpose: "batch" })
    const error = await failure(start(openai, id))
    expect(error).toMatchObject({ status: 400, code: "invalid_body" })
    expect((error as Error).message).toMatch(/Line 1 of the batch: The field `max_completion_tokens` occurs twice/)
  })

  it("is not bounded by the first of two files in one form: a server may read the last", async () => {
    const { options } = setUp()
    const form = new FormData()
    form.append("purpose", "batch")
    for (const content of ["Hi", "Ho"]) form.append("file", new File([content], "batch.jsonl"))
    const sent = vi.fn()
    const response = await guardFetch({ ...options, fetch: sent })("https://api.openai.com/v1/files", {
      method: "POST",
      body: form,
    })
    expect(response.status).toBe(400)
    expect(sent).not.toHaveBeenCalled()
  })

  it.each(["vector_stores/vs_1", "containers/cntr_1", "surprises"])(
    "has no file that was uploaded to %s",
    async (path) => {
      const { options } = setUp()
      const form = new FormData()
      form.append("purpose", "batch")
      form.append("file", new File(["{}"], "batch.jsonl"))
      const sent = vi.fn()
      const response = await guardFetch({ ...options, fetch: sent })(`https://api.openai.com/v1/${path}/files`, {
        method: "POST",
        body: form,
      })
      expect(response.status).toBe(400)
      expect(sent).not.toHaveBeenCalled()
    },
  )

  it("shows no key and no prompt in a rejection", async () => {
    const { openai } = setUp()
    const file = await toFile(
      Buffer.from('{"method":"POST","url":"/v1/sk-secret","body":{"a":"my prompt"}}'),
      "b.jsonl",
    )
    const { id } = await openai.files.create({ file, purpose: "batch" })
    const error = (await failure(start(openai, id))) as Error
    expect(error.message).not.toMatch(/sk-secret|my prompt/)
    expect(error).toMatchObject({ status: 400 })
  })
})

describe("a message batch of Anthropic", () => {
  const params = (content: string, fields: object = {}) => ({
    model: "claude-haiku-5-5",
    max_tokens: 50,
    messages: [{ role: "user" as const, content }],
    ...fields,
  })

  function setUpClaude(limit = "1.00") {
    const budget = createBudget({ store: memoryStore(), limits: [{ scope: "total", limit }] })
    const attempts: GuardAttempt[] = []
    const onAttempt = (attempt: GuardAttempt) => attempts.push(attempt)
    const options = { budget, provider: "anthropic", onAttempt }
    const clientOf = (fetch: typeof globalThis.fetch) =>
      new Anthropic({ baseURL: server.anthropicBaseURL, apiKey: "local", maxRetries: 0, fetch })
    const claude = clientOf(guardFetch(options))
    const start = (...calls: ReturnType<typeof params>[]) =>
      claude.messages.batches.create({
        requests: calls.map((each, index) => ({ custom_id: `${index}`, params: each })),
      })
    return { budget, attempts, options, claude, clientOf, start }
  }

  async function pollClaude(claude: Anthropic, id: string) {
    for (let polls = 0; polls < 5; polls++) {
      const batch = await claude.messages.batches.retrieve(id)
      if (batch.processing_status === "ended") return batch
    }
    throw new Error("It did not end.")
  }

  it("is reserved until a poll settles it at the batch price", async () => {
    const { budget, attempts, claude, start } = setUpClaude()
    const { id } = await start(params("Hi"), params("Ho", { max_tokens: 5 }), params("fail this call"))
    const { spent, reserved } = await balance(budget)
    expect(spent).toBe(0)
    expect(attempts).toMatchObject([{ status: "continued", provider: "anthropic", reservedNanoUsd: reserved }])
    await pollClaude(claude, id)
    expect(server.ledger.calls).toHaveLength(2)
    expect(server.ledger.totalNanoUsd).toBeLessThanOrEqual(reserved)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
    expect(attempts[1]).toMatchObject({ inDoubt: false, costNanoUsd: server.ledger.totalNanoUsd })
  })

  it("is settled by a poll in another process", async () => {
    const { budget, options, clientOf, start } = setUpClaude()
    const { id } = await start(params("Hi"))
    vi.resetModules()
    const { guardFetch: guard } = await import("../../src/index")
    await pollClaude(clientOf(guard(options)), id)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("is charged what had run when it is cancelled", async () => {
    const { budget, claude, start } = setUpClaude()
    const { id } = await start(params("a"), params("b"))
    await claude.messages.batches.cancel(id)
    await pollClaude(claude, id)
    expect(server.ledger.calls).toHaveLength(1)
    expect(await balance(budget)).toEqual({ spent: server.ledger.totalNanoUsd, reserved: 0 })
  })

  it("is charged its bound if its output does not say what it used", async () => {
    server.faults.next({ noUsage: true })
    const { budget, claude, start } = setUpClaude()
    const { id } = await start(params("Hi"))
    const { reserved } = await balance(budget)
    await pollClaude(claude, id)
    expect(await balance(budget)).toEqual({ spent: reserved, reserved: 0 })
  })

  it("is denied once, and the denial is recognized", async () => {
    const { start } = setUpClaude("0.000001")
    expect(budgetErrorFrom(await failure(start(params("Hi"))))).toMatchObject({ scope: "total" })
  })

  it.each([
    [params("Hi", { model: "claude-99" }), /Call 2 of the batch: Unknown model/],
    [params("Hi", { surprise: 1 }), /Call 2 of the batch: Unknown field/],
  ])("is rejected if one of its calls is (%#)", async (call, message) => {
    const { budget, start } = setUpClaude()
    const error = await failure(start(params("Hi"), call))
    expect(error).toMatchObject({ status: 400 })
    expect((error as Error).message).toMatch(message)
    expect(await balance(budget)).toEqual({ spent: 0, reserved: 0 })
  })
})
