import { addUsage, isRecord } from "@p2/core"
import { readOpenAIImagesUsage, type UsageReading } from "@p2/pricing/usage"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { readReportedError, reportsError } from "../openai-chat/reported-error"
import { reportedIn, usageInError } from "../reported-usage"

export interface ImagesMeterOptions {
  /** The images that the call requests. */
  images: number
  /** Maximum output tokens of the call: those of an image that has arrived are unknown until they are reported. */
  maxOutputTokens: number
  /** The model is billed per image, and no usage is reported. */
  isByImage: boolean
}

/** Reads the usage of generated images from one JSON body, or from the events of a stream, each of which has one image. */
export class ImagesMeter implements Meter {
  readonly #options: ImagesMeterOptions
  #finished = 0
  #hasImage = false
  #isBroken = false
  #error: ReportedError | undefined
  #reading: UsageReading = { status: "none" }
  /** Usages of a stream, one for each image. */
  #reported = 0

  constructor(options: ImagesMeterOptions) {
    this.#options = options
  }

  add({ event, data }: WireEvent): { usageOnly: boolean } {
    if (!isRecord(data) || reportsError(data)) this.#fail(data)
    else if (event === undefined) this.#addBody(data)
    else this.#addEvent(data)
    return { usageOnly: false }
  }

  end(): void {}

  read(): MeterReading {
    const reading = this.#reading
    const reported = reportedIn(reading)
    const { images, maxOutputTokens } = this.#options
    const state = this.#isBroken ? "broken" : this.#finished >= images ? "complete" : "open"
    return {
      state,
      usage:
        state === "complete" && reading.status === "exact" && this.#reported >= this.#finished ? reported : undefined,
      usageLowerBound: reported,
      receivedOutputTokens: this.#hasImage ? maxOutputTokens : 0,
      model: undefined,
      serviceTier: undefined,
      generationId: undefined,
      error: this.#error,
    }
  }

  #fail(data: unknown): void {
    this.#isBroken = true
    this.#error ??= readReportedError(data)
    const usage = isRecord(data) ? usageInError(data) : undefined
    if (usage !== undefined) this.#reading = sumOf(this.#reading, readOpenAIImagesUsage(usage))
  }

  /** A body has all images. A provider may return fewer than were requested. */
  #addBody(body: Readonly<Record<string, unknown>>): void {
    const { data, usage, svg_usage: svgUsage } = body
    if (!Array.isArray(data)) {
      this.#fail(body)
      return
    }
    this.#hasImage = data.length > 0
    this.#finished = this.#options.images
    if (this.#options.isByImage) this.#reading = byImage(data.length)
    // The usage of an SVG is that of another model.
    else if (isRecord(usage) && (svgUsage ?? undefined) === undefined) this.#reading = readOpenAIImagesUsage(usage)
    if (this.#isBilled()) this.#reported = this.#finished
  }

  #addEvent({ type, usage }: Readonly<Record<string, unknown>>): void {
    this.#hasImage = true
    if (typeof type !== "string" || !type.endsWith(".completed")) return
    this.#finished += 1
    if (!isRecord(usage)) return
    this.#reported += 1
    this.#reading = sumOf(this.#reading, readOpenAIImagesUsage(usage))
  }

  /** No image has zero tokens. */
  #isBilled(): boolean {
    if (this.#reading.status === "none") return false
    const { outputTokens, outputImages = 0 } = this.#reading.usage
    return outputTokens > 0 || outputImages > 0
  }
}

function byImage(outputImages: number): UsageReading {
  return { status: "exact", usage: { inputTokens: 0, outputTokens: 0, outputImages }, cost: undefined }
}

/** The usages of the images of one stream, added. A usage that cannot be read leaves a lower bound. */
function sumOf(first: UsageReading, second: UsageReading): UsageReading {
  if (first.status === "none") return second
  if (second.status === "none") return { ...first, status: "lower-bound", problem: "A later usage cannot be read." }
  const usage = addUsage(first.usage, second.usage)
  const uncertain = [second, first].find((each) => each.status === "lower-bound")
  return uncertain === undefined
    ? { status: "exact", usage, cost: undefined }
    : { status: "lower-bound", usage, cost: undefined, problem: (uncertain as { problem: string }).problem }
}
