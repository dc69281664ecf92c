import type { RequestOptions } from "@p2/core"
import type { Fault } from "@p2/local-provider"
import { expect } from "vitest"
import type { AttemptReceipt, LLMClientOptions } from "../src/index"

/** The fields of an attempt that a case checks. */
type Expected = Partial<
  Pick<
    AttemptReceipt,
    | "status"
    | "errorCode"
    | "finishReason"
    | "costSource"
    | "inDoubt"
    | "httpStatus"
    | "reason"
    | "mode"
    | "deadlineHit"
    | "model"
  >
>

/** One way in which a request may end, and its expected receipt. */
export interface OutcomeCase {
  name: string
  /** Faults of the calls, in order; later calls have none. */
  faults?: Fault[]
  request?: Partial<RequestOptions<unknown>>
  options?: Partial<LLMClientOptions>
  /** Aborts this many milliseconds after the start; 0: before the start. */
  abortAfterMs?: number
  /** The connection is refused. */
  refused?: boolean
  /** Undefined: there is an answer. */
  code?: string
  /** Attempt by attempt. */
  attempts: Expected[]
  /** The expected differences in a stream. */
  streamed?: Pick<Partial<OutcomeCase>, "code" | "attempts" | "request" | "options">
  /** The expected differences at OpenRouter, which does not bill errors without output. */
  openrouter?: Pick<Partial<OutcomeCase>, "attempts">
  only?: "json" | "stream" | "openai"
  /** Calls that must have reached the provider. */
  calls?: number
}

const none = { costSource: "none", inDoubt: false } as const
const bound = { status: "failed", costSource: "bound", inDoubt: true } as const
const answered = { status: "succeeded", errorCode: undefined } as const
// One short deadline at a time: on a slow machine another one could pass first.
const shortFirstContent = { deadlines: { firstContentMs: 150 } }
const shortIdle = { deadlines: { idleMs: 150 } }
const once = { retries: 0, repairs: 0 }

/** A status that proves that nothing was generated or billed. */
function free(status: number, errorCode: string): OutcomeCase {
  return {
    name: `status ${status}`,
    faults: [{ status }],
    request: once,
    code: errorCode,
    attempts: [{ status: "failed", errorCode, httpStatus: status, ...none }],
  }
}

/** A status after which the call may have been billed. */
function unknown(status: number, errorCode: string, billed: boolean): OutcomeCase {
  const expected = { errorCode, httpStatus: status }
  return {
    name: `status ${status}${billed ? ", billed anyway" : ""}`,
    faults: [{ status, billed }],
    request: once,
    code: errorCode,
    attempts: [{ ...bound, ...expected }],
    openrouter: { attempts: [{ status: "failed", ...none, ...expected }] },
    // OpenRouter documents that it bills no status of 400 or above.
    ...(billed ? { only: "openai" } : {}),
  }
}

/** A failure whose retry is answered. */
function retried(name: string, fault: Fault, first: Expected): OutcomeCase {
  const retry: Expected = { ...answered, reason: "retry" }
  const unbilled = fault.status === undefined ? first : { ...first, ...none }
  return { name, faults: [fault], attempts: [first, retry], openrouter: { attempts: [unbilled, retry] }, calls: 2 }
}

