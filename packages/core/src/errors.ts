/**
 * What went wrong:
 * - `denied`: the budget or the context window does not allow the call. It is denied again until something changes.
 * - `failed`: the store, the network or the provider failed; see `cause`.
 * - `usage`: the caller passed something wrong; thrown before anything happens.
 */
export type ErrorKind = "denied" | "failed" | "usage"

export interface P2ErrorOptions<Code extends string = string> {
  /** Stable identifier of the error, part of semver. Kebab case. */
  code: Code
  kind: ErrorKind
  /** Whether the same call may succeed if it is repeated. @defaultValue false */
  retryable?: boolean | undefined
  cause?: unknown
}

const MARK = Symbol.for("@p2/error")

/**
 * The class of every error that p2 throws or returns. Recognize it with `P2Error.isInstance(error)`, not with
 * `instanceof`, which is false between the ESM and the CommonJS copy of this package.
 *
 * @example
 * try {
 *   usd("5$")
 * } catch (error) {
 *   if (P2Error.isInstance(error)) console.error(error.code, error.message)
 * }
 */
export class P2Error<Code extends string = string> extends Error {
  declare readonly code: Code
  declare readonly kind: ErrorKind
  /** Whether the same call may succeed if it is repeated. */
  declare readonly retryable: boolean

  constructor(message: string, options: P2ErrorOptions<Code>) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    // From the code, because bundlers rename classes.
    this.name = new.target === P2Error ? "P2Error" : classNameOf(options.code)
    this.code = options.code
    this.kind = options.kind
    this.retryable = options.retryable ?? false
    Object.defineProperty(this, MARK, { value: true })
  }

  /** Whether `value` is a p2 error, from any copy of the package. */
  static isInstance(value: unknown): value is P2Error {
    return (value as Record<symbol, unknown> | null | undefined)?.[MARK] === true
  }
}

/** `InvalidArgumentError` for the code `invalid-argument`. */
function classNameOf(code: string): string {
  return `-${code}-error`.replace(/-./g, (start) => start.charAt(1).toUpperCase())
}

/** An invalid argument: code `invalid-argument`. The message says what was expected and what was received. */
export class InvalidArgumentError extends P2Error<"invalid-argument"> {
  /** Path of the argument, such as `usage.inputTokens`. */
  declare readonly argument: string
  /** Describes a valid argument, in words. */
  declare readonly expected: string

  /** @param message replaces "Invalid `argument`: expected …, got …." */
  constructor(argument: string, expected: string, received: unknown, message?: string) {
    super(message ?? `Invalid \`${argument}\`: expected ${expected}, got ${describeValue(received)}.`, {
      code: "invalid-argument",
      kind: "usage",
    })
    this.argument = argument
    this.expected = expected
  }

  /** Whether `value` is an `InvalidArgumentError`, from any copy of the package. */
  static override isInstance(value: unknown): value is InvalidArgumentError {
    return P2Error.isInstance(value) && value.code === "invalid-argument"
  }
}

/** A model that a table does not list: code `unknown-model`. An unknown model is never free and has no default limit. */
export class UnknownModelError extends P2Error<"unknown-model"> {
  /** The id; empty if the string has characters that no id contains or looks like an API key. */
  declare readonly model: string
  /** Known ids with the most similar spelling, nearest first. Suggestions only, never used instead. */
  declare readonly nearest: readonly string[]

  /**
   * @param options `what` names the unknown property, such as "price"; `remedy` is a sentence that says what to do
   */
  constructor(model: string, options: { what: string; nearest?: readonly string[] | undefined; remedy: string }) {
    const { what, nearest = [], remedy } = options
    const hint = nearest.length === 0 ? "" : ` Similar ids: ${nearest.map((id) => `"${id}"`).join(", ")}.`
    super(`Unknown model ${describeModelId(model)}: no ${what} is listed.${hint} ${remedy}`, {
      code: "unknown-model",
      kind: "usage",
    })
    this.model = hasModelIdCharacters(model) ? model : ""
    this.nearest = nearest
  }

  /** Whether `value` is an `UnknownModelError`, from any copy of the package. */
  static override isInstance(value: unknown): value is UnknownModelError {
    return P2Error.isInstance(value) && value.code === "unknown-model"
  }
}

