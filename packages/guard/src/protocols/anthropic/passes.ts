import { type PromptTokens, unknownWindow } from "../prompt-parts"
import type { Prompt, Rejection } from "../protocol"
import type { ClaudeTools } from "./tools"

/**
 * The most passes of the model in one call with tools that Anthropic runs. Each pass is billed, and each has `max_tokens` for
 * itself.
 * @see https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn (as of 2026-10)
 */
const MAX_PASSES = 10

/** The number of passes that a call can have. */
export function passesOf({ runs }: ClaudeTools): number {
  return runs.size > 0 ? MAX_PASSES : 1
}

/** Tokens of the calls and results of one search for tools, beside the output of the pass. */
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
  return { ...prompt, upperBound: boundOfPasses(prompt.upperBound, { runs, maxOutputTokens, window }) }
}

/** The prompt of a call with tools that Anthropic runs, or with none. */
export function promptOf(
  { isShown }: PromptTokens,
  tools: ClaudeTools,
  maxOutputTokens: number | undefined,
  window: number | undefined,
): Prompt {
  const { runs } = tools
  return {
    isShown,
    passes: passesOf(tools),
    inputBound: (promptTokens) =>
      runs.size === 0 || window === undefined
        ? promptTokens
        : boundOfPasses(promptTokens, { runs, maxOutputTokens, window }),
  }
}

function boundOfPasses(
  promptTokens: number,
  {
    runs,
    maxOutputTokens,
    window,
  }: Pick<ClaudeTools, "runs"> & { maxOutputTokens: number | undefined; window: number },
): number {
  let tokens = 0
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const grown = promptTokens + pass * ((maxOutputTokens ?? window) + TOOL_SEARCH_TOKENS)
    tokens += runs.has("web") ? window : Math.min(window, grown)
  }
  return Math.max(promptTokens, tokens)
}
