import { asZodSchema } from "./answer/zod-schema"
import type { BudgetPeriod, RequestBudget } from "./budget-input"
import { checkMessages } from "./check-messages"
import { didYouMean } from "./check-names"
import { InvalidArgumentError } from "./errors"
import { frozenCopy } from "./frozen-copy"
import { collectIssues } from "./invalid-request-error"
import { parseModelId } from "./model-id"
import { type NanoUsd, usd } from "./money"
import { type Check, isPlainObject, list, number, parsed, rule, text } from "./option-checks"
import type { RequestOptions } from "./request-options"

export interface CheckedOptions<Answer> {
  /** What was given, frozen to its leaves. */
  options: Readonly<RequestOptions<Answer>>
  /** The same in its normal form. */
  normal: {
    stop?: readonly string[]
    maxBudget?: NanoUsd
    userBudget?: RequestBudget
    clientBudget?: RequestBudget
  }
}

/** Validates everything, then throws one error with every issue, or returns a frozen copy. */
export function checkRequestOptions<Answer>(given: RequestOptions<Answer>): CheckedOptions<Answer> {
  const { add, report, end } = collectIssues()
  if (typeof given !== "object" || given === null || Array.isArray(given))
    report("options", "an object with a `model`", given)
  end()
  const checks: Record<string, Check> = optionChecks()
  const options: Record<string, unknown> = {}
  const normal: Record<string, unknown> = {}
  for (const [name, value] of Object.entries({ model: undefined, ...(given as object) })) {
    if (value === undefined && name !== "model") continue
    if (Object.hasOwn(checks, name)) {
      normal[name] = checks[name]!(value, name, report)
      // The schema is Zod's own object; metadata were copied when they were checked.
      const plain = name === "metadata" ? normal[name] : value
      options[name] = name === "answerModel" ? value : parsed(frozenCopy)(plain, name, report)
    } else add(name, `unknown option.${didYouMean(name, Object.keys(checks))}`)
  }
  for (const who of ["user", "client"])
    if (`${who}Budget` in options && !(`${who}Id` in options))
      report(`${who}Id`, `an id, because \`${who}Budget\` is given`, undefined)
  end()
  return { options: Object.freeze(options) as unknown as RequestOptions<Answer>, normal }
}

/** One check per option: the list of option names, too. */
function optionChecks() {
  const boolean = rule("true or false", (value) => typeof value === "boolean")
  const model = parsed((id: string) => parseModelId(id).id)
  return {
    model,
    answerModel: parsed(asZodSchema),
    messages: checkMessages,
    temperature: number(0, 2),
    topP: number(0, 1),
    frequencyPenalty: number(-2, 2),
    presencePenalty: number(-2, 2),
    seed: number(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, true),
    stop: checkStop,
    maxTokens: number(1, 100_000_000, true),
    maxBudget: parsed(dollars),
    userId: text(200),
    clientId: text(200),
    tags: checkTags,
    userBudget: checkBudget,
    clientBudget: checkBudget,
    fallbacks: list(8, model),
    online: boolean,
    cachePrompt: boolean,
    serviceTier: text(64),
    stream: boolean,
    timeoutMs: number(1, 2 ** 31 - 1, true),
    retries: number(0, 10, true),
    repairs: number(0, 10, true),
    metadata: parsed(copyOfMetadata),
    verbose: boolean,
  } satisfies Record<keyof RequestOptions, Check>
}

const checkStop: Check = (value, path, report) =>
  typeof value === "string"
    ? Object.freeze([text(500)(value, path, report)])
    : Object.freeze(list(16, text(500))(value, path, report))

function dollars(amount: string): NanoUsd {
  const nano = usd(amount)
  if (nano < 0) throw new InvalidArgumentError("amount", "dollars from 0 up", amount)
  return nano
}

const checkBudget: Check = (value, path, report) => {
  const isObject = typeof value === "object" && value !== null
  const { limit, per = "total", timeZone, ...others } = (isObject ? value : { limit: value }) as Record<string, unknown>
  const limitNanoUsd = parsed(dollars)(limit, isObject ? `${path}.limit` : path, report) as NanoUsd
  const period = /^(total|(hour|day|week|month)|[1-9]\d{0,6}[smhd])$/.exec(String(per))
  if (typeof per !== "string" || period === null)
    report(`${path}.per`, '"total", "hour", "day", "week", "month" or a length such as "90m"', per)
  if (timeZone !== undefined) {
    if (!isTimeZone(timeZone)) report(`${path}.timeZone`, 'an IANA time zone such as "Europe/Paris"', timeZone)
    else if (period !== null && period[2] === undefined)
      report(`${path}.timeZone`, `absent: only "hour", "day", "week" and "month" have one`, timeZone)
  }
  for (const name of Object.keys(others))
    report(`${path}.${name}`, "no such field (there are limit, per, timeZone)", others[name])
  return Object.freeze({ limitNanoUsd, per: per as BudgetPeriod, timeZone: (timeZone as string) ?? "UTC" })
}

function isTimeZone(value: unknown): boolean {
  try {
    return typeof value === "string" && new Intl.DateTimeFormat("en", { timeZone: value }) !== undefined
  } catch {
    return false
  }
}

const checkTags: Check = (value, path, report) => {
  if (!isPlainObject(value) || Object.keys(value).length > 32)
    return report(path, "an object of at most 32 texts", value)
  for (const [name, tag] of Object.entries(value)) {
    const at = `${path}.${name.slice(0, 64)}`
    if (!/^[A-Za-z][\w.-]{0,63}$/.test(name)) report(at, "a name of letters and digits", name)
    text(200)(tag, at, report)
  }
}

function copyOfMetadata(value: unknown): unknown {
  try {
    const json = isPlainObject(value) ? JSON.stringify(value) : ""
    if (json !== "" && json.length <= 16_384) return JSON.parse(json)
  } catch {
    // A cycle or a bigint: not plain data.
  }
  throw new InvalidArgumentError("metadata", "plain data of at most 16,384 characters as JSON", value)
}
