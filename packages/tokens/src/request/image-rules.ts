/**
 * The rule that converts an image to tokens:
 * - `tile`: scale down to fit 2048 × 2048, then to a short side of 768; `perTile` for each 512 × 512 tile, plus `base`.
 * - `patch`: scale down to at most `maxPatches` patches of 32 × 32; `multiplier` for each patch.
 * - `grid`: one token for each patch of 28 × 28, at most `maxTokens`.
 * - `crop`: `perTile` for each tile, whose side depends on the shorter side of the image.
 * - `fixed`: `usual` at the default resolution, `maxTokens` at the highest.
 * - `unpublished`: no formula is published; `maxTokens` exceeds the result of every published formula.
 */
export type ImageRule =
  | { kind: "tile"; base: number; perTile: number }
  | { kind: "patch"; multiplier: number; maxPatches: number }
  | { kind: "grid"; maxTokens: number }
  | { kind: "crop"; perTile: number }
  | { kind: "fixed"; usual: number; maxTokens: number }
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
 * https://platform.claude.com/docs/en/build-with-claude/vision, as of 2026-08-29: one token for each 28 × 28 pixels. Images are
 * scaled down to 4,784 tokens (2,576 pixels on the long edge) from Claude 4.7 on, to 1,568 tokens (1,568 pixels) before.
 */
const CLAUDE: ImageRule = { kind: "grid", maxTokens: 4784 }
const OLDER_CLAUDE: ImageRule = { kind: "grid", maxTokens: 1568 }

/**
 * https://ai.google.dev/gemini-api/docs/media-resolution, as of 2026-11-30: from Gemini 3 on, an image has 1,120 tokens by
 * default, and 2,240 at the highest resolution.
 */
const GEMINI: ImageRule = { kind: "fixed", usual: 1120, maxTokens: 2240 }

/**
 * https://ai.google.dev/gemini-api/docs/image-understanding, as of 2026-11-30: 258 tokens for an image of at most 384 × 384, or
 * for each tile of a larger one.
 */
const OLDER_GEMINI: ImageRule = { kind: "crop", perTile: 258 }
const OLDER_GEMINIS = /^gemini-(1|2|flash-1|pro-1)/

/**
 * For models without a published formula, and models whose bills contradict it (gpt-5.4-mini, https://community.openai.com/t/1380539
 * and /t/1377015): 10,000 patches, the maximum of any published formula, times 2.46, the highest published multiplier.
 */
const UNPUBLISHED: ImageRule = { kind: "unpublished", usual: 1600, maxTokens: 24_600 }

let ruleByModel: Map<string, ImageRule> | undefined

/** Returns the rule of a model, by its name without provider and date. */
export function imageRuleFor(name: string): ImageRule {
  ruleByModel ??= new Map(OPENAI.flatMap(([models, rule]) => models.split(" ").map((model) => [model, rule] as const)))
  const rule = ruleByModel.get(name)
  if (rule !== undefined) return rule
  if (/^claude-/.test(name)) return isOlderClaude(name) ? OLDER_CLAUDE : CLAUDE
  // An alias such as `gemini-flash-latest` may be of any generation.
  if (/^gemini-\d/.test(name)) return OLDER_GEMINIS.test(name) ? OLDER_GEMINI : GEMINI
  return UNPUBLISHED
}

/** Whether a Claude is older than 4.7. The version is first or last: `claude-3-haiku`, `claude-opus-4-6`, `claude-sonnet-4.5`. */
function isOlderClaude(name: string): boolean {
  const [, major = "9", minor = "0"] = /^claude-(?:[a-z]+-)?(\d)(?:[.-](\d)(?!\d))?/.exec(name) ?? []
  return Number(major) < 4 || (Number(major) === 4 && Number(minor) < 7)
}
