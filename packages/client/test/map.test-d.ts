import { expectTypeOf, test } from "vitest"
import { z } from "zod"
import { type BudgetAlert, LLMClient, type MapProgress, type Receipt } from "../src/index"

test("results of map are typed by the schema, and items by the caller", async () => {
  const client = new LLMClient({ model: "gpt-4o-mini", answerModel: z.object({ label: z.enum(["a", "b"]) }) })
  const results = await client.map([{ id: 1 }], {
    prompt: (item, index) => {
      expectTypeOf(item).toEqualTypeOf<{ id: number }>()
      expectTypeOf(index).toEqualTypeOf<number>()
      return "text"
    },
    onProgress: (progress) => expectTypeOf(progress).toEqualTypeOf<MapProgress>(),
  })
  for (const result of results) {
    if (result.status === "answered") expectTypeOf(result.receipt).toEqualTypeOf<Receipt>()
    if (result.status === "answered" || result.status === "resumed")
      expectTypeOf(result.answer).toEqualTypeOf<{ label: "a" | "b" }>()
    if (result.status === "failed" && result.error.code === "budget-exceeded")
      expectTypeOf(result.error.busy).toEqualTypeOf<boolean>()
    if (result.status === "skipped") expectTypeOf(result.reason).toEqualTypeOf<"denied" | "aborted">()
    // @ts-expect-error Only an answered item has an answer.
    result.answer
  }
})

test("waits, alerts and windows are options", () => {
  new LLMClient(
    {
      model: "gpt-4o-mini",
      userId: "u",
      userBudget: { limit: 1, per: "month", start: { day: 15, hour: 6 }, alertAt: [0.5], carryOver: true },
    },
    { wait: { timeoutMs: 1_000 }, onAlert: (alert) => expectTypeOf(alert).toEqualTypeOf<BudgetAlert>() },
  )
  // @ts-expect-error A wait has a limit.
  new LLMClient({ model: "gpt-4o-mini" }, { wait: true })
})
