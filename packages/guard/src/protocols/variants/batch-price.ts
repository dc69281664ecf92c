import type { PriceTable } from "@p2/pricing"
import type { PricedCall, Rejection } from "../protocol"
import { rejected, rejectionOf, unbounded } from "../rejection"
import { BatchMeter } from "./batch-meter"

/** The upper bound of one or more calls at the batch price. */
export interface BatchBound {
  status: "bounded"
  nanoUsd: number
  tokens: number
  /** The models of the calls. */
  models: readonly string[]
}

/** The upper bound of a file. */
export interface FileBound extends BatchBound {
  /** The path of every call; undefined: the file has none. */
  endpoint: string | undefined
}

/** The upper bound of a call at the batch price. */
export function boundInBatch(prices: PriceTable, described: PricedCall): BatchBound | Rejection {
  const { boundOptions, input, maxOutputTokens, priceKey, model } = described
  const { serviceTier = "auto" } = boundOptions
  if (serviceTier !== "auto" && serviceTier !== "default")
    return unbounded("`service_tier`", "no source says how a batch bills it", "Omit it.")
  try {
    const options = { ...boundOptions, inputTokens: input.upperBound, maxOutputTokens, serviceTier: "batch" }
    const { nanoUsd, tokens } = prices.upperBound(priceKey, options)
    return { status: "bounded", nanoUsd, tokens, models: [model] }
  } catch (error) {
    return rejectionOf(error)
  }
}

/** The model of a batch whose calls are unknown. */
export const UNKNOWN_MODEL = "unknown"

export const NO_CALLS: BatchBound = { status: "bounded", nanoUsd: 0, tokens: 0, models: [] }

/** The bounds of two parts of a batch, added. */
export function addBounds(first: BatchBound, second: BatchBound): BatchBound | Rejection {
  const nanoUsd = first.nanoUsd + second.nanoUsd
  const tokens = first.tokens + second.tokens
  if (!Number.isSafeInteger(nanoUsd) || !Number.isSafeInteger(tokens))
    return rejected("unbounded-cost", "The upper bound of the batch is too large to be counted. Send several batches.")
  const added = second.models.filter((model) => !first.models.includes(model))
  const models = added.length === 0 ? first.models : [...first.models, ...added]
  return { status: "bounded", nanoUsd, tokens, models }
}

/** Describes the start of a batch. */
export function pricedBatch(
  provider: string,
  { nanoUsd, tokens, models }: Omit<BatchBound, "status">,
  { body, leaseMs }: { body: Readonly<Record<string, unknown>>; leaseMs: number },
): PricedCall {
  const model = models.at(-1) ?? UNKNOWN_MODEL
  return {
    status: "priced",
    provider,
    model,
    models,
    priceKey: `${provider}/${model}`,
    input: { estimate: 0, upperBound: tokens },
    maxOutputTokens: 0,
    minOutputTokens: 0,
    boundOptions: {},
    fixedBound: { nanoUsd, tokens },
    streamed: false,
    bodyToSend: () => ({ ...body }),
    createMeter: () => new BatchMeter({ leaseMs }),
  }
}

/** A rejection of one call of a batch. */
export function inBatch({ reason, message }: Rejection, call: string): Rejection {
  return rejected(reason, `${call} of the batch: ${message.replace(WITHOUT_EFFECT, "")}`)
}

/** Recommendations of options that do not change the calls of a batch. */
const WITHOUT_EFFECT = / (Or pass `maxToolCalls`|Pass `unknownEndpoints)[^.]*\./
