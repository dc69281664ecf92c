import type { CostSource, NanoUsd } from "@p2/core"

/** What to charge when the cost is in doubt: the whole reservation, its input, its input and what arrived, or nothing. */
export type DoubtfulCharge = "bound" | "input" | "received" | "nothing"

/** The user's choice for calls whose cost is in doubt. @defaultValue the provider's documented rule, else `"bound"` */
export interface ChargeOptions {
  /** After a status of 500 or above, or an error inside the answer, without usage. */
  serverError?: DoubtfulCharge | undefined
  /** After the caller or a deadline ended a call that was sent. */
  abort?: DoubtfulCharge | undefined
}

/** Whether the request left this process. Without proof it may have been sent. */
export type SendProof = "not-sent" | "maybe-sent"

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
    }
