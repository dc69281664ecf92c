/** Tokens that a provider adds to a request and bills as input. */
export interface AddedTokens {
  /** As documented; for a model that is not listed, the highest documented number. */
  readonly tokens: number
  /** The documented number and a margin, because Anthropic has changed these numbers for the same model. */
  readonly upperBound: number
}

/** `any` also applies to a forced tool. */
export type ClaudeToolChoice = "auto" | "any"

/** A part of a model's name, the tokens with `tool_choice` `auto` or `none`, and with `any` or `tool`. */
type ToolPromptRow = readonly [name: string, auto: number, any: number]

/** Day on which {@link CLAUDE_TOOLS_SOURCES} were read. */
export const CLAUDE_TOOLS_AS_OF = "2026-11-30"

/** Pages with the numbers of this module. */
export const CLAUDE_TOOLS_SOURCES: readonly string[] = [
  "https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing",
  "https://platform.claude.com/docs/en/about-claude/pricing#specific-tool-pricing",
  "https://docs.anthropic.com/en/docs/tool-use-pricing-and-tokens",
]

/** The first row whose name the model's name contains applies. */
const TOOL_PROMPTS: readonly ToolPromptRow[] = [
  ["opus-4-8", 290, 410],
  ["opus-4-7", 675, 804],
  ["opus-4-6", 497, 589],
  ["opus-4-5", 496, 588],
  ["opus-4", 313, 315],
  ["sonnet-4-6", 497, 589],
  ["sonnet-4-5", 496, 588],
  ["sonnet-4", 313, 315],
  ["haiku-4-5", 496, 588],
  ["3-7-sonnet", 346, 313],
  ["3-5-sonnet", 346, 313],
  ["3-5-haiku", 264, 355],
  ["3-opus", 530, 281],
  ["3-sonnet", 159, 235],
  ["3-haiku", 264, 340],
]

/** Exact names, because `opus-5` is also a part of `opus-5-5`. */
const EXACT_TOOL_PROMPTS: Readonly<Record<string, ToolPromptRow>> = {
  "claude-opus-5": ["opus-5", 286, 406],
  "claude-sonnet-5": ["sonnet-5", 354, 474],
}

const HIGHEST: ToolPromptRow = ["", 675, 804]
/** A quarter above the highest documented number, for every model. */
const TOOL_PROMPT_BOUND = 1005

/**
 * Returns the tokens of the system prompt that Anthropic adds to a request with at least one tool.
 *
 * @param name the model's name without provider, such as `claude-opus-4-8`
 * @example
 * claudeToolPromptTokens("claude-opus-4-8", "auto") // { tokens: 290, upperBound: 1005 }
 */
export function claudeToolPromptTokens(name: string, choice: ClaudeToolChoice): AddedTokens {
  const dashed = name.replaceAll(".", "-")
  const [, auto, any] = EXACT_TOOL_PROMPTS[dashed] ?? TOOL_PROMPTS.find(([part]) => dashed.includes(part)) ?? HIGHEST
  return {
    tokens: choice === "any" ? any : auto,
    upperBound: TOOL_PROMPT_BOUND,
  }
}

/** The start of a tool's `type`, and the tokens of its definition. */
const TOOL_DEFINITIONS: readonly (readonly [type: string, tokens: number])[] = [
  // 244 tokens before Claude 4.7.
  ["bash_", 325],
  ["text_editor_", 700],
  // 735 for the definition, and up to 499 for its part of the system prompt.
  ["computer_", 1234],
]

/**
 * Returns the tokens of the definition of one of Anthropic's own client tools; undefined for a type without a documented
 * number.
 *
 * @example
 * claudeToolTokens("text_editor_20250728") // { tokens: 700, upperBound: 1050 }
 */
export function claudeToolTokens(type: string): AddedTokens | undefined {
  const row = TOOL_DEFINITIONS.find(([start]) => type.startsWith(start))
  return row && { tokens: row[1], upperBound: Math.ceil(row[1] * 1.5) }
}
