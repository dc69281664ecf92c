import type { BudgetExceededError, ReservationHeldError, StoreError } from "@p2/budget"
import { type AbortedError, type ErrorKind, type InvalidAnswerError, P2Error } from "@p2/core"
import type { CircuitOpenError } from "@p2/guard/charge"
import type { DeadlineName, Receipt } from "./receipt"

/** A class of another package with its code as a literal, so that `error.code` narrows to it. */
type WithCode<Class, Code extends string> = Class & { readonly code: Code }

/** Every error with which `generate()` can end. `error.code` narrows it to one class and its fields. */
export type GenerateError =
  | BudgetExceededError
  | StoreError
  | ReservationHeldError
  | CircuitOpenError
  | WithCode<AbortedError, "aborted">
  | WithCode<InvalidAnswerError, "invalid-answer">
  | ContextExceededError
  | ProviderError
  | ConnectionFailedError
  | ConnectionLostError
  | DeadlineExceededError
  | AnswerRefusedError
  | ContentFilteredError
  | AnswerTruncatedError
  | AnswerEmptyError
  | UnexpectedError

/** The code of a {@link GenerateError}. */
export type GenerateErrorCode = GenerateError["code"]

/** An error of a call, with the call's receipt. */
export type ErrorWithReceipt = GenerateError & { readonly receipt: Receipt }

/** Attaches the receipt. It is not enumerable, so that `console.log(error)` stays short. */
export function attachReceipt(error: P2Error, receipt: Receipt): ErrorWithReceipt {
  return Object.defineProperty(error, "receipt", { value: receipt, configurable: true }) as ErrorWithReceipt
}

abstract class ClientError extends P2Error {
  constructor(code: string, message: string, more: { kind?: ErrorKind; retryable?: boolean; cause?: unknown } = {}) {
    super(message, { code, kind: "failed", ...more })
  }

  /** Sets a field that may quote the prompt. It is not enumerable, so that no log shows it. */
  protected hide(name: string, value: string): void {
    Object.defineProperty(this, name, { value })
  }
}

/** Compares codes, so that it also works for errors of another copy of this package. */
function hasCode(value: unknown, ...codes: string[]): boolean {
  return P2Error.isInstance(value) && codes.includes(value.code)
}

/** Codes of {@link ProviderError}. Each one calls for a different remedy. */
export type ProviderErrorCode =
  /** 400, 409, 413, 415, 422 and other 4xx: the provider rejected the request. */
  | "provider-bad-request"
  /** 401, 403. */
  | "provider-auth"
  /** 402: the account at the provider has no credit. */
  | "provider-payment"
  /** 404: no such model or route. */
  | "provider-not-found"
  /** 408. */
  | "provider-timeout"
  /** 429. */
  | "provider-rate-limit"
  /** 5xx. */
  | "provider-unavailable"
  /** Status 200 with an error inside, or with a body that is not a chat completion. */
  | "provider-error"

const PROVIDER_REMEDIES: Record<ProviderErrorCode, string> = {
  "provider-bad-request": "See `error.cause.providerMessage`.",
  "provider-auth": "Check the API key and its permissions.",
  "provider-payment": "Add credit at the provider.",
  "provider-not-found": "Check the model id and the base URL.",
  "provider-timeout": "Retry later.",
  "provider-rate-limit": "Retry later, or set `fallbacks`.",
  "provider-unavailable": "Retry later, or set `fallbacks`.",
  "provider-error": "See `error.cause.providerMessage`.",
}

/**
 * The provider returned an error. Its own message is in `cause.providerMessage` and its error object in `cause.error`.
 * Neither is enumerable, because both may quote the request and the key.
 */
export class ProviderError extends ClientError {
  declare readonly code: ProviderErrorCode
  declare readonly provider: string
  /** HTTP status, or the numeric code inside a status 200. */
  declare readonly status: number | undefined
  /** The provider's own code, such as `model_not_found`. */
  declare readonly providerCode: string | undefined
  /** `Retry-After` of the response, in milliseconds. */
  declare readonly retryAfterMs: number | undefined
  /** The provider's request id, to quote to its support. */
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
    const { code, retryable, cause, ...fields } = options
    const status = fields.status === undefined ? "an error" : `status ${fields.status}`
    const providerCode = fields.providerCode === undefined ? "" : ` (${fields.providerCode})`
    const wait = fields.retryAfterMs === undefined ? "" : ` Retry after ${fields.retryAfterMs} ms.`
    const remedy = wait || ` ${PROVIDER_REMEDIES[code]}`
    super(code, `${fields.provider} returned ${status}${providerCode}.${remedy}`, { retryable, cause })
    this.name = "ProviderError"
    Object.assign(this, fields)
  }

  static override isInstance(value: unknown): value is ProviderError {
    return hasCode(value, ...Object.keys(PROVIDER_REMEDIES))
  }
}

