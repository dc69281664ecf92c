/**
 * The rule that converts an image to tokens:
 * - `tile`: scale down to fit 2048 × 2048, then to a short side of 768; `perTile` for each 512 × 512 tile, plus `base`.
 * - `patch`: scale down to at most `maxPatches` patches of 32 × 32; `multiplier` for each patch.
 * - `area`: width × height / `pixelsPerToken`, at most `maxTokens`.
 * - `unpublished`: no formula is published; `maxTokens` exceeds the result of every published formula.
 */
export type ImageRule =
  | { kind: "tile"; base: number; perTile: number }
  | { kind: "patch"; multiplier: number; maxPatches: number }
  | { kind: "area"; pixelsPerToken: number; maxTokens: number; bound: number }
  | { kind: "unpublished"; usual: number; maxTokens: number }

/**
 * https://platform.openai.com/docs/guides/images-vision#calculating-costs, as of 2026-01-15. Published bills of users
 * agree for gpt-4o, gpt-4.1, gpt-4o-mini and o3 (https://community.openai.com/t/1262691), and are lower for gpt-5-mini and
 * gpt-5-nano: multipliers of 1.2 and 1.5 (https://community.openai.com/t/1344040).
 */
const OPENAI: readonly (readonly [string, ImageRule])[] = [
  ["gpt-4o gpt-4.1 gpt-4.5-preview chatgpt-4o-latest gpt-4-turbo", { kind: "tile", base: 85, perTile: 170 }],
  ["gpt-4o-mini", { kind: "tile", base: 2833, perTile: 5667 }],
  ["gpt-5 gpt-5-chat-latest", { kind: "tile", base: 70, perTile: 140 }],
  ["o1 o1-pro o3", { kind: "tile", base: 75, perTile: 150 }],
  ["gpt-4.1-mini gpt-5-mini", { kind: "patch", multiplier: 1.62, maxPatches: 1536 }],
  ["gpt-4.1-nano gpt-5-nano", { kind: "patch", multiplier: 2.46, maxPatches: 1536 }],
  ["o4-mini", { kind: "patch", multiplier: 1.72, maxPatches: 1536 }],
]

/**
 * https://docs.claude.com/en/docs/build-with-claude/vision, as of 2026-01-15: width · height / 750, scaled down to about
 * 1,600 tokens (1568 pixels on the long edge). From Opus 4.7 on, the limits are 2576 pixels and 3.75 megapixels, which is
 * 5,000 tokens; the bound adds a seventh.
 */
const CLAUDE: ImageRule = { kind: "area", pixelsPerToken: 750, maxTokens: 1600, bound: 5741 }

/**
 * For models without a published formula, and models whose bills contradict it (gpt-5.4-mini, https://community.openai.com/t/1380539
 * and /t/1377015): 10,000 patches, the maximum of any published formula, times 2.46, the highest published multiplier.
 */
const UNPUBLISHED: ImageRule = { kind: "unpublished", usual: 1600, maxTokens: 24_600 }

let ruleByModel: Map<string, ImageRule> | undefined

/** Returns the rule of a model, by its name without provider and date. */
export function imageRuleFor(name: string): ImageRule {
  ruleByModel ??= new Map(OPENAI.flatMap(([models, rule]) => models.split(" ").map((model) => [model, rule] as const)))
  return ruleByModel.get(name) ?? (/^claude-/.test(name) ? CLAUDE : UNPUBLISHED)
}
