import {
  InvalidArgumentError,
  isRecord,
  isServerAddress,
  type OptionAdvice,
  Request,
  type RequestOptions,
  usd,
} from "@p2/core"
import type { ChargeOptions } from "@p2/guard/charge"
import type { MapOptions } from "../batch/map-items"
import { type Provider, STRUCTURED_MODES } from "../providers/provider"
import type { ToolSet } from "../steps/tool"
import type { CallOptions, Deadlines, LLMClientOptions } from "./client-options"
import {
  ANY_HTTP_URL,
  BOOLEAN,
  checkEach,
  checkOption,
  field,
  HTTP_URL,
  hasMethods,
  matches,
  NON_EMPTY,
  NON_EMPTY_LIST,
  OBJECT,
  type OptionRule,
  type OptionRules,
  oneOf,
} from "./option-rules"

const LOG_LEVELS = ["debug", "info", "warn", "error"]

const CLIENT_RULES: OptionRules<LLMClientOptions<ToolSet>> = {
  store: [
    'a store, "memory:", "file:./p2.db", or a valid "redis://…" or "postgres://…" address (escape a password with `encodeURIComponent`)',
    (store) => isStoreAddress(store) || hasMethods("reserve")(store),
  ],
  budget: [
    "a budget from `createBudget` (the amount that one call may cost is `maxBudget`, in the first argument)",
    hasMethods("reserve"),
  ],
  openai: ["an OpenAI instance", (openai) => hasMethods("create")(field(field(openai, "chat"), "completions"))],
  baseURL: HTTP_URL,
  // The key becomes a header, which must be one line.
  apiKey: ["one line of ASCII characters", isKey],
  apiKeys: [
    "an object of provider names and keys of one line of ASCII characters",
    (keys) => isRecord(keys) && Object.values(keys).every(isKey),
  ],
  tools: [
    "an object of tools by name, such as { weather: tool({ … }) }",
    (tools) => isRecord(tools) && Object.values(tools).every(isRecord),
  ],
  toolChoice: [
    '"auto", "none", "required" or { tool: "name" }',
    (choice) =>
      ["auto", "none", "required"].includes(choice as string) ||
      (isRecord(choice) && Object.keys(choice).join() === "tool" && typeof choice.tool === "string"),
  ],
  maxSteps: [
    "an integer from 1 to 100",
    (count) => Number.isSafeInteger(count) && (count as number) >= 1 && (count as number) <= 100,
  ],
  recordContent: BOOLEAN,
  deadlines: OBJECT,
  charge: OBJECT,
  wait: OBJECT,
  onAlert: ["a function", (onAlert) => typeof onAlert === "function"],
  prices: ["a table from `createPriceTable`", hasMethods("findPrice")],
  providers: ["an array", Array.isArray],
  logger: [
    "an object whose `debug`, `info`, `warn` and `error` are functions or absent",
    (logger) =>
      Object(logger) === logger &&
      LOG_LEVELS.every((level) => field(logger, level) === undefined || hasMethods(level)(logger)),
  ],
  clock: ["an object with the functions `now`, `sleep` and `random`", hasMethods("now", "sleep", "random")],
}

function isKey(key: unknown): boolean {
  return typeof key === "string" && /^[ -~]+$/.test(key.trim())
}

/** Invalid addresses are rejected here, because the errors of database drivers show them with their passwords. */
function isStoreAddress(store: unknown): boolean {
  if (typeof store !== "string") return false
  if (store === "memory:" || store.startsWith("file:")) return true
  return /^(rediss?|postgres(ql)?):\/\//.test(store) && isServerAddress(store)
}

const DEADLINE: OptionRule = [
  "milliseconds above 0 and at most 2^31 − 1",
  (value) => typeof value === "number" && value > 0 && value <= 2 ** 31 - 1,
]
const DEADLINE_RULES: OptionRules<Deadlines> = { connectMs: DEADLINE, firstContentMs: DEADLINE, idleMs: DEADLINE }

