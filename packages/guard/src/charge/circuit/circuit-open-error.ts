import { describeModelId, formatUsd, type NanoUsd, P2Error } from "@p2/core"

/** For callers whose calls are large compared with their limits. */
const REMEDY =
  "`serviceTier` or a smaller `maxOutputTokens` lowers what a call may cost; `charge` or `unbilledStatuses` states what failures cost."

/**
 * The circuit breaker rejected the call: code `circuit-open`. Recent calls to the provider failed after they were sent, and
 * what they may have cost has used the share of a limit that an outage may take. Nothing was sent or charged.
 */
export class CircuitOpenError extends P2Error<"circuit-open"> {
  declare readonly provider: string
  declare readonly model: string
  /** Milliseconds after which a call may be tried again. */
  declare readonly retryAfterMs: number
  /** What is in doubt at the provider and model, in the window of the limit. */
  declare readonly inDoubtNanoUsd: NanoUsd
  /** The limit, with its top-ups. */
  declare readonly limitNanoUsd: NanoUsd

  constructor(fields: {
    provider: string
    model: string
    retryAfterMs: number
    inDoubtNanoUsd: NanoUsd
    limitNanoUsd: NanoUsd
  }) {
    const { provider, model, retryAfterMs, inDoubtNanoUsd, limitNanoUsd } = fields
    super(
      `Circuit open (${provider}, ${describeModelId(model)}): failed calls may have cost ${formatUsd(inDoubtNanoUsd)} of a limit of ${formatUsd(limitNanoUsd)}. Nothing was sent. Retry in ${formatWait(retryAfterMs)}. ${REMEDY}`,
      { code: "circuit-open", kind: "failed", retryable: true },
    )
    Object.assign(this, fields)
  }

  static override isInstance(value: unknown): value is CircuitOpenError {
    return P2Error.isInstance(value) && value.code === "circuit-open"
  }
}

/** Rounded up: `50 s`, `12 minutes`, `3 hours`. */
function formatWait(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 120 ? `${minutes} minutes` : `${Math.ceil(minutes / 60)} hours`
}
