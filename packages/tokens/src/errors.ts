import { type AbortedError, type InvalidArgumentError, P2Error, type UnknownModelError } from "@p2/core"

/** Every error that this package throws. `code` narrows it to one class, without `instanceof`. */
export type TokensError =
  | AbortedError
  | InvalidArgumentError
  | NoPublicTokenizerError
  | UnboundedInputError
  | UnknownModelError

/** The codes of {@link TokensError}. */
export type TokensErrorCode = TokensError["code"]

/** A call needs the model's tokenizer, which is not public: code `no-public-tokenizer`. */
export class NoPublicTokenizerError extends P2Error<"no-public-tokenizer"> {
  declare readonly model: string

  constructor(model: string, consequence: string, remedy: string) {
    super(`The tokenizer of ${JSON.stringify(model)} is not public: ${consequence}. ${remedy}`, {
      code: "no-public-tokenizer",
      kind: "usage",
    })
    this.model = model
  }

  /** Whether `value` is a `NoPublicTokenizerError`, from any copy of the package. */
  static override isInstance(value: unknown): value is NoPublicTokenizerError {
    return P2Error.isInstance(value) && value.code === "no-public-tokenizer"
  }
}

/** A part of a request has no upper bound: code `unbounded-input`. */
export class UnboundedInputError extends P2Error<"unbounded-input"> {
  /** Path of the part, such as `messages[2].content[0]`. */
  declare readonly path: string

  constructor(path: string, part: string, remedy: string) {
    super(`The number of tokens of ${part} has no upper bound, at \`${path}\`. ${remedy}`, {
      code: "unbounded-input",
      kind: "usage",
    })
    this.path = path
  }

  /** Whether `value` is an `UnboundedInputError`, from any copy of the package. */
  static override isInstance(value: unknown): value is UnboundedInputError {
    return P2Error.isInstance(value) && value.code === "unbounded-input"
  }
}
