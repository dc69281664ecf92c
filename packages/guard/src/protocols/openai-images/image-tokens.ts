import type { Rejection } from "../protocol"
import { invalidBody, unbounded } from "../rejection"

/** Qualities and sizes in the order of {@link TABLE}. */
const SIZES = ["1024x1024", "1024x1536", "1536x1024"]

/**
 * Output tokens of an image of `gpt-image-1` and `gpt-image-1-mini`, by quality and size.
 * https://developers.openai.com/api/docs/guides/image-generation#calculating-costs, as quoted at
 * https://community.openai.com/t/1371851 (as of 2026-11-30)
 */
const TABLE: Readonly<Record<string, readonly number[]>> = {
  low: [272, 408, 400],
  medium: [1056, 1584, 1568],
  high: [4160, 6240, 6208],
}

/**
 * Tokens along one axis of an image of `gpt-image-2`, by quality. The calculator in OpenAI's guide computes its tokens from
 * them: https://community.openai.com/t/1382699 (as of 2026-06-05)
 */
const AXIS: Readonly<Record<string, number>> = { low: 16, medium: 48, high: 96 }

/** The largest image of `gpt-image-2`, in pixels, and its longest edge: the same guide. */
const MAX_PIXELS = 8_294_400
const MAX_EDGE = 3_840

/** https://developers.openai.com/api/docs/guides/image-generation#partial-images-cost (as of 2026-11-30) */
const TOKENS_PER_PARTIAL_IMAGE = 100

/** What decides the tokens of an image. */
export interface ImageSettings {
  /** The model without its provider and date. */
  model: string
  /** Undefined or `auto`: the model decides. */
  size: string | undefined
  quality: string | undefined
  partialImages: number
  /** Fields whose effect on the tokens no source lists. */
  unlisted: string | undefined
  /** Maximum output tokens of one image, as the caller states. */
  maxImageTokens: number | undefined
}

/** Maximum output tokens of one image. */
export function imageTokens(settings: ImageSettings): { status: "bounded"; tokens: number } | Rejection {
  const { model, partialImages, unlisted, maxImageTokens } = settings
  const listed = unlisted === undefined ? listedTokens(settings) : undefined
  if (typeof listed === "object") return listed
  const tokens = listed ?? maxImageTokens
  if (tokens === undefined)
    return unbounded(
      unlisted === undefined ? `an image of ${model}` : `\`${unlisted}\``,
      "no source lists the output tokens",
      "Pass `maxImageTokens` with the most output tokens that one image may have.",
    )
  return { status: "bounded", tokens: tokens + partialImages * TOKENS_PER_PARTIAL_IMAGE }
}

/** Undefined: no source lists the tokens of the model or the quality. */
function listedTokens({ model, size = "auto", quality = "auto" }: ImageSettings): number | Rejection | undefined {
  const qualities = quality === "auto" ? ["low", "medium", "high"] : [quality]
  if (!qualities.every((each) => Object.hasOwn(TABLE, each))) return undefined
  if (model === "gpt-image-1" || model === "gpt-image-1-mini") {
    const index = SIZES.indexOf(size)
    if (index === -1 && size !== "auto") return invalidBody("size", `"auto" or one of ${SIZES.join(", ")}`)
    return Math.max(...qualities.flatMap((each) => (index === -1 ? TABLE[each]! : [TABLE[each]![index]!])))
  }
  if (model !== "gpt-image-2") return undefined
  const edges = size === "auto" ? "auto" : edgesOf(size)
  if (edges === undefined)
    return invalidBody("size", `"auto" or a size such as 1536x864, with edges of at most ${MAX_EDGE}`)
  return Math.max(...qualities.map((each) => gptImage2Tokens(AXIS[each]!, edges)))
}

function edgesOf(size: string): readonly [number, number] | undefined {
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(size) ?? []
  const edges = [Number(width), Number(height)] as const
  return edges.every((edge) => edge >= 1 && edge <= MAX_EDGE) ? edges : undefined
}

/** The most tokens of any size are those of the largest square. */
function gptImage2Tokens(axis: number, edges: readonly [number, number] | "auto"): number {
  if (edges === "auto") return Math.ceil((axis * axis * (2_000_000 + MAX_PIXELS)) / 4_000_000)
  const [short, long] = [Math.min(...edges), Math.max(...edges)]
  const shortAxis = Math.floor((2 * axis * short + long) / (2 * long))
  return Math.ceil((axis * shortAxis * (2_000_000 + short * long)) / 4_000_000)
}

/**
 * Maximum input tokens of an image that is edited.
 *
 * - `gpt-image-1`, `-1-mini` and `-1.5`: 65, 129 for each tile of 512 × 512, of which a scaled image has at most four (eight, if
 *   scaling rounds its short side up), and 6,240 with `input_fidelity: "high"`:
 *   https://developers.openai.com/api/docs/guides/images-vision#calculating-costs
 * - `gpt-image-2`: at most 1,536 patches (https://community.openai.com/t/1382940), times 2.46, the highest published multiplier.
 * - other models: more than any published formula gives.
 */
export function inputImageTokens(model: string): number {
  if (/^gpt-image-1(\.5|-mini)?$/.test(model)) return 65 + 8 * 129 + 6_240
  return model === "gpt-image-2" ? Math.ceil(1_536 * 2.46) : 24_600
}
