import { P2Error } from "@p2/core"
import type { AttemptRequest, AttemptReserve, ReservedAttempt } from "../charge/attempt"
import type { Charge, ChargeOptions } from "../charge/charge"
import type { AttemptEvidence, ReservedCost } from "../charge/evidence"

// Stand-ins until charge/ has these functions.

export async function reserveAttempt(request: AttemptRequest): Promise<AttemptReserve> {
  const { budget, provider: _provider, model: _model, ...options } = request
  const result = await budget.reserve(options)
  return result.ok
    ? { status: "reserved", attempt: { reservation: result.reservation } }
    : { status: "denied", error: result.error }
}

export function decideCharge(evidence: AttemptEvidence, reserved: ReservedCost, _options: ChargeOptions): Charge {
  const { reading, sent, httpStatus } = evidence
  const reported = reading?.usage && reserved.costOf(reading.usage, reading.serviceTier)
  if (reported !== undefined) return { status: "charged", ...reported, inDoubt: false, health: "answered" }
  if (sent === "not-sent") return { status: "released" }
  const none = { tableCostNanoUsd: undefined, health: "unknown" } as const
  if ([400, 401, 402, 404, 413, 422, 429].includes(httpStatus ?? 0))
    return { status: "charged", costNanoUsd: 0, tokens: 0, costSource: "none", inDoubt: false, ...none }
  return {
    status: "charged",
    costNanoUsd: reserved.nanoUsd,
    tokens: reserved.tokens,
    costSource: "bound",
    inDoubt: true,
    ...none,
  }
}

export async function settleAttempt({ reservation }: ReservedAttempt, charge: Charge, entry: object): Promise<void> {
  try {
    if (charge.status === "released") await reservation.release(entry)
    else await reservation.settle({ nanoUsd: charge.costNanoUsd, tokens: charge.tokens }, entry)
  } catch (error) {
    if (!P2Error.isInstance(error)) throw error
  }
}
