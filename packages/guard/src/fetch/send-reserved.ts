import { isRecord } from "@p2/core"
import type { Meter } from "../protocols/meter"
import type { PricedCall, ProviderCall } from "../protocols/protocol"
import { EventObserver } from "../transport/event-observer"
import { FileObserver } from "../transport/file-observer"
import { type BodyEnd, type BodyObserver, readAhead, withBody } from "../transport/read-ahead"
import { isEventStream } from "../transport/read-body"
import { SecondRequestError, watchSend } from "../transport/send-watch"
import { continueInBackground } from "./background"
import type { Guard } from "./guard-options"
import type { CallChanges } from "./read-call"
import { meterWhole, readWhole, responseOf } from "./read-response"
import type { ReservedCall } from "./reserve-call"
import { type AttemptEnd, settleCall } from "./settle-call"
import { redirectResponse } from "./synthetic-response"

/** A call that was sent: how to abort it, and how to settle it. */
interface SentCall {
  described: PricedCall
  controller: AbortController
  /** Stops following the caller's signal. */
  unlink(): void
  settle(end: Pick<AttemptEnd, "meter" | "endedBy" | "errorCode">): Promise<void>
  /** Who ended the call, if its signal fired. */
  endedBy(): "caller" | "deadline" | undefined
}

/**
 * Sends a reserved call and settles it: before the response is returned, or for a stream before its reader sees the end.
 * @throws what the inner fetch throws, after the reservation was settled or released
 */
export async function sendReserved(guard: Guard, call: ReservedCall): Promise<Response> {
  const startedAt = performance.now()
  const { read, described } = call
  const { controller, unlink } = followSignal(read.signal)
  const endedBy = () => whoEnded(read.signal, call.headers, performance.now() - startedAt)
  const headers = new Headers(call.headers)
  const watch = watchSend({ headers, onSecondRequest: () => controller.abort(new SecondRequestError()) })
  let response: Response
  try {
    response = await guard.fetch(...read.argumentsFor(changesOf(call, headers, controller.signal)))
  } catch (error) {
    unlink()
    const sent = watch.proof(error)
    const errorCode = sent === "not-sent" ? "connection-failed" : "connection-lost"
    const end = { sent, httpStatus: watch.hiddenStatus, endedBy: endedBy(), errorCode, meter: undefined, startedAt }
    await settleCall(guard, call, end)
    if (watch.hiddenStatus !== undefined && REDIRECTS.has(watch.hiddenStatus))
      return redirectResponse(read.call, watch.hiddenStatus)
    throw error
  } finally {
    watch.end()
  }
  const arrived = { sent: "maybe-sent", httpStatus: response.status, startedAt } as const
  const settle: SentCall["settle"] = async (end) => {
    const { state, usage, continues: continued } = end.meter?.read() ?? {}
    if (response.ok && state === "complete" && usage !== undefined) call.onInputReported(usage.usage.inputTokens)
    if (continued === undefined) return settleCall(guard, call, { ...arrived, ...end })
    const { status } = await continueInBackground(guard, call, continued)
    if (status === "continued") return
    // Another call has this response id, so no poll can settle this call. It is charged regardless of `charge`.
    await settleCall({ ...guard, charge: {} }, call, { ...arrived, ...end, errorCode: "response-repeated" })
  }
  const sent = { described, controller, unlink, settle, endedBy }
  const upstream = response.body
  if (upstream === null || !response.ok) return whole(response, sent)
  if (isEventStream(response.headers, described)) {
    const hidesUsage = !requestsUsage(read.call.body)
    return passedOn(guard, response, upstream, {
      ...sent,
      observerOf: (meter) => new EventObserver(meter, { hidesUsage }),
    })
  }
  const isFile = described.answersWithFile === true && !/json|html/i.test(response.headers.get("content-type") ?? "")
  return isFile
    ? passedOn(guard, response, upstream, { ...sent, observerOf: (meter) => new FileObserver(meter) })
    : whole(response, sent)
}

