import { toStandardJsonSchema } from "@valibot/to-json-schema"
import { type } from "arktype"
import * as v from "valibot"
import { describe, expect, it } from "vitest"
import { type AnswerModel, compileAnswer, jsonSchema, Request } from "../src/index"
import { strictViolations } from "./strict-schema"

interface Person {
  name: string
  age: number
  tags: string[]
  nick?: string | undefined
}

const SCHEMAS: Record<string, AnswerModel<Person>> = {
  Valibot: toStandardJsonSchema(
    v.object({
      name: v.pipe(v.string(), v.minLength(1)),
      age: v.pipe(v.number(), v.integer(), v.minValue(0)),
      tags: v.array(v.string()),
      nick: v.optional(v.string()),
    }),
  ),
  ArkType: type({ name: "string > 0", age: "number.integer >= 0", tags: "string[]", "nick?": "string" }),
  "a JSON Schema": jsonSchema<Person>({
    type: "object",
    properties: {
      name: { type: "string", minLength: 1 },
      age: { type: "integer", minimum: 0 },
      tags: { type: "array", items: { type: "string" } },
      nick: { type: "string" },
    },
    required: ["name", "age", "tags"],
    additionalProperties: false,
  }),
}

describe.each(Object.entries(SCHEMAS))("an answer schema of %s", (_, schema) => {
  const compiledAnswer = compileAnswer(schema)

  it("is strict: every key is required, and the optional one nullable", () => {
    const { jsonSchema: json } = compiledAnswer
    expect(strictViolations(json as never)).toEqual([])
    expect(json.required).toEqual(expect.arrayContaining(["name", "age", "tags", "nick"]))
    expect((json.properties as Record<string, unknown>).nick).toMatchObject({ type: ["string", "null"] })
    expect(compiledAnswer.answerFormat.json_schema).toMatchObject({ name: "answer", strict: true })
  })

  it("accepts what fits, with absent keys as null or absent", async () => {
    const wanted = { ok: true, answer: { name: "Ann", age: 7, tags: ["a"] } }
    expect(compiledAnswer.parse('{"name":"Ann","age":7,"tags":["a"],"nick":null}')).toEqual(wanted)
    expect(await compiledAnswer.parseAsync('{"name":"Ann","age":7,"tags":["a"]}')).toEqual(wanted)
    expect(compiledAnswer.parse('{"name":"Ann","age":7,"tags":["a"],"nick":"A"}')).toMatchObject({
      answer: { nick: "A" },
    })
  })

  it("names the path of what does not fit", () => {
    const result = compiledAnswer.parse('{"name":"Ann","age":-1,"tags":["a",5],"nick":null}')
    if (result.ok) throw new Error("accepted")
    expect(result.error).toMatchObject({ code: "invalid-answer", reason: "shape" })
    expect(result.error.issues.map(({ path }) => path.join("."))).toEqual(expect.arrayContaining(["age", "tags.1"]))
    expect(result.error.message).not.toContain("Ann")
    expect(compiledAnswer.parse("no JSON")).toMatchObject({ ok: false, error: { reason: "json" } })
  })

  it("shows an unfinished answer", () => {
    expect(compiledAnswer.parsePartial('{"name":"An')).toEqual({ name: "An" })
    expect(compiledAnswer.parsePartial('{"name":"Ann","age":7,"tags":["a","b')).toEqual({
      name: "Ann",
      age: 7,
      tags: ["a", "b"],
    })
  })

  it("is an option of a request", () => {
    expect(new Request({ model: "m", answerModel: schema }).answerModel).toBe(schema)
  })
})

