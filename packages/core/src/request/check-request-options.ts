import { asAnswerSchema } from "../answer/schema/answer-model"
import { describeName, InvalidArgumentError, looksLikeKey } from "../errors"
import { parseModelId } from "../models/model-id"
import type { NanoUsd } from "../money"
import { adviceFor, isOptionsObject } from "../options/check-options"
import type { RequestBudget } from "./budget-input"
import { checkBudget, readAmount } from "./check-budget"
import { checkExtraBody, checkExtraHeaders } from "./check-extras"
import { checkMessages } from "./check-messages"
import { frozenCopy } from "./frozen-copy"
import { RequestIssues } from "./invalid-request-error"
import { array, type Check, integer, isPlainObject, number, oneOf, parsedBy, satisfies, string } from "./option-checks"
import { REQUEST_ADVICE } from "./request-advice"
import type { RequestOptions } from "./request-options"

export interface CheckedOptions<Answer> {
  /** The options as they were written, deeply frozen. */
  options: Readonly<RequestOptions<Answer>>
  /** The options that a request stores in another form. */
  normal: {
    stop?: readonly string[]
    maxBudget?: NanoUsd
    extraCost?: NanoUsd
    userBudget?: RequestBudget
    clientBudget?: RequestBudget
  }
}

/** Options that must not be `null`: an amount that the caller failed to look up must not mean no limit. */
const AMOUNTS: ReadonlySet<string> = new Set(["maxBudget", "userBudget", "clientBudget", "extraCost"])

/**
 * Checks all options of a request.
 * @throws InvalidRequestError that lists every invalid option
 */
export function checkRequestOptions<Answer>(input: RequestOptions<Answer>): CheckedOptions<Answer> {
  const issues = new RequestIssues()
  if (!isOptionsObject(input)) issues.addUnexpected("options", "an object with a `model`", input)
  issues.throwIfAny()
  const checks: Record<string, Check> = optionChecks()
  const names = new Set(Object.keys(checks))
  const options: Record<string, unknown> = {}
  const checked: Record<string, unknown> = {}
  for (const [name, value] of Object.entries({ model: undefined, ...(input as object) })) {
    if (name !== "model" && (value === undefined || (value === null && !AMOUNTS.has(name)))) continue
    if (names.has(name)) {
      checked[name] = checks[name]!(value, name, issues)
      // The schema is its library's own object, which must not be frozen. The check of `metadata` has copied it.
      const plain = name === "metadata" ? checked[name] : value
      options[name] = name === "answerModel" ? value : parsedBy(frozenCopy)(plain, name, issues)
    } else issues.add(describeName(name), `unknown option.${adviceFor(name, names, REQUEST_ADVICE)}`)
  }
  for (const owner of ["user", "client"])
    if (`${owner}Budget` in options && !(`${owner}Id` in options))
      issues.addUnexpected(`${owner}Id`, `an id, because \`${owner}Budget\` is set`, undefined)
  issues.throwIfAny()
  const { stop, maxBudget, extraCost, userBudget, clientBudget } = checked as CheckedOptions<Answer>["normal"]
  const normal = { stop, maxBudget, extraCost, userBudget, clientBudget } as CheckedOptions<Answer>["normal"]
  return { options: Object.freeze(options) as unknown as RequestOptions<Answer>, normal }
}

/** The check of each option; its keys are the option names. */
function optionChecks() {
  const boolean = satisfies("true or false", (value) => typeof value === "boolean")
  const model = parsedBy((id: string) => parseModelId(id).id)
  return {
    model,
    answerModel: parsedBy(asAnswerSchema),
    system: string(10_000_000),
    messages: checkMessages,
    history: checkHistory,
    temperature: number(0, 2),
    topP: number(0, 1),
    frequencyPenalty: number(-2, 2),
    presencePenalty: number(-2, 2),
    seed: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    stop: checkStop,
    maxTokens: integer(1, 100_000_000),
    onTruncated: oneOf("return", "error"),
    reasoningEffort: oneOf("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    verbosity: oneOf("low", "medium", "high"),
    extraBody: checkExtraBody,
    extraCost: parsedBy(readAmount),
    extraHeaders: checkExtraHeaders,
    maxBudget: parsedBy(readAmount),
    userId: string(200),
    clientId: string(200),
    tags: checkTags,
    userBudget: checkBudget,
    clientBudget: checkBudget,
    fallbacks: array(8, model),
    online: boolean,
    cachePrompt: boolean,
    serviceTier: checkServiceTier,
    stream: boolean,
    timeoutMs: integer(1, 2 ** 31 - 1),
    retries: integer(0, 10),
    repairs: integer(0, 10),
    metadata: parsedBy(copyOfMetadata),
    verbose: boolean,
  } satisfies Record<keyof RequestOptions, Check>
}

/** A provider that ignores `batch` bills a single call at twice its price. */
const checkServiceTier: Check = (value, path, issues) => {
  if (value === "batch") return issues.addUnexpected(path, "the tier of a single call", value)
  return string(64)(value, path, issues)
}

const checkHistory: Check = (value, path, issues) => {
  if (!isPlainObject(value)) return issues.addUnexpected(path, "an object with `maxTokens`", value)
  const { maxTokens, ...others } = value
  integer(1, 100_000_000)(maxTokens, `${path}.maxTokens`, issues)
  for (const name of Object.keys(others))
    issues.add(`${path}.${describeName(name)}`, `unknown option.${adviceFor(name, new Set(["maxTokens"]))}`)
}

const checkStop: Check = (value, path, issues) =>
  typeof value === "string"
    ? Object.freeze([string(500)(value, path, issues)])
    : Object.freeze(array(16, string(500))(value, path, issues))

const checkTags: Check = (value, path, issues) => {
  if (!isPlainObject(value) || Object.keys(value).length > 32)
    return issues.addUnexpected(path, "an object of at most 32 strings", value)
  for (const [name, tag] of Object.entries(value)) {
    const tagPath = `${path}.${name.length > 64 || looksLikeKey(name) ? "…" : name}`
    if (!/^[A-Za-z][\w.-]{0,63}$/.test(name))
      issues.addUnexpected(
        tagPath,
        "a tag name of 1 to 64 letters, digits, `_`, `.` or `-`, beginning with a letter",
        name,
      )
    string(200)(tag, tagPath, issues)
  }
}

function copyOfMetadata(value: unknown): unknown {
  try {
    const json = isPlainObject(value) ? JSON.stringify(value) : ""
    if (json !== "" && json.length <= 16_384) return JSON.parse(json)
  } catch {
    // A cycle or a bigint cannot be written as JSON.
  }
  throw new InvalidArgumentError("metadata", "plain data of at most 16,384 characters as JSON", value)
}
