import { isRecord } from "@p2/core"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { readReportedError } from "../openai-chat/reported-error"
import { batchKey } from "./batch-key"

/** Reads the response that starts an OpenAI or Anthropic batch; its usage arrives later, with a poll. */
export class BatchMeter implements Meter {
  readonly #leaseMs: number
  #state: MeterReading["state"] = "open"
  #id: string | undefined
  #error: ReportedError | undefined

  /** @param options `leaseMs`: how long the batch stays reserved without a poll that sees its end */
  constructor({ leaseMs }: { leaseMs: number }) {
    this.#leaseMs = leaseMs
  }

  add({ data }: WireEvent): { usageOnly: boolean } {
    if (!isRecord(data) || !isBatch(data) || typeof data.id !== "string") {
      this.#state = "broken"
      this.#error = readReportedError(data)
    } else {
      this.#id = data.id.slice(0, 200)
      // A file that is invalid fails before any of its calls runs.
      this.#state = data.status === "failed" ? "complete" : "open"
    }
    return { usageOnly: false }
  }

  end(): void {}

  read(): MeterReading {
    const hasFailed = this.#state === "complete"
    const reported = hasFailed ? { usage: { inputTokens: 0, outputTokens: 0 }, cost: undefined } : undefined
    return {
      state: this.#state,
      usage: reported,
      usageLowerBound: reported,
      receivedOutputTokens: 0,
      model: undefined,
      serviceTier: undefined,
      generationId: this.#id,
      error: this.#error,
      continues:
        this.#state === "open" && this.#id !== undefined
          ? { idempotencyKey: batchKey(this.#id), leaseMs: this.#leaseMs }
          : undefined,
    }
  }
}

function isBatch({ object, type }: Readonly<Record<string, unknown>>): boolean {
  return object === "batch" || type === "message_batch"
}
