import type { NanoUsd } from "@p2/core"
import { isRecord, type Usage } from "@p2/core"
import type { Modality } from "@p2/pricing"
import { usageFromAISDK } from "@p2/pricing"
import {
  type ReportedUsage,
  readAnthropicUsage,
  readGeminiUsage,
  readOpenAIChatUsage,
  readOpenAIResponsesUsage,
  type UsageReading,
} from "@p2/pricing/usage"
import type { CallTerms } from "../../protocols/protocol"

/** The prices of a call: undefined for a usage without a price. */
export type CostOf = (reported: ReportedUsage, serviceTier?: string) => NanoUsd | undefined

/** What decides how the usage of a call is read. */
export interface UsageContext {
  described: CallTerms
  costOf: CostOf
  /** The most expensive service tier that the call may have been billed at; undefined: the call or its usage states it. */
  dearestTier(reported: ReportedUsage): string | undefined
}

/**
 * Reads an AI SDK usage. Its `raw` usage, if its form is known, has more details: one-hour cache writes, audio,
 * searches, and reported costs. Among the readings that the usage allows, the most expensive one is taken.
 */
export function readModelUsage(usage: unknown, context: UsageContext): UsageReading {
  const sdk = readSdkUsage(usage)
  const raw = isRecord(usage) ? readRawUsage(usage.raw, context.described) : undefined
  if (raw !== undefined && raw.status !== "none" && raw.cost !== undefined) return raw
  const readings: ReportedUsage[] = []
  if (sdk !== undefined) readings.push({ usage: sdk, cost: undefined })
  if (raw !== undefined && raw.status !== "none") readings.push({ usage: raw.usage, cost: undefined })
  if (readings.length === 0) return { status: "none" }
  const isRead = raw !== undefined && raw.status === "exact"
  const own = readings.map((each) => ({ ...each, usage: withPieces(each.usage, context.described, isRead) }))
  const possible = isRead ? withHourWrites(own, usage, context) : own.flatMap((each) => dearerReadings(each, context))
  const dearest = dearestOf(possible, context.costOf)
  const lowerBound = raw?.status === "lower-bound" ? raw.problem : undefined
  if (lowerBound === undefined) return { status: "exact", ...dearest }
  return { status: "lower-bound", ...dearest, problem: lowerBound }
}

/** The usage under the AI SDK's names. Undefined: its totals are missing, or no token is counted. */
function readSdkUsage(usage: unknown): Usage | undefined {
  try {
    const read = usageFromAISDK(usage)
    // Every prompt has tokens: some providers report 0 if they do not know.
    return read.inputTokens === 0 ? undefined : read
  } catch {
    return undefined
  }
}

/** The usage under the names of the provider's API. Undefined: the form is unknown. */
function readRawUsage(raw: unknown, { provider, boundOptions }: CallTerms): UsageReading | undefined {
  if (!isRecord(raw)) return undefined
  const { webSearches, fileSearches, codeInterpreterSessions } = boundOptions
  if ("promptTokenCount" in raw) return readGeminiUsage(raw, { webSearches })
  if ("prompt_tokens" in raw) return readOpenAIChatUsage(raw, provider)
  if (!("input_tokens" in raw)) return undefined
  if ("input_tokens_details" in raw || "output_tokens_details" in raw)
    return "cache_creation_input_tokens" in raw
      ? readAnthropicUsage(raw)
      : readOpenAIResponsesUsage(raw, { webSearches, fileSearches, codeInterpreterSessions }, provider)
  return readAnthropicUsage(raw)
}

/**
 * Adds the pieces that the AI SDK does not count: the most that the call allows. Anthropic's raw usage counts its
 * searches.
 */
function withPieces(usage: Usage, { boundOptions }: CallTerms, isRead: boolean): Usage {
  if (isRead) return usage
  const pieces: Partial<Usage> = {}
  for (const name of ["webSearches", "fileSearches", "codeInterpreterSessions"] as const) {
    const count = boundOptions[name] ?? 0
    if (count > 0) pieces[name] = Math.max(count, usage[name] ?? 0)
  }
  return { ...usage, ...pieces }
}

