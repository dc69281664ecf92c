import type { CostSource, NanoUsd } from "@p2/core"

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
 * What an attempt shows about its provider. `answered`: a complete answer. `failed`: a server error, a broken answer or
 * a deadline. `unknown`: not sent, rejected without being billed, or ended by the caller.
 */
export type ProviderHealth = "answered" | "failed" | "unknown"

/** The charge of one attempt. */
export type Charge =
  /** Proven not sent. */
  | { status: "released" }
  | {
      status: "charged"
      costNanoUsd: NanoUsd
      tokens: number
      costSource: CostSource
      /** The cost by the price table, if the provider reported a different one. */
      tableCostNanoUsd: NanoUsd | undefined
      /** Sent, and neither usage nor a documented rule decides. */
      inDoubt: boolean
      /** For the circuit breaker, which counts what is in doubt at a provider that failed. */
      health: ProviderHealth
    }
