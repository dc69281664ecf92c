import { expect, it } from "vitest"
import { z } from "zod-oldest"
import { type AnswerModel, compileAnswer, Request } from "../src/index"

const category = z.object({
  name: z.string(),
  get children() {
    return z.array(category)
  },
})

// Zod 4's first release: the lower end of the peer range.
it.each<[string, AnswerModel, unknown, unknown]>([
  ["optional", z.object({ a: z.string().optional(), b: z.int32().default(3) }), { a: null, b: null }, { b: 3 }],
  ["undefined", z.object({ a: z.undefined() }), { a: null }, { a: undefined }],
  ["stringbool", z.stringbool(), { answer: "yes" }, true],
  ["partial record", z.partialRecord(z.enum(["a", "b"]), z.number()), { answer: [{ key: "a", value: 1 }] }, { a: 1 }],
  ["record of known keys", z.record(z.enum(["a", "b"]), z.number()), { a: 1, b: 2 }, { a: 1, b: 2 }],
  ["map", z.map(z.string(), z.bigint()), { answer: [{ key: "a", value: "1" }] }, new Map([["a", 1n]])],
  ["set", z.set(z.date()).min(1), { answer: ["2024-07-18T00:00:00Z"] }, new Set([new Date("2024-07-18")])],
  ["tuple", z.tuple([z.string(), z.date().optional()]), { answer: { item1: "a", item2: null } }, ["a"]],
  ["json", z.json(), { answer: [[{ key: "a", value: 1 }], []] }, [{ a: 1 }, []]],
  ["literal", z.array(z.literal(["a", 1, null, 5n])), { answer: ["a", 1, null, "5"] }, ["a", 1, null, 5n]],
  ["template literal", z.templateLiteral([z.number(), "px"]), { answer: "12px" }, "12px"],
  ["recursive getter", category, { name: "a", children: [] }, { name: "a", children: [] }],
  ["preprocess", z.preprocess((value) => value, z.number()), { answer: 3 }, 3],
  ["pipe", z.string().pipe(z.enum(["a", "b"])), { answer: "a" }, "a"],
  [
    "intersection",
    z.intersection(z.object({ a: z.string() }), z.object({ b: z.bigint() })),
    { a: "x", b: "1" },
    { a: "x", b: 1n },
  ],
])("sends %s of zod 4.0.0 and parses the answer", (_, schema, sent, answer) => {
  expect(new Request({ model: "m", answerModel: schema }).answerModel).toBe(schema)
  expect(compileAnswer(schema).parse(JSON.stringify(sent))).toEqual({ ok: true, answer })
})

it("reads the checks and descriptions of zod 4.0.0", () => {
  const schema = z.object({ mail: z.email().describe("Mail."), n: z.number().gt(1), list: z.array(z.string()).max(2) })
  expect(compileAnswer(schema).jsonSchema.properties).toEqual({
    mail: { type: "string", format: "email", description: "Mail." },
    n: { type: "number", exclusiveMinimum: 1 },
    list: { type: "array", items: { type: "string" }, maxItems: 2 },
  })
})
