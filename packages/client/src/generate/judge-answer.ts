import { type CompiledAnswer, findJson, type P2Error } from "@p2/core"
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

/** The answer, or why there is none. `text` is the text that the model returned. */
export type AnswerOutcome =
  | { status: "answered"; answer: unknown; text: string }
  | { status: "failed"; error: P2Error; text: string }

/** Checks and parses what arrived. Never rejects: an error of the user's schema is an `InvalidAnswerError`. */
export async function judgeAnswer(
  completion: Completion,
  options: {
    /** Undefined: the answer is text. */
    compiled: CompiledAnswer<unknown> | undefined
    provider: string
    /** Output tokens that were requested. */
    maxTokens: number
  },
): Promise<AnswerOutcome> {
  const { finishReason = "", refusal, text } = completion
  const { compiled, provider, maxTokens } = options
  const failed = (error: P2Error): AnswerOutcome => ({ status: "failed", error, text })
  if (refusal !== "") return failed(new AnswerRefusedError(refusal))
  if (FILTERED.test(finishReason)) return failed(new ContentFilteredError())
  if (FAILED.test(finishReason))
    return failed(new ProviderError({ code: "provider-error", provider, providerCode: finishReason, retryable: true }))
  const isBlank = text.trim() === ""
  if (TRUNCATED.test(finishReason)) {
    const truncated = failed(new AnswerTruncatedError(maxTokens, text))
    if (compiled === undefined || isBlank) return truncated
    // The JSON object is complete if only trailing white space was cut off.
    const outcome = await parseAnswer(text, compiled)
    return outcome.status === "answered" ? outcome : truncated
  }
  if (isBlank) return failed(new AnswerEmptyError())
  return compiled === undefined ? { status: "answered", answer: text, text } : parseAnswer(text, compiled)
}

async function parseAnswer(text: string, compiled: CompiledAnswer<unknown>): Promise<AnswerOutcome> {
  let result = await compiled.parseAsync(text)
  if (!result.ok && result.error.reason === "json") {
    // The loosest modes, and servers that ignore the mode, may return prose or a code fence around the object.
    for (const json of findJson(text)) {
      result = await compiled.parseAsync(json)
      if (result.ok) break
    }
  }
  return result.ok
    ? { status: "answered", answer: result.answer, text }
    : { status: "failed", error: result.error, text }
}
