import type { RegionalUplift } from "./price-row"

/** A dated rule that says which models of a provider cost more in which regions. */
interface RegionRule {
  readonly provider: string
  readonly names: RegExp
  readonly uplifts: readonly RegionalUplift[]
  /** Day on which the page was read, `YYYY-MM-DD`. */
  readonly asOf: string
  readonly source: string
}

/** The first rule whose provider and names match applies. */
export const REGION_RULES: readonly RegionRule[] = [
  {
    // "a 10% uplift for models released on or after March 5, 2026": these models are older.
    provider: "openai",
    names:
      /^(ft:)?(gpt-3\.5|gpt-4|gpt-5(\.[123])?(-(mini|nano|pro|chat-latest|codex[\w-]*))?(-20\d\d-\d\d-\d\d)?$|chatgpt-4o|o[134](-|$)|text-|omni-moderation|whisper-1|tts-1|dall-e-|davinci|babbage|codex-mini|gpt-image-1|gpt-(audio|realtime)(-mini)?(-2025-\d\d-\d\d)?$)/,
    uplifts: [{ region: "*", percent: 0 }],
    asOf: "2026-11-30",
    source: "https://developers.openai.com/api/docs/guides/data-residency",
  },
  {
    provider: "openai",
    names: /./,
    uplifts: [{ region: "*", percent: 10 }],
    asOf: "2026-11-30",
    source: "https://developers.openai.com/api/docs/guides/data-residency",
  },
  {
    // Claude 4.6 and later. A workspace can set the default of `inference_geo`.
    provider: "anthropic",
    names: /^claude-[a-z]+-(4-([6-9]|[1-9]\d)|[5-9]|[1-9]\d)(?!\d)/,
    uplifts: [{ region: "us", percent: 10, tokensOnly: true, mayBeDefault: true }],
    asOf: "2026-11-30",
    source: "https://platform.claude.com/docs/en/manage-claude/data-residency",
  },
  {
    // "Regional and multi-region endpoints include a 10% premium over global endpoints", from Sonnet 4.5, Haiku 4.5 and Opus 4.5 on.
    provider: "google-vertex",
    names: /claude-([a-z]+-(4-[5-9]|[5-9])|[5-9])(?!\d)/,
    uplifts: [{ region: "*", percent: 10, tokensOnly: true, mayBeDefault: true }],
    asOf: "2026-11-30",
    source: "https://platform.claude.com/docs/en/about-claude/pricing#third-party-platform-pricing",
  },
  {
    // The price list has "Non-global" rates, 10 % above the global ones, for Gemini 3 and later.
    provider: "google-vertex",
    names: /^gemini-[3-9]/,
    uplifts: [{ region: "*", percent: 10, tokensOnly: true, mayBeDefault: true }],
    asOf: "2026-11-30",
    source: "https://cloud.google.com/vertex-ai/generative-ai/pricing",
  },
  {
    provider: "xai",
    names: /^grok-4\.6$/,
    uplifts: [{ region: "us", percent: 10, tokensOnly: true }],
    asOf: "2026-11-30",
    source: "https://docs.x.ai/developers/advanced-api-usage/regions",
  },
  {
    provider: "together",
    names: /./,
    uplifts: [
      { region: "us", percent: 25, tokensOnly: true },
      { region: "ca", percent: 25, tokensOnly: true },
    ],
    asOf: "2026-11-30",
    source: "https://docs.together.ai/docs/serverless/geo-specific-inference",
  },
]

/** Returns the regional uplifts of a model; undefined if there is no rule. */
export function regionsOf(provider: string, name: string): readonly RegionalUplift[] | undefined {
  return REGION_RULES.find((rule) => rule.provider === provider && rule.names.test(name))?.uplifts
}

/**
 * OpenRouter's fee for a call with a key of your own, in percent of the listed price. The first million of such requests in a
 * month has no fee, but a bound cannot rely on that.
 * @see https://openrouter.ai/docs/faq (read on 2026-11-30)
 */
export const BYOK_FEE_PERCENT = 5
