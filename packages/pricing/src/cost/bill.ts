import { InvalidArgumentError, type Usage } from "@p2/core"
import { UnpricedUsageError } from "../errors"
import type { CompleteRates, RateKind, SeparateKind } from "../table/rates"
import type { CostLine } from "./cost"

/** The counts of a usage after validation. Counts by which some models are billed stay undefined if absent. */
export interface UsageCounts {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly cacheWrite1h: number
  readonly audioInput: number
  readonly imageInput: number
  readonly reasoning: number
  readonly audioOutput: number
  readonly imageOutput: number
  readonly search: number
  readonly fileSearch: number
  readonly codeSession: number
  readonly image: number | undefined
  readonly second: number | undefined
  readonly character: number | undefined
}

/** The usage field that counts each kind. */
const FIELD_OF = {
  audioInput: "audioInputTokens",
  audioOutput: "audioOutputTokens",
  imageOutput: "imageOutputTokens",
  search: "webSearches",
  fileSearch: "fileSearches",
  codeSession: "codeInterpreterSessions",
  image: "outputImages",
  second: "audioSeconds",
  character: "inputCharacters",
} as const satisfies Record<SeparateKind, keyof Usage>

/** For each kind: the unit of its rate, and the alternative if a model has no rate. */
const REMEDY_OF: Record<SeparateKind, readonly [unit: string, alternative: string]> = {
  audioInput: ["USD per million tokens", "use a model that has one"],
  audioOutput: ["USD per million tokens", "use a model that has one"],
  imageOutput: ["USD per million tokens", "use a model that has one"],
  search: ["USD per search", "do not let the provider search"],
  fileSearch: ["USD per search", "do not let the provider search in files"],
  codeSession: ["USD per session", "do not enable the code interpreter"],
  image: ["USD per image", "use a model that has one"],
  second: ["USD per second", "use a model that has one"],
  character: ["USD per character", "use a model that has one"],
}

/** Kinds by which a model can be billed instead of by tokens. */
const BILLED_INSTEAD = ["image", "second", "character"] as const

/** Validates a usage. @throws InvalidArgumentError for a negative, fractional or contradictory count */
export function readCounts(usage: Usage): UsageCounts {
  const counts = {
    input: readInteger(usage.inputTokens, "inputTokens"),
    output: readInteger(usage.outputTokens, "outputTokens"),
    cacheRead: readCount(usage.cacheReadTokens, "cacheReadTokens"),
    cacheWrite: readCount(usage.cacheWriteTokens, "cacheWriteTokens"),
    cacheWrite1h: readCount(usage.cacheWrite1hTokens, "cacheWrite1hTokens"),
    audioInput: readCount(usage.audioInputTokens, "audioInputTokens"),
    imageInput: readCount(usage.imageInputTokens, "imageInputTokens"),
    reasoning: readCount(usage.reasoningTokens, "reasoningTokens"),
    audioOutput: readCount(usage.audioOutputTokens, "audioOutputTokens"),
    imageOutput: readCount(usage.imageOutputTokens, "imageOutputTokens"),
    search: readCount(usage.webSearches, "webSearches"),
    fileSearch: readCount(usage.fileSearches, "fileSearches"),
    codeSession: readCount(usage.codeInterpreterSessions, "codeInterpreterSessions"),
    image: usage.outputImages === undefined ? undefined : readInteger(usage.outputImages, "outputImages"),
    second: usage.audioSeconds === undefined ? undefined : readInteger(usage.audioSeconds, "audioSeconds"),
    character: usage.inputCharacters === undefined ? undefined : readInteger(usage.inputCharacters, "inputCharacters"),
  }
  const { input, output } = counts
  checkParts(counts.audioInput + counts.imageInput, input, "audioInputTokens + imageInputTokens", "inputTokens")
  checkParts(
    counts.cacheRead + counts.cacheWrite + counts.cacheWrite1h,
    input,
    "cacheReadTokens + cacheWriteTokens + cacheWrite1hTokens",
    "inputTokens",
  )
  checkParts(
    counts.reasoning + counts.audioOutput + counts.imageOutput,
    output,
    "reasoningTokens + audioOutputTokens + imageOutputTokens",
    "outputTokens",
  )
  return counts
}

