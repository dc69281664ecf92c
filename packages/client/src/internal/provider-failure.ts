import { ProviderError, type ProviderErrorCode } from "../client-errors"
import type { AnswerMode } from "../receipt"
import { type Completion, shortText } from "./completion"
import { ProviderReply } from "./provider-reply"
import { readRetryAfter } from "./retry-delay"
import { isRecord } from "./usage-from-wire"

/** What the OpenAI SDK's `APIError` has; read by shape, because the user's instance may come from another copy. */
interface ApiErrorShape {
  status?: unknown
  headers?: Headers | undefined
  error?: unknown
  message?: unknown
  code?: unknown
  type?: unknown
  requestID?: unknown
}

/** The provider's answer with a status that is no success; undefined when the error is none of a status. */
export function statusError(error: unknown, provider: string, now: number): ProviderError | undefined {
  const shape = error as ApiErrorShape | null
  if (typeof shape?.status !== "number") return undefined
  const { status, headers } = shape
  return saidError(codeOf(status), provider, status, shape, {
    retryAfterMs: readRetryAfter(typeof headers?.get === "function" ? headers : undefined, now),
    providerRequestId: shortText(shape.requestID),
  })
}

/** An error with the provider's code, and with its words where only who asks for them finds them. */
function saidError(
  code: ProviderErrorCode,
  provider: string,
  status: number | undefined,
  said: ApiErrorShape,
  more: { retryAfterMs?: number | undefined; providerRequestId?: string | undefined } = {},
): ProviderError {
  const [word, type] = [wordOf(said.code), wordOf(said.type)]
  const providerMessage = typeof said.message === "string" ? said.message : undefined
  const { providerRequestId: requestID } = more
  const { error = said, headers } = said
  return new ProviderError({
    code,
    provider,
    status,
    providerCode: word ?? type,
    ...more,
    retryable: status === undefined || isRetryable(status),
    cause: new ProviderReply({ status, code: word, type, requestID, providerMessage, error, headers }),
  })
}

/** An error inside a 200, or a 200 that is no chat completion. */
export function insideError(completion: Completion, provider: string): ProviderError | undefined {
  const { error } = completion
  if (error !== undefined)
    return saidError("provider-error", provider, numeric(error.code) ?? numeric(error.status), error)
  if (!completion.malformed || completion.text !== "") return undefined
  return new ProviderError({
    code: "provider-error",
    provider,
    status: 200,
    providerCode: "not-a-completion",
    // A web page is the answer of another server than the one that was meant.
    retryable: !completion.webPage,
  })
}

/** Statuses that a provider answers before it generates anything. Every other may have been billed. */
const FREE_STATUSES: readonly number[] = [400, 401, 402, 403, 404, 413, 422, 429]

/**
 * Whether an answer with a status proves that nothing is billed. A prompt that a filter stops, or that is too long, may
 * be billed by Azure all the same: https://github.com/MicrosoftDocs/azure-docs/commit/b996ab3
 */
export function isFree({ status, providerCode, provider }: ProviderError): boolean {
  const billed = providerCode === FILTERED || (provider === "azure" && providerCode === "context_length_exceeded")
  return FREE_STATUSES.includes(status!) && !billed
}

/** The code of a prompt that a filter stopped. */
export const FILTERED = "content_filter"

/**
 * What a model said that Groq checked and refused to hand on, with status 400:
 * https://github.com/build-with-groq/g1/pull/23. Undefined where nothing was generated.
 */
export function failedGeneration({ cause }: ProviderError): string | undefined {
  const { error } = cause as ProviderReply
  const said = isRecord(error) ? error.failed_generation : undefined
  return typeof said === "string" ? said : undefined
}

/** Statuses that have a code of their own. */
const CODES: Record<number, ProviderErrorCode | undefined> = {
  401: "provider-auth",
  402: "provider-payment",
  403: "provider-auth",
  404: "provider-not-found",
  408: "provider-timeout",
  429: "provider-rate-limit",
}

function codeOf(status: number): ProviderErrorCode {
  return CODES[status] ?? (status >= 500 ? "provider-unavailable" : "provider-bad-request")
}

function isRetryable(status: number): boolean {
  return [408, 409, 425, 429].includes(status) || status >= 500
}

/** Whether a refusal is about the way the answer was asked for, so that the next mode may do. */
export function refusesMode(error: ProviderError, mode: AnswerMode): boolean {
  if (mode === "text" || mode === "prompt" || ![400, 404, 405, 415, 422, 501].includes(error.status!)) return false
  return /response_format|json.(object|mode)|structured|schema|tool|function|requested parameters/i.test(saidIn(error))
}

/** The provider's words: to look for patterns only, never to be shown. */
function saidIn({ cause }: ProviderError): string {
  const { providerMessage, code, error } = cause as ProviderReply
  return [providerMessage, code, isRecord(error) ? error.param : ""].join(" ").slice(0, 4_000)
}

/** A provider's code as an error message may show it: a word, not a sentence. */
function wordOf(value: unknown): string | undefined {
  if (typeof value === "number") return String(value)
  return typeof value === "string" && /^[\w.-]{1,64}$/.test(value) ? value : undefined
}

function numeric(value: unknown): number | undefined {
  const number = Number(value)
  return Number.isInteger(number) && number >= 100 && number < 600 ? number : undefined
}
