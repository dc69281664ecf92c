import { checkNames, InvalidArgumentError } from "@p2/core"
import type { OpenAI } from "openai"
import type { Deadlines, LLMClientOptions } from "../client-options"
import type { CallOptions } from "../llm-client"

/** What an option has to be, and how what came is shown where it may hold a secret. */
type Rule = [expected: string, fits: (value: unknown) => boolean, shown?: (value: unknown) => unknown]

const MAX_DEADLINE_MS = 2 ** 31 - 1
const ANYTHING: Rule = ["", () => true]

/** By the names of all options. What may be anything here is checked where it is used. */
const RULES: Record<keyof LLMClientOptions, Rule> = {
  store: [
    'a store, "memory:", "file:./p2.db" or "redis://…"',
    (store) =>
      typeof store === "string"
        ? /^(memory:|file:|rediss?:\/\/)/.test(store)
        : typeof at(store, "reserve") === "function",
    // An address may hold a password: only its scheme is shown.
    (store) => (typeof store === "string" ? store.split(":", 1)[0] : store),
  ],
  budget: ["a budget from `createBudget`", (budget) => typeof at(budget, "reserve") === "function"],
  openai: [
    "an instance of OpenAI",
    (openai) => typeof (openai as Partial<OpenAI>)?.chat?.completions?.create === "function",
  ],
  baseURL: [
    'an http(s) address such as "https://api.openai.com/v1"',
    (address) => typeof address === "string" && /^https?:/i.test(address) && URL.canParse(address),
  ],
  // What came is not shown: it may be half a key.
  apiKey: ["a text that is not empty", (key) => typeof key === "string" && key.trim() !== "", (key) => typeof key],
  recordContent: ["true or false", (value) => typeof value === "boolean"],
  deadlines: ANYTHING,
  prices: ANYTHING,
  providers: ANYTHING,
  logger: ANYTHING,
  clock: ANYTHING,
}

const DEADLINE: Rule = [
  "milliseconds above 0 and at most 2^31 − 1",
  (value) => Number.isFinite(value) && (value as number) > 0 && (value as number) <= MAX_DEADLINE_MS,
]
const DEADLINES: Record<keyof Deadlines, Rule> = { connectMs: DEADLINE, firstContentMs: DEADLINE, idleMs: DEADLINE }

/** Of what a call may be given. */
export const CALL: Record<keyof CallOptions, Rule> = {
  signal: ["an AbortSignal", (signal) => signal instanceof AbortSignal],
}

/** Throws the first mistake in the options. */
export function checkClientOptions(options: LLMClientOptions): void {
  checkEach(options, RULES, "options")
  checkEach(options.deadlines ?? {}, DEADLINES, "options.deadlines")
  if (options.store !== undefined && options.budget !== undefined)
    throw new InvalidArgumentError("options.budget", "absent beside `store`", options.budget)
}

/** Throws the first mistake in an object of options. */
export function checkEach(options: object, rules: Record<string, Rule>, path: string): void {
  if (typeof options !== "object" || options === null) throw new InvalidArgumentError(path, "an object", options)
  checkNames(options, new Set(Object.keys(rules)), path)
  for (const [name, [expected, fits, shown]] of Object.entries(rules)) {
    const value = at(options, name)
    if (value === undefined || fits(value)) continue
    throw new InvalidArgumentError(`${path}.${name}`, expected, shown === undefined ? value : shown(value))
  }
}

function at(holder: unknown, name: string): unknown {
  return (holder as Record<string, unknown> | null | undefined)?.[name]
}
