import type { ReportedUsage } from "@p2/pricing/usage"

export type { ReportedUsage }

/** One server-sent event, or a whole JSON body (`event` undefined). */
export interface WireEvent {
  event: string | undefined
  /** The parsed JSON; undefined if `text` is not JSON. */
  data: unknown
  text: string
}

/** An error that the provider reported inside a response. Its message may quote the request: never log it. */
export interface ReportedError {
  status: number | undefined
  code: string | undefined
  /** The code of the cause, which Azure states in addition. */
  innerCode?: string | undefined
  message: string | undefined
}

/** What a response has reported so far. */
export interface MeterReading {
  /** `complete`: the provider marked the end. `broken`: an error event, an event that cannot be parsed, or a body of another format. */
  state: "open" | "complete" | "broken"
  /** The usage of the whole call; undefined: not reported, reported only before the end, or contradictory. */
  usage: ReportedUsage | undefined
  /** The largest usage that was reported at any time: the call used at least this. */
  usageLowerBound: ReportedUsage | undefined
  /** An upper bound of the output tokens that have arrived, for the charge `"received"`. */
  receivedOutputTokens: number
  /** As the provider reported them. */
  model: string | undefined
  serviceTier: string | undefined
  generationId: string | undefined
  error: ReportedError | undefined
  /**
   * The response is generated in the background and has not ended: the answer of a later call, perhaps in another process,
   * settles the reservation, which gets this idempotency key. @defaultValue `leaseMs`: 24 hours
   */
  continues?: { idempotencyKey: string; leaseMs?: number } | undefined
}

/** Reads the usage of one response. */
export interface Meter {
  /** Adds an event. `usageOnly`: the event has nothing but usage, so it is hidden from a user who did not request it. */
  add(event: WireEvent): { usageOnly: boolean }
  /** The body ended. An answer without the provider's own mark of the end stays `open`. */
  end(): void
  read(): MeterReading
}
