import { isRecord } from "../../json"
import { type AnswerIssue, UnsupportedSchemaError } from "../answer-errors"
import { flattenIssues, MAX_ISSUES, MAX_MESSAGE } from "../flatten-issues"
import type { AnswerForm, CheckResult } from "../parse-answer"
import type { AnswerSchema, StandardAnswerModel, StandardIssue, StandardResult } from "./answer-model"
import type { AnswerNode, JsonSchema } from "./answer-node"
import { JsonSchemaReader } from "./read-json-schema"
import { SchemaReader } from "./read-schema"
import { metaOf, type ZodResult, type ZodSchema } from "./zod-schema"

/** A schema as it was read: the shape of its values, its name, and how values are checked. */
export interface ReadSchema extends Pick<AnswerForm, "check" | "checkAsync" | "alternatives"> {
  node: AnswerNode
  title: string | undefined
  description: string | undefined
}

/** @throws UnsupportedSchemaError */
export function readAnswerSchema(schema: AnswerSchema): ReadSchema {
  return "_zod" in schema ? readZod(schema) : readStandard(schema)
}

function readZod(schema: ZodSchema): ReadSchema {
  const { id, title, description } = metaOf(schema)
  const reader = new SchemaReader()
  const node = reader.read(schema)
  return {
    node,
    title: title ?? id,
    description,
    check: (value) => checkedByZod(schema.safeParse(value)),
    checkAsync: async (value) => checkedByZod(await schema.safeParseAsync(value)),
    alternatives: reader.hasAlternatives ? schema : undefined,
  }
}

function checkedByZod(result: ZodResult): CheckResult {
  if (result.success) return { status: "valid", answer: result.data }
  return { status: "invalid", issues: flattenIssues(result.error.issues) }
}

function readStandard({ "~standard": standard }: StandardAnswerModel<unknown>): ReadSchema {
  const json = jsonSchemaOf(standard)
  const { title, description } = json
  return {
    node: new JsonSchemaReader(json).read(),
    title: typeof title === "string" ? title : undefined,
    description: typeof description === "string" ? description : undefined,
    check: (value) => {
      const result = standard.validate(value)
      if (result instanceof Promise) {
        result.catch(() => {})
        throw new TypeError("The schema is asynchronous.")
      }
      return checkedByStandard(result)
    },
    checkAsync: async (value) => checkedByStandard(await standard.validate(value)),
    alternatives: undefined,
  }
}

/**
 * Valibot throws for the checks of a pipe that JSON Schema cannot express, such as `v.check`. Like Zod's refinements,
 * they are not sent, but the answer is checked against them.
 */
const VALIBOT_OPTIONS = {
  overrideAction: ({ jsonSchema, errors }: { jsonSchema: JsonSchema; errors: unknown }) =>
    errors === null || errors === undefined ? undefined : jsonSchema,
}

/** The library throws for what it cannot express. */
function jsonSchemaOf({ vendor, jsonSchema }: StandardAnswerModel<unknown>["~standard"]): JsonSchema {
  try {
    const libraryOptions = vendor === "valibot" ? VALIBOT_OPTIONS : undefined
    const json = jsonSchema.input({ target: "draft-2020-12", libraryOptions })
    if (isRecord(json)) return json
  } catch (cause) {
    throw new UnsupportedSchemaError("answer", "this schema", "Its library says why in `error.cause`.", cause)
  }
  throw new UnsupportedSchemaError("answer", "this schema", "Its library returned no JSON Schema.")
}

function checkedByStandard(result: StandardResult): CheckResult {
  if (result.issues === undefined) return { status: "valid", answer: result.value }
  return { status: "invalid", issues: result.issues.slice(0, MAX_ISSUES).map(issueOf) }
}

function issueOf({ path = [], message }: StandardIssue): AnswerIssue {
  const keys = path.map((segment) => (typeof segment === "object" ? segment.key : segment))
  return {
    path: keys.map((key) => (typeof key === "symbol" ? String(key) : key)),
    code: "invalid",
    message: String(message).slice(0, MAX_MESSAGE),
  }
}
