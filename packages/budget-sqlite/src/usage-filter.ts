import type { UsageFilter } from "@p2/budget"
import { InvalidArgumentError } from "@p2/core"
import type { SqlValue } from "./connection"

/** A condition with its values, in order. */
export interface Condition {
  sql: string
  values: SqlValue[]
}

const COLUMNS = {
  requestId: "request_id",
  clientId: "client_id",
  userId: "user_id",
  model: "model",
  provider: "provider",
  status: "status",
} as const

export function tagValue(): string {
  return "(SELECT tag.value FROM json_each(p2_entries.tags) AS tag WHERE tag.key = ?)"
}

/** Every field that is given must match. Time is left to the caller. */
export function conditionOf(filter: UsageFilter): Condition {
  const parts: string[] = []
  const values: SqlValue[] = []
  for (const [field, column] of Object.entries(COLUMNS) as [keyof typeof COLUMNS, string][]) {
    const value = filter[field]
    if (value === undefined) continue
    if (typeof value !== "string") throw new InvalidArgumentError(`filter.${field}`, "a string", value)
    parts.push(`AND ${column} = ?`)
    values.push(value)
  }
  if (filter.tag !== undefined) {
    parts.push(`AND ${tagValue()} = ?`)
    values.push(filter.tag.name, filter.tag.value)
  }
  return { sql: parts.join(" "), values }
}

/** The range of time of a filter; times that it does not give are open. */
export function rangeOf(filter: UsageFilter): { from: number; to: number } {
  const { from = 0, to = Number.MAX_SAFE_INTEGER } = filter
  for (const [name, value] of Object.entries({ from, to })) {
    if (!Number.isSafeInteger(value)) {
      throw new InvalidArgumentError(`filter.${name}`, "an integer of epoch milliseconds", value)
    }
  }
  return { from, to }
}
