import { P2Error } from "@p2/core"
import type { AttemptRequest, AttemptReserve, ReservedAttempt } from "../charge/attempt"
import type { Charge } from "../charge/charge"

// Stand-ins until charge/ has these functions: no circuit breaker yet.

export async function reserveAttempt(request: AttemptRequest): Promise<AttemptReserve> {
  const { budget, provider: _provider, model: _model, ...options } = request
  const result = await budget.reserve(options)
  return result.ok
    ? { status: "reserved", attempt: { reservation: result.reservation } }
    : { status: "denied", error: result.error }
}

export async function settleAttempt({ reservation }: ReservedAttempt, charge: Charge, entry: object): Promise<void> {
  try {
    if (charge.status === "released") await reservation.release(entry)
    else {
      const { costNanoUsd, tokens, costSource, tableCostNanoUsd, inDoubt } = charge
      const charged = { costSource, tableCostNanoUsd, ...(inDoubt && { inDoubt }) }
      await reservation.settle({ nanoUsd: costNanoUsd, tokens }, { ...entry, ...charged })
    }
  } catch (error) {
    if (!P2Error.isInstance(error)) throw error
  }
}
