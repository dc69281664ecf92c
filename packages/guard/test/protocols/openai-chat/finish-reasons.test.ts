import { expect, test } from "vitest"
import { type AnswerEnd, endOf } from "../../../src/protocols/openai-chat/finish-reasons"

/** Every reason that a provider documents or was seen to send, in its own spelling. */
const REASONS: Record<AnswerEnd, readonly string[]> = {
  complete: [
    "stop",
    "tool_calls",
    "function_call",
    "STOP",
    "FinishReason.STOP",
    "FINISH_REASON_STOP",
    "end_turn",
    "endTurn",
    "stop_sequence",
    "tool_use",
    "eos",
    "eos_token",
    "COMPLETE",
    "STOP_SEQUENCE",
    "TOOL_CALL",
    "tool-calls",
    "completed",
    "endoftext",
    "normal",
  ],
  truncated: [
    "length",
    "max_tokens",
    "MAX_TOKENS",
    "FinishReason.MAX_TOKENS",
    "maxTokens",
    "max_output_tokens",
    "model_length",
    "model_context_window_exceeded",
    "modelContextWindowExceeded",
    "ERROR_LIMIT",
    "token_limit",
    "incomplete",
  ],
  filtered: [
    "content_filter",
    "content-filter",
    "content_filter: SAFETY",
    "contentFiltered",
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
    "sensitive",
    "refusal",
    "ERROR_TOXIC",
    "guardrail_intervened",
    "blacklist",
  ],
  failed: [
    "error",
    "ERROR",
    "network_error",
    "pause_turn",
    "compaction",
    "OTHER",
    "other",
    "unknown",
    "LANGUAGE",
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "NO_IMAGE",
    "IMAGE_OTHER",
    "FINISH_REASON_UNSPECIFIED",
    "insufficient_system_resource",
    "repetition_truncation",
    "time_limit",
    "TIMEOUT",
    "cancelled",
    "USER_CANCEL",
    "abort",
    "preempted",
    "in_progress",
    "failed",
    "a reason of next year",
    "stopped",
    "lengthy",
  ],
}

for (const [end, reasons] of Object.entries(REASONS))
  test.each(reasons)(`%s is ${end}`, (reason) => {
    expect(endOf(reason)).toBe(end)
  })

test("no reason is a complete answer", () => {
  expect(endOf(undefined)).toBe("complete")
})

test.each([
  ["stop", "STOP", "complete"],
  ["stop", "a reason of next year", "complete"],
  ["stop", "MALFORMED_FUNCTION_CALL", "failed"],
  ["stop", "MAX_TOKENS", "truncated"],
  ["stop", "SAFETY", "filtered"],
  ["tool_calls", "network_error", "failed"],
  ["length", "STOP", "truncated"],
] as const)("%s with the model's own reason %s is %s", (reason, native, end) => {
  expect(endOf(reason, native)).toBe(end)
})
