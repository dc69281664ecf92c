import { type CompiledAnswer, extractJson, type P2Error } from "@p2/core"
import {
  AnswerEmptyError,
  AnswerRefusedError,
  AnswerTruncatedError,
  ContentFilteredError,
  ProviderError,
} from "../errors"
import type { Completion } from "../transport/completion"

/**
 * Finish reasons beside OpenAI's. Gemini's endpoint passes on its own (https://github.com/HKUDS/Vibe-Trading/pull/308);
 * Mistral has `model_length` (https://docs.rs/crate/mistral-openapi-client), DeepSeek `insufficient_system_resource`
 * (https://docs.rs/crate/ds-api), vLLM `abort`.
 */
const FILTERED = /^(content_filter|safety|recitation|blocklist|prohibited|spii)/i
const TRUNCATED = /^(length|max_tokens|model_length)$/i
const FAILED = /^(error|insufficient_system_resource|abort)$/i

/** Whether a completion is a usable answer. */
export type AnswerVerdict = { status: "accepted"; answer: unknown } | { status: "rejected"; error: P2Error }

export interface JudgeOptions {
  /** Undefined: the answer is text. */
  compiled: CompiledAnswer<unknown> | undefined
  provider: string
  /** Output tokens that were requested. */
  maxTokens: number
}

/** Judges what arrived. Rejects only when the user's schema throws something unexpected. */
export async function judgeAnswer(completion: Completion, options: JudgeOptions): Promise<AnswerVerdict> {
  const { finishReason = "", refusal, text } = completion
  const { compiled, provider, maxTokens } = options
  if (refusal !== "") return rejected(new AnswerRefusedError(refusal))
  if (FILTERED.test(finishReason)) return rejected(new ContentFilteredError())
  if (FAILED.test(finishReason))
    return rejected(
      new ProviderError({ code: "provider-error", provider, providerCode: finishReason, retryable: true }),
    )
  const isBlank = text.trim() === ""
  if (TRUNCATED.test(finishReason)) {
    const truncated = rejected(new AnswerTruncatedError(maxTokens, text))
    if (compiled === undefined || isBlank) return truncated
    // A JSON object can be complete although only trailing white space was cut.
    const verdict = await parseAnswer(text, compiled)
    return verdict.status === "accepted" ? verdict : truncated
  }
  if (isBlank) return rejected(new AnswerEmptyError())
  return compiled === undefined ? { status: "accepted", answer: text } : parseAnswer(text, compiled)
}

export function rejected(error: P2Error): AnswerVerdict {
  return { status: "rejected", error }
}

async function parseAnswer(text: string, compiled: CompiledAnswer<unknown>): Promise<AnswerVerdict> {
  let result = await compiled.parseAsync(text)
  if (!result.ok && result.error.reason === "json") {
    // Prose or a code fence around the object: in the loosest modes, and from servers that ignore the mode.
    const json = extractJson(text)
    if (json !== undefined && json !== text) result = await compiled.parseAsync(json)
  }
  return result.ok ? { status: "accepted", answer: result.answer } : rejected(result.error)
}
