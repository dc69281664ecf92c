/** How an answer ended. Only a `complete` answer is the model's whole answer. */
export type AnswerEnd = "complete" | "truncated" | "filtered" | "failed"

/**
 * The finish reasons with a known meaning, normalized by {@link endOf}. Every other reason is `failed`, because the
 * answer may be incomplete: `network_error` (Zhipu), `pause_turn` (Anthropic), `other`, `language`,
 * `malformed_function_call`, `unexpected_tool_call` (Gemini), `insufficient_system_resource` (DeepSeek), `time_limit`,
 * `cancelled` (watsonx), `abort` (vLLM), `error`.
 */
const ENDS: Record<Exclude<AnswerEnd, "failed">, readonly string[]> = {
  complete: [
    // https://platform.openai.com/docs/api-reference/chat/object
    "stop",
    "tool_calls",
    "function_call",
    // https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    "end_turn",
    "stop_sequence",
    "tool_use",
    // Together, and https://huggingface.co/docs/text-generation-inference: the model's end-of-sequence token.
    "eos",
    "eos_token",
    // https://docs.cohere.com/reference/chat
    "complete",
    "tool_call",
    // https://platform.openai.com/docs/api-reference/responses/object, passed on by gateways.
    "completed",
    // https://docs.ai21.com/reference/jamba-1-6-api-ref
    "endoftext",
    // https://cloud.baidu.com/doc/WENXINWORKSHOP
    "normal",
  ],
  truncated: [
    "length",
    "max_tokens",
    "max_output_tokens",
    // https://docs.mistral.ai/api/#tag/chat
    "model_length",
    // Anthropic and Zhipu: https://github.com/mozilla-ai/any-llm/pull/1204
    "model_context_window_exceeded",
    // Cohere's limit of the context window: https://docs.cohere.com/reference/generate
    "error_limit",
    // https://ibm.github.io/watsonx-ai-node-sdk
    "token_limit",
    "incomplete",
    // xAI's gRPC API, whose names some gateways pass on: https://github.com/xai-org/xai-proto
    "reason_max_len",
    "reason_max_context",
    // The name of the limit, which some servers pass on.
    "max_length",
    "max_len",
    "context_length",
    "max_new_tokens",
    "max_completion_tokens",
    "max_tokens_reached",
    "context_length_exceeded",
    "context_window_exceeded",
    "truncated",
  ],
  filtered: [
    "content_filter",
    "content_filtered",
    // Gemini: https://ai.google.dev/api/generate-content#FinishReason
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "image_safety",
    "image_prohibited_content",
    "image_recitation",
    "model_armor",
    // Zhipu: https://github.com/BerriAI/litellm/pull/24373
    "sensitive",
    // Anthropic's classifiers stopped the answer.
    "refusal",
    // Cohere, Amazon Bedrock, GigaChat (https://developers.sber.ru/docs/ru/gigachat/api/reference/rest/post-chat).
    "error_toxic",
    "guardrail_intervened",
    "blacklist",
  ],
}

const END_OF_REASON: ReadonlyMap<string, AnswerEnd> = /* @__PURE__ */ new Map(
  Object.entries(ENDS).flatMap(([end, reasons]) => reasons.map((reason) => [reason, end as AnswerEnd] as const)),
)

/**
 * The meaning of a finish reason. Spellings are normalized: `MAX_TOKENS`, `maxTokens`, `FinishReason.MAX_TOKENS`,
 * `content_filter: SAFETY`. Undefined (the provider states no reason) is `complete`.
 *
 * @param native the model's own reason, which a gateway reports in addition to its own (OpenRouter's
 * `native_finish_reason`). The worse of the two decides, if the native one is known.
 */
export function endOf(reason: string | undefined, native?: string | undefined): AnswerEnd {
  const end = reason === undefined ? "complete" : (knownEnd(reason) ?? "failed")
  if (end !== "complete" || native === undefined) return end
  return knownEnd(native) ?? (KNOWN_FAILURES.test(normalized(native)) ? "failed" : end)
}

/** Gateways report these as `stop`: https://github.com/pydantic/pydantic-ai/pull/3095 */
const KNOWN_FAILURES =
  /^(malformed_|unexpected_tool_call|too_many_tool_calls|missing_thought_signature|network_error|pause_turn$|other$|language$|time_?limit|time_?out|insufficient_system_resource|(?:user_)?cancel|error$|abort)/

function knownEnd(reason: string): AnswerEnd | undefined {
  return END_OF_REASON.get(reason) ?? END_OF_REASON.get(normalized(reason))
}

function normalized(reason: string): string {
  return reason
    .trim()
    .replace(/^FinishReason[._]/i, "")
    .replace(/^finish_reason_/i, "")
    .replace(/:.*$/s, "")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replace(/[\s-]+/g, "_")
    .toLowerCase()
}
