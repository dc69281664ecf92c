import type { AnswerIssue, P2Error } from "@p2/core"
import { Request } from "@p2/core"
import { expectTypeOf, test } from "vitest"
import { z } from "zod"
import * as mini from "zod/mini"
import {
  type Generated,
  type GenerateErrorCode,
  type GenerateResult,
  LLMClient,
  type PartialAnswer,
  type Receipt,
  type TextDelta,
} from "../src/index"

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

test("`ok` distinguishes the results of generate()", async () => {
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

test("partial answers are deeply partial; text stays text", () => {
  expectTypeOf<PartialAnswer<string>>().toEqualTypeOf<string>()
  expectTypeOf<PartialAnswer<Person>["tags"]>().toEqualTypeOf<{ of?: string | undefined }[] | undefined>()
  const stream = new LLMClient({ model: "m", answerModel: Person }).stream()
  expectTypeOf(stream.result).resolves.toEqualTypeOf<Generated<Person>>()
  expectTypeOf<Generated<Person>>().toExtend<{ answer: Person; receipt: Receipt }>()
})

test("`error.code` gives the fields of an error", async () => {
  const result = await new LLMClient({ model: "m" }).generate()
  if (result.ok) return
  const { error } = result
  expectTypeOf(error.code).toEqualTypeOf<GenerateErrorCode>()
  if (error.code === "budget-exceeded") expectTypeOf(error.remaining).toEqualTypeOf<number>()
  else if (error.code === "deadline-exceeded") expectTypeOf(error.timeoutMs).toEqualTypeOf<number>()
  else if (error.code === "answer-refused") expectTypeOf(error.refusal).toEqualTypeOf<string>()
  else if (error.code === "invalid-answer") expectTypeOf(error.issues).toEqualTypeOf<readonly AnswerIssue[]>()
  else if (error.code === "provider-rate-limit") expectTypeOf(error.retryAfterMs).toEqualTypeOf<number | undefined>()
  else if (error.code === "aborted") {
    // @ts-expect-error an aborted call has no budget
    error.remaining
  }
  // @ts-expect-error not a code of generate()
  if (error.code === "no-messages") return
})

test("wrong arguments do not compile", () => {
  // @ts-expect-error the model is needed
  new LLMClient({})
  // @ts-expect-error not a Zod schema
  new LLMClient({ model: "m", answerModel: { type: "object" } })
  // @ts-expect-error no such option
  new LLMClient({ model: "m" }, { baseUrl: "https://example.org" })
})

test("deltas are of text streams only", () => {
  expectTypeOf(new LLMClient({ model: "m" }).stream().deltas).toExtend<AsyncIterable<TextDelta>>()
  expectTypeOf(new LLMClient({ model: "m", answerModel: Person }).stream().deltas).toBeNever()
})
