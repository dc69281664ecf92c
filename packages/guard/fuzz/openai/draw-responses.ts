import assert from "node:assert/strict"
import type { LocalProvider } from "@p2/local-provider"
import { createPriceTable } from "@p2/pricing"
import { describeCall } from "../../src/protocols"
import type { Draw } from "../draw"
import { type DrawnCall, type FuzzedProtocol, readResponse } from "../fuzz-ledger"

/** The Responses API: hosted tools, earlier turns, background responses, tiers, cached and reasoning tokens. */
export const responses: FuzzedProtocol = {
  name: "openai-responses",
  draw: drawCall,
  async follow(call, meter) {
    const { continues, generationId } = meter.read()
    if (continues === undefined) return meter
    const url = `${call.url}/${generationId}`
    const poll = describeCall(
      { method: "GET", url: new URL(url), headers: new Headers(), body: { kind: "none" } },
      { prices: createPriceTable({}, { extends: "published" }), deployments: {} },
    )
    assert.ok(poll.status === "resumed" && poll.idempotencyKey === continues.idempotencyKey)
    for (let count = 0; count < 3; count++) {
      const response = await fetch(`${call.sentTo}/${generationId}`, { headers: { authorization: "Bearer key" } })
      const polled = poll.createMeter()
      readResponse(polled, await response.text(), "application/json")
      if (polled.read().continues === undefined) return polled
    }
    assert.fail("The background response does not end.")
  },
}

const MODELS = ["gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-5", "gpt-5-mini", "o4-mini"]

function drawCall(draw: Draw, provider: LocalProvider): DrawnCall {
  const model = draw.pick(MODELS)
  const tiers = /^gpt-4/.test(model) ? ["default", "priority", "auto"] : ["default", "priority", "flex", "auto"]
  const tools = draw.chance(0.5) ? oneOfEachType(draw.list(1, 3, () => drawTool(draw))) : []
  const isHosted = tools.some(({ type }) => type !== "function")
  const earlier = provider.ledger.calls.at(-1)?.id
  return {
    url: "https://api.openai.com/v1/responses",
    sentTo: `${provider.baseURL}/responses`,
    headers: {},
    body: {
      model,
      input: draw.chance(0.3) ? draw.text(30) : draw.list(1, 5, () => drawItem(draw)),
      ...draw.maybe(0.3, () => ({ instructions: draw.text() })),
      ...draw.maybe(0.6, () => ({ max_output_tokens: draw.between(16, 500) })),
      ...(tools.length > 0 ? { tools } : {}),
      ...(isHosted ? { max_tool_calls: draw.between(1, 5) } : {}),
      ...draw.maybe(0.2, () => ({
        text: { format: { type: "json_schema", name: "answer", strict: true, schema: draw.schema() } },
      })),
      ...draw.maybe(0.4, () => ({ stream: true })),
      ...draw.maybe(0.1, () => ({ background: true, stream: false })),
      ...draw.maybe(0.3, () => ({ service_tier: draw.pick(tiers) })),
      ...draw.maybe(0.2, () => (earlier === undefined ? {} : { previous_response_id: earlier })),
      ...draw.maybe(0.3, () => ({ reasoning: { effort: "low" }, temperature: 1, store: true, metadata: { a: "b" } })),
    },
    fault: {
      projectTier: draw.pick(tiers.filter((tier) => tier !== "auto")),
      searches: draw.between(0, 8),
      ...draw.maybe(0.4, () => ({ cachedTokens: draw.between(0, 400) })),
      ...draw.maybe(0.4, () => ({ reasoningTokens: draw.between(0, 300) })),
      ...draw.maybe(0.3, () => ({ fillOutput: true })),
      ...draw.maybe(0.1, () => ({ noUsage: true })),
      ...draw.maybe(0.1, () => ({ refusal: "I cannot help with that." })),
    },
  }
}

function drawItem(draw: Draw): Record<string, unknown> {
  return draw.pick([
    () => ({ role: draw.pick(["user", "system", "developer"]), content: draw.text(20) }),
    () => ({ type: "message", role: "user", content: draw.list(0, 4, () => drawPart(draw)) }),
    () => ({
      type: "message",
      id: "msg_1",
      role: "assistant",
      status: "completed",
      content: [{ type: "output_text", text: draw.text(), annotations: [] }],
    }),
    () => ({
      type: "function_call",
      call_id: "call_1",
      name: "find",
      arguments: JSON.stringify({ query: draw.text(4) }),
    }),
    () => ({ type: "function_call_output", call_id: "call_1", output: draw.text() }),
    () => ({ type: "custom_tool_call", call_id: "call_2", name: "run", input: draw.text() }),
    () => ({
      type: "reasoning",
      id: "rs_1",
      summary: [{ type: "summary_text", text: draw.text(3) }],
      encrypted_content: "Z0FB".repeat(50),
    }),
  ])()
}

function drawPart(draw: Draw): Record<string, unknown> {
  return draw.pick([
    () => ({ type: "input_text", text: draw.text() }),
    () => ({
      type: "input_image",
      image_url: draw.pick(["https://example.org/a.png", "data:image/png;base64,AAAA"]),
      detail: draw.pick(["low", "high", "auto"]),
    }),
    () => ({ type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,AAAA" }),
  ])()
}

function oneOfEachType(tools: readonly Record<string, unknown>[]): Record<string, unknown>[] {
  return [...new Map(tools.map((tool) => [tool.type, tool])).values()]
}

function drawTool(draw: Draw): Record<string, unknown> {
  return draw.pick([
    () => ({ type: "function", name: "find", description: draw.text(), parameters: draw.schema(), strict: true }),
    () => ({ type: "web_search", search_context_size: draw.pick(["low", "medium", "high"]) }),
    () => ({
      type: "file_search",
      vector_store_ids: ["vs_1"],
      ...draw.maybe(0.7, () => ({ max_num_results: draw.between(1, 50) })),
    }),
    () => ({
      type: "code_interpreter",
      container: { type: "auto", ...draw.maybe(0.7, () => ({ memory_limit: draw.pick(["1g", "4g", "16g", "64g"]) })) },
    }),
  ])()
}
