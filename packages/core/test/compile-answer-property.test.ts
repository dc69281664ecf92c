import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type AnswerIssue, type AnswerResult, compileAnswer, UnsupportedSchemaError } from "../src/index"
import { arbitraryAnswer } from "./arbitrary-answer"
import { arbitrarySchema } from "./arbitrary-schema"
import { CONSTRUCTS } from "./construct-table"
import { strictViolations } from "./strict-schema"

/** Run more with `P2_FUZZ_RUNS=30000 npx vitest run compile-answer-property`. */
const RUNS = Number(process.env.P2_FUZZ_RUNS ?? 1_000)

/** Long enough for any number of runs, even on a busy machine. */
const TIMEOUT_MS = 120_000 + 20 * RUNS

/** Issues that no keyword of strict mode can prevent: sizes and formats. All other issues are structural. */
const NOT_STRUCTURAL = ["too_small", "too_big", "invalid_format", "not_multiple_of"]

function structuralIssues(result: AnswerResult<unknown>): readonly AnswerIssue[] {
  return result.ok ? [] : result.error.issues.filter(({ code }) => !NOT_STRUCTURAL.includes(code))
}

describe("any schema", () => {
  it(
    "is sent as strict JSON Schema, and accepts any value that fits the JSON Schema that was sent",
    async () => {
      let compiledSchemas = 0
      await fc.assert(
        fc.asyncProperty(arbitrarySchema, fc.infiniteStream(fc.nat()), async (schema, seeds) => {
          let compiledAnswer: ReturnType<typeof compileAnswer>
          try {
            compiledAnswer = compileAnswer(schema)
          } catch (error) {
            expect(error).toBeInstanceOf(UnsupportedSchemaError)
            return
          }
          compiledSchemas++
          expect(strictViolations(compiledAnswer.jsonSchema)).toEqual([])
          const [seed] = seeds.take(1)
          for (const sent of fc.sample(arbitraryAnswer(compiledAnswer.jsonSchema), { numRuns: 5, seed: seed! })) {
            const text = JSON.stringify(sent)
            const result = await compiledAnswer.parseAsync(text)
            expect(structuralIssues(result), text).toEqual([])
          }
        }),
        { numRuns: RUNS },
      )
      expect(compiledSchemas).toBeGreaterThan(RUNS * 0.9)
    },
    TIMEOUT_MS,
  )
})

describe("each construct", () => {
  // `catch` and refinements run the schema's own code; their samples are in the table.
  const structural = CONSTRUCTS.filter(({ name }) => !/refine|custom/.test(name))
  it.each(structural)("$name accepts any value that fits the JSON Schema that was sent", async ({ schema }) => {
    const compiledAnswer = compileAnswer(schema)
    expect(strictViolations(compiledAnswer.jsonSchema)).toEqual([])
    for (const sent of fc.sample(arbitraryAnswer(compiledAnswer.jsonSchema), 50)) {
      const result = await compiledAnswer.parseAsync(JSON.stringify(sent))
      expect(structuralIssues(result), JSON.stringify(sent)).toEqual([])
    }
  })
})
