import { checkNames, InvalidArgumentError } from "@p2/core"
import type { OpenAI } from "openai"
import type { Deadlines, LLMClientOptions } from "../client-options"
import type { CallOptions } from "../llm-client"
import { isRecord } from "./usage-from-wire"

/** What an option has to be. */
type Rule = [expected: string, fits: (value: unknown) => boolean]

const MAX_DEADLINE_MS = 2 ** 31 - 1
const ANYTHING: Rule = ["", () => true]

const offers = (method: string) => (value: unknown) => typeof at(value, method) === "function"

/** By the names of all options. What may be anything here is checked where it is used. */
const RULES: Record<keyof LLMClientOptions, Rule> = {
  store: [
    'a store, "memory:", "file:./p2.db" or "redis://…"',
    (store) => (typeof store === "string" ? /^(memory:|file:|rediss?:\/\/)/.test(store) : offers("reserve")(store)),
  ],
  budget: ["a budget from `createBudget`", offers("reserve")],
  openai: ["an instance of OpenAI", (openai) => offers("create")((openai as Partial<OpenAI>)?.chat?.completions)],
  // Fetch calls no address with a password in it.
  baseURL: [
    'an http(s) address such as "https://api.openai.com/v1"',
    (address) => typeof address === "string" && /^https?:[^@]+$/i.test(address) && URL.canParse(address),
  ],
  // No header takes more than one line.
  apiKey: ["one line of ASCII text", (key) => typeof key === "string" && /^[ -~]+$/.test(key.trim())],
  recordContent: ["true or false", (value) => typeof value === "boolean"],
  deadlines: ANYTHING,
  prices: ["a table from `createPriceTable`", offers("findPrice")],
  providers: ["a list", Array.isArray],
  logger: ANYTHING,
  clock: ANYTHING,
}

const DEADLINE: Rule = [
  "milliseconds above 0 and at most 2^31 − 1",
  (value) => typeof value === "number" && value > 0 && value <= MAX_DEADLINE_MS,
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

/** Throws the first mistake in an object of options. A text that came is not shown: it may be a key, or the prompt. */
export function checkEach(options: object, rules: Record<string, Rule>, path: string): void {
  const check = (value: unknown, name: string, [expected, fits]: Rule) => {
    if (!fits(value)) throw new InvalidArgumentError(name, expected, typeof value === "string" ? Object(value) : value)
  }
  check(options, path, ["an object", isRecord])
  checkNames(options, new Set(Object.keys(rules)), path)
  for (const [name, rule] of Object.entries(rules)) {
    const value = at(options, name)
    if (value !== undefined) check(value, `${path}.${name}`, rule)
  }
}

function at(holder: unknown, name: string): unknown {
  return (holder as Record<string, unknown> | null | undefined)?.[name]
}
