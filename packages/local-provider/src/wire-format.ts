import { type CalledTool, type Completion, piecesOf } from "./completion"
import type { BilledCall } from "./ledger"

/** Usage as the API reports it; OpenRouter adds the cost in USD. */
export function usageOf(completion: Completion, line: BilledCall): Record<string, unknown> {
  return {
    prompt_tokens: line.promptTokens,
    completion_tokens: line.completionTokens,
    total_tokens: line.promptTokens + line.completionTokens,
    prompt_tokens_details: { cached_tokens: line.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: completion.reasoningTokens, audio_tokens: 0 },
    ...(line.api === "openrouter"
      ? { cost: dollars(line.picoUsd), is_byok: false, cost_details: { upstream_inference_cost: null } }
      : {}),
  }
}

/** Pico-USD as a JSON number of dollars; a double keeps twelve decimals up to a few thousand dollars. */
export function dollars(picoUsd: bigint): number {
  const digits = picoUsd.toString().padStart(13, "0")
  return Number(`${digits.slice(0, -12)}.${digits.slice(-12)}`)
}

/** The whole answer as one JSON body. */
export function completionBody(
  completion: Completion,
  line: BilledCall,
  options: { usage: boolean },
): Record<string, unknown> {
  return {
    id: line.id,
    object: "chat.completion",
    created: Math.floor(Date.now() / 1000),
    model: line.model,
    ...serverFields(line),
    choices: Array.from({ length: completion.choices }, (_, index) => ({
      index,
      message: messageOf(completion),
      logprobs: null,
      finish_reason: completion.finishReason,
    })),
    ...(options.usage ? { usage: usageOf(completion, line) } : {}),
  }
}

/** OpenAI names the service tier in every answer and in every chunk. */
function serverFields({ api, serviceTier = "default" }: BilledCall): Record<string, unknown> {
  if (api === "openrouter") return { provider: "Local" }
  return { system_fingerprint: "fp_local", service_tier: serviceTier }
}

function messageOf({ text, calls, refusal }: Completion): Record<string, unknown> {
  const content = refusal !== undefined || (calls.length > 0 && text === "") ? null : text
  const message = { role: "assistant", content, refusal: refusal ?? null }
  return calls.length === 0 ? message : { ...message, tool_calls: calls.map(toolCall) }
}

function toolCall({ id, name, arguments: json }: CalledTool): Record<string, unknown> {
  return { id, type: "function", function: { name, arguments: json } }
}

/** One chunk of a stream. */
export function chunkBody(
  line: BilledCall,
  delta: Record<string, unknown> | undefined,
  finishReason: string | null = null,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    id: line.id,
    object: "chat.completion.chunk",
    created: Math.floor(Date.now() / 1000),
    model: line.model,
    ...serverFields(line),
    choices: delta === undefined ? [] : [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...more,
  }
}

/** The deltas of a stream: each has a few characters of the answer. */
export function deltasOf({ text, calls, refusal }: Completion): Record<string, unknown>[] {
  if (refusal !== undefined) return piecesOf(refusal).map((piece) => ({ refusal: piece }))
  const content = piecesOf(text).map((piece) => ({ content: piece }))
  return [...content, ...calls.flatMap(callDeltas)]
}

function callDeltas(call: CalledTool, index: number): Record<string, unknown>[] {
  const [first = "", ...others] = piecesOf(call.arguments)
  return [
    { tool_calls: [{ index, ...toolCall({ ...call, arguments: first }) }] },
    ...others.map((piece) => ({ tool_calls: [{ index, function: { arguments: piece } }] })),
  ]
}
