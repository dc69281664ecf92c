import type { BudgetPeriod } from "@p2/core"
import type { Scope, Subject } from "./subject"

/** Over which time a limit counts: for ever, a calendar period in a time zone, or a fixed length such as `"1h"`. */
export type WindowPeriod = BudgetPeriod

/** How much a limit allows, unit by unit. Dollars as `usd` (`5`, `"5.00"`, `"$5.00"`) or as integer `nanoUsd`. */
export interface LimitAmounts {
  usd?: number | string | undefined
  nanoUsd?: number | undefined
  tokens?: number | undefined
  requests?: number | undefined
}

/** One limit: whose spending, how much, over which time. */
export interface Limit {
  scope: Scope
  /** Dollars (`5`, `"5.00"`), amounts by unit, or null: only count the dollars spent, deny nothing. */
  limit: number | string | LimitAmounts | null
  /** @defaultValue "total" */
  per?: WindowPeriod | undefined
  /** IANA name; only for calendar periods. @defaultValue "UTC" */
  timeZone?: string | undefined
  /** Fractions of the limit, such as `[0.5, 0.8, 1]`, at which `onAlert` is called. */
  alertAt?: readonly number[] | undefined
  /** Skip this limit for subjects that lack its scope, instead of throwing a usage error. @defaultValue false */
  optional?: boolean | undefined
  /**
   * Only without a window: forget what was spent after this long untouched, in milliseconds.
   * @defaultValue 24 hours for `request` and children, otherwise never
   */
  forgetAfterMs?: number | undefined
}

/** Limits as a list, or as a function of the subject. */
export type Limits = readonly Limit[] | ((subject: Subject) => readonly Limit[] | Promise<readonly Limit[]>)
