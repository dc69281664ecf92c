/**
 * How an image becomes tokens:
 * - `tile`: fit into 2048 × 2048, then the short side to 768, then `perTile` for each 512 × 512 tile and `base`.
 * - `patch`: 32 × 32 patches, scaled down to at most `mostPatches`, times `multiplier`.
 * - `area`: width × height / `pixelsPerToken`, at most `most`.
 * - `unpublished`: no formula is published; `most` is above what every published formula gives.
 */
export type ImageRule =
  | { kind: "tile"; base: number; perTile: number }
  | { kind: "patch"; multiplier: number; mostPatches: number }
  | { kind: "area"; pixelsPerToken: number; most: number; bound: number }
  | { kind: "unpublished"; usual: number; most: number }

/**
 * https://platform.openai.com/docs/guides/images-vision#calculating-costs, as of 2026-01-15. Bills that users published
 * agree for gpt-4o, gpt-4.1, gpt-4o-mini and o3 (https://community.openai.com/t/1262691), and are lower for gpt-5-mini and
 * gpt-5-nano: multipliers of 1.2 and 1.5 (https://community.openai.com/t/1344040).
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
 * https://docs.claude.com/en/docs/build-with-claude/vision, as of 2026-01-15: width · height / 750, scaled down to about
 * 1,600 tokens (1568 pixels on the long edge). From Opus 4.7 on, 2576 pixels and 3.75 megapixels, which is 5,000 tokens;
 * the bound leaves a seventh above that.
 */
const CLAUDE: ImageRule = { kind: "area", pixelsPerToken: 750, most: 1600, bound: 5741 }

/**
 * For models without a published formula, and those whose bills refute it (gpt-5.4-mini, https://community.openai.com/t/1380539
 * and /t/1377015): 10,000 patches, the most of any published formula, times 2.46, the highest published multiplier.
 */
const UNPUBLISHED: ImageRule = { kind: "unpublished", usual: 1600, most: 24_600 }

let ruleByModel: Map<string, ImageRule> | undefined

/** The rule of a model, by its name without provider and date. */
export function imageRuleFor(name: string): ImageRule {
  ruleByModel ??= new Map(OPENAI.flatMap(([models, rule]) => models.split(" ").map((model) => [model, rule] as const)))
  return ruleByModel.get(name) ?? (/^claude-/.test(name) ? CLAUDE : UNPUBLISHED)
}
