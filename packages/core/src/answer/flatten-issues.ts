import type { AnswerIssue } from "./answer-errors"
import type { ZodIssue } from "./schema/zod-schema"

/** Maximum issues per error: a repair needs no more, and an array of a thousand invalid items has a thousand. */
export const MAX_ISSUES = 50
export const MAX_MESSAGE = 500

/** Weights of issues: the whole value has the wrong type, a part of it has, or a value is out of bounds. */
const WRONG_TYPE = 1e9
const WRONG_PART = 1e4
const OUT_OF_BOUNDS = 1

/** Converts Zod's issues to plain data. If no option of a union fits, keeps the issues of the closest option. */
export function flattenIssues(issues: readonly ZodIssue[], at: readonly PropertyKey[] = []): AnswerIssue[] {
  const flat = issues.slice(0, MAX_ISSUES).flatMap((issue): AnswerIssue[] => {
    const path = [...at, ...issue.path]
    const options = (issue.errors ?? [issue.issues ?? []]).map((inner) => flattenIssues(inner, path))
    const [nearest = []] = options.sort((a, b) => weigh(a, path) - weigh(b, path))
    if (nearest.length > 0) return nearest
    const keys = path.map((key) => (typeof key === "symbol" ? String(key) : key))
    return [{ path: keys, code: issue.code ?? "custom", message: issue.message.slice(0, MAX_MESSAGE) }]
  })
  return flat.slice(0, MAX_ISSUES)
}

/**
 * Measures how badly an option of a union fits. The number of issues alone would mislead: an object in place of a string has
 * one issue, but the correct object with two wrong fields has two.
 */
function weigh(issues: readonly AnswerIssue[], at: readonly unknown[]): number {
  return issues.reduce((sum, { path, code }) => {
    if (!/type|value|union|keys/.test(code)) return sum + OUT_OF_BOUNDS
    return sum + (path.length > at.length || /keys/.test(code) ? WRONG_PART : WRONG_TYPE)
  }, 0)
}
