import { InvalidArgumentError } from "@p2/core"
import type { Deadlines, LLMClientOptions } from "../client-options"
import type { CallOptions } from "../llm-client"
import {
  ADDRESS,
  at,
  BOOLEAN,
  check,
  checkEach,
  matches,
  OBJECT,
  OPEN_ADDRESS,
  offers,
  type Rule,
  type Rules,
} from "./option-rules"
import { PROVIDER } from "./provider-rules"

const MAX_DEADLINE_MS = 2 ** 31 - 1
const LEVELS = ["debug", "info", "warn", "error"]

const RULES: Rules<LLMClientOptions> = {
  store: [
    'a store, "memory:", "file:./p2.db" or "redis://…"',
    (store) => matches(/^(memory:|file:|rediss?:\/\/)/)(store) || offers("reserve")(store),
  ],
  budget: ["a budget from `createBudget`", offers("reserve")],
  openai: ["an instance of OpenAI", (openai) => offers("create")(at(at(openai, "chat"), "completions"))],
  baseURL: OPEN_ADDRESS,
  // No header takes more than one line.
  apiKey: ["one line of ASCII text", (key) => typeof key === "string" && /^[ -~]+$/.test(key.trim())],
  recordContent: BOOLEAN,
  deadlines: OBJECT,
  prices: ["a table from `createPriceTable`", offers("findPrice")],
  providers: ["a list", Array.isArray],
  logger: [
    "an object whose `debug`, `info`, `warn` and `error` are functions or absent",
    (logger) =>
      Object(logger) === logger && LEVELS.every((level) => at(logger, level) === undefined || offers(level)(logger)),
  ],
  clock: ["an object with `now`, `sleep` and `random`", offers("now", "sleep", "random")],
}

const DEADLINE: Rule = [
  "milliseconds above 0 and at most 2^31 − 1",
  (value) => typeof value === "number" && value > 0 && value <= MAX_DEADLINE_MS,
]
const DEADLINES: Rules<Deadlines> = { connectMs: DEADLINE, firstContentMs: DEADLINE, idleMs: DEADLINE }

/** Of what a call may be given. */
export const CALL: Rules<CallOptions> = {
  signal: ["an AbortSignal", (signal) => signal instanceof AbortSignal],
}

/** Throws the first mistake in the options. */
export function checkClientOptions(options: LLMClientOptions): void {
  checkEach(options, RULES, "options")
  const { openai, deadlines = {}, providers = [], store, budget } = options
  if (openai?.baseURL !== undefined) check(openai.baseURL, "options.openai.baseURL", ADDRESS)
  checkEach(deadlines, DEADLINES, "options.deadlines")
  for (const [index, provider] of providers.entries()) checkEach(provider, PROVIDER, `options.providers[${index}]`)
  if (store !== undefined && budget !== undefined)
    throw new InvalidArgumentError("options.budget", "absent beside `store`", budget)
}
