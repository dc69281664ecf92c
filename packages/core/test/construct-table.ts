import { z } from "zod"

/** A schema that refers to itself by a getter, as the Zod 4 documentation does. */
const category = z.object({
  name: z.string(),
  get children() {
    return z.array(category)
  },
})

interface Chain {
  value: number
  next?: Chain | undefined
}
const chain: z.ZodType<Chain> = z.lazy(() => z.object({ value: z.number(), next: chain.optional() }))

enum Direction {
  Up = "UP",
  Down = "DOWN",
}

/**
 * Zod 4's constructs that `answerModel` may use, each with a provider's answer to its JSON Schema and the parsed value.
 */
export const CONSTRUCTS: readonly { name: string; schema: z.ZodType; sent: unknown; answer: unknown }[] = [
  { name: "string", schema: z.string().min(2), sent: { answer: "hi" }, answer: "hi" },
  { name: "string format", schema: z.email(), sent: { answer: "a@example.com" }, answer: "a@example.com" },
  { name: "number", schema: z.number().min(0), sent: { answer: 1.5 }, answer: 1.5 },
  { name: "int", schema: z.int32(), sent: { answer: 7 }, answer: 7 },
  { name: "boolean", schema: z.boolean(), sent: { answer: true }, answer: true },
  { name: "bigint", schema: z.bigint(), sent: { answer: "9007199254740993" }, answer: 9007199254740993n },
  { name: "date", schema: z.date(), sent: { answer: "2024-07-18T00:00:00Z" }, answer: new Date("2024-07-18") },
  { name: "null", schema: z.null(), sent: { answer: null }, answer: null },
  { name: "undefined", schema: z.undefined(), sent: { answer: null }, answer: undefined },
  { name: "void", schema: z.void(), sent: { answer: null }, answer: undefined },
  { name: "nan", schema: z.nan(), sent: { answer: "NaN" }, answer: Number.NaN },
  {
    name: "any",
    schema: z.object({ x: z.any() }),
    sent: { x: [{ key: "a", value: [1, null] }] },
    answer: { x: { a: [1, null] } },
  },
  { name: "unknown", schema: z.object({ x: z.unknown() }), sent: { x: ["a", []] }, answer: { x: ["a", []] } },
  {
    name: "json",
    schema: z.json(),
    sent: { answer: [[{ key: "a", value: 1 }], []] },
    answer: [{ a: 1 }, []],
  },
  { name: "literal", schema: z.literal("on"), sent: { answer: "on" }, answer: "on" },
  {
    name: "literal of several types",
    schema: z.array(z.literal(["a", 1, true, null, 5n])),
    sent: { answer: ["a", 1, true, null, "5"] },
    answer: ["a", 1, true, null, 5n],
  },
  { name: "enum", schema: z.enum(["red", "green"]), sent: { answer: "green" }, answer: "green" },
  { name: "native enum", schema: z.enum(Direction), sent: { answer: "UP" }, answer: Direction.Up },
  {
    name: "template literal",
    schema: z.templateLiteral([z.number(), "px"]),
    sent: { answer: "12px" },
    answer: "12px",
  },
  { name: "stringbool", schema: z.stringbool(), sent: { answer: "yes" }, answer: true },
  { name: "object", schema: z.object({ a: z.string() }), sent: { a: "x" }, answer: { a: "x" } },
  { name: "strict object", schema: z.strictObject({ a: z.string() }), sent: { a: "x" }, answer: { a: "x" } },
  { name: "loose object", schema: z.looseObject({ a: z.string() }), sent: { a: "x" }, answer: { a: "x" } },
  {
    name: "catchall",
    schema: z.object({ a: z.string() }).catchall(z.number()),
    sent: { a: "x" },
    answer: { a: "x" },
  },
  { name: "optional", schema: z.object({ a: z.string().optional() }), sent: { a: null }, answer: {} },
  {
    name: "exact optional",
    schema: z.object({ a: z.string().exactOptional() }),
    sent: { a: null },
    answer: {},
  },
  { name: "nullable", schema: z.object({ a: z.string().nullable() }), sent: { a: null }, answer: { a: null } },
  { name: "nullish", schema: z.object({ a: z.string().nullish() }), sent: { a: null }, answer: { a: null } },
  { name: "nonoptional", schema: z.nonoptional(z.string().optional()), sent: { answer: "x" }, answer: "x" },
  { name: "default", schema: z.object({ a: z.number().default(3) }), sent: { a: null }, answer: { a: 3 } },
  {
    name: "prefault",
    schema: z.object({ a: z.string().trim().prefault(" x ") }),
    sent: { a: null },
    answer: { a: "x" },
  },
  { name: "catch", schema: z.object({ a: z.number().max(5).catch(0) }), sent: { a: 9 }, answer: { a: 0 } },
  {
    name: "array",
    schema: z.array(z.date()),
    sent: { answer: ["2024-07-18T00:00:00Z"] },
    answer: [new Date("2024-07-18")],
  },
  { name: "set", schema: z.set(z.string()), sent: { answer: ["a", "b"] }, answer: new Set(["a", "b"]) },
  {
    name: "map",
    schema: z.map(z.string(), z.bigint()),
    sent: { answer: [{ key: "a", value: "1" }] },
    answer: new Map([["a", 1n]]),
  },
  {
    name: "record",
    schema: z.record(z.string(), z.number()),
    sent: { answer: [{ key: "a b", value: 1 }] },
    answer: { "a b": 1 },
  },
  {
    name: "record of known keys",
    schema: z.record(z.enum(["a", "b"]), z.number()),
    sent: { a: 1, b: 2 },
    answer: { a: 1, b: 2 },
  },
  {
    name: "partial record",
    schema: z.partialRecord(z.enum(["a", "b"]), z.number()),
    sent: { a: 1, b: null },
    answer: { a: 1 },
  },
  {
    name: "tuple",
    schema: z.tuple([z.string(), z.date().optional()], z.number()),
    sent: { answer: { item1: "a", item2: "2024-07-18T00:00:00Z", rest: [1, 2] } },
    answer: ["a", new Date("2024-07-18"), 1, 2],
  },
  { name: "union", schema: z.union([z.number(), z.date(), z.string()]), sent: { answer: "x" }, answer: "x" },
  {
    name: "discriminated union",
    schema: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("at"), when: z.date() }),
      z.object({ kind: z.literal("by"), when: z.string() }),
    ]),
    sent: { answer: { kind: "by", when: "2024-07-18T00:00:00Z" } },
    answer: { kind: "by", when: "2024-07-18T00:00:00Z" },
  },
  {
    name: "intersection",
    schema: z.intersection(z.object({ a: z.string() }), z.object({ b: z.bigint() })),
    sent: { a: "x", b: "1" },
    answer: { a: "x", b: 1n },
  },
  {
    name: "recursive getter",
    schema: category,
    sent: { name: "a", children: [{ name: "b", children: [] }] },
    answer: { name: "a", children: [{ name: "b", children: [] }] },
  },
  {
    name: "lazy",
    schema: chain,
    sent: { value: 1, next: { value: 2, next: null } },
    answer: { value: 1, next: { value: 2 } },
  },
  { name: "transform", schema: z.string().transform((text) => text.length), sent: { answer: "abc" }, answer: 3 },
  {
    name: "preprocess",
    schema: z.preprocess((value) => value, z.number()),
    sent: { answer: 3 },
    answer: 3,
  },
  { name: "pipe", schema: z.string().pipe(z.enum(["a", "b"])), sent: { answer: "a" }, answer: "a" },
  {
    name: "codec",
    schema: z.codec(z.iso.datetime(), z.date(), {
      decode: (text) => new Date(text),
      encode: (date) => date.toISOString(),
    }),
    sent: { answer: "2024-07-18T00:00:00Z" },
    answer: new Date("2024-07-18"),
  },
  { name: "coerce", schema: z.coerce.number(), sent: { answer: 4 }, answer: 4 },
  { name: "readonly", schema: z.object({ a: z.string() }).readonly(), sent: { a: "x" }, answer: { a: "x" } },
  { name: "brand", schema: z.string().brand<"Id">(), sent: { answer: "x" }, answer: "x" },
  { name: "refine", schema: z.number().refine((value) => value > 1), sent: { answer: 2 }, answer: 2 },
  { name: "refine, async", schema: z.number().refine(async (value) => value > 1), sent: { answer: 2 }, answer: 2 },
  { name: "success", schema: z.success(z.string()), sent: { answer: "x" }, answer: true },
  { name: "promise", schema: z.promise(z.string()), sent: { answer: "x" }, answer: "x" },
  {
    name: "custom with metadata",
    schema: z.custom<`#${string}`>((value) => String(value).startsWith("#")).meta({ type: "string" }),
    sent: { answer: "#fff" },
    answer: "#fff",
  },
]

/** Constructs that no JSON value can represent. */
export const INEXPRESSIBLE: readonly { name: string; schema: z.ZodType; construct: RegExp }[] = [
  { name: "symbol", schema: z.symbol(), construct: /symbol/ },
  { name: "never", schema: z.never(), construct: /never/ },
  { name: "file", schema: z.file(), construct: /file/ },
  { name: "function", schema: z.function() as unknown as z.ZodType, construct: /function/ },
  { name: "custom", schema: z.custom<URL>(), construct: /custom/ },
  { name: "instanceof", schema: z.instanceof(URL), construct: /custom/ },
  { name: "bare transform", schema: z.transform((value) => value), construct: /transform/ },
  { name: "literal undefined and symbol", schema: z.literal(Symbol("x") as unknown as string), construct: /literal/ },
]
