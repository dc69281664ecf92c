import type { CostSource, NanoUsd } from "@p2/core"
import type { MeterReading, ReportedUsage } from "../protocols/meter"

/** What to charge when the cost is in doubt: the whole reservation, its input, its input and what arrived, or nothing. */
export type DoubtfulCharge = "bound" | "input" | "received" | "nothing"

/** The user's choice for calls whose cost is in doubt. @defaultValue the provider's documented rule, else `"bound"` */
export interface ChargeOptions {
  /** After a status without a billing rule (such as 500), an error inside the answer or a broken connection, without usage. */
  serverError?: DoubtfulCharge | undefined
  /** After the caller or a deadline ended a call that was sent. */
  abort?: DoubtfulCharge | undefined
  /**
   * Statuses of 400 or above that your contract says are not billed, in addition to those that the provider documents. Anthropic, for
   * example, documents no rule for 529. A status that arrives with usage or output is charged in any case.
   * @defaultValue none
   */
  unbilledStatuses?: readonly number[] | undefined
}

/** Whether the request left this process. Without proof it may have been sent. */
export type SendProof = "not-sent" | "maybe-sent"

/**
 * What an attempt shows about its provider. `answered`: a complete answer with usage or output. `failed`: a server error, a
 * broken or empty answer, or a deadline. `unknown`: not sent, rejected without being billed, or ended by the caller.
 */
export type ProviderHealth = "answered" | "failed" | "unknown"

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
  ): AttemptCost | undefined
}

/** What an attempt costs, and how that is known. */
export interface AttemptCost {
  costNanoUsd: NanoUsd
  tokens: number
  costSource: CostSource
  /** The cost by the price table, if the provider reported a different one. */
  tableCostNanoUsd: NanoUsd | undefined
}

/** The charge of one attempt. */
export type Charge =
  /** Proven not sent. */
  | { status: "released" }
  | ({
      status: "charged"
      /** Sent, and neither usage nor a documented rule decides. */
      inDoubt: boolean
      /** For the circuit breaker, which counts what is in doubt at a provider that failed. */
      health: ProviderHealth
    } & AttemptCost)
