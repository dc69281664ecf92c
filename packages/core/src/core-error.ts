import type { InvalidAnswerError, UnsupportedSchemaError } from "./answer/answer-errors"
import type { AbortedError, InvalidArgumentError, UnknownModelError } from "./errors"
import type { InvalidRequestError } from "./request/invalid-request-error"

/**
 * Every error of this package. `code` narrows it to one class, without `instanceof`:
 * `if (error.code === "invalid-request") console.log(error.issues)`.
 */
export type CoreError =
  | AbortedError
  | InvalidAnswerError
  | InvalidArgumentError
  | InvalidRequestError
  | UnknownModelError
  | UnsupportedSchemaError

/** The codes of {@link CoreError}. */
export type CoreErrorCode = CoreError["code"]
