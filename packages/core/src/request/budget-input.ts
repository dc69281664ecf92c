import type { NanoUsd } from "../money"

/**
 * The window of a budget: `"total"` for all time, a calendar period in a time zone, or a fixed length such as `"90m"`,
 * `"1h"` or `"30d"` (s, m, h, d).
 */
export type BudgetPeriod = "total" | "hour" | "day" | "week" | "month" | `${number}${"s" | "m" | "h" | "d"}`

/** A budget in dollars: for all time, or per window. */
export type BudgetInput =
  | number
  | string
  | {
      /** Dollars: `5`, `"5.00"` or `"$5.00"`. */
      limit: number | string
      /** @defaultValue "total" */
      per?: BudgetPeriod | undefined
      /** IANA name such as `"Europe/Paris"`; for calendar periods only. @defaultValue "UTC" */
      timeZone?: string | undefined
    }

/** A {@link BudgetInput} after validation. */
export interface RequestBudget {
  readonly limitNanoUsd: NanoUsd
  readonly per: BudgetPeriod
  readonly timeZone: string
}
