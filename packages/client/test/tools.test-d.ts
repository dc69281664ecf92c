import { expectTypeOf, test } from "vitest"
import { z } from "zod"
import { LLMClient, type LLMClientOptions, type ToolCallOf, type ToolContext, tool } from "../src/index"

const weather = tool({
  description: "The weather in a city",
  parameters: z.object({ city: z.string(), days: z.number().optional() }),
  execute: async ({ city, days }, context) => {
    expectTypeOf(city).toEqualTypeOf<string>()
    expectTypeOf(days).toEqualTypeOf<number | undefined>()
    expectTypeOf(context).toEqualTypeOf<ToolContext>()
    return { celsius: 21 }
  },
  cost: {
    max: "0.05",
    actual: (output, input) => {
      expectTypeOf(output).toEqualTypeOf<{ celsius: number }>()
      expectTypeOf(input.city).toEqualTypeOf<string>()
      return output.celsius
    },
  },
})
const ask = tool({ parameters: z.object({ question: z.string() }) })
const now = tool({ execute: () => new Date() })
const tools = { weather, ask, now }

test("calls and results are typed by their tools", async () => {
  const result = await new LLMClient({ model: "m" }, { tools, maxSteps: 3 }).generate()
  if (!result.ok) return
  for (const call of result.toolCalls) {
    expectTypeOf(call.name).toEqualTypeOf<"weather" | "ask" | "now">()
    expectTypeOf(call.id).toEqualTypeOf<string>()
    if (call.name === "weather") expectTypeOf(call.input).toEqualTypeOf<{ city: string; days?: number | undefined }>()
    if (call.name === "ask") expectTypeOf(call.input).toEqualTypeOf<{ question: string }>()
    if (call.name === "now") expectTypeOf(call.input).toEqualTypeOf<Record<string, never>>()
  }
  for (const each of result.toolResults) {
    if (each.status === "invalid") expectTypeOf(each.input).toEqualTypeOf<string>()
    else if (each.name === "weather" && each.status === "succeeded") {
      expectTypeOf(each.output).toEqualTypeOf<{ celsius: number }>()
      expectTypeOf(each.input.city).toEqualTypeOf<string>()
    } else if (each.name === "now" && each.status === "succeeded") expectTypeOf(each.output).toEqualTypeOf<Date>()
    else if (each.status === "failed") expectTypeOf(each.error).toEqualTypeOf<unknown>()
  }
})

test("`finishReason` tells an answer from calls", async () => {
  const Person = z.object({ name: z.string() })
  const client = new LLMClient({ model: "m", answerModel: Person }, { tools })
  const result = await client.generate()
  if (!result.ok) return
  expectTypeOf(result.answer).toEqualTypeOf<{ name: string } | undefined>()
  if (result.finishReason !== "tool-calls") expectTypeOf(result.answer).toEqualTypeOf<{ name: string }>()
  expectTypeOf(client.generateResponse()).resolves.toEqualTypeOf<{ name: string }>()
  const streamed = await client.stream().result
  if (streamed.finishReason === "tool-calls")
    expectTypeOf(streamed.toolCalls).toEqualTypeOf<ToolCallOf<typeof tools>[]>()
})

test("without tools there are no calls", async () => {
  const result = await new LLMClient({ model: "m" }, { retries: undefined } as LLMClientOptions).generate()
  if (!result.ok) return
  expectTypeOf(result.answer).toEqualTypeOf<string>()
  // @ts-expect-error no tools
  result.toolCalls
})

test("a run and its forks have the types of their client, or their own", async () => {
  const run = new LLMClient({ model: "m" }, { tools }).run({ maxBudget: 1 })
  const same = await run.fork({ model: "n" }).generate()
  if (same.ok) expectTypeOf(same.toolCalls).toEqualTypeOf<ToolCallOf<typeof tools>[]>()
  const other = await run.fork({ answerModel: z.object({ a: z.number() }) }, { tools: { ask } }).generate()
  if (other.ok) expectTypeOf(other.toolCalls[0]!.name).toEqualTypeOf<"ask">()
  if (other.ok && other.finishReason !== "tool-calls") expectTypeOf(other.answer).toEqualTypeOf<{ a: number }>()
  expectTypeOf(run.child({ maxBudget: 1 })).toEqualTypeOf(run)
  // @ts-expect-error the calls of a fork are those of the client's user
  run.fork({ userId: "eve" })
  // @ts-expect-error a run needs a limit
  new LLMClient({ model: "m" }).run({})
})

test("wrong tools do not compile", () => {
  // @ts-expect-error no such tool
  new LLMClient({ model: "m" }, { tools, toolChoice: { tool: "other" } })
  // @ts-expect-error the arguments are those of the schema
  tool({ parameters: z.object({ city: z.string() }), execute: ({ town }) => town })
  // @ts-expect-error no such option
  tool({ execute: () => 1, price: 1 })
})
