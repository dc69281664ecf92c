import type {
  AttemptCost,
  AttemptEvidence,
  Charge,
  ChargeOptions,
  DoubtfulCharge,
  ProviderHealth,
  ReservedCost,
} from "./charge"
import { ruleForStatus, ruleInsideAnswer } from "./provider-rules"

/**
 * How an attempt ended. `answered`: a complete answer. `unbilled`: an error that the provider does not bill. `failed`: every
 * other error, a broken answer or a lost connection. `aborted`, `timed-out`: the caller or a deadline ended it.
 */
type EndKind = "answered" | "unbilled" | "failed" | "aborted" | "timed-out"

/**
 * Decides what an attempt is charged. The proof that nothing was sent decides first, then reported usage, then the billing
 * rule of the status. Everything else is in doubt and is charged by `options`, but at least the cost of the usage that was
 * reported before the end. A charge exceeds the reservation only if the provider reported more.
 */
export function decideCharge(evidence: AttemptEvidence, reserved: ReservedCost, options: ChargeOptions = {}): Charge {
  const { reading, sent, httpStatus } = evidence
  // A response refutes the proof.
  if (sent === "not-sent" && httpStatus === undefined && reading === undefined) return { status: "released" }
  const end = endOf(evidence, options)
  const health = healthOf(end, evidence, reserved)
  const serviceTier = reading?.serviceTier
  const reported = reading?.usage && reserved.costOf(reading.usage, serviceTier, reading.model)
  if (reported !== undefined) return { status: "charged", ...reported, inDoubt: false, health }
  if (end === "unbilled") return { status: "charged", ...NOTHING, inDoubt: false, health }

  const doubtful = doubtfulCharge(choiceOf(end, options), evidence, reserved)
  const lowerBound = reading?.usageLowerBound && reserved.costOf(reading.usageLowerBound, serviceTier, reading.model)
  return { status: "charged", ...atLeast(doubtful, lowerBound), inDoubt: true, health }
}

const NOTHING: AttemptCost = { costNanoUsd: 0, tokens: 0, costSource: "none", tableCostNanoUsd: undefined }

function endOf(evidence: AttemptEvidence, options: ChargeOptions): EndKind {
  const { httpStatus, endedBy, reading } = evidence
  if (httpStatus !== undefined && httpStatus >= 400)
    return isUnbilled(evidence, httpStatus, options) ? "unbilled" : "failed"
  if (endedBy !== undefined) return endedBy === "caller" ? "aborted" : "timed-out"
  if (httpStatus === undefined || httpStatus >= 300 || reading === undefined) return "failed"
  if (reading.error !== undefined) return isUnbilledInside(evidence) ? "unbilled" : "failed"
  return reading.state === "complete" ? "answered" : "failed"
}

/** Whether an error status proves that nothing is billed. Usage or output in the response refutes it. */
function isUnbilled(evidence: AttemptEvidence, status: number, { unbilledStatuses = [] }: ChargeOptions): boolean {
  if (hasOutput(evidence)) return false
  if (unbilledStatuses.includes(status)) return true
  const { provider, reading, hasHostedTools } = evidence
  return ruleForStatus(provider, status, reading?.error ?? {}, hasHostedTools)?.billing === "none"
}

/** An error without a code and a status may be an answer that was damaged on its way, so it proves nothing. */
function isUnbilledInside(evidence: AttemptEvidence): boolean {
  const { provider, reading, hasHostedTools } = evidence
  if (hasOutput(evidence) || (reading?.error?.code ?? reading?.error?.status) === undefined) return false
  return ruleInsideAnswer(provider, hasHostedTools)?.billing === "none"
}

function hasOutput({ reading }: AttemptEvidence): boolean {
  if (reading === undefined) return false
  return reading.usage !== undefined || reading.usageLowerBound !== undefined || reading.receivedOutputTokens > 0
}

/**
 * What the end of an attempt indicates about the provider. A caller's abort and an unbilled rejection do not indicate an outage. A
 * complete answer with neither usage nor output does, unless the call is not billed for output.
 */
function healthOf(end: EndKind, evidence: AttemptEvidence, { boundOf }: ReservedCost): ProviderHealth {
  if (end === "answered") return hasOutput(evidence) || boundOf(1) === boundOf(0) ? "answered" : "failed"
  return end === "failed" || end === "timed-out" ? "failed" : "unknown"
}

/**
 * A complete answer without usage has no option: the reservation is charged. No provider documents a different default.
 */
function choiceOf(end: EndKind, { serverError = "bound", abort = "bound" }: ChargeOptions): DoubtfulCharge {
  if (end === "failed") return serverError
  return end === "aborted" || end === "timed-out" ? abort : "bound"
}

/** The charge of an option value, at most the reservation. */
function doubtfulCharge(choice: DoubtfulCharge, { reading }: AttemptEvidence, reserved: ReservedCost): AttemptCost {
  if (choice === "nothing") return NOTHING
  const bound = { costSource: "bound", tableCostNanoUsd: undefined } as const
  if (choice === "bound") return { ...bound, costNanoUsd: reserved.nanoUsd, tokens: reserved.tokens }
  const outputTokens = choice === "received" ? (reading?.receivedOutputTokens ?? 0) : 0
  return {
    ...bound,
    costNanoUsd: boundOfPart(reserved, outputTokens),
    tokens: Math.min(reserved.tokens, reserved.inputTokens + outputTokens),
  }
}

/** At most the reservation, which is also the bound if the price has ended since the reserve. */
function boundOfPart(reserved: ReservedCost, outputTokens: number): number {
  try {
    return Math.min(reserved.nanoUsd, reserved.boundOf(outputTokens))
  } catch {
    return reserved.nanoUsd
  }
}

function atLeast(charge: AttemptCost, lowerBound: AttemptCost | undefined): AttemptCost {
  if (lowerBound === undefined) return charge
  const larger = lowerBound.costNanoUsd > charge.costNanoUsd ? lowerBound : charge
  return { ...larger, tokens: Math.max(charge.tokens, lowerBound.tokens) }
}
