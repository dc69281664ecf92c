import { P2Error } from "../errors"

/** One reason why an answer does not fit. */
export interface AnswerIssue {
  /** Keys and indexes from the root of the answer. */
  readonly path: readonly (string | number)[]
  /** Zod's code, such as `invalid_type`. */
  readonly code: string
  /** What is wrong, in words that can be sent back to the model. */
  readonly message: string
}

/** A schema that no answer format can express: code `unsupported-schema`. Found before any money is spent. */
export class UnsupportedSchemaError extends P2Error {
  /** Where in the schema, such as `user.tags[]`; `answer` is the root. */
  readonly path: string
  /** What cannot be expressed, such as `z.function()`. */
  readonly construct: string

  constructor(path: string, construct: string, remedy: string) {
    super(`The answer model cannot be sent to a provider: ${construct} at \`${path}\`. ${remedy}`, {
      code: "unsupported-schema",
      kind: "mistake",
    })
    this.name = "UnsupportedSchemaError"
    this.path = path
    this.construct = construct
  }
}

/**
 * An answer that is not what was asked for: code `invalid-answer`. `reason` is `json` when the text is not JSON,
 * `shape` when it does not fit the schema, and `code` when a refinement or transform of the schema threw (in `cause`).
 */
export class InvalidAnswerError extends P2Error {
  readonly reason: "json" | "shape" | "code"
  readonly issues: readonly AnswerIssue[]

  constructor(options: {
    reason: "json" | "shape" | "code"
    issues: readonly AnswerIssue[]
    where: string
    cause?: unknown
  }) {
    super(options.where, { code: "invalid-answer", kind: "failure", cause: options.cause })
    this.name = "InvalidAnswerError"
    this.reason = options.reason
    this.issues = options.issues
  }
}
