import { isRecord, type Usage } from "@p2/core"
import { readOpenAITranscriptionUsage, type UsageReading } from "@p2/pricing/usage"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { readReportedError, reportsError } from "../openai-chat/reported-error"
import { reportedIn, usageInError } from "../reported-usage"

/** Reads the usage of a transcription: of one JSON body, of a body of text, which has none, or of the events of a stream. */
export class TranscriptionMeter implements Meter {
  readonly #isBySecond: boolean
  #state: MeterReading["state"] = "open"
  #receivedBytes = 0
  #isText = false
  #error: ReportedError | undefined
  #reading: UsageReading = { status: "none" }

  /** @param options `isBySecond`: the length of the audio is what is billed */
  constructor({ isBySecond }: { isBySecond: boolean }) {
    this.#isBySecond = isBySecond
  }

  add({ event, data, text }: WireEvent): { usageOnly: boolean } {
    if (isRecord(data)) this.#addData(data, event === undefined)
    // A body of text or subtitles, or truncated JSON. Only its end proves that it is complete.
    else if (event === undefined) {
      this.#isText = true
      this.#receivedBytes += byteLength(text)
    } else this.#state = "broken"
    return { usageOnly: false }
  }

  end(): void {
    if (this.#state === "open" && this.#isText && this.#receivedBytes > 0) this.#state = "complete"
  }

  read(): MeterReading {
    const reported = reportedIn(this.#reading)
    return {
      state: this.#state,
      usage: this.#state !== "open" && this.#reading.status === "exact" ? reported : undefined,
      usageLowerBound: reported,
      receivedOutputTokens: this.#receivedBytes,
      model: undefined,
      serviceTier: undefined,
      generationId: undefined,
      error: this.#error,
    }
  }

  #addData(data: Readonly<Record<string, unknown>>, isBody: boolean): void {
    const isEnd = isBody ? typeof data.text === "string" : data.type === "transcript.text.done"
    if (isEnd) {
      this.#state = "complete"
      this.#receivedBytes = byteLength(String(data.text ?? ""))
      this.#reading = this.#usageOf(data)
    } else if (isBody || reportsError(data)) {
      this.#state = "broken"
      this.#error ??= readReportedError(data)
      this.#reading = this.#usageOf({ usage: usageInError(data) })
    } else if (typeof data.delta === "string") this.#receivedBytes += byteLength(data.delta)
  }

  /** The usage, or the length of the audio, which `verbose_json` has in any case. */
  #usageOf({ usage, duration }: Readonly<Record<string, unknown>>): UsageReading {
    if (isRecord(usage)) {
      const reading = readOpenAITranscriptionUsage(usage)
      // No audio has zero tokens or seconds.
      const isBilled = reading.status !== "none" && billedInput(reading.usage, this.#isBySecond) > 0
      return isBilled ? reading : { status: "none" }
    }
    if (!this.#isBySecond || typeof duration !== "number" || !(duration > 0)) return { status: "none" }
    return readOpenAITranscriptionUsage({ type: "duration", seconds: duration })
  }
}

function billedInput({ inputTokens, audioSeconds = 0 }: Usage, isBySecond: boolean): number {
  return isBySecond ? audioSeconds : inputTokens
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}
