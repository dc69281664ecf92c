import { describe, expect, it } from "vitest"
import { balance, events, guardOver, json } from "./guarded-server"

async function charged(url: string, call: object, answer: () => Response) {
  const guard = guardOver(answer)
  const response = await guard.fetch(url, { method: "POST", body: JSON.stringify(call) })
  await response.text().catch(() => {})
  const { spent, reserved } = await balance(guard.budget)
  const { reservedNanoUsd, inDoubt, status } = guard.attempts[0]!
  return { spent, reserved, reservedNanoUsd, inDoubt, status }
}

describe("OpenRouter bills no answer that ends in an error without output, but a damaged answer is none", () => {
  const url = "https://openrouter.ai/api/v1/chat/completions"
  const call = { model: "openai/gpt-4o-mini", max_tokens: 100, messages: [{ role: "user", content: "Hi" }] }
  const text = (body: string) => () => new Response(body, { headers: { "content-type": "application/json" } })
  const role = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n`
  const cut = `data: {"id":"gen-1","choices":[{"del\n\n`
  const error = { code: 502, message: "Provider returned error" }

  it.each<[string, boolean, () => Response]>([
    ["a web page", false, text("<html><title>502</title></html>")],
    ["a body that was cut", false, text(`{"id":"gen-1","choices":[{"message":{"con`)],
    ["an empty body", false, text("")],
    ["an array", false, () => json([1, 2])],
    ["an object of another format", false, () => json({ foo: 1 })],
    ["an object of another format with a type and a status", false, () => json({ type: "job", status: "queued" })],
    ["no choices", false, () => json({ id: "gen-1", choices: [] })],
    ["a choice without a message", false, () => json({ id: "gen-1", choices: [{ index: 0, finish_reason: "stop" }] })],
    ["an event that was cut", true, () => events([cut])],
    ["an event that was cut, and the end", true, () => events([cut, "data: [DONE]\n\n"])],
    ["an event that was cut, and an error", true, () => events([cut, `data: ${JSON.stringify({ error })}\n\n`])],
    ["an event of another format", true, () => events([`data: {"foo":1}\n\n`])],
    ["comments only", true, () => events([": OPENROUTER PROCESSING\n\n"])],
    ["no event", true, () => events([""])],
    ["a role, and a web page", true, () => events([role, "data: <html>\n\n"])],
  ])("%s is charged the bound, in doubt", async (_name, stream, answer) => {
    const { spent, reservedNanoUsd, inDoubt, status } = await charged(url, { ...call, stream }, answer)
    expect({ spent, inDoubt, status }).toEqual({ spent: reservedNanoUsd, inDoubt: true, status: "failed" })
  })

  it.each<[string, boolean, () => Response]>([
    ["an error body", false, () => json({ error })],
    ["an error with a name as its code", false, () => json({ error: { code: "server_error", message: "no" } })],
    ["a choice that failed", false, () => json({ choices: [{ index: 0, message: { content: "" }, error }] })],
    ["an error event", true, () => events([`data: ${JSON.stringify({ error })}\n\n`])],
    ["a role, and an error event", true, () => events([role, `data: ${JSON.stringify({ error })}\n\n`])],
  ])("%s costs nothing", async (_name, stream, answer) => {
    expect(await charged(url, { ...call, stream }, answer)).toMatchObject({ spent: 0, inDoubt: false })
  })
})

interface Format {
  url: string
  call: object
  /** The events of an answer of 10 input and 20 output tokens. */
  events: readonly string[]
  costNanoUsd: number
}

const plain = (data: object) => `data: ${JSON.stringify(data)}\n\n`
const named = (data: { type: string } & Record<string, unknown>) => `event: ${data.type}\n${plain(data)}`
const choice = (delta: object, finish_reason: string | null = null) =>
  plain({ id: "chatcmpl-1", choices: [{ index: 0, delta, finish_reason }] })
const response = { id: "resp_1", object: "response", model: "gpt-4o-mini", service_tier: "default", output: [] }
const candidate = (text: string, tokens: number, more: object = {}) =>
  plain({
    candidates: [{ content: { parts: [{ text }] }, ...more }],
    usageMetadata: { promptTokenCount: 10, candidatesTokenCount: tokens, totalTokenCount: 10 + tokens },
  })

const FORMATS: Record<string, Format> = {
  chat: {
    url: "https://api.openai.com/v1/chat/completions",
    call: {
      model: "gpt-4o-mini",
      max_completion_tokens: 100,
      service_tier: "default",
      stream: true,
      messages: [{ role: "user", content: "Hi" }],
    },
    events: [
      choice({ role: "assistant", content: "" }),
      choice({ content: "Hel" }),
      choice({ content: "lo" }),
      choice({}, "stop"),
      plain({ id: "chatcmpl-1", choices: [], usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 } }),
      "data: [DONE]\n\n",
    ],
    costNanoUsd: 10 * 150 + 20 * 600,
  },
  responses: {
    url: "https://api.openai.com/v1/responses",
    call: { model: "gpt-4o-mini", input: "Hi", max_output_tokens: 100, service_tier: "default", stream: true },
    events: [
      named({ type: "response.created", response: { ...response, status: "in_progress", usage: null } }),
      named({ type: "response.output_item.added", output_index: 0, item: { type: "message", content: [] } }),
      named({ type: "response.output_text.delta", delta: "Hel" }),
      named({ type: "response.output_text.delta", delta: "lo" }),
      named({
        type: "response.completed",
        response: {
          ...response,
          status: "completed",
          usage: { input_tokens: 10, output_tokens: 20, total_tokens: 30 },
        },
      }),
    ],
    costNanoUsd: 10 * 150 + 20 * 600,
  },
  messages: {
    url: "https://api.anthropic.com/v1/messages",
    call: {
      model: "claude-sonnet-4-5",
      max_tokens: 100,
      stream: true,
      messages: [{ role: "user", content: "Hi" }],
    },
    events: [
      named({
        type: "message_start",
        message: { type: "message", model: "claude-sonnet-4-5", usage: { input_tokens: 10, output_tokens: 1 } },
      }),
      named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } }),
      named({ type: "ping" }),
      named({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hello" } }),
      named({ type: "content_block_stop", index: 0 }),
      named({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 20 } }),
      named({ type: "message_stop" }),
    ],
    costNanoUsd: 10 * 3_000 + 20 * 15_000,
  },
  gemini: {
    url: "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    call: { contents: [{ role: "user", parts: [{ text: "Hi" }] }], generationConfig: { maxOutputTokens: 100 } },
    events: [candidate("Hel", 5), candidate("l", 10), candidate("o", 20, { finishReason: "STOP" })],
    costNanoUsd: 10 * 300 + 20 * 2_500,
  },
}

