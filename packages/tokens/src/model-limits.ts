import { nearestIds, parseModelId, UnknownModelError } from "@p2/core"
import { modelLimits, modelLimitsDate } from "@p2/core/model-limits"

/** The maximum number of tokens that a model accepts and generates. */
export interface ModelLimits {
  /** Input and output tokens together. */
  contextWindow: number
  /** Present if a source states a maximum for the input alone. */
  maxInputTokens?: number | undefined
  /** Present if a source states it. */
  maxOutputTokens?: number | undefined
}

/**
 * Returns the context window of a model and its maximum input and output tokens, as of `modelLimitsAsOf()`. Routers, clouds,
 * variants, dates and fine-tuning do not change them: `openrouter/openai/gpt-4o-mini:online` has those of `gpt-4o-mini`.
 *
 * @throws UnknownModelError with similar ids, if the model is not listed
 * @throws InvalidArgumentError if `model` is not a model id
 *
 * @example
 * getModelLimits("gpt-4o-mini") // { contextWindow: 128000, maxOutputTokens: 16384 }
 */
export function getModelLimits(model: string): ModelLimits {
  const { id } = parseModelId(model)
  const listed = modelLimits.findLimits(id)
  if (listed === undefined)
    throw new UnknownModelError(id, {
      what: "context window",
      nearest: nearestIds(id, modelLimits.ids()),
      remedy: "Check the id. For `LLMClient`, you can state its `contextWindow` with `createPriceTable`.",
    })
  const limits: ModelLimits = { contextWindow: listed.contextWindow }
  if (listed.maxInputTokens !== undefined) limits.maxInputTokens = listed.maxInputTokens
  // If no source states it, the table repeats the context window.
  if (listed.maxOutputTokens !== undefined && listed.maxOutputBasis !== "context window")
    limits.maxOutputTokens = listed.maxOutputTokens
  return limits
}

/** Day on which the source of the limits was published, as YYYY-MM-DD. */
export function modelLimitsAsOf(): string {
  return modelLimitsDate
}
