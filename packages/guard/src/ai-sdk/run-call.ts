import type { Subject } from "@p2/budget"
import { chargeOf, reservedCost } from "../fetch/plan-call"
import { type ReservedBound, reserveCall } from "../fetch/reserve-call"
import { takeSubject } from "../fetch/scope/call-subject"
import { reportAttempt, settleCall } from "../fetch/settle-call"
import type { Meter } from "../protocols/meter"
import type { Rejection } from "../protocols/protocol"
import { sendCounted } from "../transport/counted-call"
import { type CallEnd, endOfError, endOfResult, whoEnded } from "./call-end"
import { CallRejectedError } from "./call-rejected-error"
import { type DescribedModelCall, definedHeaders } from "./describe-language"
import type { ModelGuard } from "./middleware-options"
import type { SpecifiedCall, SpecifiedModel, StreamResult } from "./specification"
import { LanguageMeter } from "./usage/model-meter"
import type { UsageContext } from "./usage/usage-readings"
import { watchStream } from "./watched-stream"

/** One model call: how to describe it, send it with changed options, and read its result. */
export interface ModelCall<Params extends SpecifiedCall, Result> {
  model: SpecifiedModel
  params: Params
  describe(model: SpecifiedModel, params: Params, guard: ModelGuard): DescribedModelCall | Rejection
  send(params: Params): PromiseLike<Result>
  /** False: the model may send several requests for one call. @defaultValue true */
  isOneRequest?: boolean
}

/** A call whose upper bound is reserved. */
interface ReservedModelCall<Params> {
  described: DescribedModelCall
  reserved: ReservedBound
  /** The options to send. */
  params: Params
  signal: AbortSignal | undefined
  startedAt: number
}

/** Runs a call whose result arrives as a whole, and settles it before the result is returned. */
export async function runCall<Params extends SpecifiedCall, Result>(
  guard: ModelGuard,
  call: ModelCall<Params, Result>,
  meterOf: (result: Result, context: UsageContext) => Pick<Meter, "read">,
): Promise<Result> {
  const reserved = await reserve(guard, call)
  const result = await send(guard, call, reserved)
  await settle(guard, reserved, endOfResult(meterOf(result, contextOf(guard, reserved))))
  return result
}

/** Runs a call whose result is a stream, and settles it before the reader of the stream sees its end. */
export async function runStream<Params extends SpecifiedCall, Part, Result extends StreamResult<Part>>(
  guard: ModelGuard,
  call: ModelCall<Params, Result>,
): Promise<Result> {
  const reserved = await reserve(guard, call)
  const result = await send(guard, call, reserved)
  const { signal } = reserved
  const meter = new LanguageMeter(contextOf(guard, reserved))
  const stream = watchStream(result.stream, {
    meter,
    signal,
    idleMs: guard.bodyIdleMs,
    onEnd: (how) => {
      const end = endOfResult(meter)
      if (how === "finished") return settle(guard, reserved, end)
      const endedBy = how === "failed" ? whoEnded(signal) : (whoEnded(signal) ?? "caller")
      return settle(guard, reserved, { ...end, endedBy, errorCode: how === "failed" ? "stream-failed" : how })
    },
  })
  return { ...result, stream }
}

/** @throws the denial, the open circuit, or why the call has no upper bound: nothing was sent */
async function reserve<Params extends SpecifiedCall>(
  guard: ModelGuard,
  { model, params: given, describe }: ModelCall<Params, unknown>,
): Promise<ReservedModelCall<Params>> {
  const signal = given.abortSignal
  if (signal?.aborted) throw signal.reason
  const { subject, params } = withoutSubject(given)
  const described = describe(model, params, guard)
  if (described.status === "rejected") throw new CallRejectedError(model.modelId, described)
  const outcome = await reserveCall(guard, { described, subject, signal, attempt: 1 }).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : error
  })
  if (outcome.status === "denied") reportAttempt(guard, described, { status: "denied", limits: outcome.error.all })
  if (outcome.status !== "reserved") throw outcome.error
  const { reserved } = outcome
  const sent = withChanges(params, described, reserved.plan.maxOutputTokens)
  return { described, reserved, params: sent, signal, startedAt: performance.now() }
}

async function send<Params extends SpecifiedCall, Result>(
  guard: ModelGuard,
  { send: sendParams, isOneRequest = true }: ModelCall<Params, Result>,
  reserved: ReservedModelCall<Params>,
): Promise<Result> {
  const { params, signal } = reserved
  try {
    return await untilAborted(async () => sendCounted(() => sendParams(params)), signal)
  } catch (error) {
    await settle(guard, reserved, endOfError(error, signal, { isOneRequest }))
    throw error
  }
}

function settle(
  guard: ModelGuard,
  { described, reserved, startedAt }: ReservedModelCall<unknown>,
  end: CallEnd,
): Promise<void> {
  return settleCall(guard, { described, plan: reserved.plan, attempt: reserved.attempt }, { ...end, startedAt })
}

/** The subject in the headers of a call, and the call without it: providers never see it. */
function withoutSubject<Params extends SpecifiedCall>(
  params: Params,
): { subject: Subject | undefined; params: Params } {
  const { subject, headers } = takeSubject(new Headers(definedHeaders(params.headers)))
  if (subject === undefined) return { subject, params }
  return { subject, params: { ...params, headers: Object.fromEntries(headers) } }
}

/** The options to send: with the planned output limit, and the service tier of the middleware. */
function withChanges<Params extends SpecifiedCall>(
  params: Params,
  { limitToSend, tierToSend }: DescribedModelCall,
  planned: number | undefined,
): Params {
  const maxOutputTokens = limitToSend(planned)
  const options = (params.providerOptions ?? {}) as Record<string, object>
  return {
    ...params,
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(tierToSend !== undefined && {
      providerOptions: { ...options, openai: { ...options.openai, serviceTier: tierToSend } },
    }),
  }
}

/** The prices of a call. Without a reported service tier, the most expensive one that may apply. */
function contextOf(guard: ModelGuard, { described, reserved }: ReservedModelCall<unknown>): UsageContext {
  const { priceKey, boundOptions } = described
  const { prices } = guard
  const cost = reservedCost(described, reserved.plan, guard)
  return {
    described,
    costOf: (reported, serviceTier) => cost.costOf(reported, serviceTier)?.costNanoUsd,
    dearestTier: (reported) => {
      if (boundOptions.serviceTier !== undefined || reported.usage.serviceTier !== undefined) return undefined
      const tiers = prices.priceOf(priceKey).serviceTiers
      const { region } = boundOptions
      const costs = tiers.map((serviceTier) => {
        const charge = chargeOf(prices, priceKey, reported, { serviceTier, region })
        return { serviceTier, nanoUsd: charge?.costNanoUsd ?? -1 }
      })
      return costs.reduce((highest, each) => (each.nanoUsd > highest.nanoUsd ? each : highest)).serviceTier
    },
  }
}

/** Rejects with the reason of the signal when it fires, even if the model ignores it. */
async function untilAborted<Result>(work: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return work()
  const working = work()
  let onAbort = () => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener("abort", onAbort, { once: true })
  })
  // The loser of the race may reject later.
  working.catch(() => {})
  try {
    return await Promise.race([working, aborted])
  } finally {
    signal.removeEventListener("abort", onAbort)
  }
}
