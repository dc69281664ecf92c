import type { BudgetPeriod } from "@p2/core"
import type { Scope, Subject } from "./subject"

/** The time over which a limit counts: forever, a calendar period in a time zone, or a fixed length such as `"1h"`. */
export type WindowPeriod = BudgetPeriod

/** How much a limit allows, by unit. Dollars as `usd` (`5`, `"5.00"`, `"$5.00"`) or as integer `nanoUsd`. */
export interface LimitAmounts {
  usd?: number | string | undefined
  nanoUsd?: number | undefined
  tokens?: number | undefined
  requests?: number | undefined
}

/** One limit: whose spending, how much, over which time. */
export interface Limit {
  scope: Scope
  /** Dollars (`5`, `"5.00"`), amounts by unit, or null: counts dollars and denies nothing. */
  limit: number | string | LimitAmounts | null
  /** @defaultValue "total" */
  per?: WindowPeriod | undefined
  /** IANA name; only for calendar periods. @defaultValue "UTC" */
  timeZone?: string | undefined
  /** Fractions of the limit, such as `[0.5, 0.8, 1]`, at which `onAlert` is called. */
  alertAt?: readonly number[] | undefined
  /** Skips this limit for subjects that lack its scope, instead of throwing a usage error. @defaultValue false */
  optional?: boolean | undefined
  /**
   * Only without a window: how long after its last use a counter is forgotten, in milliseconds.
   * @defaultValue 24 hours for `request` and children, otherwise never
   */
  forgetAfterMs?: number | undefined
}

/** Limits as a list, or as a function of the subject. */
export type Limits = readonly Limit[] | ((subject: Subject) => readonly Limit[] | Promise<readonly Limit[]>)