/** A call was aborted, by its signal or by the reader of its stream: code `aborted`. `cause` is the reason. */
export class AbortedError extends P2Error<"aborted"> {
  constructor(what: string, signal?: { readonly reason?: unknown }) {
    super(`${what} was aborted.`, { code: "aborted", kind: "failed", cause: signal?.reason })
  }

  /** Whether `value` is an `AbortedError`, from any copy of the package. */
  static override isInstance(value: unknown): value is AbortedError {
    return P2Error.isInstance(value) && value.code === "aborted"
  }
}

/**
 * Prefixes of API keys, also after a provider: OpenAI and Anthropic, Groq, xAI, Google, Hugging Face, Replicate. Perplexity has
 * models whose names start like its keys.
 */
const KEY_PREFIX = /^pplx-|(^|\/)(sk-|gsk_|xai-|AIza|hf_|r8_)/

/** API keys in a name, a code or a short string: known prefixes at its start or after a separator, and JSON Web Tokens. */
const KEY =
  /(^|[^A-Za-z0-9])(sk[-_]|gsk_|xai-|pplx-|AIza|hf_|r8_|nvapi-|csk-|fw_|tgp_v1_|gh[opsu]_|glpat-|(AKIA|ASIA)[A-Z0-9]{12})|eyJ[\w-]{10,}\./

/**
 * Whether a name, a code or a short string may contain an API key: one with a known prefix, or a long word of letters and
 * digits. Examines the first 1,000 characters.
 */
export function looksLikeKey(value: string): boolean {
  const start = value.slice(0, 1_000)
  if (KEY.test(start)) return true
  const words = start.match(/[A-Za-z0-9]{20,}/g) ?? []
  return words.some((word) => /[A-Za-z]/.test(word) && /(\d\D*){4}/.test(word))
}

/** Whether a string has only model id characters and is not an API key, so that an error message may show it in full. */
export function hasModelIdCharacters(value: string): boolean {
  return /^[A-Za-z0-9@~][A-Za-z0-9._:/@+~-]{0,199}$/.test(value) && !KEY_PREFIX.test(value)
}

/** Describes a model id for an error message: in full if it has the form of an id, otherwise like any other value. */
export function describeModelId(value: unknown): string {
  return typeof value === "string" && hasModelIdCharacters(value) ? JSON.stringify(value) : describeValue(value)
}

/** Longer names are truncated. */
const MAX_NAME = 60

/**
 * Describes the name of an option or a field for an error message: its first 60 characters; `…` if it is not an
 * identifier or looks like an API key, because it may then be a value that was passed as a name.
 */
export function describeName(name: string): string {
  const short = name.slice(0, MAX_NAME)
  return /^[\w$-]+$/.test(short) && !looksLikeKey(short) ? short : "…"
}

/** Longer strings are shortened. */
const MAX_STRING = 30

/** Describes a value for an error message: short, on one line, without the contents of long strings or objects. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return describeString(value)
  if (typeof value === "bigint") return `${value}n`
  if (value === null || typeof value !== "object") return typeof value === "function" ? "a function" : String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof HiddenString) return "a string"
  if (value instanceof Promise) return "a promise (is an `await` missing?)"
  const name = className(value)
  return name === "Object" ? "an object" : `an instance of ${name}`
}

/** A string that was passed in the wrong place may be an API key, a URL with a password, or a prompt. */
function describeString(value: string): string {
  if (looksLikeKey(value)) return "a string that looks like an API key"
  if (/^[\w+.-]+:\/\/[^/\s]*@/.test(value)) return "a URL with credentials"
  return JSON.stringify(value.length > MAX_STRING ? `${value.slice(0, 6)}…` : value)
}

class HiddenString {}

/** Replaces a string with a value that {@link describeValue} shows as "a string", because it may be secret. */
export function hideString(value: unknown): unknown {
  return typeof value === "string" ? new HiddenString() : value
}

/** Returns the name of the value's class; `Object` if it has none, or if the name is not an identifier. */
function className(value: object): string {
  try {
    const { name } = value.constructor
    return typeof name === "string" && /^[\w$]{1,60}$/.test(name) ? name : "Object"
  } catch {
    return "Object"
  }
}
