/**
 * How images become tokens, as data.
 * - `tile`: fit into 2048 × 2048, then the short side to 768, then `perTile` for each 512 × 512 tile and `base`.
 * - `patch`: 32 × 32 patches, scaled down to at most `mostPatches`, times `multiplier`.
 * - `area`: width × height / `pixelsPerToken`, at most `most`.
 * - `bounded`: no formula is published; `most` is what every published one stays within.
 */
export type ImageRule =
  | { kind: "tile"; base: number; perTile: number }
  | { kind: "patch"; multiplier: number; mostPatches: number }
  | { kind: "area"; pixelsPerToken: number; most: number; bound: number }
  | { kind: "bounded"; usual: number; most: number }

/* The rules below are as of 2026-01-15. */

/**
 * https://platform.openai.com/docs/guides/images-vision#calculating-costs. On 2026-11-23 the page could not be opened; bills
 * that users published agree with gpt-4o, gpt-4.1, gpt-4o-mini and o3 (https://community.openai.com/t/1262691) and are
 * lower than the page for gpt-5-mini and gpt-5-nano: 1.2 and 1.5 (https://community.openai.com/t/1344040).
 */
const OPENAI: readonly (readonly [string, ImageRule])[] = [
  ["gpt-4o gpt-4.1 gpt-4.5-preview chatgpt-4o-latest gpt-4-turbo", { kind: "tile", base: 85, perTile: 170 }],
  ["gpt-4o-mini", { kind: "tile", base: 2833, perTile: 5667 }],
  ["gpt-5 gpt-5-chat-latest", { kind: "tile", base: 70, perTile: 140 }],
  ["o1 o1-pro o3", { kind: "tile", base: 75, perTile: 150 }],
  ["gpt-4.1-mini gpt-5-mini", { kind: "patch", multiplier: 1.62, mostPatches: 1536 }],
  ["gpt-4.1-nano gpt-5-nano", { kind: "patch", multiplier: 2.46, mostPatches: 1536 }],
  ["o4-mini", { kind: "patch", multiplier: 1.72, mostPatches: 1536 }],
]

/**
 * https://docs.claude.com/en/docs/build-with-claude/vision: width · height / 750, scaled to about 1,600 tokens (1568 pixels
 * on the long edge). From Opus 4.7 on it is 2576 pixels, 3.75 megapixels, which comes to 5,000 tokens; the bound leaves a
 * seventh above that.
 */
const CLAUDE: ImageRule = { kind: "area", pixelsPerToken: 750, most: 1600, bound: 5741 }

/**
 * Where nothing is published, or what is published was refuted by bills (gpt-5.4-mini, https://community.openai.com/t/1380539
 * and /t/1377015): 10,000 patches, the most that any published rule takes, at the highest published multiplier of 2.46.
 * The bound of a request is also at least what the image could come to as text.
 */
export const UNLISTED: ImageRule = { kind: "bounded", usual: 1600, most: 24_600 }

let byModel: Map<string, ImageRule> | undefined

/** The rule for a bare model name without date. */
export function imageRuleFor(name: string): ImageRule {
  byModel ??= new Map(OPENAI.flatMap(([models, rule]) => models.split(" ").map((model) => [model, rule] as const)))
  return byModel.get(name) ?? (/^claude-/.test(name) ? CLAUDE : UNLISTED)
}
