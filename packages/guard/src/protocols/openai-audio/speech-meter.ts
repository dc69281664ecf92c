import { isRecord } from "@p2/core"
import { readOpenAISpeechUsage, type UsageReading } from "@p2/pricing/usage"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { readReportedError, reportsError } from "../openai-chat/reported-error"
import { reportedIn, usageInError } from "../reported-usage"

export interface SpeechMeterOptions {
  /** Characters of the text, for a model that is billed by them; undefined: it is billed by tokens. */
  characters: number | undefined
  maxOutputTokens: number
}

/** No documentation says whether a character is a code point. */
const ASSUMPTIONS = ["characters are UTF-16 code units"]

/**
 * Reads the usage of speech. A file has none: a model that is billed per character bills those of the text. Events end
 * with `speech.audio.done`, which has the tokens.
 */
export class SpeechMeter implements Meter {
  readonly #options: SpeechMeterOptions
  #state: MeterReading["state"] = "open"
  #hasAudio = false
  #error: ReportedError | undefined
  #reading: UsageReading = { status: "none" }

  constructor(options: SpeechMeterOptions) {
    this.#options = options
  }

  add({ event, data }: WireEvent): { usageOnly: boolean } {
    if (!isRecord(data)) {
      // A whole file; an event is always JSON.
      this.#state = event === undefined ? "complete" : "broken"
      this.#hasAudio = true
    } else if (event === undefined || reportsError(data)) {
      this.#state = "broken"
      this.#error ??= readReportedError(data)
      this.#addUsage(usageInError(data))
    } else this.#addEvent(data)
    return { usageOnly: false }
  }

  end(): void {}

  read(): MeterReading {
    const reading = this.#billed()
    const reported = reportedIn(reading)
    return {
      state: this.#state,
      usage: this.#state === "complete" && reading.status === "exact" ? reported : undefined,
      usageLowerBound: reported,
      receivedOutputTokens: this.#hasAudio ? this.#options.maxOutputTokens : 0,
      model: undefined,
      serviceTier: undefined,
      generationId: undefined,
      error: this.#error,
    }
  }

  #addEvent({ type, usage }: Readonly<Record<string, unknown>>): void {
    if (type !== "speech.audio.done") {
      this.#hasAudio = true
      return
    }
    this.#state = "complete"
    this.#addUsage(usage)
  }

  #addUsage(usage: unknown): void {
    const reading: UsageReading = isRecord(usage) ? readOpenAISpeechUsage(usage) : { status: "none" }
    // No speech has zero tokens.
    if (reading.status !== "none" && reading.usage.outputTokens > 0) this.#reading = reading
  }

  #billed(): UsageReading {
    const { characters } = this.#options
    if (characters === undefined) return this.#reading
    if (!this.#hasAudio) return { status: "none" }
    const usage = { inputTokens: 0, outputTokens: 0, inputCharacters: characters, assumptions: ASSUMPTIONS }
    return { status: "exact", usage, cost: undefined }
  }
}
