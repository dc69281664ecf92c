import type { AttemptEvidence, ReservedCost } from "../../src/charge/charge"
import type { MeterReading, ReportedUsage } from "../../src/protocols/meter"

/** 1,000 input tokens at 1,000 nano-USD and at most 500 output tokens at 4,000: a bound of 3,000,000. */
export const RESERVED: ReservedCost = {
  nanoUsd: 3_000_000,
  tokens: 1_500,
  inputTokens: 1_000,
  boundOf: (outputTokens) => 1_000_000 + outputTokens * 4_000,
  costOf: ({ usage, cost }, serviceTier) => {
    if (serviceTier === "unlisted") return undefined
    const table = usage.inputTokens * 1_000 + usage.outputTokens * 4_000
    const costNanoUsd = cost === undefined ? table : Number(cost.costUsd) * 1e9
    return {
      costNanoUsd,
      tokens: usage.inputTokens + usage.outputTokens,
      costSource: cost === undefined ? "table" : "provider",
      tableCostNanoUsd: cost === undefined ? undefined : table,
    }
  },
}

export function usageOf(inputTokens: number, outputTokens: number, costUsd?: number): ReportedUsage {
  return { usage: { inputTokens, outputTokens }, cost: costUsd === undefined ? undefined : { costUsd } }
}

export function reading(changes: Partial<MeterReading> = {}): MeterReading {
  return {
    state: "open",
    usage: undefined,
    usageLowerBound: undefined,
    receivedOutputTokens: 0,
    model: undefined,
    serviceTier: undefined,
    generationId: undefined,
    error: undefined,
    ...changes,
  }
}

export function errorReading(code: string | undefined, changes: Partial<MeterReading> = {}): MeterReading {
  return reading({ state: "broken", error: { status: undefined, code, message: "…" }, ...changes })
}

export function evidence(changes: Partial<AttemptEvidence> = {}): AttemptEvidence {
  return {
    provider: "openai",
    sent: "maybe-sent",
    httpStatus: undefined,
    reading: undefined,
    endedBy: undefined,
    hasHostedTools: false,
    ...changes,
  }
}
