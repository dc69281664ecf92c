import type { Provider } from "../provider"
import { LADDER } from "./answer-modes"
import { BOOLEAN, matches, NAMES, OPEN_ADDRESS, oneOf, type Rules, TEXT } from "./option-rules"
import { isRecord } from "./usage-from-wire"

/** Of a provider of the user's own. What is wrong here would fail while a call is made, and some of it be charged. */
export const PROVIDER: Rules<Provider> = {
  name: ["a prefix of 1 to 64 letters, digits, `.`, `_` or `-`", matches(/^[a-z0-9][a-z0-9._-]{0,63}$/i), true],
  baseURL: OPEN_ADDRESS,
  baseURLVariables: NAMES,
  keyVariables: NAMES,
  maxTokensField: oneOf("max_tokens", "max_completion_tokens"),
  modes: [`a list of distinct ${LADDER.join(", ")}, at least one`, isLadder],
  streamOptions: BOOLEAN,
  maxUnstreamedTokens: ["an integer from 0 up", (count) => Number.isSafeInteger(count) && (count as number) >= 0],
  serviceTier: TEXT,
  dialect: oneOf("openrouter"),
  seedField: TEXT,
  headers: ["header names with their texts", isHeaders],
}

/** Whether there is a rung to begin with, and each leads to another. */
function isLadder(modes: unknown): boolean {
  if (!Array.isArray(modes)) return false
  return modes.length > 0 && modes.every((mode, index) => LADDER.includes(mode) && modes.indexOf(mode) === index)
}

/** Whether fetch takes them. */
function isHeaders(headers: unknown): boolean {
  try {
    new Headers(headers as Record<string, string>)
    return isRecord(headers) && Object.values(headers).every((value) => typeof value === "string")
  } catch {
    return false
  }
}
