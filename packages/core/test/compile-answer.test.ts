import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { z } from "zod"
import * as mini from "zod/mini"
import { compileAnswer, InvalidAnswerError, P2Error, UnsupportedSchemaError } from "../src/index"
import { CONSTRUCTS, INEXPRESSIBLE } from "./construct-table"

function errorOf(schema: z.ZodType): UnsupportedSchemaError {
  try {
    compileAnswer(schema)
  } catch (error) {
    expect(error).toBeInstanceOf(UnsupportedSchemaError)
    return error as UnsupportedSchemaError
  }
  throw new Error("The schema was compiled.")
}

function failure(schema: z.ZodType, text: string): InvalidAnswerError {
  const result = compileAnswer(schema).parse(text)
  if (result.ok) throw new Error("The answer was taken.")
  expect(result.error).toBeInstanceOf(InvalidAnswerError)
  expect(P2Error.isInstance(result.error)).toBe(true)
  return result.error
}

describe("constructs of Zod", () => {
  it.each(CONSTRUCTS)("sends $name and parses the answer", async ({ schema, sent, answer }) => {
    const result = await compileAnswer(schema).parseAsync(JSON.stringify(sent))
    expect(result).toEqual({ ok: true, answer })
  })

  it("supports as many of them as the README states, and at least 45", () => {
    const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8")
    expect(readme).toContain(`${CONSTRUCTS.length} constructs of Zod`)
    expect(new Set(CONSTRUCTS.map(({ name }) => name)).size).toBeGreaterThanOrEqual(45)
  })

  it.each(INEXPRESSIBLE)("rejects $name with its path and a remedy", ({ schema, construct }) => {
    const error = errorOf(z.object({ user: z.array(z.object({ field: schema })) }))
    expect(error).toMatchObject({ code: "unsupported-schema", kind: "usage", path: "answer.user[].field" })
    expect(error.construct).toMatch(construct)
    expect(error.message).toMatch(/at `answer\.user\[\]\.field`\. \S.*\.$/)
  })

  it("rejects schemas that no value can satisfy, and endless ones", () => {
    expect(errorOf(z.intersection(z.string(), z.number())).construct).toBe("an intersection of string and number")
    expect(errorOf(z.intersection(z.enum(["a"]), z.enum(["b"]))).construct).toMatch(/intersection/)
    expect(errorOf(z.union([z.never()])).construct).toMatch(/union/)
    const shared = z.object({ a: z.array(z.set(z.string())) })
    expect(errorOf(z.intersection(shared, shared.extend({ b: z.string() }))).construct).toBe(
      "an intersection of object and object",
    )
    const endless = (): z.ZodType => z.lazy(() => z.array(endless()))
    expect(errorOf(endless()).construct).toBe("an infinitely nested schema")
    const itself: z.ZodType = z.lazy(() => itself)
    expect(errorOf(itself).construct).toBe("a schema that contains itself directly")
    const through: z.ZodType = z.lazy(() =>
      z.preprocess(
        (value) => value,
        z.preprocess((value) => value, through),
      ),
    )
    expect(errorOf(through).construct).toBe("a schema that contains itself directly")
    const tree = z.object({
      get child() {
        return z.array(tree)
      },
    })
    const other = z.object({
      get child() {
        return z.array(other)
      },
    })
    expect(errorOf(z.intersection(tree, other)).construct).toMatch(/intersection/)
    expect(errorOf(z.object({ [Symbol("x")]: z.string() } as never)).construct).toBe("a symbol as a key")
  })

  it("rejects unions that contain only each other, with their path", () => {
    const a: z.ZodType = z.lazy(() => z.union([b, z.string()]))
    const b: z.ZodType = z.lazy(() => z.union([c, z.number()]).nullable())
    const c: z.ZodType = z.lazy(() => z.union([a.optional(), b]))
    const object = z.lazy(() => z.object({ a: z.array(a) }))
    const none: z.ZodType = z.lazy(() => z.union([z.lazy(() => none), z.lazy(() => none)]))
    for (const schema of [a, b, c, object, none, z.intersection(z.object({ x: a }), z.object({ x: b }))])
      expect(errorOf(schema).construct).toBe("a schema that contains itself directly")
    expect(errorOf(object).path).toBe("answer.a[]")
    const list: z.ZodType = z.lazy(() => z.union([z.array(list), z.array(z.union([list, z.string()]))]))
    expect(compileAnswer(list).parse('{"answer":[["a"],[]]}')).toEqual({ ok: true, answer: [["a"], []] })
  })

  it("rejects everything but Zod 4 schemas", () => {
    for (const wrong of [null, undefined, "string", {}, { _def: {} }, { type: "object" }])
      expect(() => compileAnswer(wrong as never)).toThrow(/Invalid `answerModel`: expected a Zod 4 schema/)
  })

  it("accepts schemas of zod/mini", () => {
    const schema = mini.object({ a: mini.optional(mini.string()), at: mini.date() })
    const result = compileAnswer(schema).parse('{"a":null,"at":"2024-07-18T00:00:00Z"}')
    expect(result).toEqual({ ok: true, answer: { at: new Date("2024-07-18") } })
  })
})

