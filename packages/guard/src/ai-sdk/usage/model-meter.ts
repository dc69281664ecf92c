import { isRecord } from "@p2/core"
import { largerReading, type UsageReading } from "@p2/pricing/usage"
import type { Meter, MeterReading, ReportedError } from "../../protocols/meter"
import { coversContent, reportedIn } from "../../protocols/reported-usage"
import type { Fields } from "../specification"
import { readModelUsage, type UsageContext } from "./usage-readings"

/** Ends of an answer that its provider marked itself. */
const GOOD_ENDS: readonly unknown[] = ["stop", "length", "content-filter", "tool-calls"]

/** Reads the results and the stream parts of a language model. */
export class LanguageMeter implements Pick<Meter, "read"> {
  readonly #context: UsageContext
  #state: MeterReading["state"] = "open"
  #usage: UsageReading = { status: "none" }
  #receivedBytes = 0
  #hasError = false
  #model: string | undefined
  #serviceTier: string | undefined
  #generationId: string | undefined

  constructor(context: UsageContext) {
    this.#context = context
  }

  /** Whether the usage and the end of the answer have arrived. */
  get isFinished(): boolean {
    return this.#state !== "open"
  }

  /** Adds the result of `doGenerate`. */
  addResult(result: unknown): void {
    if (!isRecord(result)) {
      this.#state = "broken"
      return
    }
    const { content, response } = result
    if (Array.isArray(content)) for (const part of content) this.#addOutput(part)
    this.#addResponse(response)
    this.#finish(result)
  }

  /** Adds a part of the stream of `doStream`. */
  addPart(part: unknown): void {
    if (!isRecord(part)) return
    switch (part.type) {
      case "response-metadata":
        this.#addResponse(part)
        return
      case "error":
        this.#hasError = true
        return
      case "finish":
        this.#finish(part)
        return
      default:
        this.#addOutput(part)
    }
  }

  read(): MeterReading {
    const usage = this.#usage
    const reported = reportedIn(usage)
    const isExact =
      usage.status === "exact" && this.#state === "complete" && coversContent(usage.usage, this.#receivedBytes > 0)
    const error: ReportedError | undefined =
      this.#state === "broken" ? { status: undefined, code: undefined, message: undefined } : undefined
    return {
      state: this.#state,
      usage: isExact ? reported : undefined,
      usageLowerBound: reported,
      receivedOutputTokens: this.#receivedBytes,
      model: this.#model,
      serviceTier: this.#serviceTier ?? (reported && this.#context.dearestTier(reported)),
      generationId: this.#generationId,
      error,
    }
  }

  /** The usage of a broken answer may cover only its beginning, so it is only a lower bound. */
  #finish({ finishReason, usage, providerMetadata }: Fields): void {
    this.#serviceTier = tierOf(providerMetadata) ?? this.#serviceTier
    const reading = readModelUsage(usage, this.#context)
    this.#usage = largerReading(this.#usage, reading)
    this.#state = isGoodEnd(finishReason) && !this.#hasError ? "complete" : "broken"
  }

  #addResponse(response: unknown): void {
    if (!isRecord(response)) return
    if (typeof response.modelId === "string") this.#model = response.modelId
    if (typeof response.id === "string") this.#generationId = response.id
  }

  /** Every output token has at least one byte. */
  #addOutput(part: unknown): void {
    if (!isRecord(part)) return
    const { delta, text, input } = part
    for (const each of [delta, text, input])
      if (typeof each === "string") this.#receivedBytes += new TextEncoder().encode(each).length
  }
}

/** `other` is a good end only if the provider named it: without a name, the stream ended without a mark. */
function isGoodEnd(reason: unknown): boolean {
  if (!isRecord(reason)) return GOOD_ENDS.includes(reason)
  const { unified, raw } = reason
  return GOOD_ENDS.includes(unified) || (unified === "other" && typeof raw === "string")
}

/** The service tier that the provider used, in its own metadata. */
function tierOf(metadata: unknown): string | undefined {
  if (!isRecord(metadata)) return undefined
  const tier = Object.values(metadata)
    .map((each) => (isRecord(each) ? each.serviceTier : undefined))
    .find((each) => typeof each === "string")
  return typeof tier === "string" ? tier.toLowerCase() : undefined
}

/** Reads a result that arrives as a whole: of an embedding or image model. */
export class ResultMeter implements Pick<Meter, "read"> {
  readonly #reading: UsageReading

  constructor(reading: UsageReading) {
    this.#reading = reading
  }

  read(): MeterReading {
    const reported = reportedIn(this.#reading)
    return {
      state: "complete",
      usage: this.#reading.status === "exact" ? reported : undefined,
      usageLowerBound: reported,
      receivedOutputTokens: 0,
      model: undefined,
      serviceTier: undefined,
      generationId: undefined,
      error: undefined,
    }
  }
}
