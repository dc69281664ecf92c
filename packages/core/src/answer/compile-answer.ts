import { toJSONSchema } from "zod/v4/core"
import type { AnswerFormat, ToolDefinition } from "../messages"
import type { AnswerModel } from "../request-options"
import { type AnswerIssue, InvalidAnswerError } from "./answer-errors"
import type { DeepPartial } from "./deep-partial"
import { parsePartialJson } from "./partial-json"

/** An answer that fits, or why it does not. */
export type AnswerResult<Answer> = { ok: true; answer: Answer } | { ok: false; error: InvalidAnswerError }

/** A schema in the forms in which providers take it, and the way back from what they answer. */
export interface CompiledAnswer<Answer> {
  /** 1 to 64 letters, digits, `_`, `-`. From the schema's `title` or `id`, else `answer`. */
  readonly name: string
  /** Strict JSON Schema: an object at the root, every property required, none additional. */
  readonly jsonSchema: Readonly<Record<string, unknown>>
  /** Value of `response_format`, with `strict: true`. */
  readonly answerFormat: Extract<AnswerFormat, { type: "json_schema" }>
  /** The same as a function that the model must call. */
  readonly tool: ToolDefinition
  /** The same in words, for models that take neither. */
  readonly instructions: string
  /** The text of an answer to the user's value. Throws a mistake when the schema has asynchronous parts. */
  parse(text: string): AnswerResult<Answer>
  /** The same for every schema. Never rejects. */
  parseAsync(text: string): Promise<AnswerResult<Answer>>
  /** What can be said of an unfinished text; undefined while nothing can. Not validated. */
  parsePartial(text: string): DeepPartial<Answer> | undefined
}

/** Compiles a schema of Zod 4. */
export function compileAnswer<Answer>(schema: AnswerModel<Answer>): CompiledAnswer<Answer> {
  const jsonSchema = toJSONSchema(schema, { io: "input" }) as Record<string, unknown>
  const name = "answer"
  const model = schema as unknown as {
    safeParse(value: unknown): { success: true; data: Answer } | { success: false; error: { issues: AnswerIssue[] } }
    safeParseAsync(
      value: unknown,
    ): Promise<{ success: true; data: Answer } | { success: false; error: { issues: AnswerIssue[] } }>
  }
  const finish = (result: ReturnType<typeof model.safeParse>): AnswerResult<Answer> =>
    result.success
      ? { ok: true, answer: result.data }
      : {
          ok: false,
          error: new InvalidAnswerError({
            reason: "shape",
            issues: result.error.issues,
            where: "The answer does not fit.",
          }),
        }
  return {
    name,
    jsonSchema,
    answerFormat: { type: "json_schema", json_schema: { name, schema: jsonSchema, strict: true } },
    tool: { type: "function", function: { name, parameters: jsonSchema, strict: true } },
    instructions: `Answer with JSON that fits this JSON Schema, and with nothing else:\n${JSON.stringify(jsonSchema)}`,
    parse: (text) => finish(model.safeParse(JSON.parse(text))),
    parseAsync: async (text) => finish(await model.safeParseAsync(JSON.parse(text))),
    parsePartial: (text) => parsePartialJson(text) as DeepPartial<Answer> | undefined,
  }
}
