import type { BudgetPeriod, RequestBudget } from "./budget-input"
import { checkMessages } from "./check-messages"
import { describeValue, P2Error } from "./errors"
import { frozenCopy } from "./frozen-copy"
import { InvalidRequestError, type RequestIssue } from "./invalid-request-error"
import { nearestIds, parseModelId } from "./model-id"
import { type NanoUsd, usd } from "./money"
import type { RequestOptions } from "./request-options"

/** Says what is wrong at a path; the check goes on. */
export type Report = (path: string, expected: string, received: unknown) => void

type Check = (value: unknown, path: string, report: Report) => unknown

export interface CheckedOptions<Answer> {
  options: Readonly<RequestOptions<Answer>>
  maxBudgetNanoUsd: NanoUsd | undefined
  userBudget: RequestBudget | undefined
  clientBudget: RequestBudget | undefined
}

/** Validates everything, then throws one error with every issue, or returns a frozen copy. */
export function checkRequestOptions<Answer>(given: RequestOptions<Answer>): CheckedOptions<Answer> {
  const issues: RequestIssue[] = []
  const report: Report = (path, expected, received) => {
    issues.push({ path, expected, received: describeValue(received) })
  }
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    report("options", "an object with at least a `model`", given)
    throw new InvalidRequestError(issues)
  }
  const checks = optionChecks()
  const values: Record<string, unknown> = {}
  const normal: Record<string, unknown> = {}
  for (const [name, value] of new Map<string, unknown>([["model", undefined], ...Object.entries(given)])) {
    if (value === undefined && name !== "model") continue
    if (Object.hasOwn(checks, name)) normal[name] = checks[name as keyof typeof checks](value, name, report)
    else report(name, unknownOption(name, Object.keys(checks)), value)
    values[name] = value
  }
  for (const who of ["user", "client"] as const)
    if (values[`${who}Budget`] !== undefined && values[`${who}Id`] === undefined)
      report(`${who}Id`, `an id, because \`${who}Budget\` is given`, undefined)
  if (issues.length > 0) throw new InvalidRequestError(issues)
  return {
    options: freezeOptions(values, normal, issues) as unknown as RequestOptions<Answer>,
    maxBudgetNanoUsd: normal.maxBudget as NanoUsd | undefined,
    userBudget: normal.userBudget as RequestBudget | undefined,
    clientBudget: normal.clientBudget as RequestBudget | undefined,
  }
}

/** Freezes copies of everything but the schema, which is Zod's own object. */
function freezeOptions(values: Record<string, unknown>, normal: Record<string, unknown>, issues: RequestIssue[]) {
  const { answerModel, metadata, ...plain } = values
  if (metadata !== undefined) plain.metadata = normal.metadata
  try {
    const copy = frozenCopy(plain)
    return Object.freeze(answerModel === undefined ? copy : { ...copy, answerModel })
  } catch {
    issues.push({ path: "messages", expected: "plain data without cycles", received: describeValue(plain.messages) })
    throw new InvalidRequestError(issues)
  }
}

function unknownOption(name: string, known: string[]): string {
  const [nearest] = nearestIds(name, known, 1)
  return nearest === undefined ? "no such option" : `no such option (did you mean \`${nearest}\`?)`
}

/** One check per option: the list of option names, too. */
function optionChecks() {
  return {
    model: checkModel,
    answerModel: checkAnswerModel,
    messages: checkMessages,
    temperature: number(0, 2),
    topP: number(0, 1),
    frequencyPenalty: number(-2, 2),
    presencePenalty: number(-2, 2),
    seed: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    stop: checkStop,
    maxTokens: integer(1, 100_000_000),
    maxBudget: checkDollars,
    userId: text(200),
    clientId: text(200),
    tags: checkTags,
    userBudget: checkBudget,
    clientBudget: checkBudget,
    fallbacks: list(8, checkModel),
    online: boolean,
    cachePrompt: boolean,
    serviceTier: text(64),
    stream: boolean,
    timeoutMs: integer(1, 2 ** 31 - 1),
    retries: integer(0, 10),
    repairs: integer(0, 10),
    metadata: checkMetadata,
    verbose: boolean,
  } satisfies Record<keyof RequestOptions, Check>
}

