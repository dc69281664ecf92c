import type { NanoUsd } from "../money"

/**
 * Over which time a budget counts: for ever, a calendar period in a time zone, or a fixed length such as `"90m"`,
 * `"1h"` or `"30d"` (s, m, h, d).
 */
export type BudgetPeriod = "total" | "hour" | "day" | "week" | "month" | `${number}${"s" | "m" | "h" | "d"}`

/** A budget as people write it: dollars for ever, or dollars per period. */
export type BudgetInput =
  | number
  | string
  | {
      /** Dollars, `5` or `"5.00"`. */
      limit: number | string
      /** @defaultValue "total" */
      per?: BudgetPeriod | undefined
      /** IANA name such as `"Europe/Paris"`; only for calendar periods. @defaultValue "UTC" */
      timeZone?: string | undefined
    }

/** A {@link BudgetInput} after validation. */
export interface RequestBudget {
  readonly limitNanoUsd: NanoUsd
  readonly per: BudgetPeriod
  readonly timeZone: string
}
