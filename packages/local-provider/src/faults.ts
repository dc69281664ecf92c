import { checkOptions } from "@p2/core"

/** The fault of one call. Fields combine; an absent field changes nothing. */
export interface Fault {
  /** Responds with this HTTP status and an error body. Nothing is generated unless `billed`. */
  status?: number | undefined
  /** Headers in addition to the status, such as `{ "retry-after": "1" }`. */
  headers?: Record<string, string> | undefined
  error?: { message: string; code?: string | undefined; type?: string | undefined } | undefined
  /** Bills the full generation even if the answer is an error or never arrives. @defaultValue false for `status` */
  billed?: boolean | undefined
  /** Waits before the headers, in milliseconds. */
  delayMs?: number | undefined
  /** Waits for this before the headers. */
  until?: Promise<unknown> | undefined
  /** Waits before every chunk of a stream, in milliseconds. */
  chunkDelayMs?: number | undefined
  /** Stops sending: before the headers, in the middle of a JSON body, or in the stream after `afterChunks`. */
  stall?: "headers" | "body" | "stream" | undefined
  /** Closes the socket at the same places. */
  cut?: "headers" | "body" | "stream" | undefined
  /** Content chunks before a stall or a cut in a stream. @defaultValue 1 */
  afterChunks?: number | undefined
  /** Interval of SSE comments while a stream stalls, in milliseconds. */
  keepAliveMs?: number | undefined
  /** Answers with this `refusal`. */
  refusal?: string | undefined
  /** Answers with this text. */
  answer?: string | undefined
  /**
   * Calls these tools; none: answers without a call. Arguments that are a string are sent as they are; with the Responses API they
   * are the input of a custom tool. In chat completions, `answer` is the content next to the calls.
   */
  toolCalls?: readonly { name: string; arguments: string | Record<string, unknown> }[] | undefined
  /** Answers with JSON that does not match the schema. */
  wrongShape?: boolean | undefined
  /** Answers with text that is not JSON. */
  invalidJson?: boolean | undefined
  /** Wraps the answer in a Markdown code fence, surrounded by prose. */
  fenced?: boolean | undefined
  /** Answers with an empty string. */
  empty?: boolean | undefined
  /** Status 200 with an error object instead of choices; with `usage` if `billed`. */
  errorInBody?: { message: string; code: number | string } | undefined
  noUsage?: boolean | undefined
  noFinishReason?: boolean | undefined
  finishReason?: string | undefined
  /** Rejects these structured output modes with status 400. */
  rejectModes?: ("json_schema" | "tool" | "json_object")[] | undefined
  cachedTokens?: number | undefined
  reasoningTokens?: number | undefined
  /** Searches that the provider runs, at most as many as the request allows. @defaultValue 1 with a search tool */
  searches?: number | undefined
  /** Service tier that the provider's project sets for calls that state none. @defaultValue "default" */
  projectTier?: string | undefined
  /** Generates as many tokens as the request allows. */
  fillOutput?: boolean | undefined
  /** Counts one token for each byte of text, as the worst tokenizer would. */
  densestTokens?: boolean | undefined
}

const FAULT_NAMES: ReadonlySet<string> = new Set([
  ...(["status", "headers", "error", "billed", "delayMs", "until", "chunkDelayMs", "stall", "cut"] as const),
  ...(["afterChunks", "keepAliveMs", "refusal", "answer", "toolCalls", "wrongShape", "invalidJson", "fenced"] as const),
  ...(["empty", "errorInBody", "noUsage", "noFinishReason", "finishReason", "rejectModes", "cachedTokens"] as const),
  ...(["reasoningTokens", "searches", "projectTier", "fillOutput", "densestTokens"] as const),
] satisfies (keyof Fault)[])

interface Rule {
  fault: Fault
  remaining: number
  matches: (call: FaultTarget) => boolean
}

/** The call that a rule matches. */
export interface FaultTarget {
  model: string
  body: Record<string, unknown>
  /** Number of the call at this server, from 1. */
  number: number
}

/** The faults that a test or a demo has set. The first rule that matches a call applies. */
export class Faults {
  #rules: Rule[] = []

  /** Applies to the next call, or the next `times` calls. @throws InvalidArgumentError for an unknown field */
  next(fault: Fault, times = 1): void {
    checkOptions(fault, FAULT_NAMES, "fault")
    this.#rules.push({ fault, remaining: times, matches: () => true })
  }

  /** Applies to every call that matches, until {@link clear}. @throws InvalidArgumentError for an unknown field */
  always(fault: Fault, matches: (call: FaultTarget) => boolean = () => true): void {
    checkOptions(fault, FAULT_NAMES, "fault")
    this.#rules.push({ fault, remaining: Number.POSITIVE_INFINITY, matches })
  }

  clear(): void {
    this.#rules = []
  }

  /** The fault of this call. Counts down a rule for a number of calls. */
  take(call: FaultTarget): Fault {
    const rule = this.#rules.find((candidate) => candidate.remaining > 0 && candidate.matches(call))
    if (rule === undefined) return {}
    rule.remaining -= 1
    if (rule.remaining === 0) this.#rules.splice(this.#rules.indexOf(rule), 1)
    return rule.fault
  }
}
