import type { AnswerIssue } from "./answer-errors"
import type { ZodIssue } from "./zod-schema"

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
    const inner = issue.code === "invalid_union" ? bestOption(issue) : issue.issues
    if (inner !== undefined && inner.length > 0) return flattenIssues(inner, path)
    const keys = path.map((key) => (typeof key === "symbol" ? String(key) : key))
    return [{ path: keys, code: issue.code ?? "custom", message: issue.message.slice(0, MAX_MESSAGE) }]
  })
  return flat.slice(0, MAX_ISSUES)
}

/**
 * Not the option with the fewest issues: an object has one issue where a text is wanted, and two where it is the right
 * object with two wrong fields.
 */
function bestOption({ errors = [] }: ZodIssue): ZodIssue[] | undefined {
  const weighed = errors.map((issues) => ({ issues, weight: weigh(issues, 0) }))
  return weighed.sort((a, b) => a.weight - b.weight)[0]?.issues
}

function weigh(issues: readonly ZodIssue[], depth: number): number {
  return issues.reduce((sum, issue) => {
    const below = depth + issue.path.length
    if (issue.errors?.length) return sum + Math.min(...issue.errors.map((option) => weigh(option, below)))
    if (issue.issues?.length) return sum + weigh(issue.issues, below + 1)
    if (!/^(invalid_(type|value|union)|unrecognized_keys)$/.test(issue.code ?? "")) return sum + OUT_OF_BOUNDS
    return sum + (below === 0 && issue.code !== "unrecognized_keys" ? OTHER : OTHER_PART)
  }, 0)
}