const DOUBTFUL_CHARGE = oneOf("bound", "input", "received", "nothing")
const CHARGE_RULES: OptionRules<ChargeOptions> = {
  serverError: DOUBTFUL_CHARGE,
  abort: DOUBTFUL_CHARGE,
  unbilledStatuses: [
    "an array of statuses from 400 to 599",
    (statuses) =>
      Array.isArray(statuses) && statuses.every((each) => Number.isInteger(each) && each >= 400 && each <= 599),
  ],
}

const WAIT_RULES: OptionRules<{ timeoutMs: number }> = {
  timeoutMs: [
    "milliseconds, an integer from 0 to 2^31 − 1",
    (value) => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31,
    true,
  ],
}

const CALL_RULES: OptionRules<CallOptions> = {
  wait: OBJECT,
  signal: ["an AbortSignal", (signal) => signal instanceof AbortSignal],
}

const MAP_RULES: OptionRules<MapOptions<never>> = {
  prompt: ["a function", (prompt) => typeof prompt === "function"],
  concurrency: [
    "an integer from 1 to 1000",
    (count) => Number.isInteger(count) && (count as number) >= 1 && (count as number) <= 1_000,
  ],
  maxBudget: ['a dollar amount of at least 0, such as 5 or "5.00"', isAmount],
  idempotencyKey: [
    "a string of 1 to 200 characters",
    (key) => typeof key === "string" && key.length >= 1 && key.length <= 200,
  ],
  wait: OBJECT,
  signal: CALL_RULES.signal,
  onProgress: ["a function", (onProgress) => typeof onProgress === "function"],
}

function isAmount(amount: unknown): boolean {
  try {
    return usd(amount as string) >= 0
  } catch {
    return false
  }
}

/** Checked early: an invalid provider would otherwise fail during a call, after money was reserved. */
const PROVIDER_RULES: OptionRules<Provider> = {
  name: ["a prefix of 1 to 64 letters, digits, `.`, `_` or `-`", matches(/^[a-z0-9][a-z0-9._-]{0,63}$/i), true],
  baseURL: HTTP_URL,
  baseURLVariables: NON_EMPTY_LIST,
  keyVariables: NON_EMPTY_LIST,
  maxTokensField: oneOf("max_tokens", "max_completion_tokens"),
  modes: [`an array of one or more of ${STRUCTURED_MODES.join(", ")}, each once`, areModes],
  streamOptions: BOOLEAN,
  maxUnstreamedTokens: ["an integer of at least 0", (count) => Number.isSafeInteger(count) && (count as number) >= 0],
  serviceTier: NON_EMPTY,
  dialect: oneOf("openrouter", "anthropic"),
  seedField: NON_EMPTY,
  headers: ["an object of header names and string values", areHeaders],
}

function areModes(modes: unknown): boolean {
  if (!Array.isArray(modes) || modes.length === 0) return false
  return modes.every((mode, index) => STRUCTURED_MODES.includes(mode) && modes.indexOf(mode) === index)
}

/** Whether fetch accepts the headers. */
function areHeaders(headers: unknown): boolean {
  try {
    new Headers(headers as Record<string, string>)
    return isRecord(headers) && Object.values(headers).every((value) => typeof value === "string")
  } catch {
    return false
  }
}

const TIMEOUT = "Did you mean `deadlines`, or `timeoutMs` in the first argument: new LLMClient({ model, timeoutMs })?"
const CLIENT_ADVICE: OptionAdvice = {
  fetch: "Pass it to the SDK: `openai: new OpenAI({ fetch })`.",
  maxRetries: "Did you mean `retries`, in the first argument: new LLMClient({ model, retries })?",
  timeout: TIMEOUT,
  timeouts: TIMEOUT,
}

/** @throws InvalidArgumentError for the first invalid option. */
export function checkClientOptions(options: LLMClientOptions<ToolSet | undefined>): void {
  checkEach(options, CLIENT_RULES, "options", CLIENT_ADVICE)
  const { openai, deadlines = {}, charge = {}, providers = [], store, budget } = options
  if (openai?.baseURL !== undefined) checkOption(openai.baseURL, "options.openai.baseURL", ANY_HTTP_URL)
  checkEach(deadlines, DEADLINE_RULES, "options.deadlines")
  checkEach(charge, CHARGE_RULES, "options.charge")
  if (options.wait !== undefined) checkEach(options.wait, WAIT_RULES, "options.wait")
  for (const [index, provider] of providers.entries())
    checkEach(provider, PROVIDER_RULES, `options.providers[${index}]`)
  if (store !== undefined && budget !== undefined)
    throw new InvalidArgumentError(
      "options.budget",
      "absent beside `store`",
      budget,
      "Invalid `options.budget`: pass either `budget` or `store`, not both. A budget has its own store.",
    )
}

