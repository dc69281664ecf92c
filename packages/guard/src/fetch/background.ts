import { type Reservation, StoreError, type Subject } from "@p2/budget"
import type { ReservedCost } from "../charge/charge"
import { decideCharge } from "../charge/decide-charge"
import { settleAttempt } from "../charge/reserve-attempt"
import type { MeterReading } from "../protocols/meter"
import type { ResumedCall } from "../protocols/protocol"
import { EventObserver } from "../transport/event-observer"
import { readAhead, withBody } from "../transport/read-ahead"
import { isEventStream } from "../transport/read-body"
import type { Guard } from "./guard-options"
import { chargeOf } from "./plan-call"
import type { ReadCall } from "./read-call"
import { meterWhole, readWhole, responseOf } from "./read-response"
import type { ReservedCall } from "./reserve-call"
import { countsOf, reportAttempt } from "./settle-call"
import { settleResumed, startedReservations } from "./settle-resumed"

/** How long a background response stays reserved without a poll that settles it. Then its upper bound is charged. */
const BACKGROUND_LEASE_MS = 24 * 3_600_000

/**
 * Reserves the bound of a background response under a key derived from its response id, so that a poll in any process
 * can settle it, and releases the reservation of the call that started it. If the budget does not cover both at the
 * same time, the original reservation is kept: then only a poll in this process can settle it, and its lease ends as
 * usual.
 *
 * @returns `repeated`: another call has this response id. Nothing changed: the reservation of this call is to be settled.
 */
export async function continueInBackground(
  guard: Guard,
  call: ReservedCall,
  { idempotencyKey, leaseMs = BACKGROUND_LEASE_MS }: NonNullable<MeterReading["continues"]>,
): Promise<{ status: "continued" | "repeated" }> {
  const { attempt, described, plan } = call
  const first = attempt.reservation
  if (startedReservations.has(idempotencyKey)) return { status: "repeated" }
  const second = await reserveResponse(call, { idempotencyKey, leaseMs })
  if (second === "repeated") return { status: "repeated" }
  startedReservations.set(idempotencyKey, second ?? first)
  reportAttempt(guard, described, {
    status: "continued",
    reservedNanoUsd: plan.bound.nanoUsd,
    limits: first.limits,
  })
  // A release that fails leaves the first reservation to its lease.
  if (second !== undefined) await settleAttempt(attempt, RELEASED, RELEASED).catch(() => {})
  return { status: "continued" }
}

const RELEASED = { status: "released" } as const

/** Undefined: it does not fit the budget, or the store failed. `repeated`: the key is that of another call. */
async function reserveResponse(
  { attempt, budget, subject, described, plan }: ReservedCall,
  { idempotencyKey, leaseMs }: { idempotencyKey: string; leaseMs: number },
): Promise<Reservation | "repeated" | undefined> {
  const { nanoUsd, tokens } = plan.bound
  try {
    const result = await budget.reserve({
      idempotencyKey,
      subject: { ...subject, requestId: subject.requestId ?? attempt.reservation.idempotencyKey },
      amount: { nanoUsd, tokens },
      leaseMs,
      entry: { provider: described.provider },
      recordDenial: false,
    })
    if (!result.ok) return undefined
    return result.reservation.replayed ? "repeated" : result.reservation
  } catch (error) {
    // Otherwise the key exists with another amount, or is settled already.
    return StoreError.isInstance(error) ? undefined : "repeated"
  }
}

/** A poll and its caller. */
export interface BackgroundPoll {
  read: Extract<ReadCall, { status: "read" }>
  headers: Headers
  described: ResumedCall
  /** The subject in the headers of the call. */
  subject: Subject | undefined
}

/** Sends a poll of a background response. If the response has ended, settles the reservation of the call that started it. */
export async function pollBackground(guard: Guard, poll: BackgroundPoll): Promise<Response> {
  const { read, headers, described } = poll
  const startedAt = performance.now()
  const response = await guard.fetch(...read.argumentsFor({ headers }))
  const upstream = response.body
  if (!response.ok || upstream === null) return response
  const meter = described.createMeter()
  if (isEventStream(response.headers, { streamed: false })) {
    const onEnd = () => settlePolled(guard, poll, meter.read(), startedAt)
    const observer = new EventObserver(meter, { hidesUsage: false })
    return withBody(response, readAhead(upstream, { observer, bodyIdleMs: guard.bodyIdleMs, onEnd }).body)
  }
  const body = await readWhole(upstream)
  meterWhole(meter, body)
  await settlePolled(guard, poll, meter.read(), startedAt)
  return responseOf(response, body)
}

async function settlePolled(
  guard: Guard,
  { described, subject }: BackgroundPoll,
  reading: MeterReading,
  startedAt: number,
): Promise<void> {
  // A body that names no response, such as an error page of a gateway, does not show whether the response has ended.
  if (reading.generationId === undefined || reading.continues !== undefined || reading.state === "open") return
  const { idempotencyKey, provider } = described
  const { model, generationId } = reading
  const evidence = {
    provider,
    sent: "maybe-sent",
    httpStatus: 200,
    reading,
    endedBy: undefined,
    hasHostedTools: true,
  } as const
  await settleResumed(guard, { idempotencyKey, provider, subject: { ...subject, model } }, (reservation) => ({
    charge: decideCharge(evidence, reservedBy(reservation, guard, described, reading), guard.charge),
    status: reading.state === "complete" ? "succeeded" : "failed",
    ...{ model, generationId, tokens: countsOf(reading) },
    durationMs: Math.round(performance.now() - startedAt),
  }))
}

function reservedBy(
  { amount }: Reservation,
  { prices }: Guard,
  described: ResumedCall,
  { model }: MeterReading,
): ReservedCost {
  const nanoUsd = amount.nanoUsd ?? 0
  const tokens = amount.tokens ?? 0
  return {
    nanoUsd,
    tokens,
    inputTokens: tokens,
    boundOf: () => nanoUsd,
    costOf: (reported, serviceTier) =>
      model === undefined
        ? undefined
        : chargeOf(prices, described.priceKeyOf(model), reported, { serviceTier, region: described.region }),
  }
}
