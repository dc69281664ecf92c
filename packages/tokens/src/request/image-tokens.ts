import type { ImageRule } from "./image-rules"
import type { ImageSize } from "./image-size"

/** Counts the tokens of one image. An image of unknown size counts as the largest possible. */
export function imageTokens(
  size: ImageSize | undefined,
  rule: ImageRule,
  detail = "auto",
): { tokens: number; upperBound: number } {
  if (rule.kind === "tile") {
    // With "auto" the provider chooses the detail, at most "high".
    const tokens = detail === "low" ? rule.base : tileTokens(size, rule)
    return { tokens, upperBound: tokens }
  }
  if (rule.kind === "patch") {
    // Users report bills below the documented multiplier, and up to 6 % above the documented rounding (2,488 instead of
    // 2,348 for 4000 × 1474 with gpt-4.1-mini): https://community.openai.com/t/1281361. The bound adds a tenth for that.
    const tokens = patchTokens(size, rule)
    return { tokens, upperBound: Math.ceil(tokens * 1.1) }
  }
  if (rule.kind === "grid") {
    const patches = size === undefined ? rule.maxTokens : Math.ceil(size.width / 28) * Math.ceil(size.height / 28)
    const tokens = Math.min(rule.maxTokens, patches)
    // An earlier formula gave up to 5 % more for the same image.
    return { tokens, upperBound: Math.ceil(rule.maxTokens * 1.1) }
  }
  if (rule.kind === "crop") {
    const tiles = size === undefined ? 1 : cropTiles(size)
    // An image of unknown size can have any number of tiles.
    const upperBound = size === undefined ? Number.POSITIVE_INFINITY : Math.ceil(rule.perTile * tiles * 1.1)
    return { tokens: rule.perTile * tiles, upperBound }
  }
  if (rule.kind === "fixed") return { tokens: rule.usual, upperBound: Math.ceil(rule.maxTokens * 1.1) }
  return { tokens: rule.usual, upperBound: rule.maxTokens }
}

/** The side of a tile is the shorter side / 1.5, from 256 to 768 pixels. Example: 960 × 540 has 3 × 2 tiles of 360. */
function cropTiles({ width, height }: ImageSize): number {
  if (width <= 384 && height <= 384) return 1
  const side = Math.min(768, Math.max(256, Math.floor(Math.min(width, height) / 1.5)))
  return Math.ceil(width / side) * Math.ceil(height / side)
}

/** https://platform.openai.com/docs/guides/images-vision#calculating-costs, "GPT-4o, GPT-4.1, … and o-series". */
function tileTokens(size: ImageSize | undefined, rule: ImageRule & { kind: "tile" }): number {
  // The maximum number of tiles of an image within 2048 × 768.
  if (size === undefined) return rule.base + 8 * rule.perTile
  const toSquare = Math.min(1, 2048 / Math.max(size.width, size.height))
  const toShort = Math.min(1, 768 / (Math.min(size.width, size.height) * toSquare))
  const tiles = (side: number) => Math.max(1, Math.ceil((side * toSquare * toShort - 1e-6) / 512))
  return rule.base + rule.perTile * tiles(size.width) * tiles(size.height)
}

/** The same page, "GPT-4.1-mini, GPT-4.1-nano, o4-mini": the scale is corrected so that whole patches fit. */
function patchTokens(size: ImageSize | undefined, rule: ImageRule & { kind: "patch" }): number {
  if (size === undefined) return Math.ceil(rule.maxPatches * rule.multiplier)
  const { width, height } = size
  let patches = Math.ceil(width / 32) * Math.ceil(height / 32)
  if (patches > rule.maxPatches) {
    const shrink = Math.sqrt((32 * 32 * rule.maxPatches) / (width * height))
    const across = (width * shrink) / 32
    const down = (height * shrink) / 32
    const fit = shrink * Math.min(Math.max(1, Math.floor(across)) / across, Math.max(1, Math.floor(down)) / down)
    patches = Math.min(rule.maxPatches, Math.ceil((width * fit) / 32 - 1e-9) * Math.ceil((height * fit) / 32 - 1e-9))
  }
  return Math.ceil(patches * rule.multiplier)
}