function number(min: number, max: number): Check {
  return (value, path, report) => {
    if (typeof value !== "number" || !(value >= min && value <= max))
      report(path, `a number from ${min} to ${max}`, value)
  }
}

function integer(min: number, max: number): Check {
  return (value, path, report) => {
    if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max)
      report(path, `an integer from ${min} to ${max}`, value)
  }
}

function text(max: number): Check {
  return (value, path, report) => {
    if (typeof value !== "string" || value.trim() === "" || value.length > max)
      report(path, `a text of 1 to ${max} characters`, value)
  }
}

function list(max: number, check: Check): Check {
  return (value, path, report) => {
    if (!Array.isArray(value) || value.length > max) report(path, `a list of at most ${max}`, value)
    else for (const [index, item] of value.entries()) check(item, `${path}[${index}]`, report)
  }
}

const boolean: Check = (value, path, report) => {
  if (typeof value !== "boolean") report(path, "true or false", value)
}

const checkModel: Check = (value, path, report) => {
  try {
    parseModelId(value as string)
  } catch {
    report(path, 'a model id such as "gpt-4o-mini" or "openrouter/openai/gpt-4o-mini"', value)
  }
}

const checkAnswerModel: Check = (value, path, report) => {
  const schema = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>
  if (schema._zod !== undefined && typeof schema.safeParse === "function") return
  const old = schema._def === undefined ? "" : "; this one is of Zod 3"
  report(path, `a schema of Zod 4, from "zod" or "zod/mini"${old}`, value)
}

const checkStop: Check = (value, path, report) => {
  if (typeof value === "string") text(500)(value, path, report)
  else list(16, text(500))(value, path, report)
}

const checkDollars: Check = (value, path, report) => {
  try {
    const nano = usd(value as string, path)
    if (nano >= 0) return nano
    report(path, "dollars from 0 up", value)
  } catch (error) {
    if (!P2Error.isInstance(error)) throw error
    report(path, 'dollars from 0 to 9007199.25, as a number or a decimal text such as "0.05"', value)
  }
  return undefined
}

const checkBudget: Check = (value, path, report) => {
  if (typeof value !== "object" || value === null) {
    const limitNanoUsd = checkDollars(value, path, report) as NanoUsd
    return Object.freeze({ limitNanoUsd, per: "total", timeZone: "UTC" })
  }
  const { limit, per = "total", timeZone, ...others } = value as Record<string, unknown>
  const limitNanoUsd = checkDollars(limit, `${path}.limit`, report) as NanoUsd
  if (typeof per !== "string" || !/^(total|hour|day|week|month|[1-9]\d{0,6}[smhd])$/.test(per))
    report(`${path}.per`, '"total", "hour", "day", "week", "month" or a length such as "90m", "1h", "30d"', per)
  if (timeZone !== undefined && !isTimeZone(timeZone))
    report(`${path}.timeZone`, 'an IANA time zone such as "Europe/Paris"', timeZone)
  for (const name of Object.keys(others))
    report(`${path}.${name}`, "no such field (there are limit, per, timeZone)", others[name])
  return Object.freeze({ limitNanoUsd, per: per as BudgetPeriod, timeZone: (timeZone as string) ?? "UTC" })
}

function isTimeZone(value: unknown): boolean {
  if (typeof value !== "string" || value === "") return false
  try {
    new Intl.DateTimeFormat("en", { timeZone: value })
    return true
  } catch {
    return false
  }
}

const checkTags: Check = (value, path, report) => {
  if (!isPlainObject(value) || Object.keys(value).length > 32) {
    report(path, "an object of at most 32 texts", value)
    return
  }
  for (const [name, tag] of Object.entries(value)) {
    if (!/^[A-Za-z][\w.-]{0,63}$/.test(name))
      report(`${path}.${name.slice(0, 64)}`, "a name of letters and digits", name)
    text(200)(tag, `${path}.${name.slice(0, 64)}`, report)
  }
}

const checkMetadata: Check = (value, path, report) => {
  try {
    const json = isPlainObject(value) ? JSON.stringify(value) : ""
    if (json !== "" && json.length <= 16_384) return JSON.parse(json)
  } catch {
    // A cycle or a bigint: not plain data.
  }
  report(path, "plain data of at most 16,384 characters as JSON", value)
  return undefined
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}