/** No connection was made, so nothing was sent or charged: code `connection-failed`. */
export class ConnectionFailedError extends ClientError {
  declare readonly code: "connection-failed"

  constructor(provider: string, cause: unknown) {
    super(
      "connection-failed",
      `Could not connect to ${provider}; nothing was sent. Check the base URL, the API key and the network.`,
      { retryable: true, cause },
    )
  }
}

/** The connection closed before the response completed: code `connection-lost`. The call may have been billed. */
export class ConnectionLostError extends ClientError {
  declare readonly code: "connection-lost"

  constructor(provider: string, cause?: unknown) {
    super("connection-lost", `Connection to ${provider} closed before the response completed. Retry the call.`, {
      retryable: true,
      cause,
    })
  }
}

const DEADLINE_OPTIONS: Record<DeadlineName, string> = {
  total: "timeoutMs",
  connect: "deadlines.connectMs",
  "first-content": "deadlines.firstContentMs",
  idle: "deadlines.idleMs",
}

/** A deadline passed: code `deadline-exceeded`. */
export class DeadlineExceededError extends ClientError {
  declare readonly code: "deadline-exceeded"
  declare readonly deadline: DeadlineName
  declare readonly timeoutMs: number

  constructor(deadline: DeadlineName, timeoutMs: number) {
    super(
      "deadline-exceeded",
      `The ${deadline} deadline of ${timeoutMs} ms passed. Raise \`${DEADLINE_OPTIONS[deadline]}\`.`,
      { retryable: deadline !== "total" },
    )
    Object.assign(this, { deadline, timeoutMs })
  }

  static override isInstance(value: unknown): value is DeadlineExceededError {
    return hasCode(value, "deadline-exceeded")
  }
}

/** The model declined to answer: code `answer-refused`. Never repaired. */
export class AnswerRefusedError extends ClientError {
  declare readonly code: "answer-refused"
  /** The model's explanation. Not in the message and not enumerable, because it may quote the prompt. */
  declare readonly refusal: string

  constructor(refusal: string) {
    super("answer-refused", "The model refused to answer. Its explanation is in `error.refusal`; change the prompt.")
    this.hide("refusal", refusal)
  }

  static override isInstance(value: unknown): value is AnswerRefusedError {
    return hasCode(value, "answer-refused")
  }
}

/** The provider's filter stopped the prompt or the answer: code `content-filtered`. Never repaired. */
export class ContentFilteredError extends ClientError {
  declare readonly code: "content-filtered"

  constructor(cause?: unknown) {
    super("content-filtered", "The provider's content filter stopped the prompt or the answer. Change the prompt.", {
      cause,
    })
  }
}

/** The answer ended at the output limit: code `answer-truncated`. */
export class AnswerTruncatedError extends ClientError {
  declare readonly code: "answer-truncated"
  /** Output tokens that were requested. */
  declare readonly maxTokens: number
  /** The beginning of the answer. Not enumerable, so that logs do not show it. */
  declare readonly text: string

  constructor(maxTokens: number, text: string) {
    super(
      "answer-truncated",
      `The answer was cut off after ${maxTokens} output tokens. Raise \`maxTokens\`, or the budget if it set that limit.`,
    )
    this.maxTokens = maxTokens
    this.hide("text", text)
  }

  static override isInstance(value: unknown): value is AnswerTruncatedError {
    return hasCode(value, "answer-truncated")
  }
}

/** The answer has no content: code `answer-empty`. */
export class AnswerEmptyError extends ClientError {
  declare readonly code: "answer-empty"

  constructor() {
    super("answer-empty", "The model returned an empty response.")
  }
}

/** The request does not fit the model's context window: code `context-exceeded`. Nothing was sent. */
export class ContextExceededError extends ClientError {
  declare readonly code: "context-exceeded"
  declare readonly model: string
  declare readonly inputTokens: number
  /** Output tokens that were requested, or the minimum that a call without `maxTokens` needs. */
  declare readonly outputTokens: number
  declare readonly contextWindow: number
  /** The model's limit on input tokens alone, if it has one. */
  declare readonly maxInputTokens: number | undefined

