import { P2Error } from "../errors"

/** One reason why an answer does not match the schema. */
export interface AnswerIssue {
  /** Keys and indexes from the root of the answer, as in the parsed value. */
  readonly path: readonly (string | number)[]
  /** Zod's code, such as `invalid_type`; or `invalid_json`, `too_deep` or `schema_threw`. */
  readonly code: string
  /** Describes the problem in a sentence that can be sent back to the model. */
  readonly message: string
}

/** A schema that no answer format can express: code `unsupported-schema`. Thrown before any money is spent. */
export class UnsupportedSchemaError extends P2Error<"unsupported-schema"> {
  /** Location in the schema, such as `answer.tags[]`; `answer` is the root. */
  declare readonly path: string
  /** The construct that cannot be expressed, such as `z.function()`. */
  declare readonly construct: string

  constructor(path: string, construct: string, remedy: string, cause?: unknown) {
    super(`Unsupported schema: no answer format can express ${construct} at \`${path}\`. ${remedy}`, {
      code: "unsupported-schema",
      kind: "usage",
      cause,
    })
    Object.assign(this, { path, construct })
  }

  /** Whether `value` is an `UnsupportedSchemaError`, from any copy of the package. */
  static override isInstance(value: unknown): value is UnsupportedSchemaError {
    return P2Error.isInstance(value) && value.code === "unsupported-schema"
  }
}

/**
 * An answer that does not match the schema: code `invalid-answer`. `reason` is `json` if the text is not JSON, `shape`
 * if the value does not match, and `code` if a check or transform of the schema threw (see `cause`). The message
 * contains no part of the answer. `issues` may, in paths and in the messages of the schema's own checks.
 */
export class InvalidAnswerError extends P2Error<"invalid-answer"> {
  declare readonly reason: "json" | "shape" | "code"
  declare readonly issues: readonly AnswerIssue[]

  /** @param options `jsonSchema` is the schema that was sent: the message shows only keys that occur in it */
  constructor(options: {
    reason: "json" | "shape" | "code"
    issues: readonly AnswerIssue[]
    jsonSchema?: string | undefined
    cause?: unknown
  }) {
    const { reason, issues, jsonSchema, cause } = options
    super(summaryOf(reason, issues, jsonSchema), { code: "invalid-answer", kind: "failed", cause })
    Object.assign(this, { reason, issues })
  }

  /** Whether `value` is an `InvalidAnswerError`, from any copy of the package. */
  static override isInstance(value: unknown): value is InvalidAnswerError {
    return P2Error.isInstance(value) && value.code === "invalid-answer"
  }
}

function summaryOf(reason: string, issues: readonly AnswerIssue[], jsonSchema: string | undefined): string {
  if (reason === "json") return "The answer is not JSON."
  if (reason === "code")
    return "A check or transform of `answerModel` threw; see `error.cause`. Asynchronous ones need `parseAsync`."
  const show = (key: string | number) =>
    typeof key === "number" ? `[${key}]` : jsonSchema?.includes(JSON.stringify(key)) ? `.${key}` : ".*"
  const places = issues.slice(0, 3).map(({ path, code }) => `${code} at answer${path.map(show).join("")}`)
  const more = issues.length > 3 ? ` and ${issues.length - 3} more` : ""
  return `The answer does not fit \`answerModel\`: ${places.join(", ")}${more}.`
}
