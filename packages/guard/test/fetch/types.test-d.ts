import { createAnthropic } from "@ai-sdk/anthropic"
import { createGoogleGenerativeAI } from "@ai-sdk/google"
import { createOpenAI } from "@ai-sdk/openai"
import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai"
import { OpenAIProvider } from "@openai/agents"
import { type BudgetExceededError, createBudget, memoryStore } from "@p2/budget"
import { createAnthropic as createAnthropic3 } from "ai-sdk-anthropic3"
import { createGoogleGenerativeAI as createGoogle3 } from "ai-sdk-google3"
import { createOpenAI as createOpenAI3 } from "ai-sdk-openai3"
import OpenAI from "openai"
import OpenAI7 from "openai7"
import { expectTypeOf, it } from "vitest"
import { budgetErrorFrom, guardFetch, guardMiddleware, withBudget } from "../../src/index"

const budget = createBudget({ store: memoryStore(), limits: [] })
const fetch = guardFetch({ budget })

it("fits every SDK without a cast", () => {
  expectTypeOf(fetch).toEqualTypeOf<typeof globalThis.fetch>()
  new OpenAI({ fetch })
  new OpenAI7({ fetch })
  new Anthropic({ fetch })
  new Anthropic({ middleware: [guardMiddleware({ budget })] })
  new GoogleGenAI({ httpOptions: { fetch } })
  new ChatOpenAI({ configuration: { fetch } })
  new OpenAIEmbeddings({ configuration: { fetch } })
  new OpenAIProvider({ openAIClient: new OpenAI7({ fetch }) })
  for (const create of [createOpenAI, createAnthropic, createGoogleGenerativeAI]) create({ fetch })
  for (const create of [createOpenAI3, createAnthropic3, createGoogle3]) create({ fetch })
  globalThis.fetch = fetch
})

it("returns what the function of a scope returns", () => {
  expectTypeOf(withBudget({ limit: "0.50" }, async () => 5)).toEqualTypeOf<Promise<number>>()
  expectTypeOf(withBudget({ subject: { userId: "ada" } }, () => "x")).toEqualTypeOf<string>()
  // @ts-expect-error a subject has no `user`
  withBudget({ subject: { user: "ada" } }, () => "x")
})

it("has the numbers of a denial", () => {
  expectTypeOf(budgetErrorFrom(new Error())).toEqualTypeOf<BudgetExceededError | undefined>()
})

it("rejects options that do not exist", () => {
  // @ts-expect-error
  guardFetch({ budget, maxTokens: 5 })
  // @ts-expect-error
  guardFetch({})
  // @ts-expect-error
  guardMiddleware({ budget, fetch })
})
