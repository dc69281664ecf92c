import type { ChatCompletion } from "@p2/guard/protocols"
import { ProviderError, type ProviderErrorCode } from "../errors"
import { isRecord, shortString } from "./json"

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

interface ProviderReplyFields {
  status: number | undefined
  code: string | undefined
  type: string | undefined
  requestID: string | undefined
  providerMessage: string | undefined
  error: unknown
  headers: unknown
}

const ENUMERABLE = /^(status|code|type|requestID)$/

/**
 * The `cause` of a `ProviderError`. Providers quote keys and prompts in their messages, error objects and headers, so
 * `providerMessage`, `error` and `headers` are not enumerable and no log shows them.
 */
export class ProviderReply extends Error {
  declare readonly status: number | undefined
  declare readonly code: string | undefined
  declare readonly type: string | undefined
  declare readonly requestID: string | undefined
  declare readonly providerMessage: string | undefined
  declare readonly error: unknown
  declare readonly headers: unknown

  constructor(fields: ProviderReplyFields) {
    super("See `providerMessage` and `error`.")
    for (const [key, value] of Object.entries({ name: "ProviderReply", ...fields }))
      Object.defineProperty(this, key, { value, enumerable: value !== undefined && ENUMERABLE.test(key) })
  }
}

/** The error for a response with an error status; undefined when `error` has no status. */
export function statusError(error: unknown, provider: string, now: number): ProviderError | undefined {
  const shape = error as ApiErrorShape | null
  if (typeof shape?.status !== "number") return undefined
  const { status, headers } = shape
  return providerError(codeOfStatus(status), provider, status, shape, {
    retryAfterMs: parseRetryAfter(typeof headers?.get === "function" ? headers : undefined, now),
    providerRequestId: shortString(shape.requestID),
  })
}

/** The error inside a status 200: an error object, a damaged stream, or a body that is not a chat completion. */
export function errorInside(completion: ChatCompletion, provider: string): ProviderError | undefined {
  const { state, error } = completion.read()
  if (state !== "broken" || error === undefined) return undefined
  const { status, code = completion.text === "" ? "not-a-completion" : "damaged-stream", message } = error
  // An HTML page comes from a server other than the intended one, so a retry would return it again.
  const retryable = !completion.isWebPage
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
    retryable?: boolean | undefined
  } = {},
): ProviderError {
  const [providerCode, type] = [identifier(shape.code), identifier(shape.type)]
  const providerMessage = typeof shape.message === "string" ? shape.message : undefined
  const { error = shape, headers } = shape
  return new ProviderError({
    code,
    provider,
    status,
    providerCode: providerCode ?? type,
    ...more,
    retryable: more.retryable !== false && (status === undefined || isRetryable(status)) && !isFinal(shape),
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

/** Whether another attempt would fail as well: the provider says so, or the account has no credit. */
function isFinal({ code, type, headers }: ApiErrorShape): boolean {
  if (typeof headers?.get === "function" && headers.get("x-should-retry") === "false") return true
  return [code, type].some((value) => OUT_OF_CREDIT.test(String(value)))
}

/** `Retry-After-Ms`, or `Retry-After` in seconds or as a date, in milliseconds from `now`. */
function parseRetryAfter(headers: Headers | undefined, now: number): number | undefined {
  const exactMs = decimal(headers?.get("retry-after-ms"))
  if (exactMs !== undefined) return exactMs
  const text = headers?.get("retry-after") ?? ""
  const seconds = decimal(text)
  if (seconds !== undefined) return Math.ceil(seconds * 1000)
  // An HTTP date starts with a weekday; `Date.parse` alone reads "-3" as a year.
  const at = /^[A-Z]/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

function decimal(text: string | null | undefined): number | undefined {
  return /^\d+(\.\d+)?$/.test(text ?? "") ? Number(text) : undefined
}

/** A provider's code that is safe to show: one word, not a sentence. */
function identifier(value: unknown): string | undefined {
  if (typeof value === "number") return String(value)
  return typeof value === "string" && /^[\w.-]{1,64}$/.test(value) ? value : undefined
}
