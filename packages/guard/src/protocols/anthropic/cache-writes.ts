import { isRecord } from "@p2/core"

/** The cache writes that a call can cause: `none` without `cache_control`, `5m` if no mark asks for an hour. */
export function cacheWritesOf(
  body: Readonly<Record<string, unknown>>,
  options: { runsTools: boolean },
): "any" | "5m" | "none" {
  const marks = marksIn([body.system, body.messages, body.tools, { cache_control: body.cache_control }])
  if (marks.some((mark) => !isRecord(mark) || (mark.ttl ?? "5m") !== "5m")) return "any"
  // Anthropic caches the results of its own tools.
  return marks.length > 0 || options.runsTools ? "5m" : "none"
}

/** Nesting of blocks: a tool result inside a message inside a list. */
const MAX_DEPTH = 12

function marksIn(value: unknown, depth = 0): unknown[] {
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return []
  if (Array.isArray(value)) return value.flatMap((each) => marksIn(each, depth + 1))
  const { cache_control: mark, ...others } = value as Record<string, unknown>
  const inner = Object.values(others).flatMap((each) => marksIn(each, depth + 1))
  return mark === undefined || mark === null ? inner : [mark, ...inner]
}
