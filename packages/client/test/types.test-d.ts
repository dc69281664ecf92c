import type { P2Error } from "@p2/core"
import { Request } from "@p2/core"
import { expectTypeOf, test } from "vitest"
import { z } from "zod"
import * as mini from "zod/mini"
import { type GenerateResult, LLMClient, type PartialAnswer, type Receipt } from "../src/index"

const Person = z.object({ name: z.string(), age: z.number().optional(), tags: z.array(z.object({ of: z.string() })) })
type Person = z.infer<typeof Person>

test("the answer is inferred from the schema, of a request or of plain options", () => {
  const client = new LLMClient({ model: "m", answerModel: Person })
  expectTypeOf(client).toEqualTypeOf<LLMClient<Person>>()
  expectTypeOf(client.generateResponse()).resolves.toEqualTypeOf<Person>()
  expectTypeOf(
    new LLMClient(new Request({ model: "m", answerModel: Person })).generateResponse(),
  ).resolves.toEqualTypeOf<Person>()
  expectTypeOf(
    new LLMClient({ model: "m", answerModel: z.array(z.number()) }).generateResponse(),
  ).resolves.toEqualTypeOf<number[]>()
  expectTypeOf(
    new LLMClient({ model: "m", answerModel: mini.object({ a: mini.string() }) }).generateResponse(),
  ).resolves.toEqualTypeOf<{ a: string }>()
})

test("without a schema the answer is a string", () => {
  expectTypeOf(new LLMClient({ model: "m" }).generateResponse()).resolves.toEqualTypeOf<string>()
})

test("generate() is told apart by ok", async () => {
  const result = await new LLMClient({ model: "m", answerModel: Person }).generate()
  expectTypeOf(result).toEqualTypeOf<GenerateResult<Person>>()
  if (result.ok) {
    expectTypeOf(result.answer).toEqualTypeOf<Person>()
    // @ts-expect-error an answer has no error
    result.error
  } else {
    expectTypeOf(result.error).toExtend<P2Error>()
    expectTypeOf(result.error.receipt).toEqualTypeOf<Receipt>()
    // @ts-expect-error an error has no answer
    result.answer
  }
  expectTypeOf(result.receipt).toEqualTypeOf<Receipt>()
})

test("partials are deep, and texts are texts", () => {
  expectTypeOf<PartialAnswer<string>>().toEqualTypeOf<string>()
  expectTypeOf<PartialAnswer<Person>["tags"]>().toEqualTypeOf<{ of?: string | undefined }[] | undefined>()
  const stream = new LLMClient({ model: "m", answerModel: Person }).stream()
  expectTypeOf(stream.result).resolves.toEqualTypeOf<{ answer: Person; receipt: Receipt }>()
})

test("what makes no sense does not compile", () => {
  // @ts-expect-error the model is needed
  new LLMClient({})
  // @ts-expect-error no schema of Zod
  new LLMClient({ model: "m", answerModel: { type: "object" } })
  // @ts-expect-error no such option
  new LLMClient({ model: "m" }, { baseUrl: "https://example.org" })
})
