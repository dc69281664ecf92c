import { InvalidArgumentError } from "../../errors"
import type { JsonSchema } from "./answer-node"
import type { ZodSchema } from "./zod-schema"

/**
 * A schema whose validated value is the answer: a Zod 4 schema (`zod` or `zod/mini`), a Standard Schema that states its JSON
 * Schema (ArkType; Valibot with `toStandardJsonSchema`), or a JSON Schema through `jsonSchema(…)`.
 */
export type AnswerModel<Answer = unknown> = ZodAnswerModel<Answer> | StandardAnswerModel<Answer>

/**
 * Declares only the part of Zod that p2 reads, because the types of two Zod releases are not assignable to each other.
 */
interface ZodAnswerModel<Answer> {
  readonly _zod: { readonly output: Answer; readonly def: { readonly type: string } }
}

/** A Standard Schema: https://standardschema.dev */
export interface StandardSchema<Answer = unknown> {
  readonly "~standard": StandardProps<Answer>
}

/** A Standard Schema with its JSON Schema: https://standardschema.dev/json-schema */
export interface StandardAnswerModel<Answer> {
  readonly "~standard": StandardProps<Answer> & {
    readonly jsonSchema: {
      readonly input: (options: {
        readonly target: "draft-2020-12"
        readonly libraryOptions?: Record<string, unknown> | undefined
      }) => JsonSchema
    }
  }
}

interface StandardProps<Answer> {
  readonly version: 1
  readonly vendor: string
  readonly validate: (value: unknown) => StandardResult<Answer> | Promise<StandardResult<Answer>>
  readonly types?: { readonly input: unknown; readonly output: Answer } | undefined
}

export type StandardResult<Answer = unknown> =
  | { readonly value: Answer; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** The parts of an answer schema that are read: the definition of a Zod schema, the JSON Schema of another library. */
export type AnswerSchema = ZodSchema | StandardAnswerModel<unknown>

const EXPECTED =
  "a Zod 4 schema from `zod` or `zod/mini`, a Standard Schema with a JSON Schema, or a JSON Schema in `jsonSchema(…)`"

/** @throws InvalidArgumentError if `value` is not a schema from which an answer format can be made */
export function asAnswerSchema(value: unknown): AnswerSchema {
  const schema = value as (Partial<ZodSchema & StandardAnswerModel<unknown>> & { _def?: unknown }) | null | undefined
  if (typeof schema?._zod?.def?.type === "string" && typeof schema.safeParse === "function") return schema as ZodSchema
  const standard = schema?.["~standard"]
  if (typeof standard?.validate === "function" && typeof standard.jsonSchema?.input === "function")
    return schema as StandardAnswerModel<unknown>
  throw new InvalidArgumentError("answerModel", `${EXPECTED}${hintFor(schema)}`, value)
}

function hintFor(schema: { _def?: unknown; "~standard"?: unknown } | null | undefined): string {
  const vendor = (schema?.["~standard"] as { vendor?: unknown } | undefined)?.vendor
  if (vendor === "zod" || schema?._def) return " (this is a Zod 3 schema)"
  if (vendor === "valibot") return ' (write `toStandardJsonSchema(schema)`, from "@valibot/to-json-schema")'
  if (vendor !== undefined) return " (this Standard Schema has none: write `jsonSchema({…}, schema)`)"
  return ""
}