/** Reads the whole body, settles, and returns it. */
async function whole(response: Response, { described, unlink, settle, endedBy }: SentCall): Promise<Response> {
  const meter = described.createMeter()
  const body = await readWhole(response.body)
  unlink()
  meterWhole(meter, body)
  const isBroken = body.status === "broken"
  await settle({
    meter,
    endedBy: isBroken ? endedBy() : undefined,
    errorCode: isBroken ? "connection-lost" : undefined,
  })
  return responseOf(response, body)
}

/** Returns the body while it is read, and settles when it ends. */
function passedOn(
  guard: Guard,
  response: Response,
  upstream: ReadableStream<Uint8Array>,
  call: SentCall & { observerOf(meter: Meter): BodyObserver },
): Response {
  const { described, controller, unlink, settle, endedBy } = call
  const meter = described.createMeter()
  const onEnd = async (end: BodyEnd) => {
    unlink()
    if (end.status !== "ended") controller.abort()
    await settle({
      meter,
      ...ERRORS[end.status],
      ...(end.status === "cancelled" && { endedBy: endedBy() ?? "caller" }),
    })
  }
  const { signal } = controller
  const observer = call.observerOf(meter)
  const { bodyIdleMs, maxBytesAhead } = guard
  return withBody(response, readAhead(upstream, { observer, bodyIdleMs, maxBytesAhead, signal, onEnd }).body)
}

/** Whether the caller requested the usage of a stream, which the guard requests in any case. */
function requestsUsage(body: ProviderCall["body"]): boolean {
  const options = body.kind === "json" ? body.value.stream_options : undefined
  return isRecord(options) && options.include_usage === true
}

/** With `redirect: "error"`, fetch throws for these without a reason in its message. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** An unread body counts as ended by its caller. */
const ERRORS = {
  ended: { errorCode: undefined, endedBy: undefined },
  cancelled: { errorCode: "aborted", endedBy: "caller" },
  idle: { errorCode: "body-idle", endedBy: "caller" },
  failed: { errorCode: "connection-lost", endedBy: undefined },
} as const

/** What is changed in the call: never retried, never redirected, and readable by the meter. */
function changesOf({ read, described, plan }: ReservedCall, headers: Headers, signal: AbortSignal): CallChanges {
  const { maxOutputTokens, bound } = plan
  // Not every fetch decodes the encodings that the caller accepts.
  headers.set("accept-encoding", "identity")
  headers.delete("content-length")
  const changes = { headers, signal, redirect: redirectMode() }
  if (read.call.body.kind !== "json") return changes
  const body = described.bodyToSend({
    maxOutputTokens: maxOutputTokens === described.maxOutputTokens ? undefined : maxOutputTokens,
    maxPrice: bound.maxPrice,
  })
  return { ...changes, body: JSON.stringify(body) }
}

let knownRedirectMode: "error" | "manual" | undefined

/** A redirect would send the call a second time, to another host. Cloudflare Workers return it, because they know no `error`. */
function redirectMode(): "error" | "manual" {
  try {
    knownRedirectMode ??= new Request("http://localhost", { redirect: "error" }).redirect as "error"
  } catch {
    knownRedirectMode = "manual"
  }
  return knownRedirectMode
}

/** A controller that is aborted with the caller's signal. */
function followSignal(signal: AbortSignal | undefined): { controller: AbortController; unlink(): void } {
  const controller = new AbortController()
  const onAbort = () => controller.abort(signal?.reason)
  signal?.addEventListener("abort", onAbort, { once: true })
  return { controller, unlink: () => signal?.removeEventListener("abort", onAbort) }
}

/**
 * Who fired the signal. OpenAI's and Anthropic's SDKs abort at their deadline as a caller does, but state the deadline
 * in a header, in seconds.
 */
function whoEnded(
  signal: AbortSignal | undefined,
  headers: Headers,
  afterMs: number,
): "caller" | "deadline" | undefined {
  if (!signal?.aborted) return undefined
  const timeoutMs = Number(headers.get("x-stainless-timeout") ?? Infinity) * 1000
  return (signal.reason as Error | undefined)?.name === "TimeoutError" || afterMs >= timeoutMs ? "deadline" : "caller"
}