/**
 * Creates the bill of a usage; kinds that were not used have no line.
 *
 * A usage says how many tokens were cached and how many were audio or images, but not how many were both. Cached tokens
 * are assumed to be text. If there is not enough text, the rest was cached audio or images and is billed as uncached audio
 * or images, which never costs less. Writes take the text first, because they cost more than reads.
 */
export function billUsage(model: string, rates: CompleteRates, counts: UsageCounts, calls: number): CostLine[] {
  const text = counts.input - counts.audioInput - counts.imageInput
  const write1h = Math.min(counts.cacheWrite1h, text)
  const write = Math.min(counts.cacheWrite, text - write1h)
  const read = Math.min(counts.cacheRead, text - write1h - write)
  checkBilledUnits(model, rates, counts)
  const lines: CostLine[] = []
  const add = (kind: RateKind, count: number | undefined) => {
    if (count !== undefined && count > 0) lines.push({ kind, count, picoUsdPerUnit: rateOf(model, rates, kind) })
  }
  add("input", text - write1h - write - read)
  add("cacheRead", read)
  add("cacheWrite", write)
  add("cacheWrite1h", write1h)
  add("audioInput", counts.audioInput)
  add("imageInput", counts.imageInput)
  add("output", counts.output - counts.reasoning - counts.audioOutput - counts.imageOutput)
  add("reasoning", counts.reasoning)
  add("audioOutput", counts.audioOutput)
  add("imageOutput", counts.imageOutput)
  if (rates.request > 0) add("request", calls)
  add("search", counts.search)
  add("fileSearch", counts.fileSearch)
  add("codeSession", counts.codeSession)
  for (const kind of BILLED_INSTEAD) add(kind, counts[kind])
  return lines
}

/** Returns the rate of a kind. @throws UnpricedUsageError if there is none and no other kind contains it */
export function rateOf(model: string, rates: CompleteRates, kind: RateKind): number {
  const rate = rates[kind]
  if (rate !== undefined) return rate
  const separate = kind as SeparateKind
  const [unit, alternative] = REMEDY_OF[separate]
  throw new UnpricedUsageError(
    model,
    FIELD_OF[separate],
    `The price of "${model}" has no rate for \`${FIELD_OF[separate]}\`. Add \`${kind}\` (${unit}) to a price of your own with createPriceTable, or ${alternative}.`,
  )
}

/**
 * Checks models that are billed by the second, character or image: the count is required, and tokens have no price. Without
 * the two checks such a call would cost nothing.
 */
function checkBilledUnits(model: string, rates: CompleteRates, counts: UsageCounts): void {
  for (const kind of BILLED_INSTEAD) {
    if (rates[kind] === undefined) continue
    if (counts[kind] === undefined)
      throw new InvalidArgumentError(
        `usage.${FIELD_OF[kind]}`,
        `an integer of at least 0, because "${model}" is billed by it`,
        undefined,
      )
    for (const total of ["input", "output"] as const)
      if (counts[total] > 0 && rates[total] === 0)
        throw new UnpricedUsageError(
          model,
          `${total}Tokens`,
          `"${model}" is billed by \`${FIELD_OF[kind]}\` and its tokens have no price, but the usage has \`${total}Tokens\`. Pass 0, or write a price of your own with createPriceTable.`,
        )
  }
}

function readCount(value: number | undefined, field: keyof Usage): number {
  return value === undefined ? 0 : readInteger(value, field)
}

function readInteger(value: number, field: keyof Usage): number {
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError(`usage.${field}`, "an integer of at least 0", value)
}

function checkParts(sum: number, whole: number, parts: string, total: "inputTokens" | "outputTokens"): void {
  if (sum > whole)
    throw new InvalidArgumentError(`usage.${parts}`, `at most usage.${total} (${whole}), which includes them`, sum)
}
