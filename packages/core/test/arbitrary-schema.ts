import fc from "fast-check"
import { z } from "zod"

const leaf: fc.Arbitrary<z.ZodType> = fc
  .constantFrom<() => z.ZodType>(
    () => z.string(),
    () => z.string().min(1).max(20).describe("A text"),
    () => z.number().min(-5).max(5),
    () => z.int().min(0).max(100),
    () => z.boolean(),
    () => z.bigint(),
    () => z.date(),
    () => z.null(),
    () => z.undefined(),
    () => z.unknown(),
    () => z.json(),
    () => z.enum(["red", "green"]),
    () => z.literal(["a", 1, true, null, 7n]),
    () => z.uuid(),
    () => z.iso.datetime(),
    () => z.stringbool(),
    () => z.templateLiteral(["v", z.int()]),
    () => z.coerce.number(),
    () => tree(),
  )
  .map((make) => make())

/** Any Zod schema that is valid as `answerModel`: leaves, containers, wrappers, unions, recursion. */
export const arbitrarySchema: fc.Arbitrary<z.ZodType> = fc.letrec<{ schema: z.ZodType }>((tie) => {
  const inner = tie("schema")
  const key = fc.constantFrom("name", "age", "a b", "key", "value", "answer", "item1", "rest", "toString", "$ref")
  const shape = fc.dictionary(key, inner, { maxKeys: 4 })
  return {
    schema: fc.oneof(
      { maxDepth: 3, depthSize: "small" },
      leaf,
      wrapper(inner),
      container(inner),
      shape.map((of) => z.object(of)),
      shape.map((of) => z.strictObject(of)),
      shape.map((of) => z.intersection(z.looseObject(of), z.object({ own: z.string(), ...of }))),
    ),
  }
}).schema

function tree(): z.ZodType {
  const node = z.object({
    at: z.date().optional(),
    get children() {
      return z.array(z.union([node, z.string()]))
    },
  })
  return node
}

function wrapper(inner: fc.Arbitrary<z.ZodType>): fc.Arbitrary<z.ZodType> {
  return fc
    .tuple(
      inner,
      fc.constantFrom<(schema: z.ZodType) => z.ZodType>(
        (schema) => schema.optional(),
        (schema) => schema.nullable(),
        (schema) => schema.nullish(),
        (schema) => schema.readonly(),
        (schema) => schema.brand(),
        (schema) => z.lazy(() => schema),
        (schema) => schema.transform((value) => [value]),
        (schema) => schema.refine(() => true),
        (schema) => schema.meta({ description: "Something" }),
        (schema) => z.preprocess((value) => value, schema),
      ),
    )
    .map(([schema, wrap]) => wrap(schema))
}

function container(inner: fc.Arbitrary<z.ZodType>): fc.Arbitrary<z.ZodType> {
  return fc.oneof(
    inner.map((item) => z.array(item)),
    inner.map((item) => z.array(item).min(1).max(3)),
    inner.map((item) => z.set(item)),
    inner.map((item) => z.record(z.string(), item)),
    inner.map((item) => z.record(z.int(), item)),
    inner.map((item) => z.record(z.enum(["x", "y"]), item)),
    inner.map((item) => z.partialRecord(z.enum(["x", "y"]), item)),
    fc.tuple(inner, inner).map(([key, value]) => z.map(key, value)),
    fc.tuple(inner, inner).map(([a, b]) => z.tuple([a, b])),
    fc.tuple(inner, inner).map(([a, rest]) => z.tuple([a], rest)),
    fc.tuple(inner, inner).map(([a, b]) => z.union([a, b])),
    fc
      .tuple(inner, inner)
      .map(([a, b]) =>
        z.discriminatedUnion("kind", [
          z.object({ kind: z.literal("a"), of: a }),
          z.strictObject({ kind: z.literal("b"), of: b }),
        ]),
      ),
    fc.tuple(inner, inner).map(([a, b]) => z.intersection(z.object({ left: a }), z.object({ right: b }))),
  )
}
