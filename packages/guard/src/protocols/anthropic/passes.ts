import type { PromptTokens } from "../prompt-parts"
import type { Rejection } from "../protocol"
import { unknownWindow } from "../rejection"
import type { ClaudeTools } from "./tools"

/**
 * Maximum number of model passes in one call with tools that Anthropic runs. Each pass is billed, and each has
 * `max_tokens` for itself.
 * @see https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn (as of 2026-10)
 */
const MAX_PASSES = 10

/** The number of passes that a call can have. */
export function passesOf({ runs }: ClaudeTools): number {
  return runs.size > 0 ? MAX_PASSES : 1
}

/** Tokens of the calls and results of one search for tools, in addition to the output of the pass. */
const TOOL_SEARCH_TOKENS = 2_000

/**
 * The input of all passes. A pass reads the prompt, earlier answers and results. Nothing limits the results of web tools but
 * the context window. A search for tools results in definitions that the prompt has counted.
 */
export function withPasses(
  prompt: PromptTokens,
  { runs }: ClaudeTools,
  maxOutputTokens: number | undefined,
  window: number | undefined,
): PromptTokens | Rejection {
  if (runs.size === 0) return prompt
  if (window === undefined) return unknownWindow("a tool that Anthropic runs")
  let upperBound = 0
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const grown = prompt.upperBound + pass * ((maxOutputTokens ?? window) + TOOL_SEARCH_TOKENS)
    upperBound += runs.has("web") ? window : Math.min(window, grown)
  }
  return { ...prompt, upperBound: Math.max(prompt.upperBound, upperBound) }
}
