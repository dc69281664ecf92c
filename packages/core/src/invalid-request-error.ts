import { describeValue, P2Error } from "./errors"

/** One wrong field of a request. */
export interface RequestIssue {
  /** Where, such as `userBudget.timeZone` or `messages[2].content`. */
  readonly path: string
  /** What was expected there and what came, described without its contents; or that the option is unknown. */
  readonly message: string
}

/** Wrong fields that are named, more than there are options: the rest is counted. */
const MAX_ISSUES = 30
const MAX_PATH = 200

/** Options that make no request: code `invalid-request`. Lists the wrong fields, not only the first. */
export class InvalidRequestError extends P2Error {
  /** The first 30 of them. */
  declare readonly issues: readonly RequestIssue[]

  /** @param count of all wrong fields. */
  constructor(issues: readonly RequestIssue[], count: number) {
    const lines = issues.map(({ path, message }) => `- ${path}: ${message}`)
    if (count > MAX_ISSUES) lines.push(`- and ${count - MAX_ISSUES} more`)
    super(`The request has ${count} wrong field${count === 1 ? "" : "s"}:\n${lines.join("\n")}`, {
      code: "invalid-request",
      kind: "usage",
    })
    this.issues = issues
  }
}

/** Collects what `report` is told, until `end` throws it all, if there is any. */
export function collectIssues() {
  const issues: RequestIssue[] = []
  let count = 0
  const add = (path: string, message: string): void => {
    if (count++ < MAX_ISSUES) issues.push({ path: path.slice(0, MAX_PATH), message })
  }
  return {
    add,
    report(path: string, expected: string, received: unknown): void {
      add(path, `expected ${expected}, got ${describeValue(received)}`)
    },
    /** @throws InvalidRequestError */
    end(): void {
      if (count > 0) throw new InvalidRequestError(issues, count)
    },
  }
}
