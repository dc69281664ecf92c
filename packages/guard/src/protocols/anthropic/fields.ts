import { isRecord } from "@p2/core"
import { shownName } from "../identifier"
import type { Rejection } from "../protocol"
import { rejected, unbounded } from "../rejection"
import { type BodyFields, words } from "../variants/body-fields"

/** The fields of a Messages request. Sources and examples: docs/anthropic.md. */
export const MESSAGE_FIELDS: BodyFields = {
  free: words(
    "metadata stop_sequences stream temperature top_p top_k billing_policy diagnostics fallback_credit_token anthropic_version",
  ),
  read: words(
    "model messages max_tokens system tools tool_choice thinking service_tier speed inference_geo cache_control container context_management output_config output_format thread anthropic_beta",
  ),
  rejected: {
    mcp_servers: {
      when: (value) => !Array.isArray(value) || value.length > 0,
      because: "the servers decide how many tokens their tools and results have",
      remedy: "Connect to the servers in your code and pass their tools in `tools`.",
    },
    fallbacks: {
      because: "every model in the chain is billed",
      remedy: "Call the next model in your code when the stop reason is `refusal`.",
    },
    compaction: {
      because: "no documented limit holds for the length of the summary",
      remedy: "Ask for a summary in a separate call, with `max_tokens`.",
    },
  },
}

/** Betas that change the form of requests and answers. The fields that they allow are checked by name. Dates are omitted. */
const KNOWN_BETAS = words(
  "advanced-tool-use afk-mode agent-memory auto-mode-classifier cache-diagnosis claude-code claude-code-side-query code-execution compact computer-use context-1m context-hint context-management dangerous-tool-use dev-full-thinking effort extended-cache-ttl fallback-credit fast-mode files-api fine-grained-tool-streaming inline-tools interleaved-thinking message-batches message-threads mid-conversation-output-config mid-conversation-system mid-conversation-system-clear-at mid-conversation-tool-changes model-context-window-exceeded oauth output-128k output-300k pdfs per-turn-control prompt-caching prompt-caching-evict prompt-caching-scope redact-thinking request-tags resumption search-results skills structured-outputs subagent-review task-budgets thinking-binding-controls thinking-display-updates thinking-resumption thinking-token-count timing token-counting token-efficient-tools tool-examples tool-search-tool user-profiles user-profiles-billing web-fetch web-search web-search-results-only",
)

/** Betas without their dates: `context-1m` for `context-1m-2025-08-07`. */
export function betasOf(headers: Headers, body: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const listed = Array.isArray(body.anthropic_beta) ? body.anthropic_beta : []
  const names = [...(headers.get("anthropic-beta") ?? "").split(","), ...listed.map(String)]
  const plain = names.map((name) => name.trim().replace(/-20\d\d-?\d\d-?\d\d$/, ""))
  return new Set(plain.filter((name) => name !== ""))
}

/** Rejects a beta that is not understood: such as `context-1m`, it may change prices. */
export function checkBetas(betas: ReadonlySet<string>): Rejection | undefined {
  const unknown = [...betas].find((name) => !KNOWN_BETAS.has(name))
  return unknown === undefined
    ? undefined
    : rejected(
        "unknown-field",
        `Unknown beta ${shownName(unknown)} in \`anthropic-beta\`: it may change the cost. Omit it.`,
      )
}

/** The threshold of input tokens from which `compact_20260112` compacts, unless the request sets another. */
const COMPACT_FROM_TOKENS = 150_000

/**
 * Checks `context_management`. Clearing only shortens the input. Compaction is a separate pass that no field limits, so the
 * input must stay below its threshold.
 */
export function checkContextManagement(value: unknown, inputUpperBound: number): Rejection | undefined {
  if (!isRecord(value)) return undefined
  const edits = Array.isArray(value.edits) ? value.edits : []
  for (const edit of edits) {
    const type = isRecord(edit) ? String(edit.type) : ""
    if (type === "clear_tool_uses_20250919" || type === "clear_thinking_20251015") continue
    if (type !== "compact_20260112")
      return rejected(
        "unknown-field",
        `Unknown edit ${shownName(type)} in \`context_management\`: it may change the cost. Omit it.`,
      )
    const trigger = isRecord(edit.trigger) ? Number(edit.trigger.value) : COMPACT_FROM_TOKENS
    if (!(inputUpperBound < trigger))
      return unbounded(
        "`compact_20260112` in `context_management`",
        `the input may have ${inputUpperBound} tokens, and from ${trigger} on a summary of any length is billed`,
        "Raise `trigger.value`, or summarize in a separate call, with `max_tokens`.",
      )
  }
  return undefined
}
