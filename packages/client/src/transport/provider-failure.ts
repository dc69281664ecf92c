import { isRecord } from "@p2/core"
import type { ChatCompletion, MeterReading } from "@p2/guard/protocols"
import { ProviderReply, readRetryHints, shownIdentifier } from "@p2/guard/transport"
import { ProviderError, type ProviderErrorCode } from "../errors"
import type { AnswerMode } from "../receipt"

/** Fields of the OpenAI SDK's `APIError`. Read by shape, because the user's instance may come from another copy. */
interface ApiErrorShape {
  status?: unknown
  headers?: Headers | undefined
  error?: unknown
  message?: unknown
  code?: unknown
  type?: unknown
  requestID?: unknown
}

/** The error for a response with an error status; undefined when `error` has no status. */
export function statusError(error: unknown, provider: string, now: number): ProviderError | undefined {
  const shape = error as ApiErrorShape | null
  if (typeof shape?.status !== "number") return undefined
  const { status, headers } = shape
  const hints = readRetryHints(typeof headers?.get === "function" ? headers : undefined, shape.error, now)
  return providerError(codeOfStatus(status), provider, status, shape, {
    retryAfterMs: hints.retryAfterMs,
    retryable: hints.shouldRetry,
    providerRequestId: shortString(shape.requestID),
  })
}

/** The error inside a status 200: an error object, a damaged stream, or a body that is not a chat completion. */
export function errorInside(
  completion: ChatCompletion,
  { state, error }: MeterReading,
  provider: string,
): ProviderError | undefined {
  if (state !== "broken" || error === undefined) return undefined
  const { status, code = completion.text === "" ? "not-a-completion" : "damaged-stream", message } = error
  // An HTML page comes from a server other than the intended one, so a retry would return it again.
  const retryable = completion.isWebPage ? false : undefined
  return providerError(
    "provider-error",
    provider,
    status,
    { code, message, error: completion.errorBody },
    { retryable },
  )
}

/** Shows the provider's code; its message, which may quote the request, is kept in `cause` only. */
function providerError(
  code: ProviderErrorCode,
  provider: string,
  status: number | undefined,
  shape: ApiErrorShape,
  more: {
    retryAfterMs?: number | undefined
    providerRequestId?: string | undefined
    /** Undefined: the status decides. */
    retryable?: boolean | undefined
  },
): ProviderError {
  const [providerCode, type] = [shownIdentifier(shape.code), shownIdentifier(shape.type)]
  const providerMessage = typeof shape.message === "string" ? shape.message : undefined
  const { error = shape, headers } = shape
  const { retryable = status === undefined || isRetryable(status) } = more
  return new ProviderError({
    code,
    provider,
    status,
    providerCode: providerCode ?? type,
    ...more,
    retryable: retryable && !isOutOfCredit(shape),
    cause: new ProviderReply({
      status,
      code: providerCode,
      type,
      requestID: more.providerRequestId,
      providerMessage,
      error,
      headers,
    }),
  })
}

/** A short string from a provider: not empty, truncated to 200 characters. */
export function shortString(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value.slice(0, 200) : undefined
}

/** The provider's code for a prompt that its filter stopped. */
export const CONTENT_FILTER = "content_filter"

/**
 * The answer that Groq generated, validated, and withheld with status 400: https://github.com/build-with-groq/g1/pull/23.
 * Undefined when nothing was generated.
 */
export function failedGeneration({ cause }: ProviderError): string | undefined {
  const { error } = cause as ProviderReply
  const generation = isRecord(error) ? error.failed_generation : undefined
  return typeof generation === "string" ? generation : undefined
}

const STATUS_CODES: Record<number, ProviderErrorCode | undefined> = {
  401: "provider-auth",
  402: "provider-payment",
  403: "provider-auth",
  404: "provider-not-found",
  408: "provider-timeout",
  429: "provider-rate-limit",
}

function codeOfStatus(status: number): ProviderErrorCode {
  return STATUS_CODES[status] ?? (status >= 500 ? "provider-unavailable" : "provider-bad-request")
}

function isRetryable(status: number): boolean {
  return [408, 409, 425, 429].includes(status) || status >= 500
}

/**
 * Codes of an account without credit, which some providers send with status 429: OpenAI, Moonshot
 * (https://platform.moonshot.ai/docs/api/chat), Zhipu (https://docs.z.ai/api-reference/api-code), MiniMax.
 */
const OUT_OF_CREDIT =
  /^(insufficient_quota|insufficient_user_quota|insufficient_balance|billing_\w+|exceeded_current_quota_error|1113|1008)$/

function isOutOfCredit({ code, type }: ApiErrorShape): boolean {
  return [code, type].some((value) => OUT_OF_CREDIT.test(String(value)))
}

/** Statuses with which servers reject a field that they do not know. */
const REJECTING_STATUSES: readonly number[] = [400, 404, 405, 415, 422, 501]

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
  if (mode === "text" || mode === "prompt" || !REJECTING_STATUSES.includes(error.status!)) return false
  const { param, code, message } = wordsOf(error)
  if (param !== "") return MODE_FIELD.test(param)
  if (OTHER_CODES.test(code)) return false
  if (MODE_FIELD.test(code) || /json_schema|response_format|tool_choice/.test(code)) return true
  return !OTHER_MESSAGES.test(message) && MODE_MESSAGES.test(message)
}

/** Whether the server does not know `stream_options`, as Azure's older API versions do not. */
export function rejectsStreamOptions(error: ProviderError): boolean {
  if (!REJECTING_STATUSES.includes(error.status!)) return false
  const { param, message } = wordsOf(error)
  return param === "" ? /stream_options|include_usage/.test(message) : /^stream_options/.test(param)
}

/** The provider's words, searched for patterns only and never shown. */
function wordsOf(error: ProviderError): { param: string; code: string; message: string } {
  const { providerMessage, code, error: body } = error.cause as ProviderReply
  const param = isRecord(body) && typeof body.param === "string" ? body.param : ""
  return { param, code: code ?? "", message: (providerMessage ?? "").slice(0, 4_000) }
}
