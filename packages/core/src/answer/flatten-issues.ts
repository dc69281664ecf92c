import type { AnswerIssue } from "./answer-errors"
import type { ZodIssue } from "./zod-schema"

/** Issues at most in one error: a repair needs no more, and an answer of a thousand wrong items has a thousand. */
const MAX_ISSUES = 50
const MAX_MESSAGE = 500

/** Zod's issues as plain data. Of a union that nothing fits, the issues of the option that fits best. */
export function flattenIssues(issues: readonly ZodIssue[], at: readonly PropertyKey[] = []): AnswerIssue[] {
  return issues.slice(0, MAX_ISSUES).flatMap((issue): AnswerIssue[] => {
    const path = [...at, ...issue.path]
    const options = [...(issue.errors ?? [])].sort((a, b) => a.length - b.length)
    const inner = issue.code === "invalid_union" ? options[0] : issue.issues
    if (inner !== undefined && inner.length > 0) return flattenIssues(inner, path)
    return [{ path: path.map(segment), code: issue.code ?? "custom", message: issue.message.slice(0, MAX_MESSAGE) }]
  })
}

function segment(key: PropertyKey): string | number {
  return typeof key === "symbol" ? String(key) : key
}
