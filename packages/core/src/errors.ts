/**
 * What went wrong, in one of three kinds:
 * - `denied`: the budget or the context window says no. Never retried.
 * - `failed`: something broke (store, network, provider). `cause` says what.
 * - `usage`: the caller passed something wrong; thrown before anything happens.
 */
export type ErrorKind = "denied" | "failed" | "usage"

export interface P2ErrorOptions {
  /** Stable identifier of the error, part of semver. Kebab case. */
  code: string
  kind: ErrorKind
  /** Whether the same call may succeed when it is made again. @defaultValue false */
  retryable?: boolean | undefined
  cause?: unknown
}

const MARK = Symbol.for("@p2/error")

/**
 * The class of every error that p2 throws or returns. Recognise it with `P2Error.isInstance(error)`, not with
 * `instanceof`, which is false between the ESM and the CommonJS copy of this package.
 */
export class P2Error extends Error {
  declare readonly code: string
  declare readonly kind: ErrorKind
  declare readonly retryable: boolean

  constructor(message: string, options: P2ErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    // Set, because a class does not know its own name once a bundler has renamed it.
    this.name = new.target === P2Error ? "P2Error" : nameOf(options.code)
    this.code = options.code
    this.kind = options.kind
    this.retryable = options.retryable ?? false
    Object.defineProperty(this, MARK, { value: true })
  }

  /** Whether `value` is a p2 error, from whichever copy of the package. */
  static isInstance(value: unknown): value is P2Error {
    return (value as Record<symbol, unknown> | null | undefined)?.[MARK] === true
  }
}

/** A class is named as its code is: `InvalidArgumentError` has the code `invalid-argument`. */
function nameOf(code: string): string {
  return `-${code}-error`.replace(/-./g, (start) => start.charAt(1).toUpperCase())
}

/** A wrong argument: code `invalid-argument`. The message says what was expected, what came and what to do. */
export class InvalidArgumentError extends P2Error {
  /** Path of the argument, such as `usage.inputTokens`. */
  declare readonly argument: string
  /** What it should have been, in words. */
  declare readonly expected: string

  /** `message` replaces the usual "Invalid `argument`: expected …, got …." */
  constructor(argument: string, expected: string, received: unknown, message?: string) {
    super(message ?? `Invalid \`${argument}\`: expected ${expected}, got ${describeValue(received)}.`, {
      code: "invalid-argument",
      kind: "usage",
    })
    this.argument = argument
    this.expected = expected
  }
}

/** A model that the table does not hold: code `unknown-model`. Unknown is never free and never a default limit. */
export class UnknownModelError extends P2Error {
  declare readonly model: string
  /** Known ids that are spelled most alike, nearest first. They are suggestions, never used instead. */
  declare readonly nearest: readonly string[]

  constructor(model: string, options: { what: string; nearest?: readonly string[] | undefined; remedy: string }) {
    const nearest = options.nearest ?? []
    const known = nearest.length > 0 ? ` The nearest known ids are ${nearest.map((id) => `"${id}"`).join(", ")}.` : ""
    super(
      `No ${options.what} is known for the model ${JSON.stringify(model.slice(0, 60))}.${known} ${options.remedy}`,
      {
        code: "unknown-model",
        kind: "usage",
      },
    )
    this.model = model
    this.nearest = nearest
  }
}

/** The signal of a call fired: code `aborted`. `cause` is the signal's reason. */
export class AbortedError extends P2Error {
  constructor(what: string, signal?: AbortSignal) {
    super(`${what} was aborted by its signal.`, { code: "aborted", kind: "failed", cause: signal?.reason })
  }
}

/** A value as an error message may show it: short, on one line, and without the contents of long strings or objects. */
export function describeValue(value: unknown): string {
  // A key or a prompt may have come in the wrong place: either is longer.
  if (typeof value === "string") return JSON.stringify(value.length > 30 ? `${value.slice(0, 6)}…` : value)
  if (typeof value === "bigint") return `${value}n`
  if (value === null || typeof value !== "object") return typeof value === "function" ? "a function" : String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof String) return "a text"
  const name = className(value)
  return name === "Object" ? "an object" : `an instance of ${name}`
}

/** A value of which {@link describeValue} shows nothing where it is a text: it may be a key, an address, or a prompt. */
export function withoutText(value: unknown): unknown {
  return typeof value === "string" ? Object(value) : value
}

/** The name of the value's class; `Object` where it has none, or where what it says is not a name. */
function className(value: object): string {
  try {
    const { name } = value.constructor
    return /^[\w$]{1,60}$/.test(name) && typeof name === "string" ? name : "Object"
  } catch {
    return "Object"
  }
}
