import { InvalidArgumentError } from "../errors"
import { isRecord } from "../json"
import { frozenCopy } from "../request/frozen-copy"
import type { AnswerModel, StandardResult, StandardSchema } from "./schema/answer-model"
import type { JsonSchema } from "./schema/answer-node"
import { checkKeywords, JsonValidator } from "./schema/validate-json"

/** The type of the values of a JSON Schema that is written out; `unknown` for what the type cannot express. */
export type JsonSchemaValue<Schema> = Schema extends { readonly const: infer Value }
  ? Value
  : Schema extends { readonly enum: readonly (infer Value)[] }
    ? Value
    : Schema extends { readonly anyOf: readonly (infer Option)[] } | { readonly oneOf: readonly (infer Option)[] }
      ? JsonSchemaValue<Option>
      : Schema extends { readonly type: infer Type }
        ? ValueOfType<Type extends readonly (infer Each)[] ? Each : Type, Schema>
        : unknown

type ValueOfType<Type, Schema> = Type extends "string"
  ? string
  : Type extends "number" | "integer"
    ? number
    : Type extends "boolean"
      ? boolean
      : Type extends "null"
        ? null
        : Type extends "array"
          ? Schema extends { readonly items: infer Item }
            ? JsonSchemaValue<Item>[]
            : unknown[]
          : Type extends "object"
            ? ObjectValue<Schema>
            : unknown

type ObjectValue<Schema> = Schema extends { readonly properties: infer Properties }
  ? Flat<
      {
        -readonly [Key in keyof Properties as Key extends RequiredNames<Schema> ? Key : never]: JsonSchemaValue<
          Properties[Key]
        >
      } & {
        -readonly [Key in keyof Properties as Key extends RequiredNames<Schema> ? never : Key]?: JsonSchemaValue<
          Properties[Key]
        >
      }
    >
  : Schema extends { readonly additionalProperties: infer Value }
    ? Record<string, JsonSchemaValue<Value>>
    : Record<string, unknown>

type RequiredNames<Schema> = Schema extends { readonly required: readonly (infer Name)[] } ? Name : never
type Flat<Object> = { [Key in keyof Object]: Object[Key] }

/**
 * Makes an answer schema of a plain JSON Schema (draft 2020-12 or 7). The type of the answer follows from a schema that is
 * written out; state it otherwise, as in `jsonSchema<Person>(schema)`. The answer is validated against the schema, or by
 * `validator` if you pass one: a Standard Schema of a library that does not state its JSON Schema.
 *
 * @throws UnsupportedSchemaError for a keyword that is not checked, such as `if`, when no `validator` is passed
 * @throws InvalidArgumentError
 *
 * @example
 * const answerModel = jsonSchema({
 *   type: "object",
 *   properties: { name: { type: "string" }, born: { type: "integer" } },
 *   required: ["name"],
 * })
 * // The answer is { name: string; born?: number }.
 */
export function jsonSchema<const Schema extends JsonSchema>(schema: Schema): AnswerModel<JsonSchemaValue<Schema>>
export function jsonSchema<Answer>(schema: JsonSchema): AnswerModel<Answer>
export function jsonSchema<Answer>(schema: JsonSchema, validator: StandardSchema<Answer>): AnswerModel<Answer>
export function jsonSchema(schema: JsonSchema, validator?: StandardSchema): AnswerModel {
  if (!isRecord(schema)) throw new InvalidArgumentError("schema", "a JSON Schema that is an object", schema)
  if ("~standard" in schema)
    throw new InvalidArgumentError(
      "schema",
      "a JSON Schema (pass a schema of a library as it is: `answerModel: schema`)",
      schema,
    )
  if (validator !== undefined && typeof validator?.["~standard"]?.validate !== "function")
    throw new InvalidArgumentError("validator", "a Standard Schema", validator)
  const copy = frozenCopy(schema)
  if (validator === undefined) checkKeywords(copy)
  return Object.freeze({
    "~standard": Object.freeze({
      version: 1 as const,
      vendor: "p2",
      validate: validator?.["~standard"].validate ?? ((value: unknown) => validate(copy, value)),
      jsonSchema: Object.freeze({ input: () => copy }),
    }),
  })
}

function validate(schema: JsonSchema, value: unknown): StandardResult {
  const issues = new JsonValidator(schema).validate(value)
  return issues.length === 0 ? { value } : { issues }
}
