import type { SettleResult } from "@p2/budget"
import { callObserver, formatUsd, type NanoUsd, USAGE_COUNTS } from "@p2/core"
import type { AttemptEvidence, Charge } from "../charge/charge"
import { decideCharge } from "../charge/decide-charge"
import { settleAttempt } from "../charge/reserve-attempt"
import type { Meter, MeterReading } from "../protocols/meter"
import type { CallTerms } from "../protocols/protocol"
import type { Guard, GuardAttempt } from "./guard-options"
import { reservedCost } from "./plan-call"
import type { ReservedBound } from "./reserve-call"

/** A reserved call: its terms, its plan and its reservation. */
interface CallToSettle extends Pick<ReservedBound, "plan" | "attempt"> {
  described: CallTerms
}

/** How an attempt ended. */
export interface AttemptEnd extends Pick<AttemptEvidence, "sent" | "httpStatus" | "endedBy"> {
  /** Undefined: a body arrived, so the meter and the status say whether the attempt succeeded. */
  errorCode: string | undefined
  /** Undefined: no body arrived. */
  meter: Pick<Meter, "read"> | undefined
  /** On the clock of `performance.now()`. */
  startedAt: number
}

/**
 * Decides the charge of an attempt and settles its reservation. Must not reject, because that would lose the answer, and needs no
 * catch for it: a settle that the store fails is `pending` and sent again, the ledger cuts the provider's strings, and no other
 * caller has the key of the reservation, so it cannot be settled with other amounts.
 */
export async function settleCall(guard: Guard, call: CallToSettle, end: AttemptEnd): Promise<void> {
  const { described, plan, attempt } = call
  const reading = end.meter?.read()
  const { sent, httpStatus, endedBy } = end
  const hasHostedTools = HOSTED_TOOLS.some((name) => (described.boundOptions[name] ?? 0) > 0)
  const evidence = { provider: described.provider, sent, httpStatus, reading, endedBy, hasHostedTools }
  const charge = decideCharge(evidence, reservedCost(described, plan, guard), guard.charge ?? {})
  const status = charge.status === "released" ? "released" : statusOf(end, reading)
  const durationMs = Math.round(performance.now() - end.startedAt)
  const settlement = await settleAttempt(attempt, charge, {
    status,
    errorCode: errorCodeOf(end, reading),
    modelUsed: reading?.model,
    generationId: reading?.generationId,
    tokens: countsOf(reading),
    durationMs,
  })
  // The status of the limits is computed when it is first read.
  if (guard.onAttempt === undefined) return
  reportAttempt(guard, described, {
    status,
    httpStatus: end.httpStatus,
    reservedNanoUsd: plan.bound.nanoUsd,
    limits: attempt.reservation.limits,
    ...chargedFields(guard, described, { charge, reservedNanoUsd: plan.bound.nanoUsd, settlement }),
    inputTokens: reading?.usage?.usage.inputTokens,
    outputTokens: reading?.usage?.usage.outputTokens,
    durationMs,
  })
}

/** The fields of a settled attempt for `onAttempt`. Warns if its model costs more than was reserved for the first time. */
export function chargedFields(
  guard: Guard,
  called: Pick<CallTerms, "provider" | "model">,
  { charge, reservedNanoUsd, settlement }: { charge: Charge; reservedNanoUsd: NanoUsd; settlement: SettleResult },
): Partial<GuardAttempt> {
  const isPending = settlement.status === "pending"
  if (charge.status === "released") return { isPending }
  const { costNanoUsd, costSource, inDoubt } = charge
  const overrunNanoUsd = Math.max(0, costNanoUsd - reservedNanoUsd)
  if (overrunNanoUsd > 0) warnOfOverrun(guard, called, costNanoUsd, reservedNanoUsd)
  return { costNanoUsd, costSource, inDoubt, overrunNanoUsd, isPending }
}

/** Once per model. Calibrated bounds are estimates, which some calls exceed. */
function warnOfOverrun(guard: Guard, called: Pick<CallTerms, "provider" | "model">, cost: NanoUsd, reserved: NanoUsd) {
  const name = `${called.provider}/${called.model}`
  if (guard.inputBound === "calibrated" || guard.overrunModels.has(name)) return
  guard.overrunModels.add(name)
  const message = `A call to ${name} cost ${formatUsd(cost)}, but its upper bound was ${formatUsd(reserved)}. The whole cost was charged. Later overruns of this model are reported only to \`onAttempt\`, as \`overrunNanoUsd\`.`
  callObserver(() => (guard.onWarning === undefined ? console.warn(`@p2/guard: ${message}`) : guard.onWarning(message)))
}

/** Counts of tools that the provider runs. */
const HOSTED_TOOLS = ["webSearches", "fileSearches", "codeInterpreterSessions"] as const

/** Calls `onAttempt`, whose errors are ignored. */
export function reportAttempt(
  { onAttempt }: Guard,
  { provider, model }: Pick<CallTerms, "provider" | "model">,
  attempt: Partial<GuardAttempt> & Pick<GuardAttempt, "status">,
): void {
  const nothing = {
    reservedNanoUsd: 0,
    limits: [],
    costNanoUsd: 0,
    overrunNanoUsd: 0,
    costSource: "none",
    inDoubt: false,
    isPending: false,
    durationMs: 0,
  } as const
  const unknown = { httpStatus: undefined, inputTokens: undefined, outputTokens: undefined }
  callObserver(() => onAttempt?.({ provider, model, ...nothing, ...unknown, ...attempt }))
}

/** A reader that cancels after the end of the answer, but before the end of the body, has the whole answer. */
function statusOf({ httpStatus }: AttemptEnd, reading: MeterReading | undefined): "succeeded" | "failed" {
  const isOk = httpStatus !== undefined && httpStatus >= 200 && httpStatus < 300
  return isOk && reading?.state === "complete" ? "succeeded" : "failed"
}

function errorCodeOf(end: AttemptEnd, reading: MeterReading | undefined): string | undefined {
  if (statusOf(end, reading) === "succeeded") return undefined
  if (end.endedBy === "caller") return "aborted"
  if (end.endedBy === "deadline") return "deadline-exceeded"
  if (end.httpStatus !== undefined && end.httpStatus >= 300) return `http-${end.httpStatus}`
  return end.errorCode ?? "response-broken"
}

/** The tokens of a usage entry. */
export function countsOf(reading: MeterReading | undefined): Record<string, number> {
  const usage = reading?.usage?.usage
  if (usage === undefined) return {}
  return Object.fromEntries(USAGE_COUNTS.flatMap((name) => (usage[name] === undefined ? [] : [[name, usage[name]]])))
}
