import { isTooDeep, parseJson } from "../json"
import { type AnswerIssue, InvalidAnswerError } from "./answer-errors"
import { ParseWork } from "./parse-work"
import { readPartialJson } from "./partial-json"
import { AnswerReader, UNFINISHED } from "./read-answer"
import { cutReasoning, startsWithReasoning } from "./reasoning"
import type { AnswerNode } from "./schema/answer-node"
import type { ZodSchema } from "./schema/zod-schema"

/** A valid answer, or the reasons why it is invalid. */
export type AnswerResult<Answer> = { ok: true; answer: Answer } | InvalidAnswer

interface InvalidAnswer {
  ok: false
  error: InvalidAnswerError
}

/** The result of the schema's library for a value. */
export type CheckResult = { status: "valid"; answer: unknown } | { status: "invalid"; issues: readonly AnswerIssue[] }

/** The parts of a compiled schema that the parsers need. */
export interface AnswerForm {
  /** Throws if the schema's own code throws or is asynchronous. */
  check: (value: unknown) => CheckResult
  checkAsync: (value: unknown) => Promise<CheckResult>
  node: AnswerNode
  /** Whether the value is wrapped in `{ answer: … }`, because it is not an object. */
  isWrapped: boolean
  /** Set if some value is parsed by more than one Zod schema, so that Zod's work must be bounded. */
  alternatives: ZodSchema | undefined
  /** The JSON Schema that was sent. An error may show the keys in it. */
  jsonSchema: string
}

type DecodeResult = { status: "decoded"; value: unknown } | { status: "invalid"; result: InvalidAnswer }

/** Parses and validates the JSON text of an answer. */
export function parseAnswer<Answer>(text: string, form: AnswerForm): AnswerResult<Answer> {
  const decoded = decodeText(text, form)
  if (decoded.status === "invalid") return decoded.result
  try {
    return resultOf(form.check(decoded.value), form)
  } catch (error) {
    return schemaThrew(error, form)
  }
}

/** Like `parseAnswer`, also for schemas with asynchronous checks and transforms. */
export async function parseAnswerAsync<Answer>(text: string, form: AnswerForm): Promise<AnswerResult<Answer>> {
  const decoded = decodeText(text, form)
  if (decoded.status === "invalid") return decoded.result
  try {
    return resultOf(await form.checkAsync(decoded.value), form)
  } catch (error) {
    return schemaThrew(error, form)
  }
}

/** Returns the value of an unfinished answer so far. */
export function parsePartialAnswer(text: string, form: AnswerForm): unknown {
  const value = readPartialJson(startsWithReasoning(text) ? cutReasoning(text) : text, UNFINISHED)
  try {
    return value === undefined ? undefined : decode(value, form)
  } catch {
    // The nesting exceeds the stack; `parseAnswer` reports that for the complete answer.
    return undefined
  }
}

/** Converts the JSON text to the value that the schema accepts, or returns the reason why it cannot. */
function decodeText(text: string, form: AnswerForm): DecodeResult {
  if (isTooDeep(text)) return tooDeep(form)
  const json = parseJson(text)
  if (json === undefined) {
    const issues = rootIssue("invalid_json", "Expected one JSON value and nothing else.")
    return { status: "invalid", result: invalid(form, "json", issues) }
  }
  try {
    const work = new ParseWork(text.length)
    const value = decode(json, form, work)
    if (form.alternatives !== undefined) work.spend(form.alternatives, value)
    return { status: "decoded", value }
  } catch {
    return tooDeep(form)
  }
}

function tooDeep(form: AnswerForm): DecodeResult {
  const issues = rootIssue("too_deep", "Expected fewer levels of nesting.")
  return { status: "invalid", result: invalid(form, "shape", issues) }
}

function decode(value: unknown, { node, isWrapped }: AnswerForm, work?: ParseWork): unknown {
  return new AnswerReader(work).root(node, isWrapped && isWrapper(value) ? value.answer : value)
}

function isWrapper(value: unknown): value is { answer: unknown } {
  return Object.keys(Object(value)).join() === "answer"
}

function resultOf<Answer>(checked: CheckResult, form: AnswerForm): AnswerResult<Answer> {
  if (checked.status === "valid") return { ok: true, answer: checked.answer as Answer }
  return invalid(form, "shape", checked.issues)
}

function schemaThrew(cause: unknown, form: AnswerForm): InvalidAnswer {
  return invalid(form, "code", rootIssue("schema_threw", "A check of the schema threw."), cause)
}

/** An issue with the answer as a whole. */
function rootIssue(code: string, message: string): AnswerIssue[] {
  return [{ path: [], code, message }]
}

function invalid(
  { jsonSchema }: AnswerForm,
  reason: InvalidAnswerError["reason"],
  issues: readonly AnswerIssue[],
  cause?: unknown,
): InvalidAnswer {
  return { ok: false, error: new InvalidAnswerError({ reason, issues, jsonSchema, cause }) }
}