describe("the JSON Schema", () => {
  const schema = z
    .object({ name: z.string().min(1).max(9).describe("Full name."), age: z.int().min(0).optional() })
    .meta({ title: "User detail!", description: "A person." })

  it("is strict, and comes as a response format, as a tool and as an instruction", () => {
    const compiledAnswer = compileAnswer(schema)
    const json = {
      type: "object",
      properties: {
        name: { type: "string", description: "Full name. At least 1 character. At most 9 characters." },
        age: { type: ["integer", "null"], minimum: 0 },
      },
      required: ["name", "age"],
      additionalProperties: false,
      description: "A person.",
    }
    expect(compiledAnswer.jsonSchema).toEqual(json)
    expect(compiledAnswer.answerFormat).toEqual({
      type: "json_schema",
      json_schema: { name: "User_detail_", description: "A person.", schema: json, strict: true },
    })
    expect(compiledAnswer.tool).toEqual({
      type: "function",
      function: { name: "User_detail_", description: "A person.", parameters: json, strict: true },
    })
    expect(compiledAnswer.instructions).toContain(JSON.stringify(compiledAnswer.jsonSchema))
    expect(Object.isFrozen(compiledAnswer.jsonSchema.properties)).toBe(true)
  })

  it("is compiled once per schema object", () => {
    expect(compileAnswer(schema)).toBe(compileAnswer(schema))
    expect(compileAnswer(z.object({}))).not.toBe(compileAnswer(z.object({})))
  })

  it("has the checks that strict mode supports as keywords, and the others in descriptions", () => {
    const { jsonSchema } = compileAnswer(
      z.object({
        code: z.string().regex(/^[A-Z]{3}$/),
        loose: z.string().regex(/^abc$/i),
        ahead: z.string().regex(/^(?!a)/),
        at: z.iso.datetime({ offset: true }),
        url: z.url(),
        part: z.number().gt(0).lt(1).multipleOf(0.25),
        list: z.array(z.string()).length(2),
        big: z.bigint().min(3n),
        day: z.date().max(new Date(0)),
        dozens: z.bigint().multipleOf(12n),
        sixth: z.number().multipleOf(2).multipleOf(-3),
      }),
    )
    expect(jsonSchema.properties).toEqual({
      code: { type: "string", pattern: "^[A-Z]{3}$" },
      loose: { type: "string", description: "Matches /^abc$/i." },
      ahead: { type: "string", description: "Matches /^(?!a)/." },
      at: { type: "string", format: "date-time" },
      url: { type: "string", description: "Format: url." },
      part: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1, multipleOf: 0.25 },
      list: { type: "array", items: { type: "string" }, minItems: 2, maxItems: 2 },
      big: { type: "string", pattern: "^-?[0-9]+$", description: "An integer in decimal digits. At least 3." },
      day: { type: "string", format: "date-time", description: "At most 1970-01-01T00:00:00.000Z." },
      dozens: {
        type: "string",
        pattern: "^-?[0-9]+$",
        description: "An integer in decimal digits. A multiple of 12.",
      },
      sixth: { type: "number", multipleOf: 2, description: "A multiple of -3." },
    })
  })

  it("describes each place of a type that occurs more than once", () => {
    const { jsonSchema } = compileAnswer(
      z.object({ a: z.any().describe("First."), b: z.unknown().describe("Second."), c: z.any() }),
    )
    expect(jsonSchema.properties).toEqual({
      a: { description: "First.", anyOf: [{ $ref: "#/$defs/json" }] },
      b: { description: "Second.", anyOf: [{ $ref: "#/$defs/json" }] },
      c: { $ref: "#/$defs/json" },
    })
    expect(JSON.stringify(jsonSchema.$defs)).not.toContain("description")
  })

  it("names custom formats in descriptions", () => {
    const schema = z.object({ a: z.stringFormat("constructor", () => true) }).meta({ title: "" })
    const { name, jsonSchema } = compileAnswer(schema)
    expect(name).toBe("answer")
    expect(jsonSchema.properties).toEqual({ a: { type: "string", description: "Format: constructor." } })
  })

  it("accepts a title that is not a string as a name", () => {
    for (const [title, name] of [
      [5, "5"],
      [{ en: "User" }, "_object_Object_"],
      [null, "answer"],
    ])
      expect(compileAnswer(z.object({ a: z.string() }).meta({ title } as never)).name).toBe(name)
  })

  it("refers to recursive types, also below the root", () => {
    const node = z.object({
      get next() {
        return node.optional()
      },
    })
    expect(compileAnswer(z.object({ first: node })).jsonSchema).toEqual({
      type: "object",
      properties: { first: { $ref: "#/$defs/type1" } },
      required: ["first"],
      additionalProperties: false,
      $defs: {
        type1: {
          type: "object",
          properties: { next: { anyOf: [{ $ref: "#/$defs/type1" }, { type: "null" }] } },
          required: ["next"],
          additionalProperties: false,
        },
      },
    })
  })
})

