import { checkNames, InvalidArgumentError } from "@p2/core"
import type { LLMClientOptions } from "../client-options"

const MAX_DEADLINE_MS = 2 ** 31 - 1
const NAMES: ReadonlySet<string> = new Set([
  "store",
  "budget",
  "openai",
  "baseURL",
  "apiKey",
  "prices",
  "providers",
  "logger",
  "deadlines",
  "recordContent",
  "clock",
])
const DEADLINE_NAMES: ReadonlySet<string> = new Set(["connectMs", "firstContentMs", "idleMs"])

/** Throws the first mistake in the options. Stores, providers and prices are checked where they are used. */
export function checkClientOptions(options: LLMClientOptions): void {
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError("options", "an object", options)
  checkNames(options, NAMES, "options")
  checkNames(options.deadlines ?? {}, DEADLINE_NAMES, "options.deadlines")
  checkStore(options.store)
  if (options.budget !== undefined && typeof options.budget?.reserve !== "function")
    throw new InvalidArgumentError("options.budget", "a budget from `createBudget`", options.budget)
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

function checkStore(store: unknown): void {
  if (store === undefined || typeof (store as { reserve?: unknown } | null)?.reserve === "function") return
  // An address may hold a password: only its scheme is shown.
  const shown = typeof store === "string" ? store.split(":", 1)[0] : store
  if (typeof store === "string" && /^(memory:|file:|rediss?:\/\/)/.test(store)) return
  throw new InvalidArgumentError("options.store", 'a store, "memory:", "file:./p2.db" or "redis://…"', shown)
}

function checkUrl(value: unknown): void {
  if (typeof value === "string" && /^https?:/i.test(value) && URL.canParse(value)) return
  throw new InvalidArgumentError("options.baseURL", 'an http(s) address such as "https://api.openai.com/v1"', value)
}
