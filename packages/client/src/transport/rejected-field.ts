import { isRecord } from "@p2/core"
import type { ProviderReply } from "@p2/guard/transport"
import type { ProviderError } from "../errors"
import type { AnswerMode } from "../receipt"

/** Statuses with which servers reject a field that they do not know. */
const STATUSES: readonly number[] = [400, 404, 405, 415, 422, 501]

/** Fields that request structured output. */
const MODE_FIELD =
  /^(response_format|output_(config|format)|tools?\b|tool_choice|functions?\b|function_call|json_schema|guided_json|format)/i

/** Codes of errors with other causes, regardless of their messages. */
const OTHER_CODES =
  /context|length|too_(long|large|many)|not_found|notfound|image|audio|file|url|api_key|auth|permission|quota|billing|balance|rate|content_(filter|policy)|prompt|safety|max_tokens|deployment/i

/** Messages about other causes, which may mention functions or schemas in passing. */
const OTHER_MESSAGES =
  /context (length|window|size)|maximum (context|input|number of tokens)|too many tokens|input (is )?too long|max_(completion_)?tokens|image|(model|deployment)\b.{0,200}(does not exist|not found|not available)|api key|quota|credit|balance/i

const MODE_MESSAGES =
  /response_?format|output_?(config|format)|json.?(object|mode|schema)|structured|schema|tool|function|requested parameters/i

/**
 * Whether the server rejected the structured output mode of the request, so that the next mode may work. `param` decides,
 * then `code`, and the message only if neither is conclusive.
 */
export function rejectsMode(error: ProviderError, mode: AnswerMode): boolean {
  if (mode === "text" || mode === "prompt" || !STATUSES.includes(error.status!)) return false
  const { param, code, message } = wordsOf(error)
  if (param !== "") return MODE_FIELD.test(param)
  if (OTHER_CODES.test(code)) return false
  if (MODE_FIELD.test(code) || /json_schema|response_format|tool_choice/.test(code)) return true
  return !OTHER_MESSAGES.test(message) && MODE_MESSAGES.test(message)
}

/** Whether the server does not know `stream_options`, as Azure's older API versions do not. */
export function rejectsStreamOptions(error: ProviderError): boolean {
  if (!STATUSES.includes(error.status!)) return false
  const { param, message } = wordsOf(error)
  return param === "" ? /stream_options|include_usage/.test(message) : /^stream_options/.test(param)
}

/** The provider's words, searched for patterns only and never shown. */
function wordsOf(error: ProviderError): { param: string; code: string; message: string } {
  const { providerMessage, code, error: body } = error.cause as ProviderReply
  const param = isRecord(body) && typeof body.param === "string" ? body.param : ""
  return { param, code: code ?? "", message: (providerMessage ?? "").slice(0, 4_000) }
}
