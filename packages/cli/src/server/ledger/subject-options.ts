import type { Limit, Scope, Subject, UsageFilter } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import { readDuration } from "../../duration"
import type { ServeConfig } from "../config/config-schema"
import { KEY_TAG } from "../keys/virtual-key"
import { readTags } from "../tags"

/** The options that select a subject. */
export interface SubjectArguments {
  user?: string
  client?: string
  model?: string
  key?: string
  tag?: string[]
}

/** A limit, as it was stated for the program. */
export interface LimitArguments {
  scope?: string
  limit?: string
  per?: string
  timeZone?: string
}

/** @throws InvalidArgumentError */
export function readSubject({ user, client, model, key, tag = [] }: SubjectArguments): Subject {
  checkPresent({ user, client, model, key })
  const tags = { ...readTags(tag), ...(key !== undefined && { [KEY_TAG]: key }) }
  return { userId: user, clientId: client, model, ...(Object.keys(tags).length > 0 && { tags }) }
}

/** Rejects an empty value, as from an unset variable, which would select all users. @throws InvalidArgumentError */
export function checkPresent(options: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(options))
    if (value === "") throw new InvalidArgumentError(`--${name}`, "at least one character", value)
}

/** The ledger filter for a subject, which may have one tag. @throws InvalidArgumentError */
export function readFilter(given: SubjectArguments & { since?: string }, now: number): UsageFilter {
  const { userId, clientId, model, tags = {} } = readSubject(given)
  const [first, second] = Object.entries(tags)
  if (second !== undefined)
    throw new InvalidArgumentError(
      "--tag",
      "one tag",
      undefined,
      "Pass one --tag or one --key: the ledger filters by one tag.",
    )
  return {
    ...{ userId, clientId, model },
    ...(first !== undefined && { tag: { name: first[0], value: first[1] } }),
    ...(given.since !== undefined && { from: readInstant(given.since, "--since", now) }),
  }
}

/** Parses an instant: a date, or a duration before now. @throws InvalidArgumentError */
export function readInstant(text: string, name: string, now: number): number {
  if (/^\d+(ms|s|m|h|d)$/.test(text)) return now - readDuration(text, name)
  const at = /^\d{4}-\d{2}-\d{2}(T[\d:.]+(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isFinite(at)) return at
  throw new InvalidArgumentError(name, "a duration such as 24h or 7d, or a date such as 2026-11-30", text)
}

/** The scope of `--scope user` or `--scope tag:team`. @throws InvalidArgumentError */
export function readScope(text: string): Scope {
  if (text === "key") return { tag: KEY_TAG }
  if (["user", "client", "model", "total"].includes(text)) return text as Scope
  const tag = /^tag:(.+)$/s.exec(text)?.[1]
  if (tag !== undefined) return { tag }
  throw new InvalidArgumentError("--scope", "user, client, model, total, key or tag:NAME such as tag:team", text)
}

/** The limit that the arguments describe; undefined: they describe none. @throws InvalidArgumentError */
export function readLimit({ scope, limit, per, timeZone }: LimitArguments): Limit | undefined {
  if (limit === undefined) return undefined
  return { scope: readScope(scope ?? "user"), limit, per: per as Limit["per"], timeZone }
}

/** The limits of a command: the one in its arguments, else those of the configuration. */
export function limitsOf(given: LimitArguments, config: ServeConfig | undefined): readonly Limit[] {
  const own = readLimit(given)
  return own === undefined ? (config?.limits ?? []) : [own]
}
