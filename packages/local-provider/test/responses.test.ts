import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { type LocalProvider, startLocalProvider } from "../src"

let provider: LocalProvider

beforeAll(async () => {
  provider = await startLocalProvider()
})
afterAll(() => provider.close())
beforeEach(() => {
  provider.ledger.clear()
  provider.faults.clear()
})

function send(path: string, body?: Record<string, unknown>): Promise<Response> {
  return fetch(`${provider.baseURL}${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { authorization: "Bearer key", "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

async function json(path: string, body?: Record<string, unknown>) {
  return (await (await send(path, body)).json()) as Record<string, never> & {
    usage: Record<string, number>
    id: string
  }
}

describe("responses", () => {
  it("bills what it reports", async () => {
    const answer = await json("/responses", { model: "gpt-4o-mini", input: "Who is David Copperfield?" })
    expect(answer).toMatchObject({ object: "response", status: "completed", service_tier: "default" })
    const [line] = provider.ledger.calls
    const { input_tokens: input, output_tokens: output } = answer.usage
    expect(line).toMatchObject({ promptTokens: input, completionTokens: output, reported: true })
    expect(line!.picoUsd).toBe(BigInt(input!) * 150_000n + BigInt(output!) * 600_000n)
  })

  it("streams events that end with the whole response", async () => {
    const text = await (await send("/responses", { model: "gpt-5", input: "Hello", stream: true })).text()
    const events = text.split("\n\n").filter(Boolean)
    expect(events[0]).toContain("event: response.created")
    expect(events.at(-1)).toContain("event: response.completed")
    expect(events.at(-1)).toContain('"reasoning_tokens":64')
    expect(provider.ledger.calls[0]!.reported).toBe(true)
  })

  it("calls the tools of a fault", async () => {
    const toolCalls = ["a.txt", "b.txt"].map((path) => ({ name: "write", arguments: { path } }))
    provider.faults.next({ toolCalls })
    const { output } = await json("/responses", { model: "gpt-4o-mini", input: "Hello" })
    expect(output).toMatchObject([
      { type: "function_call", call_id: "call_local_1", name: "write", arguments: '{"path":"a.txt"}' },
      { type: "function_call", call_id: "call_local_2", name: "write", arguments: '{"path":"b.txt"}' },
    ])
    provider.faults.next({ toolCalls: [{ name: "run", arguments: "echo hello" }] })
    const custom = await (await send("/responses", { model: "gpt-4o-mini", input: "Hello", stream: true })).text()
    expect(custom).toContain('"type":"response.custom_tool_call_input.done"')
    expect(custom).toContain('"type":"custom_tool_call","status":"completed","name":"run"')
  })

  it("encrypts its reasoning if the request asks for it", async () => {
    const { output } = await json("/responses", {
      model: "gpt-5",
      input: "Hello",
      include: ["reasoning.encrypted_content"],
    })
    expect(output![0]).toMatchObject({ type: "reasoning", encrypted_content: expect.any(String) })
  })

  it("runs hosted tools as often as the request allows, and bills each pass and piece", async () => {
    provider.faults.next({ searches: 9 })
    const tools = [
      { type: "web_search" },
      { type: "code_interpreter", container: { type: "auto", memory_limit: "4g" } },
    ]
    await json("/responses", { model: "gpt-5", input: "Hello", tools, max_tool_calls: 3 })
    const units = Object.fromEntries(provider.ledger.calls[0]!.units!.map(({ kind, count }) => [kind, count]))
    expect(units).toMatchObject({ search: 2, codeSession: 4 })
    expect(units.input).toBeGreaterThan(4 * 180 + 3 * 3_000)
  })

  it("bills the tier of the project if the request states none", async () => {
    provider.faults.next({ projectTier: "priority" })
    const answer = await json("/responses", { model: "gpt-4o-mini", input: "Hello" })
    expect(answer.service_tier).toBe("priority")
    expect(provider.ledger.calls[0]!.units![0]!.picoUsdPerUnit).toBe(250_000)
  })

  it("ends a background response after its polls", async () => {
    const { id, ...queued } = await json("/responses", { model: "gpt-5", input: "Hello", background: true })
    expect(queued).toMatchObject({ status: "queued", usage: null })
    expect(await json(`/responses/${id}`)).toMatchObject({ status: "in_progress", usage: null })
    expect((await json(`/responses/${id}`)).usage.output_tokens).toBe(provider.ledger.calls[0]!.completionTokens)
  })

  it("counts earlier turns that it has stored", async () => {
    const first = await json("/responses", { model: "gpt-4o-mini", input: "word ".repeat(500) })
    const second = await json("/responses", { model: "gpt-4o-mini", input: "Go on", previous_response_id: first.id })
    expect(second.usage.input_tokens).toBeGreaterThan(500)
  })
})

describe("embeddings", () => {
  it("bills strings and token arrays", async () => {
    const answer = await json("/embeddings", { model: "text-embedding-3-small", input: ["one two", "three"] })
    expect(answer.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 })
    await json("/embeddings", { model: "text-embedding-3-small", input: [[1, 2, 3], [4]] })
    expect(provider.ledger.calls.map(({ picoUsd }) => picoUsd)).toEqual([60_000n, 80_000n])
  })
})
