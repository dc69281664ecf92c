import { parseModelId } from "@p2/core"
import { modelLimits } from "@p2/core/model-limits"
import type { Encoding } from "../encodings/encoding"
import { encodingOfModel } from "../encodings/find-encoding"
import { UnboundedInputError } from "../errors"
import { estimateTokens } from "../estimate/estimate-tokens"
import { countText } from "../text/count-text"
import { type Counted, exactly } from "./counted"

/** What counting a request needs to know of its model. */
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

/** The tokens of a text: exactly, or by an estimate and a bound. */
export function textTokens({ id, encoding }: RequestModel, text: string): Counted {
  return encoding === undefined ? estimateTokens(text, id) : exactly(countText(encoding, text))
}

/**
 * The most input tokens that the model accepts.
 * @throws UnboundedInputError if that is not known; `part` is what has no other bound
 */
export function windowOf({ id }: RequestModel, path: string, part: string, remedy: string): number {
  const limits = modelLimits.findLimits(id)
  if (limits === undefined) throw new UnboundedInputError(path, `${part} for a model without known limits`, remedy)
  return Math.max(limits.contextWindow, limits.maxInputTokens ?? 0)
}
