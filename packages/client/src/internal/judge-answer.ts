import { type CompiledAnswer, extractJson, type P2Error } from "@p2/core"
import {
  AnswerEmptyError,
  AnswerRefusedError,
  AnswerTruncatedError,
  ContentFilteredError,
  ProviderError,
} from "../client-errors"
import type { Attempt } from "./attempt"
import type { Completion } from "./completion"

/**
 * Why an answer may have ended early, in whichever words. Gemini's endpoint passes its own names on
 * (https://github.com/HKUDS/Vibe-Trading/pull/308), Mistral ends with `model_length`
 * (https://docs.rs/crate/mistral-openapi-client), DeepSeek with `insufficient_system_resource`
 * (https://docs.rs/crate/ds-api), vLLM with `abort`.
 */
const FILTERED = /^(content_filter|safety|recitation|blocklist|prohibited|spii)/i
const CUT = /^(length|max_tokens|model_length)$/i
const BROKEN = /^(error|insufficient_system_resource|abort)$/i

export type Judgement = { ok: true; answer: unknown } | { ok: false; error: P2Error }

/** Whether what arrived is the answer that was asked for: a promise where the schema has to be asked. Never rejects. */
export function judgeAnswer({ ask, plan }: Attempt, completion: Completion): Judgement | Promise<Judgement> {
  const { compiled, route } = ask
  const { finishReason = "", refusal, text } = completion
  if (refusal !== "") return wrong(new AnswerRefusedError(refusal))
  if (FILTERED.test(finishReason)) return wrong(new ContentFilteredError())
  if (BROKEN.test(finishReason))
    return wrong(
      new ProviderError({
        code: "provider-error",
        provider: route.provider.name,
        providerCode: finishReason,
        retryable: true,
      }),
    )
  const blank = text.trim() === ""
  if (CUT.test(finishReason)) {
    const cut = wrong(new AnswerTruncatedError(plan.maxTokens, text))
    if (compiled === undefined || blank) return cut
    // An object that is whole all the same (white space was cut) is an answer.
    return parse(text, compiled).then((whole) => (whole.ok ? whole : cut))
  }
  if (blank) return wrong(new AnswerEmptyError())
  if (compiled === undefined) return { ok: true, answer: text }
  return parse(text, compiled)
}

/** No answer, for a reason. */
export function wrong(error: P2Error): { ok: false; error: P2Error } {
  return { ok: false, error }
}

async function parse(text: string, compiled: CompiledAnswer<unknown>): Promise<Judgement> {
  const direct = await compiled.parseAsync(text)
  if (direct.ok || direct.error.reason !== "json") return direct
  // Prose or a fence around the object: on the ladder's last rungs, and from servers that ignore the mode.
  const inside = extractJson(text)
  return inside === undefined || inside === text ? direct : compiled.parseAsync(inside)
}
