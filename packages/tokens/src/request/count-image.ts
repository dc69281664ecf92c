import { parseModelId } from "@p2/core"
import { imageRuleFor } from "./image-rules"
import { type ImageSize, imageSizeOf } from "./image-size"
import { imageTokens } from "./image-tokens"

/** The input tokens of one image. */
export interface ImageTokens {
  readonly tokens: number
  /** Undefined: no published rule bounds it, only the context window. */
  readonly upperBound: number | undefined
}

/**
 * Counts the tokens of one image for a model, by the provider's published rule.
 *
 * @param image its size in pixels, its base64 data, or undefined if it is behind a URL
 * @throws InvalidArgumentError if `model` is not a model id
 * @example
 * countImageTokens("claude-opus-4-8", { width: 800, height: 600 }) // { tokens: 638, upperBound: 5263 }
 */
export function countImageTokens(model: string, image: ImageSize | string | undefined): ImageTokens {
  const rule = imageRuleFor(parseModelId(model).baseName)
  const size = typeof image === "string" ? imageSizeOf(`data:image/*;base64,${image}`) : image
  const { tokens, upperBound } = imageTokens(size, rule)
  return { tokens, upperBound: rule.kind === "unpublished" || !Number.isFinite(upperBound) ? undefined : upperBound }
}
