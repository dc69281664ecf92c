import { formatUsd } from "@p2/core"
import type { CallView, LimitView } from "../view"
import { LOCALE } from "./locale"

const CENT = 10_000_000
const integers = new Intl.NumberFormat("en-US")
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 })
const clock = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit" })
const minute = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" })
const day = new Intl.DateTimeFormat(LOCALE, { month: "short", day: "numeric" })
const instant = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium" })

/** Exact dollars in two parts: up to the cents, and the digits after them. Amounts under a cent are one part. */
export function dollarParts(nanoUsd: number): [string, string] {
  const text = formatUsd(nanoUsd)
  const end = text.indexOf(".") + 3
  return Math.abs(nanoUsd) < CENT ? [text, ""] : [text.slice(0, end), text.slice(end)]
}

export { formatUsd as dollars }

export function integer(value: number): string {
  return integers.format(value)
}

export function short(value: number): string {
  return value < 10_000 ? integers.format(value) : compact.format(value)
}

/** An amount in the unit of a limit. */
export function amount(unit: LimitView["unit"], value: number): string {
  if (unit === "usd") return formatUsd(value)
  return `${integers.format(value)} ${value === 1 ? unit.slice(0, -1) : unit}`
}

export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`
}

export function timeOfDay(at: number): string {
  return clock.format(at)
}

export function minuteOf(at: number): string {
  return minute.format(at)
}

export function dayOf(at: number): string {
  return day.format(at)
}

export function fullTime(at: number): string {
  return instant.format(at)
}

export function duration(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`
  return durationMs < 60_000 ? `${(durationMs / 1_000).toFixed(1)} s` : coarse(durationMs)
}

/** For example "3 h 20 min". */
export function coarse(durationMs: number): string {
  const minutes = Math.max(1, Math.ceil(durationMs / 60_000))
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} days`
}

const SCOPES: Readonly<Record<string, string>> = {
  total: "All calls",
  run: "This run",
  user: "User",
  client: "Client",
  model: "Model",
  tag: "Tag",
  request: "Request",
}

/** What a limit applies to: its name and its kind. */
export function limitTitle({ scope, tag, value }: LimitView): { name: string; kind: string } {
  const kind = scope === "tag" ? (tag ?? "Tag") : (SCOPES[scope] ?? scope)
  return value === null ? { name: kind, kind: "" } : { name: value, kind }
}

const WINDOWS: Readonly<Record<string, string>> = {
  total: "in all",
  hour: "per hour",
  day: "per day",
  week: "per week",
  month: "per month",
}

export function windowName({ window, timeZone }: Pick<LimitView, "window" | "timeZone">): string {
  const name = WINDOWS[window] ?? `per ${window}`
  return timeZone === null || timeZone === "UTC" ? name : `${name} (${timeZone})`
}

const REASONS: Readonly<Record<string, string>> = {
  "budget-exceeded": "Over budget",
  "context-exceeded": "Longer than the model's context window",
  "circuit-open": "Paused after failures of the provider",
  "unbounded-cost": "No upper bound for its cost",
}

/** Why a call was denied. */
export function denialReason({ errorCode, deniedBy }: Pick<CallView, "errorCode" | "deniedBy">): string {
  const reason = errorCode === null ? "Denied" : (REASONS[errorCode] ?? errorCode)
  return deniedBy === null ? reason : `${reason}: ${deniedBy}`
}

const SOURCES: Readonly<Record<string, string>> = {
  provider: "reported by the provider",
  table: "price table and reported usage",
  custom: "your own price and reported usage",
  bound: "upper bound",
  none: "nothing charged",
}

export function costSourceName(source: string): string {
  return SOURCES[source] ?? source
}

/** `cacheReadTokens` → "cache read tokens". */
export function words(name: string): string {
  return name.replace(/([a-z])([A-Z0-9])/g, "$1 $2").toLowerCase()
}
