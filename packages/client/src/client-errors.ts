import { P2Error, type P2ErrorOptions } from "@p2/core"
import type { DeadlineName, Receipt } from "./receipt"

/** An error as it leaves the client: with what the request cost until then. */
export type ErrorWithReceipt = P2Error & { readonly receipt: Receipt }

/** Most of what goes wrong here is a failure. */
abstract class ClientError extends P2Error {
  constructor(code: string, message: string, more: Partial<P2ErrorOptions> = {}) {
    super(message, { code, kind: "failed", ...more })
  }

  /** Sets what no log should show, because it may quote the prompt: it is not enumerable. */
  protected hide(name: string, value: string): void {
    Object.defineProperty(this, name, { value })
  }
}

/** Provider errors by what the caller can do about them. */
export type ProviderErrorCode =
  /** 400, 409, 413, 415, 422 and other 4xx: the request itself was refused. */
  | "provider-bad-request"
  /** 401, 403. */
  | "provider-auth"
  /** 402: the provider's own account has no money. */
  | "provider-payment"
  /** 404: no such model or route. */
  | "provider-not-found"
  /** 408. */
  | "provider-timeout"
  /** 429. */
  | "provider-rate-limit"
  /** 5xx. */
  | "provider-unavailable"
  /** Status 200 with an error inside, or with a body that is no chat completion. */
  | "provider-error"

/**
 * The provider answered with an error. Its own words are in `cause.providerMessage`, its error object in `cause.error`:
 * neither is enumerable, so that no log shows them, because they may quote the request and the key.
 */
export class ProviderError extends ClientError {
  declare readonly code: ProviderErrorCode
  declare readonly provider: string
  /** Status of the response, or the numeric code inside a 200. */
  declare readonly status: number | undefined
  /** The provider's word for the error, such as `model_not_found`. */
  declare readonly providerCode: string | undefined
  /** When the provider asks to come back, in milliseconds from the answer. */
  declare readonly retryAfterMs: number | undefined
  /** The provider's id of the request, for its support. */
  declare readonly providerRequestId: string | undefined

  constructor(options: {
    code: ProviderErrorCode
    provider: string
    status?: number | undefined
    providerCode?: string | undefined
    retryAfterMs?: number | undefined
    providerRequestId?: string | undefined
    retryable: boolean
    cause?: unknown
  }) {
    const { code, retryable, cause, ...told } = options
    const said = told.status === undefined ? "an error" : `status ${told.status}`
    const word = told.providerCode === undefined ? "" : ` (${told.providerCode})`
    super(code, `${told.provider} answered ${said}${word}. ${REMEDIES[code]}`, { retryable, cause })
    this.name = "ProviderError"
    Object.assign(this, told)
  }
}

const REMEDIES: Record<ProviderErrorCode, string> = {
  "provider-bad-request": "Its reason is in `error.cause.providerMessage`.",
  "provider-auth": "Check the API key and what it may do.",
  "provider-payment": "Add credit at the provider.",
  "provider-not-found": "Check the model's id and the base URL.",
  "provider-timeout": "Try again later.",
  "provider-rate-limit": "Try again after `error.retryAfterMs`.",
  "provider-unavailable": "Try again later, or name `fallbacks`.",
  "provider-error": "Its reason is in `error.cause.providerMessage`.",
}

/** No connection was made, so nothing was sent and nothing is owed: code `connection-failed`. */
export class ConnectionFailedError extends ClientError {
  constructor(provider: string, cause: unknown) {
    super(
      "connection-failed",
      `No connection to ${provider} could be made. Nothing was sent. Check the base URL and the network.`,
      { retryable: true, cause },
    )
  }
}

/** The connection ended before the answer did: code `connection-lost`. The call may have been billed. */
export class ConnectionLostError extends ClientError {
  constructor(provider: string, cause?: unknown) {
    super(
      "connection-lost",
      `The connection to ${provider} ended before the answer did. What may have been billed was charged.`,
      { retryable: true, cause },
    )
  }
}

/** A deadline passed: code `deadline-exceeded`. */
export class DeadlineExceededError extends ClientError {
  declare readonly deadline: DeadlineName
  declare readonly timeoutMs: number

  constructor(deadline: DeadlineName, timeoutMs: number) {
    super(
      "deadline-exceeded",
      `The ${deadline} deadline of ${timeoutMs} ms passed. Raise \`${OPTION_OF[deadline]}\`, or ask for less.`,
      { retryable: deadline !== "total" },
    )
    Object.assign(this, { deadline, timeoutMs })
  }
}

