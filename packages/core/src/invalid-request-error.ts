import { describeValue, P2Error } from "./errors"

/** One wrong field of a request. */
export interface RequestIssue {
  /** Where, such as `userBudget.timeZone` or `messages[2].content`. */
  readonly path: string
  /** What was expected there. */
  readonly expected: string
  /** What came, described without its contents. */
  readonly received: string
}

/** Options that make no request: code `invalid-request`. Lists every wrong field, not only the first. */
export class InvalidRequestError extends P2Error {
  declare readonly issues: readonly RequestIssue[]

  constructor(issues: readonly RequestIssue[]) {
    const lines = issues.map(({ path, expected, received }) => `- ${path}: expected ${expected}, got ${received}`)
    super(`The request has ${issues.length} wrong field${issues.length === 1 ? "" : "s"}:\n${lines.join("\n")}`, {
      code: "invalid-request",
      kind: "mistake",
    })
    this.issues = issues
  }
}

/** Collects what `report` is told, until `end` throws it all, if there is any. */
export function collectIssues() {
  const issues: RequestIssue[] = []
  return {
    report(path: string, expected: string, received: unknown): void {
      issues.push({ path, expected, received: describeValue(received) })
    },
    /** @throws InvalidRequestError */
    end(): void {
      if (issues.length > 0) throw new InvalidRequestError(issues)
    },
  }
}