describe("a Standard Schema", () => {
  it("transforms the answer", () => {
    const schema = toStandardJsonSchema(
      v.pipe(
        v.object({ at: v.string() }),
        v.transform(({ at }) => new Date(at)),
      ),
    )
    expect(compileAnswer(schema).parse('{"at":"2026-11-30"}')).toEqual({ ok: true, answer: new Date("2026-11-30") })
  })

  it("may be asynchronous, with parseAsync only", async () => {
    const slow = v.objectAsync({
      a: v.pipeAsync(
        v.string(),
        v.checkAsync(async (text) => text === "yes", "not yes"),
      ),
    })
    const { parse, parseAsync } = compileAnswer(
      jsonSchema({ type: "object", properties: { a: { type: "string" } }, required: ["a"] }, slow),
    )
    expect(await parseAsync('{"a":"yes"}')).toEqual({ ok: true, answer: { a: "yes" } })
    expect(await parseAsync('{"a":"no"}')).toMatchObject({ error: { issues: [{ path: ["a"], message: "not yes" }] } })
    expect(parse('{"a":"yes"}')).toMatchObject({ ok: false, error: { reason: "code" } })
  })

  it("that throws is a bug in the schema", async () => {
    const schema = toStandardJsonSchema(
      v.pipe(
        v.object({ a: v.string() }),
        v.check(() => {
          throw new Error("bug")
        }),
      ),
    )
    expect(await compileAnswer(schema).parseAsync('{"a":""}')).toMatchObject({
      error: { reason: "code", cause: { message: "bug" } },
    })
  })

  it("without a JSON Schema is a usage error that says what to write", () => {
    const invalid = (answerModel: unknown) => () => new Request({ model: "m", answerModel: answerModel as never })
    expect(invalid(v.string())).toThrow(/toStandardJsonSchema/)
    const other = { "~standard": { version: 1, vendor: "other", validate: () => ({ value: 1 }) } }
    expect(invalid(other)).toThrow(/`jsonSchema\(\{…\}, schema\)`/)
    expect(invalid({ type: "object" })).toThrow(/`jsonSchema\(…\)`/)
    expect(() => compileAnswer(toStandardJsonSchema(v.object({ at: v.date() })))).toThrow(
      expect.objectContaining({ code: "unsupported-schema", kind: "usage" }),
    )
  })
})

