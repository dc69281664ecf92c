import { parseModelId } from "@p2/core"
import { modelLimits } from "@p2/core/model-limits"
import type { Encoding } from "../encodings/encoding"
import { encodingOfModel } from "../encodings/find-encoding"
import { UnboundedInputError } from "../errors"
import { estimateTokens } from "../estimate/estimate-tokens"
import { countText } from "../text/count-text"
import { type Counted, exactly } from "./counted"

/** The model data that counting a request needs. */
export interface RequestModel {
  readonly id: string
  /** The name without provider and date, such as `gpt-4o-mini`. */
  readonly name: string
  /** Undefined if the model's tokenizer is not public. */
  readonly encoding: Encoding | undefined
}

/** @throws InvalidArgumentError if `id` is not a model id */
export function requestModel(id: string): RequestModel {
  return { id, name: parseModelId(id).baseName, encoding: encodingOfModel(id) }
}

/** Counts the tokens of a string: exactly, or by an estimate and a bound. */
export function textTokens({ id, encoding }: RequestModel, text: string): Counted {
  return encoding === undefined ? estimateTokens(text, id) : exactly(countText(encoding, text))
}

/**
 * Returns the maximum input tokens that the model accepts.
 * @param part describes the part that has no other bound, for the error message
 * @throws UnboundedInputError if the limits of the model are unknown
 */
export function windowOf({ id }: RequestModel, path: string, part: string, remedy: string): number {
  const limits = modelLimits.findLimits(id)
  if (limits === undefined) throw new UnboundedInputError(path, `${part} for a model without known limits`, remedy)
  return Math.max(limits.contextWindow, limits.maxInputTokens ?? 0)
}
