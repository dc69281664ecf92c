/** A copy of plain data, frozen to its leaves. What is neither array nor plain object is kept as it is. */
export function frozenCopy<T>(value: T, depth = 0): T {
  if (typeof value !== "object" || value === null || depth > 100) return value
  if (Array.isArray(value)) return Object.freeze(value.map((item) => frozenCopy(item, depth + 1))) as T
  const entries = Object.entries(value).map(([key, item]) => [key, frozenCopy(item, depth + 1)])
  return Object.freeze(Object.fromEntries(entries)) as T
}
