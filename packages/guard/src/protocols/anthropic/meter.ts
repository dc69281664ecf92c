import { isRecord, type Usage } from "@p2/core"
import { mergeAnthropicUsage } from "@p2/pricing"
import { type ReportedUsage, readAnthropicUsage, type UsageReading } from "@p2/pricing/usage"
import { createTokenCounter, type TokenCounter } from "@p2/tokens"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { coversContent, reportedIn, usageInError } from "../reported-usage"

/** More than any answer has: the tokens of thinking that is not shown are unknown until the end. */
const HIDDEN_TOKENS = 2_000_000

/** Reads the usage of a Messages response: one JSON body, or the events of a stream. */
export class MessageMeter implements Meter {
  readonly #received: TokenCounter
  #state: MeterReading["state"] = "open"
  #usage: Record<string, unknown> | undefined
  readonly #writesWithoutTime: "5m" | "1h"
  /** The stop reason, or the end of the stream, has arrived. */
  #hasStopped = false
  /** The last usage covers all content that has arrived. */
  #isUsageLast = false
  #hasContent = false
  #hasHiddenTokens = false
  #message: Record<string, unknown> = {}
  #error: ReportedError | undefined

  /**
   * @param options `model` is the id whose tokenizer counts what has arrived; `cacheWrites` are those that the call can cause:
   * a gateway may report their tokens without their times
   */
  constructor({ model, cacheWrites }: { model: string; cacheWrites: "any" | "5m" | "none" }) {
    this.#received = createTokenCounter({ model, countBy: "upperBound" })
    this.#writesWithoutTime = cacheWrites === "any" ? "1h" : "5m"
  }

  add({ data }: WireEvent): { usageOnly: boolean } {
    if (!isRecord(data)) this.#state = "broken"
    else this.#addEvent(data)
    return { usageOnly: false }
  }

  end(): void {}

  read(): MeterReading {
    const reading = this.#usage === undefined ? undefined : readAnthropicUsage(this.#usage, this.#writesWithoutTime)
    const lowerBound = usageOf(reading)
    const { model, id } = this.#message
    return {
      state: this.#state,
      usage: reading?.status === "exact" && this.#isFinal(reading.usage) ? lowerBound : undefined,
      usageLowerBound: lowerBound,
      receivedOutputTokens: this.#receivedTokens(),
      model: textOf(model),
      serviceTier: lowerBound?.usage.serviceTier,
      generationId: textOf(id),
      error: this.#error,
    }
  }

  /** Without content it is zero, although the upper bound of an empty string is not: output would refute that an error is unbilled. */
  #receivedTokens(): number {
    if (this.#hasHiddenTokens) return HIDDEN_TOKENS
    return this.#hasContent ? this.#received.tokens : 0
  }

  /** Whether a usage is that of the whole call. It is not if a count is zero although there is content. */
  #isFinal(usage: Usage): boolean {
    return this.#hasStopped && this.#isUsageLast && coversContent(usage, this.#hasContent)
  }

  #addEvent(data: Record<string, unknown>): void {
    switch (data.type) {
      case "message":
        this.#addMessage(data)
        break
      case "message_start":
        this.#message = isRecord(data.message) ? data.message : {}
        this.#addUsage(this.#message.usage)
        break
      case "content_block_start":
        this.#addContent(data.content_block)
        break
      case "content_block_delta":
        this.#addContent(data.delta)
        break
      case "message_delta":
        this.#addUsage(data.usage)
        if (isRecord(data.usage) && this.#countsOutput(data.usage)) this.#isUsageLast = true
        if (isRecord(data.delta) && typeof data.delta.stop_reason === "string") this.#hasStopped = true
        break
      case "message_stop":
        this.#hasStopped = true
        if (this.#state === "open") this.#state = "complete"
        break
      default:
        // Anthropic adds types of events. An error or a body of another format is not such an event.
        if (typeof data.type === "string" && !isRecord(data.error)) break
        this.#addError(data)
    }
  }

  #addMessage(message: Record<string, unknown>): void {
    this.#message = message
    this.#addUsage(message.usage)
    const { content } = message
    for (const block of Array.isArray(content) ? content : []) this.#addContent(block)
    this.#hasStopped = true
    this.#isUsageLast = true
    this.#state = "complete"
  }

  /** A usage in the error itself is that of the whole call. */
  #addError(body: Record<string, unknown>): void {
    this.#state = "broken"
    this.#error = errorOf(body.error)
    const usage = usageInError(body)
    if (usage === undefined || readAnthropicUsage(usage).status === "none" || !this.#countsOutput(usage)) return
    this.#hasStopped = true
    this.#isUsageLast = true
    this.#addUsage(usage)
  }

  /** The usage of `message_start` has the first output token only, so the end must count the output itself. */
  #countsOutput({ output_tokens: tokens }: Readonly<Record<string, unknown>>): boolean {
    return typeof tokens === "number" && (tokens > 0 || !this.#hasContent)
  }

  #addUsage(usage: unknown): void {
    if (isRecord(usage)) this.#usage = mergeAnthropicUsage([this.#usage, usage])
  }

  /** Counts a block or a delta by its text; thinking may be shorter than it was. */
  #addContent(content: unknown): void {
    if (!isRecord(content)) return
    this.#hasContent = true
    this.#isUsageLast = false
    if (/thinking|signature/.test(String(content.type))) this.#hasHiddenTokens = true
    for (const text of [content.text, content.partial_json]) if (typeof text === "string") this.#received.add(text)
  }
}

/**
 * The usage as it is priced: reserved capacity has the standard price, and code execution has no fee, because it ran
 * together with a web tool. A call without one is rejected.
 */
function usageOf(reading: UsageReading | undefined): ReportedUsage | undefined {
  const reported = reading && reportedIn(reading)
  if (reported === undefined) return undefined
  const { codeInterpreterSessions: _, ...usage } = reported.usage
  return { usage: { ...usage, serviceTier: usage.serviceTier === "fast" ? "fast" : "default" }, cost: reported.cost }
}

function errorOf(error: unknown): ReportedError | undefined {
  if (!isRecord(error)) return undefined
  const { type, message } = error
  return { status: undefined, code: textOf(type), message: textOf(message) }
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined
}
