import { isRecord } from "@p2/core"
import { readOpenAIEmbeddingsUsage, type UsageReading } from "@p2/pricing/usage"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { readReportedError } from "../openai-chat/reported-error"
import { reportedIn, usageInError } from "../reported-usage"

/** Reads the usage of an embeddings call, which has one JSON body. */
export class EmbeddingsMeter implements Meter {
  #state: MeterReading["state"] = "open"
  #model: string | undefined
  #error: ReportedError | undefined
  #reading: UsageReading = { status: "none" }

  add({ data }: WireEvent): { usageOnly: boolean } {
    if (!isRecord(data)) {
      this.#state = "broken"
      return { usageOnly: false }
    }
    if (typeof data.model === "string") this.#model = data.model.slice(0, 200)
    const usage = usageInError(data)
    if (usage !== undefined) this.#reading = readOpenAIEmbeddingsUsage(usage)
    this.#state = Array.isArray(data.data) ? "complete" : "broken"
    if (this.#state === "broken") this.#error = readReportedError(data)
    return { usageOnly: false }
  }

  end(): void {}

  read(): MeterReading {
    const reported = reportedIn(this.#reading)
    return {
      state: this.#state,
      // No input has zero tokens.
      usage: this.#reading.status === "exact" && this.#reading.usage.inputTokens > 0 ? reported : undefined,
      usageLowerBound: reported,
      receivedOutputTokens: 0,
      model: this.#model,
      serviceTier: undefined,
      generationId: undefined,
      error: this.#error,
    }
  }
}