const OPTION_OF: Record<DeadlineName, string> = {
  total: "timeoutMs",
  connect: "deadlines.connectMs",
  "first-content": "deadlines.firstContentMs",
  idle: "deadlines.idleMs",
}

/** The model would not answer: code `answer-refused`. Never repaired. What it said is in `refusal`. */
export class AnswerRefusedError extends ClientError {
  /** The model's words. Neither in the message nor enumerable, because they may quote the prompt. */
  declare readonly refusal: string

  constructor(refusal: string) {
    super("answer-refused", "The model refused to answer. See `error.refusal`; change the prompt.")
    this.hide("refusal", refusal)
  }
}

/** The provider's filter stopped the prompt or the answer: code `content-filtered`. Never repaired. */
export class ContentFilteredError extends ClientError {
  constructor(cause?: unknown) {
    super("content-filtered", "The provider's content filter stopped it. Change the prompt.", { cause })
  }
}

/** The answer ended at `maxTokens`: code `answer-truncated`. What came until then is in `text`. */
export class AnswerTruncatedError extends ClientError {
  declare readonly maxTokens: number
  /** The beginning of the answer. Not enumerable, so that logs do not show it. */
  declare readonly text: string

  constructor(maxTokens: number, text: string) {
    super(
      "answer-truncated",
      `The answer was cut off after ${maxTokens} tokens. Raise \`maxTokens\`, or \`maxBudget\` if that was the limit.`,
    )
    this.maxTokens = maxTokens
    this.hide("text", text)
  }
}

/** The answer has no content: code `answer-empty`. */
export class AnswerEmptyError extends ClientError {
  constructor() {
    super("answer-empty", "Nothing was answered. Raise `repairs`.")
  }
}

/** The request is larger than the model's context window: code `context-exceeded`. Nothing was sent. */
export class ContextExceededError extends ClientError {
  declare readonly model: string
  /** Upper bound of the input's tokens. */
  declare readonly inputTokens: number
  /** Output tokens that were asked for, or the least that makes sense. */
  declare readonly outputTokens: number
  declare readonly contextWindow: number

  constructor(options: { model: string; inputTokens: number; outputTokens: number; contextWindow: number }) {
    super(
      "context-exceeded",
      `The request may take ${options.inputTokens} input and ${options.outputTokens} output tokens, more than the ` +
        `${options.contextWindow} of ${options.model}. Shorten the messages or lower \`maxTokens\`.`,
      { kind: "denied" },
    )
    Object.assign(this, options)
  }
}

/** No API key, or no base URL: code `missing-key`. The message names the variable. */
export class MissingKeyError extends ClientError {
  declare readonly provider: string
  /** The environment variable that was looked at. */
  declare readonly variable: string

  constructor(provider: string, variable: string, what: "API key" | "base URL" = "API key") {
    const option = what === "API key" ? "apiKey" : "baseURL"
    super("missing-key", `No ${what} for ${provider}. Set ${variable}, or pass \`${option}\` or \`openai\`.`, {
      kind: "usage",
    })
    Object.assign(this, { provider, variable })
  }
}

/** Nothing to say: code `no-messages`. */
export class NoMessagesError extends ClientError {
  constructor() {
    super("no-messages", "Expected a message, got none. Add one with `client.msg.addMessageUser(…)`.", {
      kind: "usage",
    })
  }
}

/** A package that an option needs is not installed: code `missing-package`. */
export class MissingPackageError extends ClientError {
  declare readonly packageName: string

  constructor(packageName: string, what: string, cause: unknown) {
    super("missing-package", `${what} needs the package ${packageName}. Install it: npm install ${packageName}`, {
      kind: "usage",
      cause,
    })
    this.packageName = packageName
  }
}

/** Something that should not happen, wrapped so that it too has a code and a receipt: code `unexpected`. */
export class UnexpectedError extends ClientError {
  constructor(cause: unknown) {
    super("unexpected", "Unforeseen: see `error.cause`. What may have been billed was charged.", {
      cause,
    })
  }
}

/** The client was closed: code `client-closed`. */
export class ClientClosedError extends ClientError {
  constructor() {
    super("client-closed", "The client was closed. Make a new LLMClient.", { kind: "usage" })
  }
}
