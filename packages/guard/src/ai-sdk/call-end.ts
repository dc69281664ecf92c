import { isRecord, parseJson } from "@p2/core"
import type { AttemptEnd } from "../fetch/settle-call"
import type { Meter, MeterReading } from "../protocols/meter"
import { isSdkError } from "./specification"

/** How a model call ended, without its start time. */
export type CallEnd = Omit<AttemptEnd, "startedAt">

/** The end of a call whose model returned a result. A provider without HTTP has no status; a result stands for 200. */
export function endOfResult(meter: Pick<Meter, "read">): CallEnd {
  return { sent: "maybe-sent", httpStatus: 200, endedBy: undefined, errorCode: undefined, meter }
}

/** Errors that the AI SDK and its providers throw before they send anything. */
const BEFORE_SENDING = [
  "AI_LoadAPIKeyError",
  "AI_LoadSettingError",
  "AI_InvalidPromptError",
  "AI_NoSuchModelError",
  "AI_TooManyEmbeddingValuesForCallError",
  "AI_UnsupportedFunctionalityError",
]

/**
 * The end of a call whose model threw. Only an error that providers throw before they send proves that nothing was sent.
 *
 * @param isOneRequest false: the model may have sent several requests, so that the status of the last one says nothing
 */
export function endOfError(
  error: unknown,
  signal: AbortSignal | undefined,
  { isOneRequest }: { isOneRequest: boolean },
): CallEnd {
  if (BEFORE_SENDING.some((name) => isSdkError(error, name)))
    return { sent: "not-sent", httpStatus: undefined, endedBy: undefined, errorCode: "not-sent", meter: undefined }
  const httpStatus = isOneRequest ? statusOf(error) : undefined
  const meter = httpStatus === undefined ? undefined : { read: () => readError(error, httpStatus) }
  return { sent: "maybe-sent", httpStatus, endedBy: whoEnded(signal), errorCode: "call-failed", meter }
}

/** Who ended a call, if its signal fired. */
export function whoEnded(signal: AbortSignal | undefined): "caller" | "deadline" | undefined {
  if (!signal?.aborted) return undefined
  return (signal.reason as Error | undefined)?.name === "TimeoutError" ? "deadline" : "caller"
}

/** The status in an error from the AI SDK or AWS. */
function statusOf(error: unknown): number | undefined {
  if (!isRecord(error)) return undefined
  const isSdk = isSdkError(error, "AI_APICallError") || isSdkError(error, "AI_GatewayError")
  const metadata = error.$metadata
  const status = isSdk ? error.statusCode : isRecord(metadata) ? metadata.httpStatusCode : undefined
  return Number.isSafeInteger(status) && (status as number) >= 100 && (status as number) <= 599
    ? (status as number)
    : undefined
}

const USAGE_FIELD = /"(usage|usageMetadata|usage_metadata)"\s*:\s*\{/

/** What an error proves about its call. Usage inside the error may be billed, although its form is unknown. */
function readError(error: unknown, status: number): MeterReading {
  const { data, responseBody } = error as { data?: unknown; responseBody?: unknown }
  const body = typeof responseBody === "string" ? responseBody : ""
  const details = isRecord(data) ? data : parseJson(body)
  const inner = isRecord(details) && isRecord(details.error) ? details.error : {}
  return {
    state: "broken",
    usage: undefined,
    usageLowerBound: undefined,
    receivedOutputTokens: USAGE_FIELD.test(body) ? 1 : 0,
    model: undefined,
    serviceTier: undefined,
    generationId: undefined,
    error: { status, code: typeof inner.code === "string" ? inner.code : undefined, message: undefined },
  }
}