describe("limits of strict mode", () => {
  const wide = (count: number) =>
    z.object(Object.fromEntries(Array.from({ length: count }, (_, i) => [`p${i}`, z.boolean()])))
  const deep = (levels: number): z.ZodType =>
    levels === 1 ? z.object({ a: z.string() }) : z.object({ a: deep(levels - 1) })
  const values = (count: number, length = 4) =>
    z.object({ e: z.enum(Array.from({ length: count }, (_, i) => String(i).padStart(length, "0"))) })

  it.each([
    ["5,000 properties", wide(5_000), wide(5_001), /more than 5000 properties/],
    ["10 levels", deep(10), deep(11), /more than 10 levels/],
    ["1,000 enum values", values(1_000), values(1_001), /more than 1000 enum values/],
    ["15,000 characters in a long enum", values(251, 59), values(251, 60), /more than 15000 characters/],
    [
      "120,000 characters",
      z.object({ ["k".repeat(120_000)]: z.string() }),
      z.object({ ["k".repeat(120_001)]: z.string() }),
      /more than 120000 characters/,
    ],
  ])("are %s", (_, fits, tooLarge, message) => {
    expect(compileAnswer(fits).jsonSchema.type).toBe("object")
    expect(errorOf(tooLarge).message).toMatch(message)
  })

  it("are found early in schemas that share parts many times", () => {
    let schema: z.ZodType = z.string()
    for (let level = 0; level < 9; level++)
      schema = z.object({ a: schema, b: schema, c: schema, d: schema, e: schema, f: schema })
    expect(errorOf(schema).construct).toBe("more than 5000 properties")
  })
})