describe("jsonSchema()", () => {
  const parse = (schema: Record<string, unknown>, value: unknown) => {
    const compiledAnswer = compileAnswer(jsonSchema<unknown>(schema))
    expect(strictViolations(compiledAnswer.jsonSchema as never)).toEqual([])
    return compiledAnswer.parse(JSON.stringify(value))
  }
  const inObject = (schema: unknown, rest: object = {}) => ({
    type: "object",
    properties: { a: schema },
    required: ["a"],
    ...rest,
  })

  it.each([
    ["string", { type: "string", pattern: "^a+$", maxLength: 3 }, ["a", "aaa"], ["aaaa", "b", 5, null]],
    ["number", { type: "number", exclusiveMinimum: 0, multipleOf: 0.1 }, [0.3, 7], [0, -1, 0.25, "1"]],
    ["integer", { type: "integer", minimum: 1, maximum: 3 }, [1, 3], [0, 4, 1.5]],
    ["draft 4 bound", { type: "number", minimum: 0, exclusiveMinimum: true }, [1], [0]],
    ["enum", { enum: ["a", 1, null] }, ["a", 1, null], ["b", 2, false]],
    ["const", { const: "a" }, ["a"], ["b"]],
    ["nullable", { type: ["string", "null"] }, ["a", null], [1]],
    ["OpenAPI's nullable", { type: "string", nullable: true }, ["a", null], [1]],
    [
      "array",
      { type: "array", items: { type: "number" }, minItems: 1, uniqueItems: true },
      [[1, 2]],
      [[], [1, 1], ["a"]],
    ],
    ["record", { type: "object", additionalProperties: { type: "number" } }, [{ x: 1 }, {}], [{ x: "1" }, 5]],
    [
      "named record",
      { type: "object", additionalProperties: { type: "number" }, propertyNames: { pattern: "^x" }, maxProperties: 1 },
      [{ x: 1 }],
      [{ y: 1 }, { x: 1, xx: 1 }],
    ],
    ["pattern record", { type: "object", patternProperties: { "^x": { type: "number" } } }, [{ x: 1 }], [{ x: "1" }]],
    [
      "tuple",
      { type: "array", prefixItems: [{ type: "string" }, { type: "number" }], items: false, minItems: 2 },
      [["a", 1]],
      [["a"], [1, "a"], ["a", 1, 2]],
    ],
    [
      "old tuple",
      { type: "array", items: [{ type: "string" }], additionalItems: { type: "number" } },
      [["a", 1]],
      [["a", "b"]],
    ],
    ["anyOf", { anyOf: [{ type: "string" }, inObject({ type: "number" })] }, ["a", { a: 1 }], [1, { a: "1" }]],
    ["oneOf", { oneOf: [{ type: "integer" }, { type: "number", minimum: 10 }] }, [1, 10.5], [10, 0.5]],
    [
      "allOf",
      {
        allOf: [
          inObject({ type: "string" }),
          { type: "object", properties: { b: { type: "number" } }, required: ["b"] },
        ],
      },
      [{ a: "x", b: 1 }],
      [{ a: "x" }, { b: 1 }],
    ],
    ["not", { type: "string", not: { const: "a" } }, ["b"], ["a"]],
    ["no type", { properties: { a: { type: "string" } }, required: ["a"] }, [{ a: "x" }], [{ a: 1 }, {}]],
    ["any value", {}, ["a", 1, null, [{ x: [1] }]], []],
  ])("checks a %s", (_, schema, valid, invalid) => {
    for (const value of valid) expect(parse(inObject(schema), { a: value })).toEqual({ ok: true, answer: { a: value } })
    for (const value of invalid) expect(parse(inObject(schema), { a: value })).toMatchObject({ ok: false })
  })

  it("reads the entries on the wire as a record", () => {
    const schema = inObject({ type: "object", additionalProperties: { type: "number" } })
    expect(parse(schema, { a: [{ key: "x", value: 1 }] })).toEqual({ ok: true, answer: { a: { x: 1 } } })
  })

  it("wraps a root that is not an object", () => {
    const { jsonSchema: json, parse: parseText } = compileAnswer(
      jsonSchema({ title: "Numbers", type: "array", items: { type: "number" } }),
    )
    expect(json).toMatchObject({ type: "object", required: ["answer"] })
    expect(parseText('{"answer":[1]}')).toEqual({ ok: true, answer: [1] })
    expect(parseText("[1]")).toEqual({ ok: true, answer: [1] })
  })

  it("follows references, recursive ones too", () => {
    const schema = {
      title: "Tree of names",
      $ref: "#/$defs/node",
      $defs: {
        node: {
          type: "object",
          description: "A node.",
          properties: {
            name: { $ref: "#/definitions/word" },
            children: { type: "array", items: { $ref: "#/$defs/node" } },
          },
          required: ["name", "children"],
        },
      },
      definitions: { word: { type: "string" } },
    }
    const tree = { name: "a", children: [{ name: "b", children: [] }] }
    expect(parse(schema, tree)).toEqual({ ok: true, answer: tree })
    expect(parse(schema, { name: "a", children: [{ name: 5, children: [] }] })).toMatchObject({
      error: { issues: [{ path: ["children", 0, "name"] }] },
    })
    expect(compileAnswer(jsonSchema<unknown>(schema)).name).toBe("Tree_of_names")
  })

  it("takes linear time for nested unions", () => {
    const node = { type: "object", properties: { a: { $ref: "#/$defs/any" } } }
    const schema = { ...node, $defs: { any: { anyOf: [node, node, node, { type: "string", const: "never" }] } } }
    let value: object = { a: 5 }
    for (let depth = 0; depth < 200; depth++) value = { a: value }
    expect(parse(schema, value)).toMatchObject({ ok: false })
  })

  it.each([
    [{ type: "object", if: {} }, "the keyword `if`"],
    [inObject({ type: "string", minlength: 5 }), "the keyword `minlength`"],
    [inObject({ $ref: "#/$defs/none" }), "the reference `#/$defs/none`"],
    [inObject({ type: "text" }), 'the type "text"'],
    [inObject(false), "a schema that allows no value"],
    [inObject({ enum: [{}] }), "an enum without a simple value"],
    [inObject({ allOf: [{ type: "string" }, { type: "number" }] }), "this combination of schemas"],
    [{ $ref: "#" }, "a schema that contains itself directly"],
  ])("rejects what it cannot check or express: %j", (schema, construct) => {
    expect(() => compileAnswer(jsonSchema<unknown>(schema))).toThrow(
      expect.objectContaining({ code: "unsupported-schema", construct }),
    )
  })

  it("copies the schema", () => {
    const properties: Record<string, unknown> = { a: { type: "string" } }
    const model = jsonSchema<unknown>({ type: "object", properties, required: ["a"] })
    properties.a = { type: "number" }
    expect(compileAnswer(model).parse('{"a":"x"}')).toMatchObject({ ok: true })
    expect(() => jsonSchema(5 as never)).toThrow(/`schema`/)
    expect(() => jsonSchema({}, {} as never)).toThrow(/`validator`/)
  })
})
