import type { CostSource, NanoUsd } from "@p2/core"
import type { MeterReading, ReportedUsage } from "../protocols/meter"
import type { SendProof } from "./charge"

/** What is known of an attempt when it has ended. It decides the charge. */
export interface AttemptEvidence {
  /** As in the usage entry: `openai`, `azure`, `anthropic`, … */
  provider: string
  sent: SendProof
  /** Undefined: no response headers arrived. */
  httpStatus: number | undefined
  /** What the meter read, even in the body of an error status; undefined: no body arrived. */
  reading: MeterReading | undefined
  /** Who ended the attempt before its response was complete; undefined: the attempt was not ended early. */
  endedBy: "caller" | "deadline" | undefined
  /** The call may run tools of the provider that are billed separately from its tokens, such as a web search. */
  hasHostedTools: boolean
}

/** The amounts that an attempt reserved, and the prices of its call. */
export interface ReservedCost {
  nanoUsd: NanoUsd
  /** Upper bound of the input and output tokens, and of the input tokens alone. */
  tokens: number
  inputTokens: number
  /** The upper bound of the call if its answer has this many output tokens in all. */
  boundOf(outputTokens: number): NanoUsd
  /**
   * The cost of a reported usage, at the price of the model that the answer names if that price is higher; undefined if it has no
   * price. Never throws.
   */
  costOf(
    reported: ReportedUsage,
    serviceTier: string | undefined,
    modelUsed?: string | undefined,
  ): ReportedCharge | undefined
}

/** The cost of a reported usage. */
export interface ReportedCharge {
  costNanoUsd: NanoUsd
  tokens: number
  costSource: CostSource
  /** The cost by the price table, if the provider reported a different one. */
  tableCostNanoUsd: NanoUsd | undefined
}