const COUNT =
  /("(?:prompt_tokens|completion_tokens|total_tokens|input_tokens|output_tokens|promptTokenCount|candidatesTokenCount|totalTokenCount)":)(\d+)/g
const zeros = { input_tokens: 0, output_tokens: 0, prompt_tokens: 0, completion_tokens: 0 }
const failed = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
const ERROR = named(failed)
const ERROR_WITH_ZEROS = named({ ...failed, usage: zeros, usageMetadata: { promptTokenCount: 0 } })

/** Damages to the event with this index. */
const DAMAGES: Record<string, (all: readonly string[], index: number) => readonly string[]> = {
  "is missing": (all, index) => all.toSpliced(index, 1),
  "is the first that does not arrive": (all, index) => all.slice(0, index),
  "is cut, and the connection closes": (all, index) => [...all.slice(0, index), half(all[index]!)],
  "is cut": (all, index) => all.with(index, `${half(all[index]!)}\n\n`),
  "has no empty line after it": (all, index) => all.with(index, `${all[index]!.trimEnd()}\n`),
  "has no line break after it": (all, index) => all.with(index, all[index]!.trimEnd()),
  "arrives twice": (all, index) => all.toSpliced(index, 0, all[index]!),
  "arrives too late": (all, index) => [...all.toSpliced(index, 1), all[index]!],
  "follows a web page": (all, index) => all.toSpliced(index, 0, "data: <html>502</html>\n\n"),
  "follows an error": (all, index) => all.toSpliced(index, 0, ERROR),
  "is replaced by an error": (all, index) => [...all.slice(0, index), ERROR],
  "is replaced by an error with zeros": (all, index) => [...all.slice(0, index), ERROR_WITH_ZEROS],
  "has counts of zero": (all, index) => all.with(index, all[index]!.replace(COUNT, "$10")),
  "has negative counts": (all, index) => all.with(index, all[index]!.replace(COUNT, "$1-$2")),
  "has strings for counts": (all, index) => all.with(index, all[index]!.replace(COUNT, '$1"$2"')),
  "has null for its usage": (all, index) => all.with(index, all[index]!.replace(/"(usage\w*)":\{[^}]*\}/, '"$1":null')),
  "has a NUL": (all, index) => all.with(index, all[index]!.replace("{", "\0{")),
  "has a byte order mark": (all, index) => all.with(index, `\uFEFF${all[index]}`),
  "has no name of its data": (all, index) => all.with(index, all[index]!.replace("data: ", "")),
}

function half(event: string): string {
  return event.slice(0, Math.floor(event.length / 2))
}

describe.each(Object.entries(FORMATS))("a stream of %s", (_format, { url, call, events: whole, costNanoUsd }) => {
  it("is charged its usage", async () => {
    const intact = await charged(url, call, () => events(whole))
    expect(intact).toMatchObject({ spent: costNanoUsd, inDoubt: false, status: "succeeded", reserved: 0 })
  })

  it.each(Object.entries(DAMAGES))("whose event %s is charged its usage or more", async (_damage, damage) => {
    for (const index of whole.keys()) {
      const { spent, reservedNanoUsd, reserved } = await charged(url, call, () => events(damage(whole, index)))
      expect(spent, `event ${index}`).toBeGreaterThanOrEqual(costNanoUsd)
      expect(spent, `event ${index}`).toBeLessThanOrEqual(reservedNanoUsd)
      expect(reserved).toBe(0)
    }
  })
})
