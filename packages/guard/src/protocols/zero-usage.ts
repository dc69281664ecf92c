import type { Usage } from "@p2/core"

/** Whether a usage can belong to an answer: no call with content has zero input or zero output tokens. */
export function coversContent({ inputTokens, outputTokens }: Usage, hasContent: boolean): boolean {
  return !hasContent || (inputTokens > 0 && outputTokens > 0)
}