export const OUTCOMES: OutcomeCase[] = [
  {
    name: "an answer",
    attempts: [{ ...answered, finishReason: "stop", httpStatus: 200, mode: "json_schema", reason: "first" }],
    calls: 1,
  },
  {
    name: "an answer from a cached prompt, after thinking",
    faults: [{ cachedTokens: 20, reasoningTokens: 100 }],
    attempts: [answered],
  },
  { name: "a text answer", request: { answerModel: undefined }, attempts: [{ ...answered, mode: "text" }] },
  {
    name: "finish reason length",
    request: { ...once, maxTokens: 5 },
    code: "answer-truncated",
    attempts: [{ status: "failed", errorCode: "answer-truncated", finishReason: "length" }],
  },
  {
    name: "length, then an answer with more output tokens",
    faults: [{ finishReason: "length", answer: '{"name": "Dav' }],
    attempts: [{ errorCode: "answer-truncated" }, { ...answered, reason: "longer" }],
  },
  {
    name: "finish reason content_filter",
    faults: [{ finishReason: "content_filter", answer: "" }],
    code: "content-filtered",
    attempts: [{ errorCode: "content-filtered", finishReason: "content_filter" }],
    calls: 1,
  },
  {
    name: "finish reason error",
    faults: [{ finishReason: "error", answer: "" }],
    request: once,
    code: "provider-error",
    attempts: [{ errorCode: "provider-error" }],
  },
  {
    name: "an unknown finish reason",
    faults: [{ finishReason: "eos" }],
    attempts: [{ ...answered, finishReason: "eos" }],
  },
  {
    name: "no finish reason",
    faults: [{ noFinishReason: true }],
    attempts: [{ ...answered, finishReason: undefined }],
  },
  {
    name: "a refusal",
    faults: [{ refusal: "I would rather not." }],
    code: "answer-refused",
    attempts: [{ errorCode: "answer-refused" }],
    calls: 1,
  },
  {
    name: "invalid JSON",
    faults: [{ invalidJson: true }],
    request: once,
    code: "invalid-answer",
    attempts: [{ errorCode: "invalid-answer" }],
  },
  {
    name: "an answer of the wrong shape",
    faults: [{ wrongShape: true }],
    request: once,
    code: "invalid-answer",
    attempts: [{ errorCode: "invalid-answer" }],
  },
  {
    name: "an empty answer",
    faults: [{ empty: true }],
    request: once,
    code: "answer-empty",
    attempts: [{ errorCode: "answer-empty" }],
  },
  { name: "a fenced answer", faults: [{ fenced: true }], attempts: [answered] },
  {
    name: "200 with an error inside, billed",
    faults: [{ errorInBody: { code: 502, message: "upstream" }, billed: true }],
    request: once,
    code: "provider-error",
    attempts: [{ status: "failed", errorCode: "provider-error", httpStatus: 200 }],
  },
  {
    name: "200 with an error inside, without usage",
    faults: [{ errorInBody: { code: 502, message: "upstream" } }],
    request: once,
    code: "provider-error",
    attempts: [bound],
    openrouter: { attempts: [{ status: "failed", ...none }] },
  },
  { name: "usage missing", faults: [{ noUsage: true }], attempts: [{ ...answered, costSource: "bound" }] },
  free(400, "provider-bad-request"),
  free(401, "provider-auth"),
  free(402, "provider-payment"),
  free(404, "provider-not-found"),
  free(413, "provider-bad-request"),
  free(422, "provider-bad-request"),
  free(429, "provider-rate-limit"),
  unknown(403, "provider-auth", false),
  unknown(408, "provider-timeout", false),
  unknown(500, "provider-unavailable", false),
  unknown(500, "provider-unavailable", true),
  unknown(503, "provider-unavailable", false),
  retried(
    "429 with Retry-After, then an answer",
    { status: 429, headers: { "retry-after": "1" } },
    { errorCode: "provider-rate-limit", ...none },
  ),
  retried(
    "503 with Retry-After, then an answer",
    { status: 503, headers: { "retry-after": "1" } },
    { ...bound, errorCode: "provider-unavailable" },
  ),
  retried("500 without Retry-After, then an answer", { status: 500 }, bound),
  retried("a reset connection, then an answer", { cut: "headers" }, { ...bound, errorCode: "connection-lost" }),
  {
    name: "connection refused",
    refused: true,
    request: once,
    code: "connection-failed",
    attempts: [{ status: "released", errorCode: "connection-failed", ...none }],
    calls: 0,
  },
  {
    name: "connection reset",
    faults: [{ cut: "headers" }],
    request: once,
    code: "connection-lost",
    attempts: [{ ...bound, errorCode: "connection-lost" }],
  },
  {
    name: "cut in the body",
    faults: [{ cut: "body" }],
    request: once,
    code: "connection-lost",
    attempts: [{ ...bound, errorCode: "connection-lost" }],
  },
  {
    name: "stall before the headers",
    faults: [{ stall: "headers" }],
    request: { ...once, timeoutMs: 1_000 },
    code: "deadline-exceeded",
    attempts: [{ ...bound, errorCode: "deadline-exceeded", deadlineHit: "total" }],
    streamed: {
      request: once,
      options: shortFirstContent,
      attempts: [{ ...bound, deadlineHit: "first-content" }],
    },
  },
  {
    name: "stall in the body",
    faults: [{ stall: "body" }],
    request: once,
    options: shortIdle,
    code: "deadline-exceeded",
    attempts: [{ ...bound, deadlineHit: "idle" }],
  },
  {
    name: "stall in the stream, kept alive by comments",
    faults: [{ stall: "stream", afterChunks: 2, keepAliveMs: 20 }],
    only: "stream",
    request: once,
    options: shortIdle,
    code: "deadline-exceeded",
    attempts: [{ ...bound, deadlineHit: "idle" }],
  },
  {
    name: "cut in the stream",
    faults: [{ cut: "stream", afterChunks: 3 }],
    only: "stream",
    request: once,
    code: "connection-lost",
    attempts: [bound],
  },
  {
    name: "abort before sending",
    abortAfterMs: 0,
    code: "aborted",
    attempts: [{ status: "released", errorCode: "aborted", ...none }],
    calls: 0,
  },
  {
    name: "abort before the headers",
    faults: [{ delayMs: 2_000 }],
    abortAfterMs: 1_000,
    code: "aborted",
    attempts: [{ ...bound, errorCode: "aborted" }],
  },
  {
    name: "abort in the body",
    faults: [{ stall: "body", afterChunks: 2 }],
    abortAfterMs: 1_000,
    code: "aborted",
    attempts: [{ ...bound, errorCode: "aborted" }],
  },
  {
    name: "a repair that succeeds",
    faults: [{ wrongShape: true }],
    attempts: [{ errorCode: "invalid-answer" }, { ...answered, reason: "repair" }],
    calls: 2,
  },
  {
    name: "a repair that fails",
    faults: [{ wrongShape: true }, { invalidJson: true }],
    code: "invalid-answer",
    attempts: [{ errorCode: "invalid-answer" }, { errorCode: "invalid-answer", reason: "repair" }],
    calls: 2,
  },
  {
    name: "an empty answer, then a repaired one",
    faults: [{ empty: true }],
    attempts: [{ errorCode: "answer-empty" }, { ...answered, reason: "repair" }],
  },
  {
    name: "a fallback after a failure",
    faults: [{ status: 404 }],
    request: { fallbacks: ["openai/gpt-4o"] },
    attempts: [
      { errorCode: "provider-not-found" },
      { ...answered, reason: "fallback", model: expect.stringMatching(/openai\/gpt-4o$/) as string },
    ],
  },
  {
    name: "a mode that the server rejects",
    faults: [{ rejectModes: ["json_schema"] }, { rejectModes: ["tool"] }],
    request: { ...once, model: "openai/gpt-4.1-mini" },
    attempts: [
      { mode: "json_schema", ...none },
      { mode: "tool", reason: "mode", ...none },
      { ...answered, mode: "json_object", reason: "mode" },
    ],
    streamed: { request: { ...once, model: "openai/gpt-4.1-nano" } },
  },
  {
    name: "every retry fails",
    faults: [{ status: 500 }, { status: 502 }, { status: 503 }],
    code: "provider-unavailable",
    attempts: [bound, bound, bound],
    openrouter: { attempts: [none, none, none] },
    calls: 3,
  },
]
