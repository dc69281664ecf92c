import { isRecord } from "@p2/core"
import { largerReading, type ReportedUsage, readGeminiUsage, type UsageReading } from "@p2/pricing/usage"
import { createTokenCounter, type TokenCounter } from "@p2/tokens"
import type { Meter, MeterReading, ReportedError, WireEvent } from "../meter"
import { coversContent, reportedIn, usageInError } from "../reported-usage"

/** More than any answer has: the tokens of thoughts, media and calls are unknown until they are reported. */
const HIDDEN_TOKENS = 2_000_000

/** Tiers by the traffic type that Vertex AI reports; any other traffic is standard. */
const TIER_OF_TRAFFIC: Readonly<Record<string, string>> = { ON_DEMAND_PRIORITY: "priority", ON_DEMAND_FLEX: "flex" }

/** Reads the usage of a Gemini response: one JSON body, server-sent events, or an array of chunks. */
export class ContentMeter implements Meter {
  readonly #candidates: number
  readonly #received: TokenCounter
  readonly #finished = new Set<unknown>()
  #reading: UsageReading = { status: "none" }
  #isBroken = false
  #isBlocked = false
  /** A candidate or an embedding has arrived. */
  #hasAnswer = false
  #hasContent = false
  /** The last usage covers all content that has arrived. */
  #isUsageLast = false
  #hasHiddenTokens = false
  #searched = false
  #model: string | undefined
  #responseId: string | undefined
  #serviceTier: string | undefined
  #error: ReportedError | undefined

  /**
   * @param options `model` is the id whose tokenizer counts what has arrived; `candidates` is the number of answers, 0 for
   * embeddings
   */
  constructor({ model, candidates }: { model: string; candidates: number }) {
    this.#candidates = candidates
    this.#received = createTokenCounter({ model, countBy: "upperBound" })
  }

  add({ data }: WireEvent): { usageOnly: boolean } {
    for (const chunk of Array.isArray(data) ? data : [data])
      if (isRecord(chunk)) this.#addChunk(chunk)
      else this.#isBroken = true
    return { usageOnly: false }
  }

  end(): void {}

  read(): MeterReading {
    const state = this.#state()
    const reported = this.#reported()
    return {
      state,
      usage: (state === "complete" || this.#error !== undefined) && this.#isFinal() ? reported : undefined,
      usageLowerBound: reported,
      receivedOutputTokens: this.#receivedTokens(),
      model: this.#model,
      serviceTier: this.#serviceTier,
      generationId: this.#responseId,
      error: this.#error,
    }
  }

  #state(): MeterReading["state"] {
    if (this.#isBroken) return "broken"
    return this.#isBlocked || this.#finished.size >= Math.max(1, this.#candidates) ? "complete" : "open"
  }

  /** Whether the usage is that of the whole call. It is not if a count is zero although there is an answer. */
  #isFinal(): boolean {
    if (this.#reading.status !== "exact" || !this.#isUsageLast) return false
    const { usage } = this.#reading
    return this.#candidates === 0 ? usage.inputTokens > 0 : coversContent(usage, this.#hasContent)
  }

  #addChunk(chunk: Record<string, unknown>): void {
    const { candidates, promptFeedback, usageMetadata = usageInError(chunk, "usageMetadata"), error } = chunk
    if (isPresent(error)) {
      // A usage before the error is not that of the whole call, unless the answer had ended.
      if (this.#state() !== "complete") this.#isUsageLast = false
      this.#isBroken = true
      this.#error = errorOf(error)
    }
    this.#model = textOf(chunk.modelVersion) ?? this.#model
    this.#responseId = textOf(chunk.responseId) ?? this.#responseId
    if (isRecord(promptFeedback) && typeof promptFeedback.blockReason === "string") this.#isBlocked = true
    if (this.#candidates === 0 && (chunk.embedding ?? chunk.embeddings) !== undefined) this.#finished.add(0)
    for (const candidate of Array.isArray(candidates) ? candidates : []) if (isRecord(candidate)) this.#add(candidate)
    if ([candidates, chunk.embedding, chunk.embeddings].some(isPresent)) this.#hasAnswer = true
    if (isRecord(usageMetadata)) this.#addUsage(usageMetadata)
    const isKnown = [candidates, promptFeedback, usageMetadata, chunk.embedding, chunk.embeddings].some(isPresent)
    if (!isKnown) this.#isBroken = true
  }

  #addUsage(usageMetadata: Record<string, unknown>): void {
    // The count before continuations, which `promptTokenCount` includes.
    const { initialPromptTokenCount: _, ...counts } = usageMetadata
    const reading = readGeminiUsage(counts)
    this.#reading = largerReading(this.#reading, reading)
    if (reading.status !== "none") this.#isUsageLast = true
    const { serviceTier, trafficType } = usageMetadata
    const named = textOf(serviceTier)
      ?.toLowerCase()
      .replace(/^service_tier_/, "")
    if (named !== undefined && named !== "unspecified") this.#serviceTier = named
    if (typeof trafficType === "string") this.#serviceTier = TIER_OF_TRAFFIC[trafficType] ?? "standard"
  }

  #add({ index = 0, finishReason, content, groundingMetadata }: Record<string, unknown>): void {
    if (typeof finishReason === "string") this.#finished.add(index)
    if (isGrounded(groundingMetadata)) this.#searched = true
    const parts = isRecord(content) && Array.isArray(content.parts) ? content.parts : []
    for (const part of parts.filter(isRecord)) {
      if (part.text === "") continue
      this.#hasContent = true
      this.#isUsageLast = false
      if (typeof part.text === "string") this.#received.add(part.text)
      else this.#hasHiddenTokens = true
    }
  }

  #reported(): ReportedUsage | undefined {
    const reported = reportedIn(this.#reading)
    if (reported === undefined || !this.#searched) return reported
    return { ...reported, usage: { ...reported.usage, webSearches: 1 } }
  }

  /** Thoughts come before the text that has arrived, and each chunk reports them. An error body has no output. */
  #receivedTokens(): number {
    if (!this.#hasAnswer && this.#reading.status === "none") return 0
    if (this.#hasHiddenTokens || this.#reading.status === "none") return HIDDEN_TOKENS
    const { outputTokens, reasoningTokens = 0 } = this.#reading.usage
    return Math.max(outputTokens, this.#received.tokens + reasoningTokens)
  }
}

function errorOf(error: unknown): ReportedError {
  const { code, status, message } = isRecord(error) ? error : { code: undefined, status: undefined, message: error }
  return { status: typeof code === "number" ? code : undefined, code: textOf(status), message: textOf(message) }
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null
}

/** Whether an answer is grounded in a search. Each field shows it: no source says that all of them are always filled in. */
function isGrounded(metadata: unknown): boolean {
  if (!isRecord(metadata)) return false
  const { webSearchQueries, groundingChunks, groundingSupports, searchEntryPoint } = metadata
  return [webSearchQueries, groundingChunks, groundingSupports].some(isNonEmpty) || isRecord(searchEntryPoint)
}

function isNonEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined
}
