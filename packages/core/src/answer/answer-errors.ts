import { P2Error } from "../errors"

/** One reason why an answer does not fit. */
export interface AnswerIssue {
  /** Keys and indexes from the root of the answer, in the user's form. */
  readonly path: readonly (string | number)[]
  /** Zod's code, such as `invalid_type`; `invalid_json`, `too_deep` or `schema_threw` where Zod was not asked. */
  readonly code: string
  /** What is wrong, in words that can be sent back to the model. */
  readonly message: string
}

/** A schema that no answer format can express: code `unsupported-schema`. Found before any money is spent. */
export class UnsupportedSchemaError extends P2Error<"unsupported-schema"> {
  /** Where in the schema, such as `answer.tags[]`; `answer` is the root. */
  declare readonly path: string
  /** What cannot be expressed, such as `z.function()`. */
  declare readonly construct: string

  constructor(path: string, construct: string, remedy: string) {
    super(`The answer model cannot be sent to a provider: ${construct} at \`${path}\`. ${remedy}`, {
      code: "unsupported-schema",
      kind: "usage",
    })
    Object.assign(this, { path, construct })
  }

  /** Whether `value` is an `UnsupportedSchemaError`, from whichever copy of the package. */
  static override isInstance(value: unknown): value is UnsupportedSchemaError {
    return P2Error.isInstance(value) && value.code === "unsupported-schema"
  }
}

/**
 * An answer that is not what was asked for: code `invalid-answer`. `reason` is `json` when the text is not JSON,
 * `shape` when it does not fit the schema, and `code` when a check or transform of the schema threw (`cause`).
 * The message holds nothing of the answer; `issues` may, in paths and in the messages of the user's own checks.
 */
export class InvalidAnswerError extends P2Error<"invalid-answer"> {
  declare readonly reason: "json" | "shape" | "code"
  declare readonly issues: readonly AnswerIssue[]

  /** @param options `known` is the schema as it was sent: other keys than its names are the answer's and are not shown. */
  constructor(options: {
    reason: "json" | "shape" | "code"
    issues: readonly AnswerIssue[]
    known?: string | undefined
    cause?: unknown
  }) {
    const { reason, issues, known, cause } = options
    super(summary(reason, issues, known), { code: "invalid-answer", kind: "failed", cause })
    Object.assign(this, { reason, issues })
  }

  /** Whether `value` is an `InvalidAnswerError`, from whichever copy of the package. */
  static override isInstance(value: unknown): value is InvalidAnswerError {
    return P2Error.isInstance(value) && value.code === "invalid-answer"
  }
}

function summary(reason: string, issues: readonly AnswerIssue[], known: string | undefined): string {
  if (reason === "json") return "The answer is not JSON."
  if (reason === "code")
    return "A check or transform of the answer model threw (see `cause`); asynchronous ones need `parseAsync`."
  const show = (key: string | number) =>
    typeof key === "number" ? `[${key}]` : known?.includes(JSON.stringify(key)) ? `.${key}` : ".*"
  const places = issues.slice(0, 3).map(({ path, code }) => `${code} at answer${path.map(show).join("")}`)
  const more = issues.length > 3 ? ` and ${issues.length - 3} more` : ""
  return `The answer does not fit the answer model: ${places.join(", ")}${more}.`
}
