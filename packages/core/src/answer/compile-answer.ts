import type { AnswerFormat, ToolDefinition } from "../messages/message"
import type { DeepPartial } from "./deep-partial"
import { type AnswerForm, type AnswerResult, parseAnswer, parseAnswerAsync, parsePartialAnswer } from "./parse-answer"
import { type AnswerModel, type AnswerSchema, asAnswerSchema } from "./schema/answer-model"
import type { AnswerNode, JsonSchema } from "./schema/answer-node"
import { SchemaPrinter } from "./schema/print-schema"
import { readAnswerSchema } from "./schema/read-answer-schema"

/** A schema in the forms that providers accept, and parsers for their answers. */
export interface CompiledAnswer<Answer> {
  /** 1 to 64 letters, digits, `_` and `-`: the schema's `id` or `title`, else `answer`. */
  readonly name: string
  /** Strict JSON Schema: an object at the root, every property required, none additional. */
  readonly jsonSchema: Readonly<JsonSchema>
  /** The value of `response_format`, with `strict: true`. */
  readonly answerFormat: Extract<AnswerFormat, { type: "json_schema" }>
  /** The schema as a function that the model must call, with `strict: true`. */
  readonly tool: ToolDefinition
  /** The schema as an instruction in the prompt, for models that support neither. */
  readonly instructions: string
  /**
   * Parses and validates the JSON text of an answer. Never throws: if a check of the schema throws or is asynchronous, the
   * error's `reason` is `code`.
   */
  parse(text: string): AnswerResult<Answer>
  /** Like `parse`, also for schemas with asynchronous checks and transforms. Never rejects. */
  parseAsync(text: string): Promise<AnswerResult<Answer>>
  /**
   * Returns the value of an unfinished answer so far; undefined while it has none. The value is not validated. It omits values
   * that the schema's code computes (transforms, codecs) and incomplete values (numbers, dates, enum values).
   */
  parsePartial(text: string): DeepPartial<Answer> | undefined
}

const compiledAnswers = new WeakMap<object, CompiledAnswer<unknown>>()

/**
 * Compiles a schema to strict JSON Schema, with parsers for the answers. Each schema object is compiled once. The function
 * reads the `_zod.def` of a Zod 4 schema and the JSON Schema of a Standard Schema. It imports no library, so any copy works.
 *
 * On the wire, optional keys are nullable; records and maps are arrays of `{ key, value }`; sets are arrays; tuples are
 * objects `item1`, `item2`, …; dates are ISO 8601; bigints are digits. A root that is not an object is wrapped in
 * `{ answer: … }`.
 *
 * @throws InvalidArgumentError if `schema` is not an {@link AnswerModel}
 * @throws UnsupportedSchemaError if JSON Schema cannot express it, or it is larger than strict mode allows
 *
 * @example
 * const { answerFormat, parse } = compileAnswer(z.object({ name: z.string() }))
 * const result = parse('{"name":"Dickens"}')
 * if (result.ok) console.log(result.answer.name)
 */
export function compileAnswer<Answer>(schema: AnswerModel<Answer>): CompiledAnswer<Answer> {
  const answerSchema = asAnswerSchema(schema)
  const cached = compiledAnswers.get(schema)
  if (cached !== undefined) return cached as CompiledAnswer<Answer>
  const answer = compile<Answer>(answerSchema)
  compiledAnswers.set(schema, answer)
  return answer
}

function compile<Answer>(schema: AnswerSchema): CompiledAnswer<Answer> {
  const { node, title, description, ...checks } = readAnswerSchema(schema)
  const name =
    String(title ?? "")
      .replace(/[^\w-]+/g, "_")
      .slice(0, 64) || "answer"
  const descriptionField = description === undefined ? {} : { description }
  const object = objectOf(node)
  const root = object ?? { kind: "fields", fields: new Map([["answer", node]]) }
  const jsonSchema = freezeAll({ ...new SchemaPrinter(root).print(), ...descriptionField })
  const json = JSON.stringify(jsonSchema)
  const form: AnswerForm = { ...checks, node, isWrapped: !object, jsonSchema: json }
  return Object.freeze({
    name,
    jsonSchema,
    answerFormat: Object.freeze({
      type: "json_schema" as const,
      json_schema: Object.freeze({ name, ...descriptionField, schema: jsonSchema, strict: true }),
    }),
    tool: Object.freeze({
      type: "function" as const,
      function: Object.freeze({ name, ...descriptionField, parameters: jsonSchema, strict: true }),
    }),
    instructions: `Answer with one JSON value that fits this JSON Schema, and with nothing else:\n${json}`,
    parse: (text: string) => parseAnswer<Answer>(text, form),
    parseAsync: (text: string) => parseAnswerAsync<Answer>(text, form),
    parsePartial: (text: string) => parsePartialAnswer(text, form) as DeepPartial<Answer> | undefined,
  })
}

/** Deep-freezes a value in place. */
function freezeAll<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freezeAll)
  return value
}

/** Returns the node if it can be the root, which must be an object. */
function objectOf(node: AnswerNode): AnswerNode | undefined {
  const isAlone = node.kind === "union" && node.options.length === 1 && node.recursive === undefined
  if (isAlone) return objectOf(node.options[0]!)
  return node.kind === "fields" && !node.tuple ? node : undefined
}
