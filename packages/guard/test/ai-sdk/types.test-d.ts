import type { Budget } from "@p2/budget"
import type * as ai7 from "ai"
import type * as ai6 from "ai6"
import { expectTypeOf, it } from "vitest"
import { type BudgetMiddleware, budgetMiddleware } from "../../src/ai-sdk"

declare const budget: Budget

it("fits every kind of model of AI SDK 7", () => {
  expectTypeOf<BudgetMiddleware>().toExtend<ai7.LanguageModelMiddleware>()
  expectTypeOf<BudgetMiddleware>().toExtend<ai7.EmbeddingModelMiddleware>()
  expectTypeOf<BudgetMiddleware>().toExtend<ai7.ImageModelMiddleware>()
})

it("fits every kind of model of AI SDK 6", () => {
  expectTypeOf<BudgetMiddleware>().toExtend<ai6.LanguageModelMiddleware>()
  expectTypeOf<BudgetMiddleware>().toExtend<ai6.EmbeddingModelMiddleware>()
  expectTypeOf<BudgetMiddleware>().toExtend<ai6.ImageModelMiddleware>()
})

it("has no option for a fetch", () => {
  // @ts-expect-error The middleware does not send.
  budgetMiddleware({ budget, fetch })
})
