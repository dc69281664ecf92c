import { expectTypeOf, test } from "vitest"
import { z } from "zod"
import { LLMClient, type PartialAnswer, tool } from "../src/index"

/** Tests that the compiler can check fifty fields within the time of the suite. */
const Wide = z.object({
  field0: z.string(),
  field1: z.number(),
  field2: z.boolean().optional(),
  field3: z.array(z.string()),
  field4: z.object({ a: z.string(), b: z.number().nullable() }),
  field5: z.string(),
  field6: z.number(),
  field7: z.boolean().optional(),
  field8: z.array(z.string()),
  field9: z.object({ a: z.string(), b: z.number().nullable() }),
  field10: z.string(),
  field11: z.number(),
  field12: z.boolean().optional(),
  field13: z.array(z.string()),
  field14: z.object({ a: z.string(), b: z.number().nullable() }),
  field15: z.string(),
  field16: z.number(),
  field17: z.boolean().optional(),
  field18: z.array(z.string()),
  field19: z.object({ a: z.string(), b: z.number().nullable() }),
  field20: z.string(),
  field21: z.number(),
  field22: z.boolean().optional(),
  field23: z.array(z.string()),
  field24: z.object({ a: z.string(), b: z.number().nullable() }),
  field25: z.string(),
  field26: z.number(),
  field27: z.boolean().optional(),
  field28: z.array(z.string()),
  field29: z.object({ a: z.string(), b: z.number().nullable() }),
  field30: z.string(),
  field31: z.number(),
  field32: z.boolean().optional(),
  field33: z.array(z.string()),
  field34: z.object({ a: z.string(), b: z.number().nullable() }),
  field35: z.string(),
  field36: z.number(),
  field37: z.boolean().optional(),
  field38: z.array(z.string()),
  field39: z.object({ a: z.string(), b: z.number().nullable() }),
  field40: z.string(),
  field41: z.number(),
  field42: z.boolean().optional(),
  field43: z.array(z.string()),
  field44: z.object({ a: z.string(), b: z.number().nullable() }),
  field45: z.string(),
  field46: z.number(),
  field47: z.boolean().optional(),
  field48: z.array(z.string()),
  field49: z.object({ a: z.string(), b: z.number().nullable() }),
})

test("fifty fields keep their types, also in partial answers", () => {
  const client = new LLMClient({ model: "m", answerModel: Wide })
  expectTypeOf(client.generateResponse()).resolves.toEqualTypeOf<z.infer<typeof Wide>>()
  expectTypeOf<PartialAnswer<z.infer<typeof Wide>>["field49"]>().toEqualTypeOf<
    { a?: string | undefined; b?: number | null | undefined } | undefined
  >()
})

const find = tool({
  parameters: z.object({ query: z.string(), limit: z.number().optional() }),
  execute: async ({ query }) => query.length,
})
const [t0, t1, t2, t3, t4] = [find, find, find, find, find]
const five = { t0, t1, t2, t3, t4 }
const ten = { ...five, t5: t0, t6: t1, t7: t2, t8: t3, t9: t4 }
const twenty = { ...ten, u0: t0, u1: t1, u2: t2, u3: t3, u4: t4, u5: t0, u6: t1, u7: t2, u8: t3, u9: t4 }

test("so do twenty tools in addition", async () => {
  const result = await new LLMClient({ model: "m", answerModel: Wide }, { tools: twenty, maxSteps: 5 }).generate()
  if (!result.ok) return
  expectTypeOf(result.toolCalls[0]!.name).toEqualTypeOf<keyof typeof twenty>()
  for (const call of result.toolCalls)
    if (call.name === "u7") expectTypeOf(call.input).toEqualTypeOf<{ query: string; limit?: number | undefined }>()
  if (result.finishReason !== "tool-calls") expectTypeOf(result.answer).toEqualTypeOf<z.infer<typeof Wide>>()
})