describe("schemas that are too expensive to expand", () => {
  it("fail early for an intersection of unions with an option for each combination", () => {
    const choice = (index: number) =>
      z.union([z.object({ [`a${index}`]: z.string() }), z.object({ [`b${index}`]: z.string() })])
    const all = Array.from({ length: 40 }, (_, index) => choice(index)).reduce<z.ZodType>(
      (both, next) => z.intersection(both, next),
      choice(40),
    )
    expect(() => compileAnswer(all)).toThrow(/an intersection of intersection and union/)
  })

  it("have no number that JSON cannot express, and no missing definition", () => {
    expect(() => compileAnswer(z.literal([1, Number.NaN]))).toThrow(/without a JSON value/)
    expect(() => compileAnswer(z.literal(Number.POSITIVE_INFINITY))).toThrow(/without a JSON value/)
    expect(() => compileAnswer({ _zod: {}, safeParse() {} } as never)).toThrow(/a Zod 4 schema/)
  })
})

describe("a parsed answer", () => {
  it("keeps null where the schema accepts it, and removes it where it represents absence", () => {
    const schema = z.object({
      optional: z.string().optional(),
      nullish: z.string().nullish(),
      nullable: z.string().nullable(),
      preset: z.string().default("x"),
      presetNull: z.string().nullable().default("x"),
      maybe: z.union([z.string(), z.undefined()]),
    })
    const sent = { optional: null, nullish: null, nullable: null, preset: null, presetNull: null, maybe: null }
    expect(compileAnswer(schema).parse(JSON.stringify(sent))).toEqual({
      ok: true,
      answer: { nullish: null, nullable: null, preset: "x", presetNull: null },
    })
  })

  it("omits absent items at the end of a tuple, and keeps undefined ones", () => {
    const schema = z.tuple([z.string(), z.undefined(), z.string().optional(), z.string().optional()])
    const result = compileAnswer(schema).parse('{"answer":{"item1":"a","item2":null,"item3":null,"item4":null}}')
    expect(result).toStrictEqual({ ok: true, answer: ["a", undefined] })
  })

  it("may be in its natural form, as providers without strict mode write it", () => {
    const schema = z.array(
      z.object({
        scores: z.record(z.string(), z.number().optional()),
        pair: z.tuple([z.string(), z.bigint()], z.date()),
      }),
    )
    const natural = [{ scores: { a: 1, b: null }, pair: ["x", 5, "2024-07-18"] }]
    const answer = [{ scores: { a: 1 }, pair: ["x", 5n, new Date("2024-07-18")] }]
    expect(compileAnswer(schema).parse(JSON.stringify(natural))).toEqual({ ok: true, answer })
    expect(compileAnswer(schema).parse(JSON.stringify({ answer: natural }))).toEqual({ ok: true, answer })
  })

  it("chooses the option of a union that fits as a whole", () => {
    const schema = z.union([
      z.strictObject({ at: z.date() }),
      z.strictObject({ at: z.string(), note: z.string().optional() }),
      z.record(z.string(), z.bigint()),
    ])
    const { parse } = compileAnswer(schema)
    expect(parse('{"answer":{"at":"2024-07-18"}}')).toEqual({ ok: true, answer: { at: new Date("2024-07-18") } })
    expect(parse('{"answer":{"at":"2024-07-18","note":null}}')).toEqual({ ok: true, answer: { at: "2024-07-18" } })
    expect(parse('{"answer":[{"key":"at","value":"3"}]}')).toEqual({ ok: true, answer: { at: 3n } })
  })

  it("has the next option of a union if the first one of the right shape is invalid", async () => {
    const { parse, parseAsync } = compileAnswer(
      z.array(
        z.union([
          z.object({ at: z.date().min(new Date("2024-01-01")) }),
          z.object({ at: z.string().length(10) }),
          z.object({ at: z.string().refine(async () => true) }),
        ]),
      ),
    )
    expect(parse('{"answer":[{"at":"2024-07-18"},{"at":"1999-01-01"}]}')).toEqual({
      ok: true,
      answer: [{ at: new Date("2024-07-18") }, { at: "1999-01-01" }],
    })
    expect(await parseAsync('{"answer":[{"at":"1999-01-01T00:00Z"}]}')).toEqual({
      ok: true,
      answer: [{ at: "1999-01-01T00:00Z" }],
    })
    const small = compileAnswer(z.record(z.string(), z.union([z.bigint().max(5n), z.string()])))
    expect(small.parse('{"answer":[{"key":"a","value":"5"},{"key":"b","value":"6"}]}')).toEqual({
      ok: true,
      answer: { a: 5n, b: "6" },
    })
  })

  it("has a value where null is valid too, whatever else the answer contains", () => {
    const schema = z.object({ a: z.object({ at: z.date() }).nullable(), b: z.object({ at: z.date() }).optional() })
    const extra = { at: "2024-07-18", x: 1, y: 2, z: 3 }
    const at = new Date("2024-07-18")
    expect(compileAnswer(schema).parse(JSON.stringify({ a: extra, b: extra }))).toEqual({
      ok: true,
      answer: { a: { at }, b: { at } },
    })
  })

  it("has no tuple that is too long in its natural form", () => {
    const { parse } = compileAnswer(z.tuple([z.string(), z.string()]))
    expect(parse('["a","b"]').ok).toBe(true)
    expect(parse('["a","b","c"]').ok).toBe(false)
    expect(parse('["a"]').ok).toBe(false)
  })

  it("may use an alias of a recursive type with its own description", () => {
    const node: z.ZodType = z.lazy(() => z.object({ name: z.string(), next: described.nullable() }))
    const described = z.lazy(() => node).describe("The next one.")
    const { jsonSchema, parse } = compileAnswer(node)
    expect(jsonSchema).toEqual({
      type: "object",
      properties: {
        name: { type: "string" },
        next: { anyOf: [{ description: "The next one.", anyOf: [{ $ref: "#" }] }, { type: "null" }] },
      },
      required: ["name", "next"],
      additionalProperties: false,
    })
    const answer = { name: "a", next: { name: "b", next: null } }
    expect(parse(JSON.stringify(answer))).toEqual({ ok: true, answer })
  })

  it("takes time linear in its size through nested unions", () => {
    type Node = { child?: Node | undefined; kind: string }
    const node: z.ZodType<Node> = z.lazy(() =>
      z.union([
        z.object({ child: node.optional(), kind: z.literal("a") }),
        z.object({ child: node.optional(), kind: z.literal("b") }),
      ]),
    )
    // Each level is decided only after its children: 2^60 steps for a reader that starts over.
    let value: unknown = { child: null, kind: "b" }
    for (let level = 0; level < 60; level++) value = { child: value, kind: "wrong" }
    expect(compileAnswer(node).parsePartial(JSON.stringify(value))).toBeDefined()
  })

  it("is rejected if Zod would try the same value exponentially often, and accepted if not", async () => {
    const node: z.ZodType = z.lazy(() =>
      z.union([
        z.object({ child: node.optional(), at: z.string().max(9) }),
        z.object({ child: node.optional(), at: z.string().startsWith("b") }),
      ]),
    )
    const nested = (levels: number, at: string) => {
      let value: unknown = { child: null, at: "too long for it" }
      for (let level = 0; level < levels; level++) value = { child: value, at }
      return JSON.stringify({ answer: value })
    }
    const { parse, parseAsync } = compileAnswer(node)
    const both = z.object({
      get child() {
        return halves.nullable()
      },
    })
    const halves: z.ZodType = z.lazy(() => z.intersection(z.object({ own: both }), z.object({ own: both })))
    for (const result of [parse(nested(200, "b")), await parseAsync(nested(200, "b"))])
      expect(result.ok ? [] : result.error.issues).toEqual([
        { path: [], code: "too_deep", message: "Expected fewer levels of nesting." },
      ])
    const chain = (levels: number): unknown => (levels === 0 ? null : { child: chain(levels - 1), at: "b" })
    expect([12, 13].map((levels) => parse(JSON.stringify({ answer: chain(levels) })).ok)).toEqual([true, false])
    const shallow = parse(nested(3, "b"))
    expect(shallow.ok ? [] : shallow.error.issues.map(({ path }) => path)).toEqual([["child", "child", "child", "at"]])
    let twice: unknown = { own: { child: null } }
    for (let level = 0; level < 200; level++) twice = { own: { child: twice } }
    const doubled = compileAnswer(halves).parse(JSON.stringify(twice))
    expect(doubled.ok ? [] : doubled.error.issues.map(({ code }) => code)).toEqual(["too_deep"])
  })

  it("may be deep if Zod visits each value few times", () => {
    const by: z.ZodType = z.lazy(() =>
      z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("a"), of: by.nullable() }),
        z.object({ kind: z.literal("b"), of: by.nullable() }),
      ]),
    )
    let value: unknown = null
    for (let level = 0; level < 100; level++) value = { kind: level % 2 === 0 ? "a" : "b", of: value }
    expect(compileAnswer(by).parse(JSON.stringify({ answer: value }))).toEqual({ ok: true, answer: value })
    let lists: unknown = "x"
    for (let level = 0; level < 100; level++) lists = [lists]
    expect(compileAnswer(z.object({ a: z.json() })).parse(JSON.stringify({ a: lists }))).toEqual({
      ok: true,
      answer: { a: lists },
    })
    const many = Array.from({ length: 20_000 }, (_, index) => (index % 2 === 0 ? { a: index } : { b: `${index}` }))
    const either = z.array(z.union([z.strictObject({ a: z.int() }), z.strictObject({ b: z.string() })]))
    expect(compileAnswer(either).parse(JSON.stringify({ answer: many }))).toEqual({ ok: true, answer: many })
  })

  it("is rejected if a record has an object as a key, and read by another option of a union", () => {
    const { parse } = compileAnswer(z.object({ of: z.record(z.string(), z.string()) }))
    const result = parse('{"of":[{"key":{"toString":"x"},"value":"y"}]}')
    expect(result.ok ? [] : result.error.issues).toMatchObject([{ path: ["of"], code: "invalid_type" }])
    const either = compileAnswer(
      z.discriminatedUnion("kind", [
        z.object({ kind: z.literal("a"), of: z.map(z.object({ toString: z.string() }), z.object({})) }),
        z.object({ kind: z.literal("b"), of: z.record(z.int(), z.string()) }),
      ]),
    )
    expect(either.parse('{"answer":{"kind":"a","of":[{"key":{"toString":"x"},"value":{}}]}}')).toEqual({
      ok: true,
      answer: { kind: "a", of: new Map([[{ toString: "x" }, {}]]) },
    })
  })

  it("may have keys that every object inherits, also in unions", () => {
    const { parse } = compileAnswer(z.union([z.object({ a: z.string() }), z.object({ b: z.number() })]))
    const text = '{"answer":{"b":1,"toString":{"x":[]},"constructor":{"b":2},"__proto__":{"a":"x"}}}'
    expect(parse(text)).toEqual({ ok: true, answer: { b: 1 } })
  })

  it("is rejected if an entry has no value, unless the value is optional", () => {
    const entry = '{"answer":[{"key":"a"}]}'
    expect(failure(z.record(z.string(), z.object({})), entry).issues).toMatchObject([{ path: ["a"] }])
    expect(compileAnswer(z.record(z.string(), z.string().optional())).parse(entry)).toEqual({ ok: true, answer: {} })
    const absent = z.map(z.string().optional(), z.string().optional())
    expect(compileAnswer(absent).parse('{"answer":[{"key":null,"value":null}]}')).toEqual({
      ok: true,
      answer: new Map([[undefined, undefined]]),
    })
  })

  it("has no key of the prototype", () => {
    const schema = z.object({ map: z.record(z.string(), z.unknown()) })
    const text = '{"map":[{"key":"__proto__","value":[{"key":"polluted","value":true}]}],"__proto__":{"polluted":true}}'
    expect(compileAnswer(schema).parse(text).ok).toBe(true)
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
})

