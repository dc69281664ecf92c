import { describeValue, P2Error } from "@p2/core"

/** The model's tokenizer is not published, so its tokens can be estimated but not named: code `no-public-tokenizer`. */
export class NoPublicTokenizerError extends P2Error {
  readonly model: string

  constructor(model: string, what: string) {
    super(
      `The model ${describeValue(model)} has no public tokenizer, so ${what} is not possible for it. Use countTokens for an estimate, or name an encoding: { encoding: "o200k_base" }.`,
      { code: "no-public-tokenizer", kind: "usage" },
    )
    this.name = "NoPublicTokenizerError"
    this.model = model
  }
}

/** The encoding of this name is not part of the root entry: code `encoding-not-loaded`. */
export class EncodingNotLoadedError extends P2Error {
  readonly encoding: string

  constructor(encoding: string) {
    super(
      `Expected \`encoding\` to be "o200k_base", "o200k_harmony", "cl100k_base" or an encoding object, got ${describeValue(encoding)}. Others are passed in: import { encoding } from "@p2/tokens/p50k_base" or "@p2/tokens/r50k_base".`,
      { code: "encoding-not-loaded", kind: "usage" },
    )
    this.name = "EncodingNotLoadedError"
    this.encoding = encoding
  }
}

/** A part of a request whose tokens have no bound that could be stated: code `unbounded-input`. */
export class UnboundedInputError extends P2Error {
  /** Where it is, such as `messages[2].content[0]`. */
  readonly path: string

  constructor(path: string, what: string, { remedy }: { remedy: string }) {
    super(`No bound is known for the tokens of ${what} at \`${path}\`. ${remedy}`, {
      code: "unbounded-input",
      kind: "usage",
    })
    this.name = "UnboundedInputError"
    this.path = path
  }
}
