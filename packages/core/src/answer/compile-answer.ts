import type { AnswerFormat, ToolDefinition } from "../messages/message"
import type { AnswerModel } from "../request/request-options"
import type { DeepPartial } from "./deep-partial"
import { type AnswerForm, type AnswerResult, parseAnswer, parseAnswerAsync, parsePartialAnswer } from "./parse-answer"
import type { AnswerNode, JsonSchema } from "./schema/answer-node"
import { SchemaPrinter } from "./schema/print-schema"
import { SchemaReader } from "./schema/read-schema"
import { asZodSchema, metaOf, type ZodSchema } from "./schema/zod-schema"

/** A schema in the forms in which providers take it, and the way back from what they answer. */
export interface CompiledAnswer<Answer> {
  /** 1 to 64 letters, digits, `_`, `-`: the schema's `id` or `title`, else `answer`. */
  readonly name: string
  /** Strict JSON Schema: an object at the root, every property required, none additional. */
  readonly jsonSchema: Readonly<JsonSchema>
  /** Value of `response_format`, with `strict: true`. */
  readonly answerFormat: Extract<AnswerFormat, { type: "json_schema" }>
  /** The same as a function that the model must call, with `strict: true`. */
  readonly tool: ToolDefinition
  /** The same in words, for models that take neither. */
  readonly instructions: string
  /**
   * From the JSON text of an answer to the user's value. Never throws: where a check of the schema throws, or is
   * asynchronous, the error's `reason` is `code`.
   */
  parse(text: string): AnswerResult<Answer>
  /** The same for schemas with asynchronous checks and transforms too. Never rejects. */
  parseAsync(text: string): Promise<AnswerResult<Answer>>
  /**
   * What an unfinished text says so far; undefined while it says nothing. Not validated; what the schema's own code
   * makes (transforms, codecs) and what is not whole yet (numbers, dates, enum values) is left out.
   */
  parsePartial(text: string): DeepPartial<Answer> | undefined
}

const compiled = new WeakMap<object, CompiledAnswer<unknown>>()

/**
 * A schema of Zod 4 as strict JSON Schema, and back. Compiled once per schema object. Reads `schema._zod.def` and
 * imports nothing of Zod, so any copy of Zod 4 will do.
 *
 * Optional keys travel as nullable ones; records and maps as lists of `{ key, value }`; sets as lists; tuples as
 * objects `item1`, `item2`, …; dates as ISO 8601; bigints as digits; what is no object at the root inside
 * `{ answer: … }`.
 *
 * @throws InvalidArgumentError when it is no schema of Zod 4.
 * @throws UnsupportedSchemaError when it cannot be expressed, or is larger than strict mode takes.
 */
export function compileAnswer<Answer>(schema: AnswerModel<Answer>): CompiledAnswer<Answer> {
  const zodSchema = asZodSchema(schema)
  const known = compiled.get(schema)
  if (known !== undefined) return known as CompiledAnswer<Answer>
  const fresh = compile<Answer>(zodSchema)
  compiled.set(schema, fresh)
  return fresh
}

function compile<Answer>(schema: ZodSchema): CompiledAnswer<Answer> {
  const { id, title, description } = metaOf(schema)
  const name =
    String(title ?? id ?? "")
      .replace(/[^\w-]+/g, "_")
      .slice(0, 64) || "answer"
  const about = description === undefined ? {} : { description }
  const reader = new SchemaReader()
  const node = reader.read(schema)
  const object = objectOf(node)
  const root = object ?? { kind: "fields", fields: new Map([["answer", node]]) }
  const jsonSchema = freezeAll({ ...new SchemaPrinter(root).print(), ...about })
  const json = JSON.stringify(jsonSchema)
  const form: AnswerForm = { schema, node, isWrapped: !object, forks: reader.forks, json }
  return Object.freeze({
    name,
    jsonSchema,
    answerFormat: Object.freeze({
      type: "json_schema" as const,
      json_schema: Object.freeze({ name, ...about, schema: jsonSchema, strict: true }),
    }),
    tool: Object.freeze({
      type: "function" as const,
      function: Object.freeze({ name, ...about, parameters: jsonSchema, strict: true }),
    }),
    instructions: `Answer with one JSON value that fits this JSON Schema, and with nothing else:\n${json}`,
    parse: (text: string) => parseAnswer<Answer>(text, form),
    parseAsync: (text: string) => parseAnswerAsync<Answer>(text, form),
    parsePartial: (text: string) => parsePartialAnswer(text, form) as DeepPartial<Answer> | undefined,
  })
}

/** Freezes what was printed, as it is: nobody writes to it any more. */
function freezeAll<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freezeAll)
  return value
}

/** The node when it can stand at the root, which must be an object. */
function objectOf(node: AnswerNode): AnswerNode | undefined {
  const alone = node.kind === "union" && node.options.length === 1 && node.recursive === undefined
  if (alone) return objectOf(node.options[0]!)
  return node.kind === "fields" && !node.tuple ? node : undefined
}