describe("answers that do not fit", () => {
  const schema = z.object({ user: z.object({ age: z.number() }), scores: z.record(z.string(), z.number()) })

  it("have paths and messages, and nothing of the answer in the error's message", () => {
    const error = failure(schema, '{"user":{"age":"secret"},"scores":[{"key":"secret key","value":"x"}]}')
    expect(error).toMatchObject({ code: "invalid-answer", kind: "failed", reason: "shape", retryable: false })
    expect(error.issues).toEqual([
      { path: ["user", "age"], code: "invalid_type", message: "Invalid input: expected number, received string" },
      {
        path: ["scores", "secret key"],
        code: "invalid_type",
        message: "Invalid input: expected number, received string",
      },
    ])
    expect(error.message).toBe(
      "The answer does not fit `answerModel`: invalid_type at answer.user.age, invalid_type at answer.scores.*.",
    )
  })

  it("have the issues of the union option that fits best", () => {
    const union = z.union([z.object({ a: z.string(), b: z.string() }), z.object({ a: z.number(), b: z.string() })])
    expect(failure(union, '{"answer":{"a":1,"b":2}}').issues.map(({ path }) => path)).toEqual([["b"]])
  })

  it("have the issues of the option of the right type, however many of its fields are wrong", () => {
    const user = z.object({ a: z.string(), b: z.string() })
    const paths = (schema: z.ZodType, answer: unknown) =>
      failure(schema, JSON.stringify({ answer })).issues.map(({ path, code }) => [code, ...path])
    const wrong = { a: 1, b: 2 }
    const expected = [
      ["invalid_type", "a"],
      ["invalid_type", "b"],
    ]
    expect(paths(z.union([z.string(), user]), wrong)).toEqual(expected)
    expect(paths(z.union([z.literal("none"), z.union([z.null(), user])]), wrong)).toEqual(expected)
    // Found by compile-answer-property: two strings that are too long outweighed a missing map.
    const entries = ["2024-01-01", "2025-01-01"].map((key) => ({ key, value: "x".repeat(21) }))
    const map = z.map(z.date(), z.string().max(20))
    expect(paths(z.union([map, z.null()]), entries).map(([code]) => code)).toEqual(["too_big", "too_big"])
    expect(paths(z.union([z.object({ of: z.null() }), z.object({ of: map })]), { of: entries })).toEqual([
      ["too_big", "of"],
      ["too_big", "of"],
    ])
  })

  it("that are not JSON are not quoted in the error", () => {
    const error = failure(schema, '{"user": secret')
    expect(error).toMatchObject({ reason: "json", message: "The answer is not JSON." })
    expect(error.cause).toBeUndefined()
    expect(failure(z.string(), "").reason).toBe("json")
  })

  it("that are nested too deeply are rejected without a stack overflow", () => {
    const node = z.object({
      get next() {
        return node.optional()
      },
    })
    const levels = 100_000
    const text = `${'{"next":'.repeat(levels)}null${"}".repeat(levels)}`
    expect(["shape", "code", "json"]).toContain(failure(node, text).reason)
    expect(compileAnswer(node).parsePartial(text.slice(0, levels))).toBeDefined()
  })

  it("because the schema's own code threw have its error as the cause", () => {
    const boom = new Error("boom")
    const throwing = z.string().transform(() => {
      throw boom
    })
    expect(failure(throwing, '{"answer":"x"}')).toMatchObject({ reason: "code", cause: boom })
  })

  it("of asynchronous schemas need parseAsync", async () => {
    const unique = z.object({ name: z.string().refine(async (name) => name !== "taken", "is taken") })
    expect(failure(unique, '{"name":"free"}').message).toMatch(/parseAsync/)
    const result = await compileAnswer(unique).parseAsync('{"name":"taken"}')
    expect(result.ok ? [] : result.error.issues).toEqual([{ path: ["name"], code: "custom", message: "is taken" }])
    const rejecting = z.string().refine(() => Promise.reject(new Error("database")))
    const rejected = await compileAnswer(rejecting).parseAsync('{"answer":"x"}')
    expect(rejected.ok ? "" : rejected.error.reason).toBe("code")
  })

  it("have at most 50 issues", () => {
    expect(failure(z.array(z.string()), JSON.stringify({ answer: Array(1_000).fill(1) })).issues).toHaveLength(50)
    const lists = z.array(z.union([z.array(z.string()), z.null()]))
    const wrong = JSON.stringify({ answer: Array(60).fill(Array(60).fill(1)) })
    expect(failure(lists, wrong).issues).toHaveLength(50)
  })
})
