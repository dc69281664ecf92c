import { InvalidArgumentError } from "../errors"

const MAX_DEPTH = 1_000

/**
 * Returns a deeply frozen copy of plain data.
 * @throws InvalidArgumentError for more than 1,000 levels, and so for cycles
 */
export function frozenCopy<T>(value: T, depth = 0): T {
  if (typeof value !== "object" || value === null) return value
  if (depth > MAX_DEPTH) throw new InvalidArgumentError("data", "plain data without cycles", value)
  if (Array.isArray(value)) return Object.freeze(value.map((item) => frozenCopy(item, depth + 1))) as T
  const entries = Object.entries(value).map(([key, item]) => [key, frozenCopy(item, depth + 1)])
  return Object.freeze(Object.fromEntries(entries)) as T
}
