/** What one call shall suffer. Fields combine; a field that is absent changes nothing. */
export interface Fault {
  /** Answers with this HTTP status and an error body. Nothing is generated unless `billed`. */
  status?: number | undefined
  /** Headers beside the status, such as `{ "retry-after": "1" }`. */
  headers?: Record<string, string> | undefined
  error?: { message: string; code?: string | undefined; type?: string | undefined } | undefined
  /** Bills the full generation although the answer is an error or never arrives. @defaultValue false for `status` */
  billed?: boolean | undefined
  /** Waits before the headers, in milliseconds. */
  delayMs?: number | undefined
  /** Waits before every chunk of a stream, in milliseconds. */
  chunkDelayMs?: number | undefined
  /** Stops for ever: before the headers, in the middle of a JSON body, or in the stream after `afterChunks`. */
  stall?: "headers" | "body" | "stream" | undefined
  /** Closes the socket at the same places. */
  cut?: "headers" | "body" | "stream" | undefined
  /** Content chunks before a stall or a cut in a stream. @defaultValue 1 */
  afterChunks?: number | undefined
  /** Sends SSE comments every so many milliseconds while stalled in a stream. */
  keepAliveMs?: number | undefined
  /** Refuses in the `refusal` field. */
  refusal?: string | undefined
  /** Says this instead of the generated answer. */
  answer?: string | undefined
  /** JSON that does not fit the schema. */
  wrongShape?: boolean | undefined
  /** Text that is no JSON. */
  invalidJson?: boolean | undefined
  /** The answer in a Markdown fence with prose around it. */
  fenced?: boolean | undefined
  empty?: boolean | undefined
  /** Status 200 with an error object where the choices should be; with `usage` when `billed`. */
  errorInBody?: { message: string; code: number | string } | undefined
  noUsage?: boolean | undefined
  noFinishReason?: boolean | undefined
  finishReason?: string | undefined
  /** Refuses these ways of asking for structure with status 400. */
  rejectModes?: ("json_schema" | "tool" | "json_object")[] | undefined
  cachedTokens?: number | undefined
  reasoningTokens?: number | undefined
}

interface Rule {
  fault: Fault
  left: number
  matches: (call: FaultTarget) => boolean
}

/** What a rule may look at. */
export interface FaultTarget {
  model: string
  body: Record<string, unknown>
  /** Number of the call at this server, from 1. */
  number: number
}

/** The faults that a test or a demo has asked for. Rules are tried in order; the first that matches serves. */
export class Faults {
  #rules: Rule[] = []

  /** The next call suffers this; with `times`, the next so many. */
  next(fault: Fault, times = 1): void {
    this.#rules.push({ fault, left: times, matches: () => true })
  }

  /** Every call that matches suffers this until {@link clear}. */
  always(fault: Fault, matches: (call: FaultTarget) => boolean = () => true): void {
    this.#rules.push({ fault, left: Number.POSITIVE_INFINITY, matches })
  }

  clear(): void {
    this.#rules = []
  }

  /** Takes the fault of this call. */
  take(call: FaultTarget): Fault {
    const rule = this.#rules.find((candidate) => candidate.left > 0 && candidate.matches(call))
    if (rule === undefined) return {}
    rule.left -= 1
    if (rule.left === 0) this.#rules.splice(this.#rules.indexOf(rule), 1)
    return rule.fault
  }
}
