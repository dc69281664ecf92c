import { InvalidArgumentError } from "@p2/core"
import type { LLMClientOptions } from "../client-options"

const MAX_DEADLINE_MS = 2 ** 31 - 1

/** Throws the first mistake in the options. Stores, providers and prices are checked where they are used. */
export function checkClientOptions(options: LLMClientOptions): void {
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError("options", "an object", options)
  if (options.store !== undefined && options.budget !== undefined)
    throw new InvalidArgumentError(
      "options.budget",
      "given without `store`, because a budget has a store of its own",
      options.budget,
    )
  if (options.openai !== undefined && typeof options.openai?.chat?.completions?.create !== "function")
    throw new InvalidArgumentError("options.openai", "an instance of OpenAI from the package `openai`", options.openai)
  if (options.baseURL !== undefined) checkUrl(options.baseURL)
  if (options.apiKey !== undefined && (typeof options.apiKey !== "string" || options.apiKey.trim() === ""))
    // What came is not shown: it may be half a key.
    throw new InvalidArgumentError("options.apiKey", "a text that is not empty", typeof options.apiKey)
  for (const name of ["connectMs", "firstContentMs", "idleMs"] as const) {
    const value = options.deadlines?.[name]
    if (value === undefined || (Number.isFinite(value) && value > 0 && value <= MAX_DEADLINE_MS)) continue
    throw new InvalidArgumentError(`options.deadlines.${name}`, "milliseconds above 0 and at most 2^31 − 1", value)
  }
}

function checkUrl(value: unknown): void {
  if (typeof value === "string" && /^https?:/i.test(value) && URL.canParse(value)) return
  throw new InvalidArgumentError("options.baseURL", 'an http(s) address such as "https://api.openai.com/v1"', value)
}
