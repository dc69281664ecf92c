import { isRecord } from "@p2/core"
import type { Rejection } from "../protocol"
import { invalidBody } from "../rejection"

/** The output limit of a call, and the lowest one that may be set instead. */
export interface OutputLimits {
  status: "read"
  maxOutputTokens: number | undefined
  minOutputTokens: number
}

/** Thinking counts toward `max_tokens`. A limit must exceed the thinking budget, except with interleaved thinking. */
export function readLimits(body: Readonly<Record<string, unknown>>): OutputLimits | Rejection {
  const limit = body.max_tokens ?? undefined
  if (limit !== undefined && !(Number.isSafeInteger(limit) && (limit as number) >= 0))
    return invalidBody("max_tokens", "an integer of at least 0")
  const maxOutputTokens = limit as number | undefined
  const thinking = body.thinking ?? undefined
  const type = isRecord(thinking) ? thinking.type : undefined
  if (thinking !== undefined && !["enabled", "disabled", "adaptive", "between_tools"].includes(String(type)))
    return invalidBody("thinking.type", '"enabled", "adaptive", "between_tools" or "disabled"')
  const budget = isRecord(thinking) && type === "enabled" ? thinking.budget_tokens : 0
  if (!Number.isSafeInteger(budget) || (budget as number) < 0)
    return invalidBody("thinking.budget_tokens", "an integer of at least 1024")
  const minimum = (budget as number) + 1
  return { status: "read", maxOutputTokens, minOutputTokens: Math.min(minimum, maxOutputTokens ?? minimum) }
}
