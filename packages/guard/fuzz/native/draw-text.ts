import fc from "fast-check"

/** Characters whose normalized form is longer, that many tokenizers split into bytes, or that JSON escapes. */
const HOSTILE = [
  "\u{fb2c}",
  "\u{fdfa}",
  "\u{1d160}",
  "e\u0301",
  "\u{1f469}\u200d\u{1f680}",
  "\ud800",
  '"',
  "\\",
  "\n\n\t",
  "—",
  "漢",
  "ب",
]

/** Text made of words, hostile characters, repetitions and code. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.lorem({ maxCount: 40 }),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.array(fc.constantFrom(...HOSTILE), { maxLength: 60 }).map((parts) => parts.join("")),
  fc.tuple(fc.constantFrom("-", "A", " ", "0", ...HOSTILE), fc.nat(300)).map(([unit, count]) => unit.repeat(count)),
  fc.json({ maxDepth: 3 }),
)

/** A JSON Schema of an object. */
export const schema: fc.Arbitrary<Record<string, unknown>> = fc
  .dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.constantFrom("string", "integer", "boolean"), { maxKeys: 4 })
  .map((fields) => ({
    type: "object",
    properties: Object.fromEntries(Object.entries(fields).map(([name, type]) => [name, { type, description: name }])),
    required: Object.keys(fields),
  }))

/** The value, or nothing. */
export function optional<T>(arbitrary: fc.Arbitrary<T>, freq = 2): fc.Arbitrary<T | undefined> {
  return fc.option(arbitrary, { nil: undefined, freq })
}

/** Base64 of a number of bytes. */
export const base64: fc.Arbitrary<string> = fc
  .nat(2000)
  .map((bytes) => Buffer.from(new Uint8Array(bytes).fill(bytes % 256)).toString("base64"))