  constructor(options: {
    model: string
    inputTokens: number
    outputTokens: number
    contextWindow: number
    maxInputTokens?: number | undefined
  }) {
    const { model, inputTokens, outputTokens, contextWindow, maxInputTokens } = options
    const exceedsInput = inputTokens > (maxInputTokens ?? contextWindow)
    const limit =
      exceedsInput && maxInputTokens !== undefined
        ? `the model accepts at most ${maxInputTokens} input tokens`
        : `the context window has ${contextWindow} tokens`
    const output = exceedsInput ? "" : ` and ${outputTokens} output tokens`
    super(
      "context-exceeded",
      `Context window exceeded (${model}): the request has ${inputTokens} input tokens${output}, but ${limit}. Shorten the messages.`,
      { kind: "denied" },
    )
    Object.assign(this, { maxInputTokens: undefined, ...options })
  }

  static override isInstance(value: unknown): value is ContextExceededError {
    return hasCode(value, "context-exceeded")
  }
}

/** No API key or no base URL is set: code `missing-key`. The message names the variable. */
export class MissingKeyError extends ClientError {
  declare readonly code: "missing-key"
  declare readonly provider: string
  /** The environment variable that is not set. */
  declare readonly variable: string

  /** `fallback` is the model id when a fallback needs the key: the client's `apiKey` is for the request's own model. */
  constructor(provider: string, variable: string, missing: "API key" | "base URL", fallback?: string) {
    const option = missing === "API key" ? "apiKey" : "baseURL"
    super(
      "missing-key",
      fallback === undefined
        ? `No ${missing} for ${provider}. Set ${variable}, or pass \`${option}\` or \`openai\`.`
        : `No ${missing} for ${provider}, which the fallback "${fallback}" needs. Set ${variable}, or ${missing === "API key" ? `pass \`apiKeys: { ${provider}: … }\`` : "remove the fallback"}.`,
      { kind: "usage" },
    )
    Object.assign(this, { provider, variable })
  }

  static override isInstance(value: unknown): value is MissingKeyError {
    return hasCode(value, "missing-key")
  }
}

/** The conversation is empty: code `no-messages`. */
export class NoMessagesError extends ClientError {
  declare readonly code: "no-messages"

  constructor() {
    super("no-messages", "There are no messages to send. Add one with `client.msg.addMessageUser(…)`.", {
      kind: "usage",
    })
  }
}

/** The model called tools that were not run, and the caller accepts only an answer: code `tool-calls-returned`. */
export class ToolCallsReturnedError extends ClientError {
  declare readonly code: "tool-calls-returned"

  constructor(names: readonly string[], maxSteps: number) {
    super(
      "tool-calls-returned",
      `The model called ${[...new Set(names)].join(", ")}, but the calls were not run. Raise \`maxSteps\` (now ${maxSteps}), give every tool an \`execute\`, or read \`toolCalls\` of \`generate()\`.`,
    )
  }

  static override isInstance(value: unknown): value is ToolCallsReturnedError {
    return hasCode(value, "tool-calls-returned")
  }
}

/** The run, or one around it, is finished: code `run-finished`. */
export class RunFinishedError extends ClientError {
  declare readonly code: "run-finished"

  constructor() {
    super("run-finished", "The run is finished. Start a new one with `client.run({ maxBudget })`.", { kind: "usage" })
  }

  static override isInstance(value: unknown): value is RunFinishedError {
    return hasCode(value, "run-finished")
  }
}

/** An optional package that an option needs is not installed: code `missing-package`. */
export class MissingPackageError extends ClientError {
  declare readonly code: "missing-package"
  declare readonly packageName: string

  constructor(packageName: string, neededFor: string, cause: unknown) {
    super("missing-package", `${neededFor} needs the package ${packageName}. Run: npm install ${packageName}`, {
      kind: "usage",
      cause,
    })
    this.packageName = packageName
  }

  static override isInstance(value: unknown): value is MissingPackageError {
    return hasCode(value, "missing-package")
  }
}

/** Rethrows the error of a dynamic import, as a usage error when the package is not installed. */
export function throwNotLoaded(packageName: string, neededFor: string, cause: unknown): never {
  if (!/MODULE_NOT_FOUND$/.test(String((cause as { code?: unknown }).code))) throw cause
  throw new MissingPackageError(packageName, neededFor, cause)
}

/** An unexpected error, wrapped so that it has a code and a receipt: code `unexpected`. */
export class UnexpectedError extends ClientError {
  declare readonly code: "unexpected"

  constructor(cause: unknown) {
    super("unexpected", "Unexpected error. See `error.cause`.", { cause })
  }
}

/** The client was closed: code `client-closed`. */
export class ClientClosedError extends ClientError {
  declare readonly code: "client-closed"

  constructor() {
    super("client-closed", "The client is closed. Create a new LLMClient.", { kind: "usage" })
  }
}
