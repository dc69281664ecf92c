import type { LocalProvider } from "@p2/local-provider"
import type { Draw } from "../draw"
import type { DrawnCall, FuzzedProtocol } from "../fuzz-ledger"

/** Chat completions at OpenAI: choices, tools, formats, images, predictions, tiers, cached and reasoning tokens. */
export const chatAtOpenAI: FuzzedProtocol = { name: "openai-chat", draw: drawOpenAI }

/** Chat completions at OpenRouter: searches, maximum prices, the cost that it reports. */
export const chatAtOpenRouter: FuzzedProtocol = { name: "openrouter-chat", draw: drawOpenRouter }

const MODELS = ["gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-5", "gpt-5-mini", "o4-mini"]

function drawOpenAI(draw: Draw, provider: LocalProvider): DrawnCall {
  const model = draw.pick(MODELS)
  const tiers = /^gpt-4/.test(model) ? ["default", "priority", "auto"] : ["default", "priority", "flex", "auto"]
  return {
    url: "https://api.openai.com/v1/chat/completions",
    sentTo: `${provider.baseURL}/chat/completions`,
    headers: {},
    body: {
      model,
      ...drawBody(draw),
      ...draw.maybe(0.3, () => ({ service_tier: draw.pick(tiers) })),
      ...draw.maybe(0.1, () => ({ prediction: { type: "content", content: draw.text() } })),
    },
    fault: {
      ...drawFault(draw),
      projectTier: draw.pick(tiers.filter((tier) => tier !== "auto")),
    },
  }
}

function drawOpenRouter(draw: Draw, provider: LocalProvider): DrawnCall {
  return {
    url: "https://openrouter.ai/api/v1/chat/completions",
    sentTo: `${provider.openRouterBaseURL}/chat/completions`,
    headers: {},
    body: {
      model: draw.pick(["openai/gpt-4o-mini", "anthropic/claude-sonnet-4.5", "google/gemini-2.5-flash"]),
      ...drawBody(draw),
      ...draw.maybe(0.2, () => ({ plugins: [{ id: "web", engine: "exa", max_results: draw.between(1, 12) }] })),
      ...draw.maybe(0.2, () => ({
        provider: { sort: "price", ...draw.maybe(0.5, () => ({ max_price: { prompt: 100 } })) },
      })),
      ...draw.maybe(0.2, () => ({ models: [] })),
      ...draw.maybe(0.2, () => ({ cache_control: { type: "ephemeral" } })),
    },
    fault: drawFault(draw),
  }
}

function drawFault(draw: Draw): DrawnCall["fault"] {
  return {
    ...draw.maybe(0.4, () => ({ cachedTokens: draw.between(0, 400) })),
    ...draw.maybe(0.4, () => ({ reasoningTokens: draw.between(0, 300) })),
    ...draw.maybe(0.3, () => ({ fillOutput: true })),
    ...draw.maybe(0.1, () => ({ noUsage: true })),
    ...draw.maybe(0.1, () => ({ refusal: "I cannot help with that." })),
  }
}

function drawBody(draw: Draw): Record<string, unknown> {
  return {
    messages: draw.list(1, 6, () => drawMessages(draw)).flat(),
    ...draw.maybe(0.6, () => ({ [draw.pick(["max_tokens", "max_completion_tokens"])]: draw.between(1, 400) })),
    ...draw.maybe(0.3, () => ({ n: draw.between(1, 4) })),
    ...draw.maybe(0.4, () => ({
      stream: true,
      ...draw.maybe(0.5, () => ({ stream_options: { include_usage: false } })),
    })),
    ...draw.maybe(0.3, () => ({ tools: draw.list(1, 3, () => drawTool(draw)) })),
    ...draw.maybe(0.2, () => ({
      response_format: { type: "json_schema", json_schema: { name: "answer", strict: true, schema: draw.schema() } },
    })),
    ...draw.maybe(0.2, () => ({ tool_choice: { type: "function", function: { name: draw.pick(["find", "run"]) } } })),
    ...draw.maybe(0.3, () => ({ temperature: draw.next(), top_p: 1, seed: 1, stop: ["\n\n\n"], user: "u" })),
  }
}

/** One message, or tool calls with their results, without which the API rejects them. */
function drawMessages(draw: Draw): Record<string, unknown>[] {
  return draw.chance(0.25) ? drawCalls(draw) : [drawMessage(draw)]
}

function drawMessage(draw: Draw): Record<string, unknown> {
  return draw.pick([
    () => ({ role: "system", content: draw.text() }),
    () => ({ role: "developer", content: draw.text(), name: "rules" }),
    () => ({ role: "user", content: draw.text(30) }),
    () => ({ role: "user", content: draw.list(0, 4, () => drawPart(draw)) }),
    () => ({ role: "assistant", content: draw.text(), refusal: null }),
    () => ({ role: "assistant", content: "", reasoning_content: draw.text() }),
  ])()
}

function drawPart(draw: Draw): Record<string, unknown> {
  return draw.pick([
    () => ({ type: "text", text: draw.text() }),
    () => ({
      type: "image_url",
      image_url: { url: drawImage(draw), ...draw.maybe(0.5, () => ({ detail: draw.pick(["low", "high", "auto"]) })) },
    }),
    () => ({ type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,AAAA" } }),
  ])()
}

/** A URL, or the start of a PNG of some size. */
function drawImage(draw: Draw): string {
  return draw.pick(["https://example.org/a.png", "data:image/png;base64,AAAA"])
}

function drawTool(draw: Draw): Record<string, unknown> {
  const name = draw.pick(["find", "run", "äöü"])
  return { type: "function", function: { name, description: draw.text(), parameters: draw.schema() } }
}

function drawCalls(draw: Draw): Record<string, unknown>[] {
  const calls = draw.list(1, 3, () => ({ name: "find", arguments: JSON.stringify({ query: draw.text(4) }) }))
  const ids = calls.map((_, index) => `call_${index + 1}`)
  return [
    {
      role: "assistant",
      content: null,
      tool_calls: calls.map((call, index) => ({ id: ids[index], type: "function", function: call })),
    },
    ...ids.map((id) => ({ role: "tool", tool_call_id: id, content: draw.text() })),
  ]
}
