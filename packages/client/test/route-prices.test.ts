import { compileAnswer, type Message, Request } from "@p2/core"
import { findPrice } from "@p2/pricing"
import { countRequestTokens, getModelLimits } from "@p2/tokens"
import fc from "fast-check"
import { expect, test } from "vitest"
import { z } from "zod"
import { structureOf } from "../src/generate/chat-body"
import { Routes } from "../src/providers/routes"

const Tree = z.object({ name: z.string().describe("A name"), tags: z.array(z.enum(["a", "b"])), size: z.bigint() })

const anyMessages: fc.Arbitrary<Message[]> = fc.array(
  fc.oneof(
    fc.record({ role: fc.constantFrom("system" as const, "user" as const), content: fc.string({ unit: "grapheme" }) }),
    fc.record({ role: fc.constant("assistant" as const), content: fc.string() }),
    fc.constant<Message>({
      role: "user",
      content: [
        { type: "text", text: "What is this?" },
        { type: "image_url", image_url: { url: "data:image/png;base64,AAAA", detail: "low" } },
      ],
    }),
    fc.constant<Message>({
      role: "user",
      content: [{ type: "image_url", image_url: { url: "https://example.org/a.png", detail: "low" } }],
    }),
  ),
  { maxLength: 6 },
)

test("messages and structure have as many tokens counted separately as counted together", () => {
  const compiled = compileAnswer(Tree) as ReturnType<typeof compileAnswer<unknown>>
  const models = [
    "openai/gpt-4o-mini",
    "openai/gpt-4",
    "openrouter/anthropic/claude-sonnet-4.5",
    "gemini/gemini-2.5-flash",
  ]
  const routes = models.map((model) => ({
    model: findPrice(model)!.model,
    route: new Routes(new Request({ model }) as Request<unknown>, { apiKey: "k" }).first,
  }))
  fc.assert(
    fc.property(
      anyMessages,
      fc.constantFrom(...routes),
      fc.constantFrom("text", "json_schema", "tool", "json_object", "prompt"),
      (messages, { model, route }, mode) => {
        const structure = structureOf(compiled, mode as "text")
        const { tools, response_format: answerFormat } = structure
        const { tokens, upperBound } = countRequestTokens({ model, messages, tools, answerFormat })
        const counted = route.countInput(messages, structure)
        expect(counted).toMatchObject({ tokens })
        // The context window bounds the messages; the structure is added.
        const { contextWindow, maxInputTokens = 0 } = getModelLimits(model)
        if (upperBound >= Math.max(contextWindow, maxInputTokens))
          expect(counted.upperBound).toBeGreaterThanOrEqual(upperBound)
        else expect(counted.upperBound).toBe(upperBound)
      },
    ),
  )
})

test("a file has the context window as its upper bound, and the structure is added", () => {
  const compiled = compileAnswer(Tree) as ReturnType<typeof compileAnswer<unknown>>
  const request = new Request({ model: "openai/gpt-4o-mini" }) as Request<unknown>
  const route = new Routes(request, { apiKey: "k" }).first
  const messages: Message[] = [{ role: "user", content: [{ type: "file", file: { file_id: "f" } }] }]
  const structure = structureOf(compiled, "json_schema")
  const { contextWindow } = route.limits
  expect(route.countInput(messages, {}).upperBound).toBe(contextWindow)
  expect(route.countInput(messages, structure).upperBound).toBeGreaterThan(contextWindow)
})

test("lists of tools with the same first tool are counted separately", () => {
  const route = new Routes(new Request({ model: "openai/gpt-4o-mini" }) as Request<unknown>, { apiKey: "k" }).first
  const named = (name: string) => ({
    ...compileAnswer(Tree).tool,
    function: { ...compileAnswer(Tree).tool.function, name },
  })
  const [first, second] = [named("first"), named("second")]
  const alone = route.countInput([], { tools: [first] })
  const both = route.countInput([], { tools: [first, second] })
  expect(both.tokens).toBeGreaterThan(alone.tokens)
  expect(both.upperBound).toBeGreaterThan(alone.upperBound)
  expect(route.countInput([], { tools: [first] })).toEqual(alone)
})
