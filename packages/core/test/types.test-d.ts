import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import * as v from "valibot"
import { describe, expectTypeOf, it } from "vitest"
import { z } from "zod"
import * as mini from "zod/mini"
import {
  type AnswerModel,
  type CompiledAnswer,
  type CoreError,
  type CoreErrorCode,
  compileAnswer,
  type DeepPartial,
  InvalidRequestError,
  jsonSchema,
  P2Error,
  Request,
  type RequestOptions,
} from "../src/index"

const user = z.object({ name: z.string(), age: z.number().optional() })
type User = { name: string; age?: number | undefined }

describe("the answer", () => {
  it("is a string without a schema, and the schema's output with one", () => {
    expectTypeOf(new Request({ model: "m" })).toEqualTypeOf<Request<string>>()
    expectTypeOf(new Request({ model: "m", answerModel: user })).toEqualTypeOf<Request<User>>()
    expectTypeOf(new Request({ model: "m", answerModel: z.array(z.date()) })).toEqualTypeOf<Request<Date[]>>()
    expectTypeOf(new Request({ model: "m", answerModel: mini.object({ a: mini.string() }) })).toEqualTypeOf<
      Request<{ a: string }>
    >()
    const length = z.string().transform((text) => text.length)
    expectTypeOf(new Request({ model: "m", answerModel: length })).toEqualTypeOf<Request<number>>()
    expectTypeOf(compileAnswer(user)).toEqualTypeOf<CompiledAnswer<User>>()
  })

  it("is inferred from schemas of other libraries, and from a JSON Schema that is written out", () => {
    const valibot = toStandardJsonSchema(v.object({ name: v.string(), age: v.optional(v.number()) }))
    expectTypeOf(new Request({ model: "m", answerModel: valibot })).toEqualTypeOf<Request<User>>()
    const arktype = type({ name: "string", tags: "string[]" })
    expectTypeOf(new Request({ model: "m", answerModel: arktype })).toEqualTypeOf<
      Request<{ name: string; tags: string[] }>
    >()
    const written = jsonSchema({
      type: "object",
      properties: {
        kind: { enum: ["a", "b"] },
        tags: { type: "array", items: { type: ["string", "null"] } },
        inner: { type: "object", additionalProperties: { type: "number" } },
        either: { anyOf: [{ type: "boolean" }, { const: 5 }] },
      },
      required: ["kind", "tags"],
    })
    expectTypeOf(new Request({ model: "m", answerModel: written })).toEqualTypeOf<
      Request<{
        kind: "a" | "b"
        tags: (string | null)[]
        inner?: Record<string, number>
        either?: boolean | 5
      }>
    >()
    expectTypeOf(jsonSchema<User>({ type: "object" })).toEqualTypeOf<AnswerModel<User>>()
    const schema: Record<string, unknown> = {}
    expectTypeOf(new Request({ model: "m", answerModel: jsonSchema(schema) })).toEqualTypeOf<Request<unknown>>()
    expectTypeOf(jsonSchema({}, v.object({ name: v.string() }))).toEqualTypeOf<AnswerModel<{ name: string }>>()
    // @ts-expect-error: a Standard Schema that states no JSON Schema
    new Request({ model: "m", answerModel: v.string() })
    // @ts-expect-error: a JSON Schema must be in `jsonSchema(…)`
    new Request({ model: "m", answerModel: { type: "object" } })
  })

  it("is kept by `with`, and changed by a new schema", () => {
    const request = new Request({ model: "m", answerModel: user })
    expectTypeOf(request.with({ maxBudget: 1 })).toEqualTypeOf<Request<User>>()
    expectTypeOf(request.with({ answerModel: z.number() })).toEqualTypeOf<Request<number>>()
  })

  it("goes through Request.from, from options and from requests", () => {
    expectTypeOf(Request.from({ model: "m", answerModel: user })).toEqualTypeOf<Request<User>>()
    expectTypeOf(Request.from(new Request({ model: "m", answerModel: user }))).toEqualTypeOf<Request<User>>()
    expectTypeOf(Request.from({ model: "m" })).toEqualTypeOf<Request<string>>()
  })

  it("is available only after a check of `ok`", () => {
    const result = compileAnswer(user).parse("")
    // @ts-expect-error: the result may be an error
    result.answer
    if (result.ok) expectTypeOf(result.answer).toEqualTypeOf<User>()
    else expectTypeOf(result.error.reason).toEqualTypeOf<"json" | "shape" | "code">()
  })
})

