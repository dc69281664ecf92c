import type { NanoUsd } from "../money"
import type { PeriodStart } from "./period-start"

/**
 * The window of a budget: `"total"` for all time, a calendar period in a time zone, or a fixed length such as `"90m"`,
 * `"1h"` or `"30d"` (s, m, h, d).
 */
export type BudgetPeriod = "total" | "hour" | "day" | "week" | "month" | "quarter" | `${number}${"s" | "m" | "h" | "d"}`

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
      /** When the period starts. @defaultValue midnight of its first day; weeks start on Monday */
      start?: PeriodStart | undefined
      /** Fractions of the limit, such as `[0.5, 0.8, 1]`, at which `onAlert` of the client is called. */
      alertAt?: readonly number[] | undefined
      /**
       * Adds what remained of one window to the next: `true` at most the limit, a number at most this fraction of it. Only for
       * windows. @defaultValue false
       */
      carryOver?: boolean | number | undefined
    }

/** A {@link BudgetInput} after validation. */
export interface RequestBudget {
  readonly limitNanoUsd: NanoUsd
  readonly per: BudgetPeriod
  readonly timeZone: string
  readonly start?: PeriodStart | undefined
  readonly alertAt?: readonly number[] | undefined
  readonly carryOver?: boolean | number | undefined
}
