import { describe, expect, it } from "vitest"
import { compileAnswer, UnsupportedSchemaError } from "../src/index"
import { CONSTRUCTS, INEXPRESSIBLE } from "./construct-table"

describe("constructs of Zod", () => {
  it.each(CONSTRUCTS)("takes $name there and back", async ({ schema, sent, answer }) => {
    const result = await compileAnswer(schema).parseAsync(JSON.stringify(sent))
    expect(result).toEqual({ ok: true, answer })
  })
})