describe("options", () => {
  it("may be undefined under exactOptionalPropertyTypes", () => {
    const maybe = undefined as number | undefined
    const options: RequestOptions = { model: "m", temperature: maybe, maxBudget: maybe, userBudget: undefined }
    expectTypeOf(new Request(options)).toEqualTypeOf<Request<string>>()
    new Request({ model: "m", userId: "u", userBudget: { limit: 5, per: "day", timeZone: undefined } })
    new Request({ model: "m", userId: "u", userBudget: { limit: "5", per: "90m" } })
  })

  it("have only known names and the right types", () => {
    // @ts-expect-error: no such option
    new Request({ model: "m", max_budget: 5 })
    // @ts-expect-error: a number
    new Request({ model: "m", temperature: "hot" })
    // @ts-expect-error: no such period
    new Request({ model: "m", userId: "u", userBudget: { limit: 5, per: "fortnight" } })
    // @ts-expect-error: needs a model
    new Request({})
    const request = new Request({ model: "m" })
    // @ts-expect-error: read only
    request.model = "other"
  })
})

describe("DeepPartial", () => {
  it("makes every part optional, and keeps atomic values", () => {
    type Whole = { at: Date; list: { a: string }[]; map: Map<string, number>; pair: [string, number]; kind: "a" | "b" }
    type Partial = {
      at?: Date | undefined
      list?: { a?: string | undefined }[] | undefined
      map?: Map<string, number> | undefined
      pair?: (string | number)[] | undefined
      kind?: "a" | "b" | undefined
    }
    expectTypeOf<DeepPartial<Whole>>().toEqualTypeOf<Partial>()
    expectTypeOf<DeepPartial<string>>().toEqualTypeOf<string>()
  })
})

describe("a schema of 50 fields", () => {
  const part = z.object({
    a: z.string(),
    b: z.number().optional(),
    c: z.boolean().default(true),
    d: z.array(z.object({ x: z.enum(["p", "q"]), y: z.date() })),
    e: z.record(z.string(), z.bigint()),
    f: z.union([z.literal("f"), z.number()]),
    g: z.tuple([z.string(), z.number()]),
    h: z.string().nullable(),
    i: z.discriminatedUnion("k", [z.object({ k: z.literal(1) }), z.object({ k: z.literal(2), v: z.string() })]),
    j: z.string().transform(Number),
  })
  const keys = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] as const
  const wide = z.object({
    ...rename(part.shape, "p1_"),
    ...rename(part.shape, "p2_"),
    ...rename(part.shape, "p3_"),
    ...rename(part.shape, "p4_"),
    ...rename(part.shape, "p5_"),
  })

  it("type-checks, with every field", () => {
    const request = new Request({ model: "m", answerModel: wide })
    type Answer = typeof request extends Request<infer A> ? A : never
    expectTypeOf<keyof Answer>().toEqualTypeOf<`p${1 | 2 | 3 | 4 | 5}_${(typeof keys)[number]}`>()
    expectTypeOf<Answer["p3_d"]>().toEqualTypeOf<{ x: "p" | "q"; y: Date }[]>()
    expectTypeOf<Answer["p5_j"]>().toEqualTypeOf<number>()
  })
})

function rename<Shape extends z.ZodRawShape, Prefix extends string>(shape: Shape, prefix: Prefix) {
  const entries = Object.entries(shape).map(([key, value]) => [prefix + key, value])
  return Object.fromEntries(entries) as { [Key in keyof Shape as `${Prefix}${Key & string}`]: Shape[Key] }
}

it("narrows an error by its code", () => {
  const nameField = (error: CoreError): readonly unknown[] | string | undefined => {
    switch (error.code) {
      case "invalid-request":
        expectTypeOf(error).toEqualTypeOf<InvalidRequestError>()
        return error.issues
      case "invalid-argument":
        return error.argument
      case "unknown-model":
        return error.nearest
      case "unsupported-schema":
        return error.construct
      case "invalid-answer":
        return error.reason
      case "aborted":
        return undefined
      default:
        // A class that is missing above does not compile.
        return error satisfies never
    }
  }
  expectTypeOf(nameField).parameter(0).toEqualTypeOf<CoreError>()
  expectTypeOf<CoreErrorCode>().toEqualTypeOf<CoreError["code"]>()
  const unknown: unknown = undefined
  if (InvalidRequestError.isInstance(unknown)) expectTypeOf(unknown).toEqualTypeOf<InvalidRequestError>()
  if (P2Error.isInstance(unknown)) expectTypeOf(unknown.code).toEqualTypeOf<string>()
})