/**
 * Anthropic's raw usage may lack the times of its cache writes: then all may be one-hour writes, if the call requested
 * any.
 */
function withHourWrites(readings: ReportedUsage[], usage: unknown, { described }: UsageContext): ReportedUsage[] {
  const raw = (usage as { raw?: unknown }).raw
  const hasTimes = isRecord(raw) && isRecord(raw.cache_creation)
  if (hasTimes || described.boundOptions.cacheWrites !== "any") return readings
  return readings.flatMap((each) => [each, ...hourWrites(each)])
}

function hourWrites({ usage, cost }: ReportedUsage): ReportedUsage[] {
  const { cacheWriteTokens = 0, cacheWrite1hTokens = 0, ...others } = usage
  if (cacheWriteTokens === 0) return []
  return [{ usage: { ...others, cacheWrite1hTokens: cacheWrite1hTokens + cacheWriteTokens }, cost }]
}

/** A usage without details may be of any modality that the call allows, and its cache writes may be one-hour writes. */
function dearerReadings(reading: ReportedUsage, { described }: UsageContext): ReportedUsage[] {
  const { cacheWrites, inputModalities, outputModalities } = described.boundOptions
  const { usage, cost } = reading
  const allows = (modalities: readonly Modality[] | undefined, modality: Modality) =>
    modalities === undefined || modalities.includes(modality)
  const { inputTokens, outputTokens } = usage
  const readings = [reading, ...(cacheWrites === "any" ? hourWrites(reading) : [])]
  const inputs: Partial<Usage>[] = [{}]
  if (allows(inputModalities, "audio")) inputs.push({ audioInputTokens: inputTokens })
  if (allows(inputModalities, "image")) inputs.push({ imageInputTokens: inputTokens })
  const outputs: Partial<Usage>[] = [{}]
  if (allows(outputModalities, "audio")) outputs.push({ audioOutputTokens: outputTokens })
  if (allows(outputModalities, "image")) outputs.push({ imageOutputTokens: outputTokens })
  const plain: Usage = { inputTokens, outputTokens, ...piecesOf(usage) }
  const mixed = inputs.flatMap((input) => outputs.map((output) => ({ usage: { ...plain, ...input, ...output }, cost })))
  return [...readings, ...mixed.slice(1)]
}

function piecesOf({ webSearches, fileSearches, codeInterpreterSessions, outputImages, raw }: Usage): Partial<Usage> {
  return { webSearches, fileSearches, codeInterpreterSessions, outputImages, raw }
}

/** The most expensive reading that has a price, else the first one: its usage is then unpriced, and the bound is charged. */
function dearestOf(readings: readonly ReportedUsage[], costOf: CostOf): ReportedUsage {
  let [dearest, highest] = [readings[0]!, -1]
  for (const reading of readings) {
    const cost = costOf(reading) ?? -1
    if (cost > highest) [dearest, highest] = [reading, cost]
  }
  return dearest
}

/** Reads the usage of an embedding call: `{ tokens }`. */
export function readEmbeddingUsage(usage: unknown): UsageReading {
  const read = readSdkUsage(usage)
  return read === undefined ? { status: "none" } : { status: "exact", usage: read, cost: undefined }
}

/** Reads the usage of an image call: its tokens, and the images themselves for a model that is billed by the image. */
export function readImageUsage(result: { usage?: unknown; images?: unknown }, context: UsageContext): UsageReading {
  const count = Array.isArray(result.images) ? result.images.length : 0
  const { outputImages = 0 } = context.described.boundOptions
  if (outputImages > 0) {
    // An image that is missing in the result may have been billed.
    const usage = { inputTokens: 0, outputTokens: 0, outputImages: Math.max(count, outputImages) }
    return { status: "exact", usage, cost: undefined }
  }
  const sdk = readSdkUsage(result.usage)
  if (sdk === undefined || sdk.outputTokens === 0) return { status: "none" }
  const own: ReportedUsage = { usage: sdk, cost: undefined }
  return { status: "exact", ...dearestOf(dearerReadings(own, context), context.costOf) }
}
