import { describeValue, P2Error } from "../errors"
import { plural } from "../plural"

/** One invalid field of a request. */
export interface RequestIssue {
  /** Location in the request, such as `userBudget.timeZone` or `messages[2].content`. */
  readonly path: string
  /** Says what was expected and what was received, without its contents; or that the option is unknown. */
  readonly message: string
}

/** Maximum fields that one error lists; the others are only counted. */
const MAX_ISSUES = 30
const MAX_PATH = 200

/** Invalid request options or messages: code `invalid-request`. Lists every invalid field, not only the first. */
export class InvalidRequestError extends P2Error<"invalid-request"> {
  /** The first 30 invalid fields. */
  declare readonly issues: readonly RequestIssue[]

  /** @param count number of invalid fields, those not listed included */
  constructor(issues: readonly RequestIssue[], count: number) {
    const lines = issues.map(({ path, message }) => `- ${path}: ${message}`)
    if (count > issues.length) lines.push(`- and ${count - issues.length} more`)
    super(`The request has ${plural(count, "invalid field")}:\n${lines.join("\n")}`, {
      code: "invalid-request",
      kind: "usage",
    })
    this.issues = issues
  }

  /** Whether `value` is an `InvalidRequestError`, from any copy of the package. */
  static override isInstance(value: unknown): value is InvalidRequestError {
    return P2Error.isInstance(value) && value.code === "invalid-request"
  }
}

/** Collects the issues of one request, so that a caller sees all of them at once. */
export class RequestIssues {
  readonly #issues: RequestIssue[] = []
  #count = 0

  add(path: string, message: string): void {
    if (this.#count++ < MAX_ISSUES) this.#issues.push({ path: path.slice(0, MAX_PATH), message })
  }

  addUnexpected(path: string, expected: string, received: unknown): void {
    this.add(path, `expected ${expected}, got ${describeValue(received)}`)
  }

  /** @throws InvalidRequestError */
  throwIfAny(): void {
    if (this.#count > 0) throw new InvalidRequestError(this.#issues, this.#count)
  }
}
