import type { AnswerIssue } from "./answer-errors"
import type { ZodIssue } from "./schema/zod-schema"

/** Issues at most in one error: a repair needs no more, and an answer of a thousand wrong items has a thousand. */
const MAX_ISSUES = 50
const MAX_MESSAGE = 500

/** How much an issue weighs: of another kind altogether, of another kind in some part, or outside of some bound. */
const OTHER = 1e9
const OTHER_PART = 1e4
const OUT_OF_BOUNDS = 1

/** Zod's issues as plain data. Of a union that nothing fits, the issues of the option that fits best. */
export function flattenIssues(issues: readonly ZodIssue[], at: readonly PropertyKey[] = []): AnswerIssue[] {
  const flat = issues.slice(0, MAX_ISSUES).flatMap((issue): AnswerIssue[] => {
    const path = [...at, ...issue.path]
    const options = (issue.errors ?? [issue.issues ?? []]).map((inner) => flattenIssues(inner, path))
    const [best = []] = options.sort((a, b) => weigh(a, path) - weigh(b, path))
    if (best.length > 0) return best
    const keys = path.map((key) => (typeof key === "symbol" ? String(key) : key))
    return [{ path: keys, code: issue.code ?? "custom", message: issue.message.slice(0, MAX_MESSAGE) }]
  })
  return flat.slice(0, MAX_ISSUES)
}

/**
 * How badly an option of a union fits. Not the number of its issues: an object has one where a text is wanted, and two
 * where it is the right object with two wrong fields.
 */
function weigh(issues: readonly AnswerIssue[], at: readonly unknown[]): number {
  return issues.reduce((sum, { path, code }) => {
    if (!/type|value|union|keys/.test(code)) return sum + OUT_OF_BOUNDS
    return sum + (path.length > at.length || /keys/.test(code) ? OTHER_PART : OTHER)
  }, 0)
}
