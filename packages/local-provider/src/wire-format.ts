import type { Completion } from "./completion"
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

/** Pico-USD as a JSON number of dollars; a double keeps twelve decimals up to some thousand dollars. */
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
    ...(line.api === "openrouter"
      ? { provider: "Local" }
      : { system_fingerprint: "fp_local", service_tier: line.serviceTier ?? "default" }),
    choices: Array.from({ length: completion.choices }, (_, index) => ({
      index,
      message: messageOf(completion),
      logprobs: null,
      finish_reason: completion.finishReason,
    })),
    ...(options.usage ? { usage: usageOf(completion, line) } : {}),
  }
}

function messageOf(completion: Completion): Record<string, unknown> {
  const refusal = completion.refusal ?? null
  if (completion.mode !== "tool" || completion.refusal !== undefined)
    return { role: "assistant", content: completion.refusal === undefined ? completion.text : null, refusal }
  return { role: "assistant", content: null, refusal, tool_calls: [toolCall(completion)] }
}

function toolCall(completion: Completion): Record<string, unknown> {
  return {
    id: "call_local_1",
    type: "function",
    function: { name: completion.toolName ?? "answer", arguments: completion.text },
  }
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
    ...(line.serviceTier === undefined ? {} : { service_tier: line.serviceTier }),
    choices: delta === undefined ? [] : [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...more,
  }
}

/** The part of a delta that carries a piece of the answer. */
export function deltaOf(completion: Completion, piece: string, first: boolean): Record<string, unknown> {
  if (completion.refusal !== undefined) return { refusal: piece }
  if (completion.mode !== "tool") return { content: piece }
  const call = first
    ? {
        index: 0,
        id: "call_local_1",
        type: "function",
        function: { name: completion.toolName ?? "answer", arguments: piece },
      }
    : { index: 0, function: { arguments: piece } }
  return { tool_calls: [call] }
}
