import { type AnswerIssue, InvalidAnswerError } from "./answer-errors"
import { flattenIssues } from "./flatten-issues"
import { ParseWork } from "./parse-work"
import { parseJson, readPartialJson } from "./partial-json"
import { AnswerReader, UNFINISHED } from "./read-answer"
import type { AnswerNode } from "./schema/answer-node"
import type { ZodResult, ZodSchema } from "./schema/zod-schema"

/** An answer that fits, or why it does not. */
export type AnswerResult<Answer> = { ok: true; answer: Answer } | Wrong

interface Wrong {
  ok: false
  error: InvalidAnswerError
}

/** What is known of a schema when an answer to it is parsed. */
export interface AnswerForm {
  schema: ZodSchema
  node: AnswerNode
  /** It is no object, so it travels inside `{ answer: … }`. */
  isWrapped: boolean
  /** Some value is parsed by more than one schema, so Zod's work has to be bounded. */
  forks: boolean
  /** What was sent: its names may be shown in an error. */
  json: string
}

/** From the JSON text of an answer to the user's value. */
export function parseAnswer<Answer>(text: string, form: AnswerForm): AnswerResult<Answer> {
  const begun = begin(text, form)
  if ("error" in begun) return begun
  try {
    return finish(form.schema.safeParse(begun.value), form)
  } catch (error) {
    return threw(error, form)
  }
}

/** The same for a schema with asynchronous checks and transforms too. */
export async function parseAnswerAsync<Answer>(text: string, form: AnswerForm): Promise<AnswerResult<Answer>> {
  const begun = begin(text, form)
  if ("error" in begun) return begun
  try {
    return finish(await form.schema.safeParseAsync(begun.value), form)
  } catch (error) {
    return threw(error, form)
  }
}

/** What an unfinished text says so far. */
export function parsePartialAnswer(text: string, form: AnswerForm): unknown {
  const value = readPartialJson(text, UNFINISHED)
  try {
    return value === undefined ? undefined : decode(value, form)
  } catch {
    // Deeper than the stack: `parseAnswer` says so at the end.
    return undefined
  }
}

/** The value as Zod takes it. */
function begin(text: string, form: AnswerForm): { value: unknown } | Wrong {
  const json = parseJson(text)
  if (json === undefined) return wrong(form, "json", whole("invalid_json", "Expected one JSON value and nothing else."))
  try {
    const work = new ParseWork(text.length)
    const value = decode(json, form, work)
    if (form.forks) work.spend(form.schema, value)
    return { value }
  } catch {
    return wrong(form, "shape", whole("too_deep", "Expected fewer levels of nesting."))
  }
}

function decode(value: unknown, { node, isWrapped }: AnswerForm, work?: ParseWork): unknown {
  return new AnswerReader(work).root(node, isWrapped && isWrapper(value) ? value.answer : value)
}

function isWrapper(value: unknown): value is { answer: unknown } {
  return Object.keys(Object(value)).join() === "answer"
}

function finish<Answer>(result: ZodResult, form: AnswerForm): AnswerResult<Answer> {
  if (result.success) return { ok: true, answer: result.data as Answer }
  return wrong(form, "shape", flattenIssues(result.error.issues))
}

function threw(cause: unknown, form: AnswerForm): Wrong {
  return wrong(form, "code", whole("schema_threw", "A check of the schema threw."), cause)
}

/** An issue of the answer as a whole. */
function whole(code: string, message: string): AnswerIssue[] {
  return [{ path: [], code, message }]
}

function wrong(
  { json }: AnswerForm,
  reason: InvalidAnswerError["reason"],
  issues: readonly AnswerIssue[],
  cause?: unknown,
): Wrong {
  return { ok: false, error: new InvalidAnswerError({ reason, issues, known: json, cause }) }
}