/** @throws InvalidArgumentError */
export function checkCallOptions(options: CallOptions): void {
  checkOption(options, "options", [`an object such as { signal } (${ADD_MESSAGES})`, isRecord])
  checkEach(options, CALL_RULES, "options", CALL_ADVICE)
  if (options.wait !== undefined) checkEach(options.wait, WAIT_RULES, "options.wait")
}

/** @throws InvalidArgumentError */
export function checkMapOptions(items: unknown, options: MapOptions<never>): void {
  checkOption(items, "items", [
    "an array or another iterable of items",
    (value) => typeof value === "object" && typeof field(value, Symbol.iterator as never) === "function",
  ])
  checkOption(options, "options", ["an object such as { prompt: (item) => item.text }", isRecord])
  checkEach(options, MAP_RULES, "options")
  if (options.wait !== undefined) checkEach(options.wait, WAIT_RULES, "options.wait")
}

const REQUEST_OPTIONS = Object.keys({
  model: true,
  answerModel: true,
  system: true,
  messages: true,
  history: true,
  temperature: true,
  topP: true,
  frequencyPenalty: true,
  presencePenalty: true,
  seed: true,
  stop: true,
  maxTokens: true,
  onTruncated: true,
  reasoningEffort: true,
  verbosity: true,
  extraBody: true,
  extraCost: true,
  extraHeaders: true,
  maxBudget: true,
  userId: true,
  clientId: true,
  tags: true,
  userBudget: true,
  clientBudget: true,
  fallbacks: true,
  online: true,
  cachePrompt: true,
  serviceTier: true,
  stream: true,
  timeoutMs: true,
  retries: true,
  repairs: true,
  metadata: true,
  verbose: true,
} satisfies Record<keyof RequestOptions, true>)

const ADD_MESSAGES = "add messages with `client.msg.addMessageUser(…)`"
const CALL_ADVICE: OptionAdvice = {
  ...Object.fromEntries(
    REQUEST_OPTIONS.map((name) => [name, `It is an option of the request: new LLMClient({ model, ${name} }).`]),
  ),
  messages: "Add messages with `client.msg.addMessageUser(…)`.",
  prompt: "Add messages with `client.msg.addMessageUser(…)`.",
}

/**
 * Finds client options in the request and request options in the client options, in any spelling.
 * @throws InvalidArgumentError that names the right place. Values are not shown: they may be keys.
 */
export function checkPlaces(request: unknown, options: unknown): void {
  const clientOptions = Object.keys(CLIENT_RULES)
  if (isRecord(request) && !Request.isInstance(request))
    checkPlace(
      request,
      REQUEST_OPTIONS,
      clientOptions,
      (name) => `second argument: new LLMClient(request, { ${name} })`,
    )
  if (isRecord(options))
    checkPlace(options, clientOptions, REQUEST_OPTIONS, (name) => `first argument: new LLMClient({ model, ${name} })`)
}

function checkPlace(
  given: Record<string, unknown>,
  own: readonly string[],
  others: readonly string[],
  place: (name: string) => string,
): void {
  const simplified = (name: string) => name.replace(/[^a-z]/gi, "").toLowerCase()
  for (const name of Object.keys(given)) {
    if (own.includes(name)) continue
    const match = others.find((other) => simplified(other) === simplified(name))
    if (match === undefined || own.some((option) => simplified(option) === simplified(name))) continue
    // An amount is `maxBudget` or `userBudget`, which the request suggests.
    if (match === "budget" && !isRecord(given[name])) continue
    const message = `Unknown option \`${name}\`. \`${match}\` belongs in the ${place(match)}.`
    throw new InvalidArgumentError(name, `\`${match}\` in the other argument`, undefined, message)
  }
}
